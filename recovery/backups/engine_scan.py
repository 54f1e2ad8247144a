"""The scan engine: parallel segments, raw bytes from the wire to the file, a checkpoint after every part."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recovery.backups.backup_runs import SegmentCheckpoint
from recovery.backups.data_files import DataFileWriter, FileOptions, resumed_file
from recovery.backups.engine import CopiedData
from recovery.backups.export_layout import ExportTimes, write_export_manifests
from recovery.backups.read_pace import UNIT_BYTES, ReadPace
from recovery.pacing import patient
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from recovery.backups.backup_runs import BackupRun
    from recovery.clock import Clock, Sleep
    from recovery.definitions.definition import TableDefinition
    from recovery.progress import Progress
    from recovery.vault.leases import Lease
    from recovery.vault.vault import Vault
    from recovery.wire import RawPage, RawTables

# A segment less than this costs more requests than it saves time.
SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENTS_A_CORE = 2
MAX_SEGMENTS = 6
# More than all that a segment holds of its pages at a time.
KEPT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to read: ``segments`` None as many as fit table and machine, ``max_units`` read units a second.

    ``read_percent`` of the table's provisioned (or maximal on-demand) capacity; the lower of both limits counts.
    """

    segments: int | None = None
    consistent: bool = True
    max_units: float | None = None
    read_percent: float | None = None
    files: FileOptions = field(default_factory=FileOptions)

    def limit_for(self, definition: TableDefinition) -> float | None:
        """Read units a second that a table may cost; None: no limit."""
        limits = [self.max_units] if self.max_units else []
        if self.read_percent:
            request = definition.create_table
            provisioned = request.get("ProvisionedThroughput", {}).get("ReadCapacityUnits")
            on_demand = request.get("OnDemandThroughput", {}).get("MaxReadRequestUnits")
            if capacity := provisioned or on_demand:
                limits.append(capacity * self.read_percent / 100)
        return min(limits, default=None)


@dataclass(frozen=True, slots=True)
class TableScan:
    """How one table is read. Without a pace as fast as it goes; ``item_bytes``: about how large an item is."""

    tables: RawTables
    table: str
    sleep: Sleep
    pace: ReadPace | None = None
    item_bytes: float = 0.0
    consistent: bool = True

    def pages(self, segment: tuple[int, int], stop: Event, after: bytes = b"") -> Iterator[RawPage]:
        """Every page of one segment (number, of how many) behind a key; throttling never skips a page.

        Ends early once ``stop`` is set: then another part has failed, and nobody looks at what this one read.
        """
        pace = self.pace
        while not stop.is_set():
            if pace is not None:
                pace.wait()
            tries = patient(self.sleep, stop)
            page = tries(
                self.tables.scan_page,
                self.table,
                segment=segment[0],
                segments=segment[1],
                start_key=after,
                consistent=self.consistent,
                limit=pace.page_items(self.item_bytes) if pace is not None else None,
            )
            if pace is not None:
                # Throttled inside of botocore, or for longer than it is patient.
                throttled = page.throttled or tries.statistics["attempt_number"] > 1
                pace.read(page.capacity_units or _estimated_units(page), throttled=throttled)
            after = page.last_key
            yield page
            del page
            if not after:
                return


def _estimated_units(page: RawPage) -> float:
    """For an endpoint that does not tell: by the bytes, as DynamoDB counts a strongly consistent read."""
    return sum(len(memoryview(item)) for item in page.items) / UNIT_BYTES


def segments_for(size_bytes: int, at_most: int = MAX_SEGMENTS) -> int:
    """How many segments to read side by side, from the size that DescribeTable last counted and the cores."""
    cores = os.cpu_count() or 1
    return max(1, min(MAX_SEGMENTS, at_most, SEGMENTS_A_CORE * cores, size_bytes // SEGMENT_BYTES))


class ScanEngine:
    """Reads with Scan. Consistent per item only: items written meanwhile may or may not be in it."""

    name = "scan"

    def __init__(
        self,
        tables: RawTables,
        vault: Vault,
        clock: Clock,
        sleep: Sleep,
        options: ScanOptions | None = None,
        at_most: int = MAX_SEGMENTS,
    ) -> None:
        self._tables = tables
        self._vault = vault
        self._clock = clock
        self._sleep = sleep
        self._options = options or ScanOptions()
        self._at_most = at_most

    def copy(
        self, run: BackupRun, definition: TableDefinition, lease: Lease, progress: Progress
    ) -> CopiedData:
        """See BackupEngine.copy."""
        if not run.record.segments:
            segments = self._options.segments or segments_for(definition.size_bytes_estimate, self._at_most)
            run.note(engine=self.name, segments=segments)
        scan = TableScan(
            self._tables,
            definition.table.name,
            self._sleep,
            pace=ReadPace(self._clock, self._sleep, self._options.limit_for(definition)),
            item_bytes=definition.size_bytes_estimate / max(1, definition.item_count_estimate),
            consistent=self._options.consistent,
        )
        _keep_freed_memory()
        parts = side_by_side(
            run.record.segments,
            lambda number, stop: _SegmentCopy(scan, run, self._options.files, lease, progress).copy(
                number, stop
            ),
            "scan",
        )
        ended = self._clock()
        files = [file for part in parts for file in part.files]
        raw_bytes = sum(part.raw_bytes for part in parts)
        manifests = write_export_manifests(
            self._vault,
            folder=run.record.folder,
            export_id=run.record.export_id,
            table=definition.table,
            files=files,
            times=ExportTimes(run.record.started_at, ended),
            raw_bytes=raw_bytes,
        )
        return CopiedData(
            engine=self.name,
            consistency="per-item",
            objects=tuple(written.entry for written in (*files, *manifests)),
            export_id=run.record.export_id,
            item_count=sum(file.items or 0 for file in files),
            raw_bytes=raw_bytes,
            read_units=sum(part.read_units for part in parts),
            started=run.record.started_at,
            ended=ended,
        )


def _keep_freed_memory() -> None:
    """Have glibc use the memory of one page for the next one, and not give it back to the kernel in between.

    It learns from the largest block that was freed (mallopt(3), M_MMAP_THRESHOLD). Nobody writes into this one,
    so it takes no memory; to another C library it means nothing.
    """
    bytearray(KEPT_BYTES)


@dataclass(slots=True)
class _SegmentCopy:
    """One segment on its way into files."""

    scan: TableScan
    run: BackupRun
    files: FileOptions
    lease: Lease
    progress: Progress
    before: SegmentCheckpoint = field(default_factory=SegmentCheckpoint)
    read_units: float = 0.0

    def copy(self, number: int, stop: Event) -> SegmentCheckpoint:
        """Read the segment to its end, from its checkpoint on. Raises as ``BackupEngine.copy``."""
        record = self.run.record
        self.before = before = self._going_on(self.run.checkpoint(number), number)
        if before.done:
            return before
        self.read_units = before.read_units
        options = FileOptions(self.files.raw_bytes, self.files.part_bytes, record.compression)
        writer = DataFileWriter(self.run.vault, record.folder, record.export_id, options)
        file_after = after = before.after
        for page in self.scan.pages((number, record.segments), stop, before.after.encode()):
            self.lease.check()
            size = writer.write(page.items, compact=page.compact)
            self.read_units += page.capacity_units
            after = page.last_key.decode()
            if writer.is_durable and after and page.items:
                if writer.open_file is None:
                    file_after = after
                self.run.save(number, self._state(writer, after, file_after))
            self.progress.advance(self.scan.table, len(page.items), size)
            # While the next page is on its way, nobody needs this one.
            del page
        writer.finish_file()
        last = self._state(writer, "", "", done=not after and not stop.is_set())
        if last.files and last.done and record.segments > 1:
            self.run.save(number, last)
        return last

    def _going_on(self, found: SegmentCheckpoint, number: int) -> SegmentCheckpoint:
        """A checkpoint without an open file: its parts are made a whole file, or read again if they are gone."""
        self.progress.advance(self.scan.table, sum(file.items or 0 for file in found.files), found.raw_bytes)
        file = found.open_file
        if file is None:
            return found
        whole = resumed_file(self.run.vault, self.run.record.folder, file)
        if whole is None:
            lost = {"after": found.file_after, "raw_bytes": found.raw_bytes - file.raw_bytes}
            going_on = found.model_copy(update={"open_file": None, **lost})
        else:
            going_on = found.model_copy(
                update={"open_file": None, "files": (*found.files, whole), "file_after": found.after}
            )
            self.progress.advance(self.scan.table, file.items, 0)
        self.run.save(number, going_on)
        return going_on

    def _state(
        self, writer: DataFileWriter, after: str, file_after: str, *, done: bool = False
    ) -> SegmentCheckpoint:
        return SegmentCheckpoint(
            after=after,
            done=done,
            files=(*self.before.files, *writer.written),
            file_after=file_after,
            open_file=writer.open_file,
            raw_bytes=self.before.raw_bytes + writer.raw_bytes,
            read_units=self.read_units,
        )
