"""Backups: whole or invisible, and never a page short."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from recovery.backups.backup_runs import unfinished_backup
from recovery.backups.content import check_objects
from recovery.backups.data_reader import read_items
from recovery.backups.engine_scan import MAX_SEGMENTS, segments_for
from recovery.definitions.definition import RUN_TAG
from recovery.errors import TableNotFoundError
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.vault.s3 import S3Vault
from rules.errors import AccessDeniedError, UnavailableError, UnsafeError
from tests.recovery.recovering import all_items, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from recovery.backups.manifest import Manifest
    from tests.recovery.recovering import Process


def content(net: Process, backup: Manifest) -> list[str]:
    """All items in the files of a backup, comparable."""
    found = []
    for entry in backup.data_objects:
        with net.vault.open(backup.folder + entry.key) as stream:
            found += [msgspec.json.decode(item) for some in read_items(stream, entry.key) for item in some]
    # boto3 gives bytes where the wire has base64.
    return comparable(found)


def test_a_backup_holds_every_item(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Count, digest and data of a backup are those of the table; the manifest says whose it is and from when."""
    make_table(plain, table, some_items(10))
    backup = net.back_up(table)
    assert content(net, backup) == all_items(plain, table)
    assert (backup.item_count, backup.engine, backup.consistency.kind) == (10, "scan", "per-item")
    assert (backup.table.account, backup.table.region, backup.table.name) == (ACCOUNT, REGION, table)
    assert backup.time == net.clock.now
    assert backup.backup_id.startswith("20261123T030")
    assert backup.data_bytes > 0
    assert backup.tool_version
    assert net.catalog.get(ACCOUNT, REGION, table, backup.backup_id) == backup
    check_objects(net.catalog, backup)


def test_the_manifest_is_written_once_and_last(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Definition first, then data, export manifests, and manifest.json at the very end; nothing is written twice."""
    make_table(plain, table, some_items(3))
    backup = net.back_up(table)
    names = [key.removeprefix(backup.folder) for key in net.store.writes if key.startswith(backup.folder)]
    assert names[0] == "table.json"
    assert names[-1] == "manifest.json"
    assert len(set(names)) == len(names)
    assert set(names) == {entry.key for entry in backup.objects} | {"manifest.json"}
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == []
    left = [info.key for info in net.store.list("")]
    assert [key for key in left if not key.startswith((backup.folder, "leases/"))] == []


def test_a_crash_at_any_write_ends_in_one_backup(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Whichever write is the last one, nothing half is visible, and a rerun ends in exactly one whole backup."""
    make_table(plain, table, some_items(3))
    net.back_up(table)
    writes = net.faults.writes
    assert len(writes) > 10
    for nth in range(1, len(writes) + 1):
        net = net.renewed()
        operation = writes[nth - 1]
        after = nth % 2 == 0
        net.faults.crash(operation, nth=writes[:nth].count(operation), after=after)
        try:
            net.back_up(table)
        except Crash:
            net.again()
            found = net.catalog.backups(ACCOUNT, REGION, table).backups
            # A crash after the very last write leaves nothing to be done.
            if not found or unfinished_backup(net.vault, found[0].table):
                net.back_up(table)
        (backup,) = net.catalog.backups(ACCOUNT, REGION, table).backups
        assert content(net, backup) == all_items(plain, table)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"]
)
def test_throttling_never_loses_a_page(net: Process, plain: DynamoDBClient, table: str, code: str) -> None:
    """Throttled before the first page, in mid-scan and at the end: every item is in the backup once."""
    make_table(plain, table, some_items(10))
    net.faults.page_items = 2
    for nth in (1, 4, 5, 8):
        net.faults.fail("Scan", nth=nth, code=code)
    backup = net.back_up(table)
    assert content(net, backup) == all_items(plain, table)
    assert len(net.sleep.slept) >= 4


def test_a_lost_page_is_read_again(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A connection that breaks under an answer costs a repetition and no items."""
    make_table(plain, table, some_items(6))
    net.faults.page_items = 2
    net.faults.lose_answer("Scan", nth=2)
    assert content(net, net.back_up(table)) == all_items(plain, table)


def test_throttling_without_end_is_no_backup(net: Process, plain: DynamoDBClient, table: str) -> None:
    """When patience ends in mid-scan, the error comes out and nothing half is visible."""
    make_table(plain, table, some_items(6))
    net.faults.page_items = 2
    net.faults.fail("Scan", nth=2, times=1000)
    with pytest.raises(UnavailableError):
        net.back_up(table)
    assert net.catalog.backups(ACCOUNT, REGION, table).backups == ()


def test_access_denied_in_mid_scan_is_no_backup(net: Process, plain: DynamoDBClient, table: str) -> None:
    """An error that waiting does not mend comes out at once."""
    make_table(plain, table, some_items(6))
    net.faults.page_items = 2
    net.faults.fail("Scan", nth=2, code="AccessDeniedException")
    with pytest.raises(AccessDeniedError):
        net.back_up(table)
    assert (net.sleep.slept, net.catalog.backups(ACCOUNT, REGION, table).backups) == ([], ())


def sent_scans(net: Process) -> list[dict[str, Any]]:
    """From now on, the bodies of all Scan requests."""
    bodies: list[dict[str, Any]] = []

    def note(request: Any, **_: object) -> None:
        bodies.append(json.loads(request.body))

    client: Any = net.tables._client  # noqa: SLF001 - requests can be seen on the client only
    client.meta.events.register_first("before-send.dynamodb.Scan", note)
    return bodies


def test_reads_are_strongly_consistent_and_in_segments(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Each segment is read to its end with ConsistentRead; together they hold every item once."""
    make_table(plain, table, some_items(20))
    net.faults.page_items = 3
    bodies = sent_scans(net)
    backup = net.back_up(table, segments=4)
    assert {body["ConsistentRead"] for body in bodies} == {True}
    assert {(body["Segment"], body["TotalSegments"]) for body in bodies} == {(n, 4) for n in range(4)}
    assert content(net, backup) == all_items(plain, table)
    assert backup.item_count == 20


def test_one_failing_segment_fails_the_backup(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Three of four segments are no backup."""
    make_table(plain, table, some_items(8))
    net.faults.fail("Scan", nth=4, code="AccessDeniedException")
    with pytest.raises(AccessDeniedError):
        net.back_up(table, segments=4)
    assert net.catalog.backups(ACCOUNT, REGION, table).backups == ()


def test_the_number_of_segments_fits_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for a small table, two a core for a large one, never more than the limit, never none."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    mib = 1024 * 1024
    assert [segments_for(size) for size in (0, 1, 15 * mib, 24 * mib, 10**13)] == [1, 1, 1, 3, 4]
    assert segments_for(10**13, at_most=2) == 2
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert segments_for(10**13) == MAX_SEGMENTS


def test_an_empty_table_has_a_backup_too(net: Process, plain: DynamoDBClient, table: str) -> None:
    """No items, no data file, and yet a whole backup with the definition."""
    make_table(plain, table)
    backup = net.back_up(table)
    assert (backup.item_count, backup.data_objects) == (0, ())
    assert net.catalog.definition(backup).table.name == table
    check_objects(net.catalog, backup)


def test_pages_that_continue_after_binary_keys(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A LastEvaluatedKey of binary and number goes back to DynamoDB as it came."""
    make_table(
        plain,
        table,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "B"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    for number in range(6):
        plain.put_item(
            TableName=table, Item={"pk": {"B": bytes([0, 255, number // 2])}, "sk": {"N": f"-{number}.5"}}
        )
    net.faults.page_items = 1
    assert net.back_up(table).item_count == 6


def test_a_table_that_is_not_there(net: Process, table: str) -> None:
    """TableNotFoundError, and nothing is written."""
    with pytest.raises(TableNotFoundError):
        net.back_up(table)
    assert net.store.writes == []


def test_a_half_recovered_table_is_not_backed_up(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Otherwise the night would make half a table the newest backup, and the next recovery would take it."""
    make_table(plain, table, some_items(1), Tags=[{"Key": RUN_TAG, "Value": "run-7"}])
    with pytest.raises(UnsafeError, match="run-7"):
        net.back_up(table)
    assert net.store.writes == []


def test_a_table_that_was_replaced_meanwhile_is_not_backed_up(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """A definition of one table with the data of its successor is no backup of either."""
    make_table(plain, table, some_items(1))

    def other(answer: dict[str, Any]) -> None:
        answer["Table"]["TableId"] = "another"

    net.faults.change_answer("DescribeTable", other, nth=2)
    with pytest.raises(UnavailableError, match="replaced"):
        net.back_up(table)
    assert net.catalog.backups(ACCOUNT, REGION, table).backups == ()


def test_a_backup_into_s3(net: Process, plain: DynamoDBClient, s3: S3Client, bucket: str, table: str) -> None:
    """The whole way with a real vault: written, found, every checksum right, data as S3's own client reads it."""
    make_table(plain, table, some_items(4))
    net.vault = net.catalog.vault = S3Vault(s3, bucket, "net")  # type: ignore[assignment]  # a vault for a vault
    backup = net.back_up(table)
    check_objects(net.catalog, net.catalog.latest(ACCOUNT, REGION, table))
    assert content(net, backup) == all_items(plain, table)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="net/backups/")["Contents"]
    assert {entry["Key"] for entry in listed} == {
        f"net/{backup.folder}{key}" for key in ("manifest.json", *(entry.key for entry in backup.objects))
    }
