"""The restore engine: AWS makes the table, data and all, from a recovery point of its own keeping.

RestoreTableToPointInTime, RestoreTableFromBackup (DynamoDB API reference); what only AWS Backup can restore goes
through ``restore_jobs``. A restore of DynamoDB's has no id: the run's ``operation`` is the ARN of the table that
it makes, noted before the call, while there is no such table. The table's RestoreSummary tells where it came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.aws import aws_errors
from recovery.errors import AwsError, BackupNotFoundError, TableNotFoundError
from recovery.pacing import patient
from recovery.restores.engine import RestoreEngineName
from recovery.restores.points import PointKind
from recovery.restores.points_aws_backup import is_fully_managed
from recovery.restores.restore_jobs import RestoreJobs
from recovery.restores.restore_requests import restore_call
from recovery.restores.restored_tables import RestoredTable
from rules.errors import SafetyNetError, UnavailableError, UsageError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.progress import Progress
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease

_TAKEN = frozenset({"TableAlreadyExistsException", "TableInUseException", "ResourceInUseException"})


class RestoreEngine:
    """See TableEngine. ``role_arn`` is what AWS Backup restores with, "" the role that made the recovery point."""

    name = RestoreEngineName.RESTORE

    def __init__(self, aws: Aws, sleep: Sleep, *, role_arn: str = "") -> None:
        self._aws = aws
        self._sleep = sleep
        self._jobs = RestoreJobs(aws, sleep, role_arn)

    def make(self, run: Run, lease: Lease, progress: Progress) -> None:
        """See TableEngine.make. Besides raises BackupNotFoundError for a point that is gone by now."""
        point = run.record.plan.point
        if point.kind is PointKind.VAULT:
            raise UsageError("a backup of the vault is loaded, not restored by AWS")
        lease.check()
        table = RestoredTable(self._aws, self._sleep, run, lease)
        if point.kind is PointKind.AWS_BACKUP and is_fully_managed(point.id):
            self._jobs.finish(run, table, lease, progress)
        else:
            self._begin(run, table, lease)
            # Whoever deleted it in the meantime may have put another one into its place.
            table.refuse_others(table.follow(progress), begun=True)
        table.mark()

    def _begin(self, run: Run, table: RestoredTable, lease: Lease) -> None:
        """Ask for the restore, unless the table is there from an earlier call."""
        there = table.there()
        if there is not None:
            table.refuse_others(there, begun=run.record.operation == table.arn)
            return
        plan = run.record.plan
        try:
            call, request = patient(self._sleep)(restore_call, self._aws, plan)
        except SafetyNetError as error:
            raise _in_our_words(error, plan.point.kind) from error
        if run.record.operation != table.arn:
            run.note(operation=table.arn)
        try:
            patient(self._sleep)(self._ask, call, request, table, lease)
        except SafetyNetError as error:
            raise _in_our_words(error, plan.point.kind) from error

    def _ask(self, call: str, request: dict[str, Any], table: RestoredTable, lease: Lease) -> None:
        lease.check()
        client: Any = self._aws.dynamodb()
        try:
            with aws_errors(f"restore table {table.name}"):
                getattr(client, call)(**request)
        except AwsError as error:
            if error.code == "BackupInUseException":
                raise UnavailableError(str(error), hint="Run the command again; it continues.") from error
            if error.code not in _TAKEN:
                raise
            # Either an earlier call of ours lost its answer, or somebody was faster.
            there = table.there()
            if there is None:
                raise UnavailableError(str(error), hint="Run the command again.") from error
            table.refuse_others(there, begun=True)


def _in_our_words(error: SafetyNetError, kind: PointKind) -> SafetyNetError:
    """An error of the restore with what helps; others as they are."""
    if isinstance(error, TableNotFoundError) and kind is PointKind.PITR:
        return BackupNotFoundError(
            str(error), hint="Point-in-time recovery went with the table; see what it left: --source system."
        )
    if not isinstance(error, AwsError):
        return error
    if error.code == "BackupNotFoundException":
        return BackupNotFoundError(
            str(error), hint="It was deleted or ran out. Plan again with another point."
        )
    if error.code == "PointInTimeRecoveryUnavailableException":
        return BackupNotFoundError(
            str(error), hint="Point-in-time recovery is off for the table. Plan again with another point."
        )
    if error.code == "InvalidRestoreTimeException":
        return UsageError(str(error), hint="The window has moved on. Plan again, or choose another --at.")
    return error
