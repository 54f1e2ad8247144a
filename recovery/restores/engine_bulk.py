"""The bulk engine: DynamoDB itself puts the items of the vault into a table that the recovery has made.

StartBulkPutItems, DescribeBulkOperation and ListBulkOperations (API reference; developer guide, 'Bulk put items').
The table is made as for the write engine, so local indexes and all settings are kept. It must be no global table
while it is loaded, and no secondary index of it may be under construction. Puts are idempotent: after a failure the
whole operation is begun once more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recovery.aws import aws_errors
from recovery.errors import AwsError, RestoreMismatchError, TableNotFoundError
from recovery.pacing import patient
from recovery.restores.bulk_report import read_report
from recovery.restores.engine import RestoreEngineName
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
from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.restores.engine import Load
    from recovery.restores.managed_loads import ManagedSource
    from recovery.restores.runs import Run

log = logging.getLogger(__name__)

LEAST_WRITE_REQUEST_UNITS = 1024
REPORTS = "reports/"
_FIELDS = Fields("BulkOperationStatus", "ProcessedItemCount", "ProcessedInputBytes")
_GAVE_UP = frozenset({"FAILED", "CANCELLED"})
_MOST_PAGES = 20
_AGAIN = f"Run the command again: it begins a new operation. {INSTEAD}"


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How the operation is to run; what is None or "" is left to DynamoDB.

    ``max_write_request_units``: units a second, at least 1,024. ``performance_tier`` as AWS spells it.
    ``kms_key``: for the error report, which holds the items that were refused. ``bucket_owner``: the account of
    the bucket where an adopted backup lies, if that is another one. Raises UsageError.
    """

    max_write_request_units: int | None = None
    performance_tier: Literal["", "STANDARD", "ACCELERATED"] = ""
    kms_key: str = ""
    bucket_owner: str = ""

    def __post_init__(self) -> None:
        units = self.max_write_request_units
        if units is not None and units < LEAST_WRITE_REQUEST_UNITS:
            raise UsageError(
                f"a bulk load writes at least {LEAST_WRITE_REQUEST_UNITS} write request units a second, not {units}"
            )


DEFAULTS = BulkOptions()


class BulkEngine:
    """Begins a bulk operation, or finds the one that the run has begun, and follows it to its end."""

    name = RestoreEngineName.BULK

    def __init__(self, aws: Aws, sleep: Sleep, options: BulkOptions = DEFAULTS) -> None:
        self._client: Any = aws.dynamodb()
        self._sleep = sleep
        self._options = options

    def load(self, load: Load) -> None:
        """See LoadEngine.load.

        Raises UnsafeError for a backup that DynamoDB cannot read, AwsError with DynamoDB's FailureCode where the
        operation failed or was cancelled, RestoreMismatchError where it did not put every item.
        """
        if not load.backup.data_objects:
            return
        source = managed_source(load.catalog.vault, load.backup)
        arn = self._operation(source, load)
        follower = Follower(load.table, load.lease, load.progress, self._sleep)
        description = follower.follow(lambda: self._describe(arn), _FIELDS)
        self._judge(arn, description, load)

    def is_under_way(self, run: Run) -> bool:
        """See ManagedEngine.is_under_way."""
        arn = begun_operation(run)
        if token := pending_token(run):
            arn = patient(self._sleep)(self._begun_with, token)
        try:
            return bool(arn) and patient(self._sleep)(self._describe, arn).get(_FIELDS.status) in UNDER_WAY
        except TableNotFoundError:
            return False

    def _operation(self, source: ManagedSource, load: Load) -> str:
        """The ARN of the operation to follow. The source is looked at before one is begun, the note made before, too."""
        run = load.run
        arn = begun_operation(run)
        if arn and self._is_worth_following(arn):
            return arn
        token = client_token(run)
        source.check()
        load.lease.check()
        arn = patient(self._sleep)(self._start, self._request(source, load, token))
        run.note(operation=arn)
        return arn

    def _is_worth_following(self, arn: str) -> bool:
        try:
            status = patient(self._sleep)(self._describe, arn).get("BulkOperationStatus")
        except TableNotFoundError:  # operations are remembered for 90 days
            return False
        if status in UNDER_WAY or status == "COMPLETED":
            return True
        log.warning("bulk operation %s ended as %s; beginning another one", arn, status)
        return False

    def _request(self, source: ManagedSource, load: Load, token: str) -> dict[str, Any]:
        vault, options = load.catalog.vault, self._options
        reports: dict[str, Any] = {
            "S3Bucket": vault.bucket,
            "S3KeyPrefix": vault.full_key(_reports(load, token)),
            "OutputType": ["ERROR"],
        }
        if options.kms_key:
            reports |= {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": options.kms_key}
        data = {
            "S3Bucket": source.bucket,
            "S3KeyPrefix": source.prefix,
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": source.compression,
        }
        if options.bucket_owner and source.bucket != vault.bucket:
            data["S3BucketOwner"] = options.bucket_owner
        request: dict[str, Any] = {
            "ClientToken": token,
            "TableName": load.table,
            "InputS3Configuration": data,
            "OutputS3Configuration": reports,
        }
        if options.max_write_request_units is not None:
            request["MaxWriteRequestUnits"] = options.max_write_request_units
        if options.performance_tier:
            request["PerformanceTier"] = options.performance_tier
        return request

    def _start(self, request: dict[str, Any]) -> str:
        try:
            with aws_errors(f"load table {request['TableName']} in bulk"):
                answer = self._client.start_bulk_put_items(**request)
        except AwsError as error:
            # Begun earlier, its answer lost, and the settings were changed since: that operation is the one.
            if error.code == "IdempotentParameterMismatchException" and (
                found := self._begun_with(request["ClientToken"])
            ):
                return found
            raise
        return str(answer["BulkOperationDescription"]["BulkOperationArn"])

    def _begun_with(self, token: str) -> str:
        for arn in self._newest():
            if self._describe(arn).get("ClientToken") == token:
                return arn
        return ""

    def _newest(self) -> Iterator[str]:
        """The ARNs of the account's bulk operations, newest first."""
        page: dict[str, Any] = {}
        for _ in range(_MOST_PAGES):
            with aws_errors("list bulk operations"):
                answer = self._client.list_bulk_operations(**page)
            yield from (str(one["BulkOperationArn"]) for one in answer.get("BulkOperationsSummaryList", []))
            if not answer.get("NextToken"):
                return
            page = {"NextToken": answer["NextToken"]}

    def _describe(self, arn: str) -> dict[str, Any]:
        with aws_errors(f"describe bulk operation {arn}"):
            answer: dict[str, Any] = self._client.describe_bulk_operation(BulkOperationArn=arn)
        return dict(answer["BulkOperationDescription"])

    def _judge(self, arn: str, description: dict[str, Any], load: Load) -> None:
        """Whether the operation put every item of the backup."""
        status = description.get("BulkOperationStatus")
        processed, failed = description.get("ProcessedItemCount"), description.get("FailedItemCount") or 0
        if status in _GAVE_UP:
            code = str(description.get("FailureCode") or status)
            why = str(description.get("FailureMessage") or "no reason given")[:500]
            raise AwsError(
                f"the bulk load of table {load.table} {'failed' if status == 'FAILED' else 'was cancelled'} "
                f"after {processed or 0} of {load.backup.item_count} items: {code}: {why} ({arn})",
                code=code,
                hint=_AGAIN,
            )
        if status == "COMPLETED_WITH_ERRORS" or failed:
            report = read_report(
                load.catalog.vault, _reports(load, str(description.get("ClientToken") or ""))
            )
            raise RestoreMismatchError(
                f"DynamoDB could not put {failed or 'some'} of {load.backup.item_count} items into table "
                f"{load.table}: {report.in_words}",
                hint=_AGAIN,
            )
        if status != "COMPLETED":
            raise AwsError(f"bulk operation {arn} ended as {status}, which is not known here", hint=INSTEAD)
        # Where it is not told, the table itself is counted in the end.
        if processed is not None and processed != load.backup.item_count:
            load.run.note(operation="")
            raise RestoreMismatchError(
                f"DynamoDB says that the bulk load of table {load.table} is complete, with {processed} items; "
                f"the backup holds {load.backup.item_count}",
                hint=_AGAIN,
            )


def _reports(load: Load, token: str) -> str:
    """Where the error report goes: beside the runs and not among them, for runs are listed.

    Each operation has a folder of its own; without its token, all of the run's are meant.
    """
    return f"{REPORTS}{load.run.record.run_id}/{token}{'/' if token else ''}"
