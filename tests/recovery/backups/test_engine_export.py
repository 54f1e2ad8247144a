"""The export engine: asked for, followed, checked and adopted in its place; a scan where that cannot be."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import ANY, Stubber

from recovery.backups.engine_auto import AutoEngine
from recovery.backups.engine_export import ExportEngine
from recovery.backups.engine_scan import ScanEngine
from recovery.errors import ExportError
from recovery.testing.embedded_aws import ACCOUNT, REGION
from rules.errors import UnavailableError
from tests.recovery.exports import HandMadeExport, change, item
from tests.recovery.recovering import make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from tests.recovery.recovering import Process

EXPORT_ID = "01795170000000-1a2b3c4d"


class ExportingAws:
    """The AWS of a process, with a client of its own whose export calls are scripted."""

    def __init__(self, net: Process) -> None:
        self._net = net
        self._client = net.aws.session.client(
            "dynamodb", endpoint_url=net.aws.endpoint_url, region_name=REGION
        )
        self.stub = Stubber(self._client)
        self.stub.activate()

    def dynamodb(self) -> Any:
        """The scripted client."""
        return self._client


@pytest.fixture
def exporting(net: Process) -> Iterator[ExportingAws]:
    """All that was scripted must have been asked for."""
    aws = ExportingAws(net)
    yield aws
    aws.stub.assert_no_pending_responses()


@pytest.fixture
def protected(plain: DynamoDBClient, table: str) -> str:
    """A table of three items with point-in-time recovery."""
    make_table(plain, table, some_items(3))
    plain.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    return table


def engine(net: Process, aws: ExportingAws, **options: Any) -> ExportEngine:
    """The engine on the scripted client."""
    return ExportEngine(aws, net.catalog, net.clock, net.sleep, **options)  # type: ignore[arg-type]


def back_up(net: Process, table: str, wanted: Any) -> Manifest:
    """A backup by an engine of the test's own."""
    net.clock.advance(60)
    backups = net.backups()
    backups._engine = wanted  # noqa: SLF001 - the process has no other door for an engine
    return backups.back_up(table).manifest


def arn(table: str) -> str:
    """The export's ARN."""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/export/{EXPORT_ID}"


def script(
    net: Process, aws: ExportingAws, table: str, statuses: list[str], request: dict[str, Any] | None = None
) -> None:
    """ExportTableToPointInTime, and DescribeExport with one status after the other."""
    wanted = {
        "TableArn": ANY,
        "ClientToken": ANY,
        "S3Bucket": net.vault.bucket,
        "S3Prefix": ANY,
        "ExportFormat": "DYNAMODB_JSON",
        **(request or {}),
    }
    description = {"ExportArn": arn(table), "ExportStatus": "IN_PROGRESS"}
    aws.stub.add_response("export_table_to_point_in_time", {"ExportDescription": description}, wanted)
    for status in statuses:
        answer = {**description, "ExportStatus": status, "FailureMessage": "no access to the bucket"}
        aws.stub.add_response("describe_export", {"ExportDescription": answer}, {"ExportArn": arn(table)})


def written(net: Process, table: str, export: HandMadeExport) -> None:
    """DynamoDB writes into the folder of the backup that is under way, as soon as somebody waits for it."""

    def sleep(_: float) -> None:
        (folder,) = {
            info.key.rpartition("table.json")[0]
            for info in net.store.list(f"backups/{ACCOUNT}/{REGION}/{table}/")
            if info.key.endswith("/table.json")
            and not any(True for _ in net.store.list(f"{info.key.removesuffix('table.json')}manifest.json"))
        }
        export.prefix = net.store.full_key(folder).rstrip("/")
        export.write(net.store.at(net.store.bucket, export.prefix))

    net.sleep = sleep  # type: ignore[assignment]


def three(table: str, **more: Any) -> HandMadeExport:
    """Three items in two files."""
    return HandMadeExport(table, [[item(1), item(2)], [item(3)]], export_id=EXPORT_ID, **more)


def test_an_export_becomes_the_backup(net: Process, exporting: ExportingAws, protected: str) -> None:
    """Followed until it is complete; its manifest's time, counts and files are the backup's, and no page is read."""
    script(net, exporting, protected, ["IN_PROGRESS", "COMPLETED"])
    export = three(protected, exported=net.clock.now)
    written(net, protected, export)
    backup = back_up(net, protected, engine(net, exporting))
    assert (backup.engine, backup.consistency.kind) == ("export", "point-in-time")
    assert (backup.item_count, backup.export_id, backup.data) == (3, EXPORT_ID, None)
    assert backup.time == export.exported
    assert "Scan" not in net.faults.calls
    assert net.recover(protected, as_name=f"{protected}-copy").items_verified == 3


def test_an_interrupted_export_is_waited_for_again(
    net: Process, exporting: ExportingAws, protected: str
) -> None:
    """The rerun asks for no second export: it follows the first one."""
    script(net, exporting, protected, ["IN_PROGRESS", "COMPLETED"])
    written(net, protected, three(protected))
    first = engine(net, exporting)
    net.faults.fail("vault.put_new", nth=4)
    with pytest.raises(UnavailableError):
        back_up(net, protected, first)
    net.again()
    exporting.stub.add_response(
        "describe_export",
        {"ExportDescription": {"ExportArn": arn(protected), "ExportStatus": "COMPLETED"}},
        {"ExportArn": arn(protected)},
    )
    assert back_up(net, protected, engine(net, exporting)).item_count == 3


@pytest.mark.parametrize("status", ["FAILED", "COMPLETED"])
def test_an_export_that_is_not_whole(
    net: Process, exporting: ExportingAws, protected: str, status: str
) -> None:
    """Failed, or complete without its files: an error with the reason, and no backup."""
    script(net, exporting, protected, [status])
    with pytest.raises(ExportError, match=r"no access to the bucket|not whole"):
        back_up(net, protected, engine(net, exporting))
    assert net.catalog.backups(ACCOUNT, REGION, protected).backups == ()


def test_an_encrypted_export(net: Process, exporting: ExportingAws, protected: str) -> None:
    """The key of the settings encrypts it."""
    script(
        net,
        exporting,
        protected,
        ["IN_PROGRESS", "COMPLETED"],
        {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": "alias/backups"},
    )
    written(net, protected, three(protected))
    assert back_up(net, protected, engine(net, exporting, kms_key="alias/backups")).item_count == 3


def auto(net: Process, aws: ExportingAws) -> AutoEngine:
    """The engine that chooses."""
    return AutoEngine(ScanEngine(net.tables, net.vault, net.clock, net.sleep), engine(net, aws))


def test_auto_scans_without_point_in_time_recovery(
    net: Process, plain: DynamoDBClient, exporting: ExportingAws, table: str
) -> None:
    """Nothing to export from: the table is read."""
    make_table(plain, table, some_items(2))
    assert back_up(net, table, auto(net, exporting)).engine == "scan"


def test_auto_exports_with_point_in_time_recovery(
    net: Process, exporting: ExportingAws, protected: str
) -> None:
    """The exact point in time is the better backup."""
    script(net, exporting, protected, ["IN_PROGRESS", "COMPLETED"])
    written(net, protected, three(protected))
    assert back_up(net, protected, auto(net, exporting)).engine == "export"


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "PointInTimeRecoveryUnavailableException", "ExportConflictException"]
)
def test_auto_scans_where_an_export_is_refused(
    net: Process, exporting: ExportingAws, protected: str, code: str
) -> None:
    """A refused export is no reason to have no backup."""
    exporting.stub.add_client_error("export_table_to_point_in_time", code, "no", 400)
    backup = back_up(net, protected, auto(net, exporting))
    assert (backup.engine, backup.item_count) == ("scan", 3)


def test_an_incremental_export_continues_the_last_one(
    net: Process, exporting: ExportingAws, protected: str
) -> None:
    """The window begins where the last export ended; a recovery brings base and changes together."""
    script(net, exporting, protected, ["IN_PROGRESS", "COMPLETED"])
    written(net, protected, three(protected, exported=net.clock.now))
    base = back_up(net, protected, engine(net, exporting))
    since = base.time
    net.clock.advance(6 * 3600)
    until = (net.clock.now + timedelta(seconds=60)).replace(microsecond=0)
    script(
        net,
        exporting,
        protected,
        ["IN_PROGRESS", "COMPLETED"],
        {
            "ExportType": "INCREMENTAL_EXPORT",
            "IncrementalExportSpecification": {
                "ExportFromTime": since - timedelta(minutes=1),
                "ExportToTime": until,
                "ExportViewType": "NEW_IMAGE",
            },
        },
    )
    written(
        net,
        protected,
        HandMadeExport(
            protected,
            [[change(1, until, None), change(4, until, {"n": {"N": "4"}})]],
            export_id=EXPORT_ID,
            window=(since - timedelta(minutes=1), until),
        ),
    )
    backup = back_up(net, protected, engine(net, exporting, incremental=True))
    assert backup.increment is not None
    assert backup.increment.base_id == base.backup_id
    assert net.recover(protected, as_name=f"{protected}-copy").items_verified == 3


@pytest.mark.parametrize("hours", [0, 30])
def test_a_window_that_cannot_be_is_a_full_export(
    net: Process, exporting: ExportingAws, protected: str, hours: int
) -> None:
    """Nothing to continue, or too long ago: a full export is asked for."""
    script(net, exporting, protected, ["IN_PROGRESS", "COMPLETED"])
    written(net, protected, three(protected, exported=net.clock.now))
    if hours:
        back_up(net, protected, engine(net, exporting))
        net.clock.advance(hours * 3600)
        script(net, exporting, protected, ["IN_PROGRESS", "COMPLETED"])
    assert back_up(net, protected, engine(net, exporting, incremental=True)).increment is None
