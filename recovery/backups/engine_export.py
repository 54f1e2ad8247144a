"""The export engine: DynamoDB itself writes the data into the backup's folder, as of one point in time.

ExportTableToPointInTime (API reference) needs point-in-time recovery; it reads no capacity of the table and
takes any size. Its S3 prefix is the backup's own folder, so the data is adopted where it lies. The client
token is the backup's id: asked for twice, DynamoDB answers with the same export.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recovery.aws import aws_errors
from recovery.backups.engine import CopiedData
from recovery.backups.export_layout import EXPORT_ROOT
from recovery.backups.manifest import Increment
from recovery.backups.native_export import read_export
from recovery.errors import AwsError, DamagedObjectError, ExportError, ObjectNotFoundError
from recovery.pacing import patient
from rules.errors import AccessDeniedError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.backups.backup_runs import BackupRun
    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.clock import Clock, Sleep
    from recovery.definitions.definition import TableDefinition
    from recovery.progress import Progress
    from recovery.vault.leases import Lease
    from recovery.vault.vault import Vault

POLL_SECONDS = 10.0
# An export's time is exact to a minute or so; changes that are told twice do no harm.
OVERLAP = timedelta(minutes=1)
SHORTEST_WINDOW, LONGEST_WINDOW = timedelta(minutes=15), timedelta(hours=24)


class ExportEngine:
    """Asks for an export and waits for it. ``kms_key`` "" leaves the encryption to the bucket.

    ``incremental``: the changes since the newest export of the table, where that is between 15 minutes and 24
    hours old; otherwise a full one.
    """

    name = "export"

    def __init__(
        self,
        aws: Aws,
        catalog: Catalog,
        clock: Clock,
        sleep: Sleep,
        kms_key: str = "",
        *,
        incremental: bool = False,
    ) -> None:
        self._aws = aws
        self._catalog = catalog
        self._clock = clock
        self._sleep = sleep
        self._kms_key = kms_key
        self._incremental = incremental

    def copy(
        self, run: BackupRun, definition: TableDefinition, lease: Lease, progress: Progress
    ) -> CopiedData:
        """See BackupEngine.copy. Raises ExportError where DynamoDB refuses the export or does not complete it."""
        if not run.record.export_arn:
            window = self._window(definition) if self._incremental else None
            arn = self._start(run, definition, window)
            run.note(engine=self.name, export_arn=arn, export_id=arn.rpartition("/")[2])
        description = self._finished(run, lease)
        data = _copied(self._catalog.vault, run, description)
        progress.advance(definition.table.name, data.item_count, data.raw_bytes)
        return data

    def _start(
        self, run: BackupRun, definition: TableDefinition, window: tuple[Manifest, datetime, datetime] | None
    ) -> str:
        vault = self._catalog.vault
        request: dict[str, Any] = {
            "TableArn": definition.table.arn,
            "ClientToken": run.record.backup_id,
            "S3Bucket": vault.bucket,
            "S3Prefix": vault.full_key(run.record.folder).rstrip("/"),
            "ExportFormat": "DYNAMODB_JSON",
        }
        if self._kms_key:
            request |= {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": self._kms_key}
        if window is not None:
            base, since, until = window
            request["ExportType"] = "INCREMENTAL_EXPORT"
            request["IncrementalExportSpecification"] = {
                "ExportFromTime": since,
                "ExportToTime": until,
                "ExportViewType": "NEW_IMAGE",
            }
            run.note(base_id=base.backup_id)
        client: Any = self._aws.dynamodb()
        try:
            with aws_errors(f"export table {definition.table.name}"):
                answer = client.export_table_to_point_in_time(**request)
        except (AwsError, AccessDeniedError) as error:
            raise ExportError(str(error), hint=error.hint) from error
        return str(answer["ExportDescription"]["ExportArn"])

    def _finished(self, run: BackupRun, lease: Lease) -> dict[str, Any]:
        """The description of the export once it is complete."""
        while True:
            lease.check()
            description = patient(self._sleep)(self._describe, run.record.export_arn)
            status = description.get("ExportStatus")
            if status == "COMPLETED":
                return description
            if status == "FAILED":
                why = description.get("FailureMessage") or description.get("FailureCode") or "no reason given"
                raise ExportError(f"the export of {run.record.table.name} failed: {why}")
            self._sleep(POLL_SECONDS)

    def _describe(self, arn: str) -> dict[str, Any]:
        client: Any = self._aws.dynamodb()
        with aws_errors(f"describe export {arn}"):
            answer: dict[str, Any] = client.describe_export(ExportArn=arn)["ExportDescription"]
        return answer

    def _window(self, definition: TableDefinition) -> tuple[Manifest, datetime, datetime] | None:
        """The backup to continue, and from when until when; None where a full export is needed."""
        table = definition.table
        found = self._catalog.newest(table.account, table.region, table.name, 1).backups
        base = found[0] if found else None
        if base is None or base.engine != self.name or base.table.table_id != table.table_id:
            return None
        since, until = base.consistency.ended - OVERLAP, self._clock().replace(microsecond=0)
        return (base, since, until) if SHORTEST_WINDOW <= until - since <= LONGEST_WINDOW else None


def _copied(vault: Vault, run: BackupRun, description: dict[str, Any]) -> CopiedData:
    """What a finished export left in the backup's folder. Raises ExportError where it is not whole."""
    record = run.record
    folder = vault.at(vault.bucket, vault.full_key(record.folder))
    try:
        export = read_export(folder, f"{EXPORT_ROOT}{record.export_id}")
    except (ObjectNotFoundError, DamagedObjectError) as error:
        raise ExportError(f"the export is complete, but not whole: {error}") from error
    summary = export.summary
    until = summary.until or description.get("ExportTime") or record.started_at
    increment = None
    if summary.export_type == "INCREMENTAL_EXPORT":
        if summary.export_from_time is None or summary.export_to_time is None or not record.base_id:
            raise ExportError("the export is incremental, but its window or its base is not known")
        increment = Increment(
            base_id=record.base_id, changed_from=summary.export_from_time, changed_to=summary.export_to_time
        )
    return CopiedData(
        engine=ExportEngine.name,
        consistency="point-in-time",
        objects=export.objects,
        export_id=export.export_id,
        item_count=summary.item_count,
        raw_bytes=summary.billed_size_bytes,
        read_units=0.0,
        started=until,
        ended=until,
        increment=increment,
    )
