"""The port of the backup engines: one adapter per file (``engine_scan``, ``engine_export``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.backups.backup_runs import BackupRun
    from recovery.backups.manifest import BackupObject, Increment
    from recovery.definitions.definition import TableDefinition
    from recovery.progress import Progress
    from recovery.vault.leases import Lease


class EngineName(StrEnum):
    """The engines that can be asked for; ``AUTO`` chooses."""

    AUTO = "auto"
    SCAN = "scan"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class CopiedData:
    """What an engine put into the vault, for the manifest.

    ``objects`` with keys relative to the backup's folder; ``raw_bytes`` before packing; ``started`` and
    ``ended``: the times between which the data is consistent (the same for a point in time).
    """

    engine: str
    consistency: Literal["per-item", "point-in-time"]
    objects: tuple[BackupObject, ...]
    export_id: str
    item_count: int
    raw_bytes: int
    read_units: float
    started: datetime
    ended: datetime
    increment: Increment | None = None


class BackupEngine(Protocol):
    """Copies all items of a table into a backup's folder, in the export layout."""

    def copy(
        self, run: BackupRun, definition: TableDefinition, lease: Lease, progress: Progress
    ) -> CopiedData:
        """Copy the data, or go on with what ``run`` notes; nothing is visible before the manifest.

        Raises UnavailableError when throttled for too long, AccessDeniedError, TableNotFoundError, and
        LeaseHeldError once the lease is lost. A page is never skipped.
        """
        ...
