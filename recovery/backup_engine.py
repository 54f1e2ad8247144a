"""The port of the backup engines: one adapter per file (``backup_scan``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.export_layout import WrittenObject
    from recovery.manifest import TableIdentity
    from recovery.progress import Progress


@dataclass(frozen=True, slots=True)
class CopiedData:
    """What an engine put into the vault, for the manifest. Bytes are those of the lines, uncompressed."""

    objects: tuple[WrittenObject, ...]
    export_id: str
    item_count: int
    raw_bytes: int
    content_digest: str
    read_units: float
    started: datetime
    ended: datetime


class BackupEngine(Protocol):
    """Copies all items of a table into a backup's folder, in the export layout."""

    name: str
    consistency: Literal["per-item", "point-in-time"]

    def copy(self, table: TableIdentity, folder: str, size_bytes: int, progress: Progress) -> CopiedData:
        """Copy the data of a table of about ``size_bytes``; the backup is not visible before its manifest, whatever happens here.

        Raises UnavailableError when throttled for too long, AccessDeniedError, TableNotFoundError. A page
        is never skipped.
        """
        ...
