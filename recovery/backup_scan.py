"""The scan engine: parallel segments, raw bytes from the wire to the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from recovery.backup_engine import CopiedData
from recovery.digest import ContentDigest
from recovery.export_layout import (
    FILE_RAW_BYTES,
    DataFileWriter,
    ExportTimes,
    new_export_id,
    write_export_manifests,
)
from recovery.pacing import patient
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from recovery.clock import Clock, Sleep
    from recovery.export_layout import WrittenObject
    from recovery.manifest import TableIdentity
    from recovery.progress import Progress
    from recovery.vault import Vault
    from recovery.wire import RawPage, RawTables

SEGMENT_BYTES = 64 * 1024 * 1024
MAX_SEGMENTS = 8


@dataclass(slots=True)
class _Segment:
    """What one segment came to."""

    digest: ContentDigest = field(default_factory=ContentDigest)
    written: list[WrittenObject] = field(default_factory=list)
    raw_bytes: int = 0
    read_units: float = 0.0


def scan_pages(
    tables: RawTables, table: str, segment: int, segments: int, sleep: Sleep, stop: Event
) -> Iterator[RawPage]:
    """Every page of one segment, strongly consistent; throttling slows it down but never skips a page.

    Ends early once ``stop`` is set: then another part has failed, and nobody looks at what this one read.
    """
    start_key = b""
    while not stop.is_set():
        page = patient(sleep, stop)(
            tables.scan_page, table, segment=segment, segments=segments, start_key=start_key, consistent=True
        )
        yield page
        start_key = page.last_key
        if not start_key:
            return


def segments_for(size_bytes: int) -> int:
    """How many segments to read side by side, from the size that DescribeTable last counted."""
    return max(1, min(MAX_SEGMENTS, size_bytes // SEGMENT_BYTES))


class ScanEngine:
    """Reads with Scan. Consistent per item only: items written meanwhile may or may not be in it.

    ``segments`` None: as many as fit the table's size. ``file_raw_bytes``: when a data file is full.
    """

    name = "scan"
    consistency: Literal["per-item", "point-in-time"] = "per-item"

    def __init__(
        self,
        tables: RawTables,
        vault: Vault,
        clock: Clock,
        sleep: Sleep,
        segments: int | None = None,
        file_raw_bytes: int = FILE_RAW_BYTES,
    ) -> None:
        self._tables = tables
        self._vault = vault
        self._clock = clock
        self._sleep = sleep
        self._segments = segments
        self._file_raw_bytes = file_raw_bytes

    def copy(self, table: TableIdentity, folder: str, size_bytes: int, progress: Progress) -> CopiedData:
        """See BackupEngine.copy."""
        started = self._clock()
        export_id = new_export_id(started)
        segments = self._segments or segments_for(size_bytes)
        parts = side_by_side(
            segments,
            lambda number, stop: self._copy_segment(
                table, folder, export_id, (number, segments), progress, stop
            ),
            "scan",
        )
        ended = self._clock()
        digest = ContentDigest()
        for part in parts:
            digest.merge(part.digest)
        files = [file for part in parts for file in part.written]
        raw_bytes = sum(part.raw_bytes for part in parts)
        manifests = write_export_manifests(
            self._vault,
            folder=folder,
            export_id=export_id,
            table=table,
            files=files,
            times=ExportTimes(started, ended),
            raw_bytes=raw_bytes,
        )
        return CopiedData(
            objects=(*files, *manifests),
            export_id=export_id,
            item_count=digest.item_count,
            raw_bytes=raw_bytes,
            content_digest=digest.value,
            read_units=sum(part.read_units for part in parts),
            started=started,
            ended=ended,
        )

    def _copy_segment(
        self,
        table: TableIdentity,
        folder: str,
        export_id: str,
        segment: tuple[int, int],
        progress: Progress,
        stop: Event,
    ) -> _Segment:
        part = _Segment()
        with DataFileWriter(self._vault, folder, export_id, self._file_raw_bytes) as writer:
            for page in scan_pages(self._tables, table.name, *segment, self._sleep, stop):
                for item in page.items:
                    part.digest.add(item)
                size = writer.write(page.items)
                part.read_units += page.capacity_units
                progress.advance(table.name, len(page.items), size)
            writer.flush()
            part.raw_bytes = writer.raw_bytes
            part.written = writer.written
        return part
