"""Restores by AWS Backup, of the recovery points that only it can restore.

StartRestoreJob, DescribeRestoreJob, ListRestoreJobs, GetRestoreJobMetadata (AWS Backup API reference). The job's id is
the run's ``operation``; before the call it is ``asked:<idempotency token>``. A token counts for an hour, so a
later run looks for the job itself: by its recovery point, its target and its time.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

from recovery.aws import aws_errors
from recovery.definitions.reader import Reader
from recovery.errors import AwsError, TableNotFoundError
from recovery.pacing import patient
from recovery.restores.points_aws_backup import described, recovery_points
from recovery.restores.restore_requests import job_metadata
from recovery.restores.restored_tables import CLOCK_DIFFERENCE, rounds
from rules.errors import AccessDeniedError, UsageError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.progress import Progress
    from recovery.restores.restored_tables import RestoredTable
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease

log = logging.getLogger(__name__)

ASKED = "asked:"
RESTORE_POLICY = "AWSBackupServiceRolePolicyForRestores"
_OVER = frozenset({"ABORTED", "FAILED"})


class RestoreJobs:
    """Starts and follows restore jobs. ``role_arn`` "": the role that made the recovery point."""

    def __init__(self, aws: Aws, sleep: Sleep, role_arn: str = "") -> None:
        self._aws = aws
        self._sleep = sleep
        self._role_arn = role_arn

    def finish(self, run: Run, table: RestoredTable, lease: Lease, progress: Progress) -> None:
        """Begin the run's job, or go on with the one that it began, until the table that it makes is ACTIVE.

        Raises AwsError where the job failed, TableExistsError, UsageError where no role is known.
        """
        if not run.record.operation or run.record.operation.startswith(ASKED):
            there = table.there()
            if there is not None and not run.record.operation:
                # Either marked as ours, and so restored before, or somebody else's.
                table.refuse_others(there, begun=False)
                table.follow(progress)
                return
            self._begin(run, table, lease, there)
        job = self._followed(run, lease)
        made = table.follow(progress)
        if job.get("CreatedResourceArn", table.arn) != table.arn:
            raise AwsError(f"restore job {run.record.operation} made {job['CreatedResourceArn']}")
        table.refuse_later_ones(
            made, job["CreationDate"], job.get("CompletionDate", made["CreationDateTime"])
        )

    def _followed(self, run: Run, lease: Lease) -> dict[str, Any]:
        """The job once it is COMPLETED."""
        last: dict[str, Any] = {}

        def ready() -> bool:
            nonlocal last
            lease.check()
            last = self._job(run)
            log.info("%s: %s", run.record.operation, last.get("PercentDone", last["Status"]))
            return bool(last["Status"] == "COMPLETED")

        rounds(self._sleep, ready, f"restore job {run.record.operation}")
        return last

    def _begin(self, run: Run, table: RestoredTable, lease: Lease, there: dict[str, Any] | None) -> None:
        if run.record.operation:
            job_id = self._asked_before(run)
            if job_id is not None:
                run.note(operation=job_id)
                return
            if there is not None:
                table.refuse_others(there, begun=False)
        role = self._role_arn or self._role_of_the_point(run)
        token = secrets.token_hex(16)
        run.note(operation=f"{ASKED}{token}")
        lease.check()
        run.note(operation=patient(self._sleep)(self._start, run, role, token))

    def _start(self, run: Run, role: str, token: str) -> str:
        plan = run.record.plan
        client = self._aws.service("backup")
        try:
            with aws_errors(f"restore table {plan.target.name} with AWS Backup"):
                answer = client.start_restore_job(
                    RecoveryPointArn=plan.point.id,
                    Metadata=job_metadata(plan),
                    IamRoleArn=role,
                    IdempotencyToken=token,
                    ResourceType="DynamoDB",
                    # Where a backup of the vault tells the tags, those are put on.
                    CopySourceTagsToRestoredResource=not plan.backup_id,
                )
        except AccessDeniedError as error:
            raise AccessDeniedError(
                str(error), hint=f"{error.hint} It needs iam:PassRole for {role}."
            ) from error
        return str(answer["RestoreJobId"])

    def _asked_before(self, run: Run) -> str | None:
        """The job of a call whose answer was lost."""
        reader = self._reader()
        plan = run.record.plan
        jobs = reader.listed(
            "list_restore_jobs",
            "RestoreJobs",
            ByResourceType="DynamoDB",
            ByCreatedAfter=run.record.started_at - CLOCK_DIFFERENCE,
        )
        for job in jobs:
            if job.get("RecoveryPointArn") != plan.point.id or job.get("Status") in _OVER:
                continue
            metadata = reader.ask("get_restore_job_metadata", RestoreJobId=job["RestoreJobId"])["Metadata"]
            # Their case does not count, so neither does that in which they come back.
            if {key.lower(): value for key, value in metadata.items()}.get(
                "targettablename"
            ) == plan.target.name:
                return str(job["RestoreJobId"])
        return None

    def _job(self, run: Run) -> dict[str, Any]:
        """DescribeRestoreJob. What is over and did not work is forgotten, so that the next run begins another."""
        job_id = run.record.operation
        client = self._aws.service("backup")

        def ask() -> dict[str, Any]:
            with aws_errors(f"describe restore job {job_id}"):
                answer: dict[str, Any] = client.describe_restore_job(RestoreJobId=job_id)
            return answer

        try:
            job = patient(self._sleep)(ask)
        except TableNotFoundError as error:
            run.note(operation="")
            raise AwsError(f"AWS Backup does not know restore job {job_id} any more") from error
        if job["Status"] in _OVER:
            run.note(operation="")
            raise AwsError(
                f"restore job {job_id} is {job['Status']}: {job.get('StatusMessage') or 'no reason given'}",
                hint=f"The role that it ran with needs the policy {RESTORE_POLICY}. Run the command again.",
            )
        return job

    def _role_of_the_point(self, run: Run) -> str:
        plan = run.record.plan
        reader = self._reader()
        for entry in recovery_points(reader, plan.source.arn):
            if entry["RecoveryPointArn"] == plan.point.id:
                role = (described(reader, entry) or {}).get("IamRoleArn")
                if role:
                    return str(role)
        raise UsageError(
            f"AWS Backup needs a role to restore {plan.point.id}, and which one made it cannot be read",
            hint=f"Set recover.aws_backup_role to one that has the policy {RESTORE_POLICY}.",
        )

    def _reader(self) -> Reader:
        return Reader(lambda: self._aws.reader("backup"), self._sleep)
