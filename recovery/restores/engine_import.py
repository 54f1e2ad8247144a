"""The import engine: DynamoDB makes the table and fills it from the vault, where bulk loads are not offered.

ImportTable, DescribeImport and ListImports (API reference; developer guide, 'DynamoDB data import from Amazon S3').
An import makes no local indexes, streams or tags and sets no table class: the first cannot be had, the rest goes on
afterwards. It skips what it cannot read, and may leave a table with the other items behind: so counts are compared,
and what a failed import of this very run has left is deleted before the next one begins.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from glob import escape
from typing import TYPE_CHECKING, Any

from recovery.aws import aws_errors
from recovery.definitions.definition import RUN_TAG, describe_table, read_tags
from recovery.definitions.table_settings import wait_until_active, wait_until_gone
from recovery.errors import AwsError, RestoreMismatchError, TableExistsError, TableNotFoundError
from recovery.intents import Declaration
from recovery.pacing import patient
from recovery.restores.engine import RestoreEngineName
from recovery.restores.import_request import creation_parameters, why_no_import
from recovery.restores.managed_loads import (
    INSTEAD,
    UNDER_WAY,
    Fields,
    Follower,
    begun_operation,
    client_token,
    managed_source,
    pending_token,
)
from recovery.restores.plans import DELETING, backup_of, table_exists
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.clock import Sleep
    from recovery.intents import IntentStore
    from recovery.progress import Progress
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease

log = logging.getLogger(__name__)

_FIELDS = Fields("ImportStatus", "ProcessedItemCount", "ProcessedSizeBytes")
_DELETION_LASTS = timedelta(hours=1)
# The token was used for another request, or the table is there already: by our own earlier call, perhaps.
_BEGUN_BEFORE = frozenset(
    {"ResourceInUseException", "ImportConflictException", "IdempotentParameterMismatchException"}
)
_AGAIN = f"Run the command again: it deletes what this import has left and begins another one. {INSTEAD}"


@dataclass(frozen=True, slots=True)
class _Work:
    """One call of ``make``."""

    run: Run
    lease: Lease
    progress: Progress
    backup: Manifest

    @property
    def plan(self) -> RecoveryPlan:
        return self.run.record.plan

    @property
    def table(self) -> str:
        return self.plan.target.name


class ImportEngine:
    """Begins an import, or finds the one that the run has begun, and follows it to its end.

    ``bucket_owner``: the account of the bucket where an adopted backup lies, if that is another one. ``intents``:
    where the deletion of what a failed import has left is declared, so that it alerts nobody.
    """

    name = RestoreEngineName.IMPORT

    def __init__(
        self,
        aws: Aws,
        catalog: Catalog,
        sleep: Sleep,
        bucket_owner: str = "",
        intents: IntentStore | None = None,
    ) -> None:
        self._aws = aws
        self._client: Any = aws.dynamodb()
        self._catalog = catalog
        self._sleep = sleep
        self._bucket_owner = bucket_owner
        self._intents = intents

    def make(self, run: Run, lease: Lease, progress: Progress) -> None:
        """See TableEngine.make.

        Raises UnsafeError for a table or backup that cannot be imported, AwsError with DynamoDB's FailureCode
        where the import failed or was cancelled, RestoreMismatchError where it did not import every item.
        """
        work = _Work(run, lease, progress, backup_of(self._catalog, run.record.plan))
        if why := why_no_import(work.plan.create_request):
            raise UnsafeError(f"cannot import table {work.table}: {why}", hint=INSTEAD)
        arn = self._operation(work)
        if not arn:
            return
        follower = Follower(work.table, lease, progress, self._sleep)
        description = follower.follow(lambda: self._describe(arn), _FIELDS)
        whole = description.get("ImportStatus") == "COMPLETED"
        if table := self._table_of(description, work):
            # What a failed import has left is ours, too, and must not be taken for a whole table by anybody.
            if whole or table["TableStatus"] == "ACTIVE":
                self._mark(table["TableArn"], work)
        elif whole:
            raise AwsError(f"import {arn} is complete, but table {work.table} is not there", hint=_AGAIN)
        self._judge(arn, description, work)

    def is_under_way(self, run: Run) -> bool:
        """See ManagedEngine.is_under_way."""
        arn = begun_operation(run)
        if token := pending_token(run):
            arn = patient(self._sleep)(self._begun_with, token, run.record.plan)
        return bool(arn) and patient(self._sleep)(self._describe, arn).get(_FIELDS.status) in UNDER_WAY

    def _operation(self, work: _Work) -> str:
        """The ARN of the import to follow; "" where the table is there already, whole as far as is known."""
        arn = begun_operation(work.run)
        if arn and self._is_worth_following(arn, work):
            return arn
        if not arn and not pending_token(work.run) and (table := self._table(work)):
            # Only the tag tells that an import of this run has made it: it is for the comparison to judge.
            if self._tags(table["TableArn"]).get(RUN_TAG) == work.run.record.mark:
                return ""
            raise _taken(work)
        source = managed_source(self._catalog.vault, work.backup)
        token = client_token(work.run)
        source.check()
        work.lease.check()
        data = {"S3Bucket": source.bucket, "S3KeyPrefix": source.prefix}
        if self._bucket_owner and source.bucket != self._catalog.vault.bucket:
            data["S3BucketOwner"] = self._bucket_owner
        request = {
            "ClientToken": token,
            "S3BucketSource": data,
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": source.compression,
            "TableCreationParameters": creation_parameters(work.plan.create_request),
        }
        arn = patient(self._sleep)(self._start, request, work)
        work.run.note(operation=arn)
        return arn

    def _is_worth_following(self, arn: str, work: _Work) -> bool:
        """Whether a noted import goes on or is complete. What a failed one has left is deleted."""
        description = patient(self._sleep)(self._describe, arn)
        status = description.get("ImportStatus")
        if status in UNDER_WAY:
            return True
        table = self._table_of(description, work)
        if status == "COMPLETED" and table is not None:
            return True
        log.warning("import %s ended as %s; beginning another one", arn, status)
        if table is not None:
            self._delete(work, table["TableId"])
        return False

    def _table(self, work: _Work) -> Any:
        """DescribeTable's answer, None where there is no table; one that is being deleted is waited for."""
        try:
            description = patient(self._sleep)(describe_table, self._client, work.table)
        except TableNotFoundError:
            return None
        if description["TableStatus"] != DELETING:
            return description
        wait_until_gone(work.table, lambda: not table_exists(self._aws, work.table), self._sleep)
        return None

    def _table_of(self, description: dict[str, Any], work: _Work) -> Any:
        """The table that an import has made, None where it is not there.

        Raises TableExistsError for another one of that name: only the TableId tells.
        """
        table = self._table(work)
        if table is None:
            return None
        if not description.get("TableId") or description["TableId"] != table.get("TableId"):
            raise _taken(work)
        return table

    def _delete(self, work: _Work, table_id: str) -> None:
        """Delete what a failed import has left, provided that it is still that table."""
        work.lease.check()
        log.warning("deleting table %s (%s), which a failed import has left", work.table, table_id)
        self._declare_deletion(work)
        try:
            patient(self._sleep)(self._call, "delete_table", work.table, TableName=work.table)
        except TableNotFoundError:
            return
        wait_until_gone(work.table, lambda: not table_exists(self._aws, work.table), self._sleep)

    def _declare_deletion(self, work: _Work) -> None:
        if self._intents is None:
            return
        caller, target = work.run.record.started_by, work.plan.target
        self._intents.declare(
            Declaration(
                table=target.name,
                # An ARN's path may hold what a pattern would read as its own.
                by=escape(caller),
                lasts=min(_DELETION_LASTS, self._intents.longest),
                operations=("DeleteTable",),
                max_changes=1,
                reason=f"what a failed import has left, recovery of {target.name} from backup {work.plan.backup_id}",
                account=target.account,
                region=target.region,
            ),
            declared_by=caller,
        )

    def _call(self, method: str, what: str, **arguments: Any) -> Any:
        with aws_errors(f"{method.replace('_', ' ')} {what}"):
            return getattr(self._client, method)(**arguments)

    def _start(self, request: dict[str, Any], work: _Work) -> str:
        try:
            answer = self._call("import_table", work.table, **request)
        except AwsError as error:
            if error.code not in _BEGUN_BEFORE:
                raise
            if found := self._begun_with(request["ClientToken"], work.plan):
                return found
            if error.code == "ResourceInUseException":
                raise _taken(work) from error
            raise
        return str(answer["ImportTableDescription"]["ImportArn"])

    def _begun_with(self, token: str, plan: RecoveryPlan) -> str:
        """The import into the plan's table that was begun with a client token."""
        target = plan.target
        partition = self._aws.session.get_partition_for_region(target.region)
        table_arn = f"arn:{partition}:dynamodb:{target.region}:{target.account}:table/{target.name}"
        page: dict[str, Any] = {"TableArn": table_arn}
        while True:
            answer = self._call("list_imports", table_arn, **page)
            for one in answer.get("ImportSummaryList", []):
                if self._describe(one["ImportArn"]).get("ClientToken") == token:
                    return str(one["ImportArn"])
            if not answer.get("NextToken"):
                return ""
            page["NextToken"] = answer["NextToken"]

    def _describe(self, arn: str) -> dict[str, Any]:
        return dict(self._call("describe_import", arn, ImportArn=arn)["ImportTableDescription"])

    def _tags(self, arn: str) -> dict[str, str]:
        with aws_errors(f"read the tags of {arn}"):
            return read_tags(self._client, arn, self._sleep)

    def _mark(self, arn: str, work: _Work) -> None:
        """Tag the table with the run, as CreateTable would have: whole or not, it is not verified yet."""
        wait_until_active(self._client, work.table, self._sleep)
        tags = {**work.plan.tags, RUN_TAG: work.run.record.mark}
        if self._tags(arn).get(RUN_TAG) == work.run.record.mark:
            return
        wanted = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        patient(self._sleep)(self._call, "tag_resource", arn, ResourceArn=arn, Tags=wanted)

    def _judge(self, arn: str, description: dict[str, Any], work: _Work) -> None:
        """Whether the import brought every item of the backup."""
        expected = work.backup.item_count
        status, errors = description.get("ImportStatus"), description.get("ErrorCount") or 0
        processed, imported = description.get("ProcessedItemCount"), description.get("ImportedItemCount")
        counts = f"{imported or 0} of {expected} items imported, {errors} errors"
        if status != "COMPLETED":
            code = str(description.get("FailureCode") or status)
            why = str(description.get("FailureMessage") or "no reason given")[:500]
            where = description.get("CloudWatchLogGroupArn")
            raise AwsError(
                f"the import of table {work.table} ended as {status}, {counts}: {code}: {why} ({arn}"
                f"{f', details in {where}' if where else ''})",
                code=code,
                hint=_AGAIN,
            )
        # Where counts are not told, the table itself is counted in the end.
        if errors or {count for count in (processed, imported) if count is not None} - {expected}:
            raise RestoreMismatchError(
                f"DynamoDB says that the import of table {work.table} is complete, but {counts}",
                hint=f"Table {work.table} is there but must not be trusted. Delete it, then run the same command "
                f"again: {work.plan.target.deletion}",
            )


def _taken(work: _Work) -> TableExistsError:
    target = work.plan.target
    return TableExistsError(
        f"table {target.name} exists in {target.account}/{target.region}, and no import of this run has made it"
    )
