"""The engine that chooses: an export where point-in-time recovery is on, otherwise a scan.

An export that DynamoDB refuses or fails at is no reason to have no backup: then the table is scanned.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from recovery.definitions.definition import Known
from recovery.errors import ExportError

if TYPE_CHECKING:
    from recovery.backups.backup_runs import BackupRun
    from recovery.backups.engine import BackupEngine, CopiedData
    from recovery.definitions.definition import TableDefinition
    from recovery.progress import Progress
    from recovery.vault.leases import Lease

log = logging.getLogger(__name__)

SCAN = "scan"


class AutoEngine:
    """Hands the work to one of two engines; a backup that is gone on with stays with the one it began with."""

    def __init__(self, scan: BackupEngine, export: BackupEngine) -> None:
        self._scan = scan
        self._export = export

    def copy(
        self, run: BackupRun, definition: TableDefinition, lease: Lease, progress: Progress
    ) -> CopiedData:
        """See BackupEngine.copy."""
        if run.record.engine != SCAN and (run.record.export_arn or has_point_in_time_recovery(definition)):
            try:
                return self._export.copy(run, definition, lease, progress)
            except ExportError as error:
                log.warning("%s; reading the table instead", error)
                run.note(engine=SCAN)
        return self._scan.copy(run, definition, lease, progress)


def has_point_in_time_recovery(definition: TableDefinition) -> bool:
    """Whether it is known to be on."""
    pitr = definition.settings.pitr
    return isinstance(pitr, Known) and bool(pitr.value)
