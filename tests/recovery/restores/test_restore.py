"""Recoveries: the same table again, item by item, or an honest error."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.content import check_content
from recovery.definitions.definition import RUN_TAG
from recovery.errors import AwsError, DamagedObjectError, RestoreMismatchError, TableExistsError
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.vault.leases import take_lease
from rules.errors import AccessDeniedError, LockedError, UnavailableError, UnsafeError
from tests.recovery.recovering import WHO, all_items, definition_of, make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.recovery.recovering import Item, Process


def nested(depth: int) -> dict[str, Any]:
    """Lists and maps in one another."""
    value: dict[str, Any] = {"N": "1"}
    for level in range(depth):
        value = {"L": [value]} if level % 2 else {"M": {"m": value}}
    return value


EDGES: list[Item] = [
    {"pk": {"S": "numbers"}, "n": {"N": "12345678901234567890123456789012345678"}, "m": {"N": "-0.5"}},
    {"pk": {"S": "exponents"}, "big": {"N": "9.9E+125"}, "small": {"N": "1E-130"}, "zero": {"N": "0"}},
    {"pk": {"S": "empty"}, "s": {"S": ""}, "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}},
    {"pk": {"S": "binary"}, "b": {"B": bytes(range(256))}, "nested": {"M": {"b": {"B": b"\xff\x00"}}}},
    {"pk": {"S": "sets"}, "ss": {"SS": ["b", "a", "c"]}, "ns": {"NS": ["1", "-2.5", "3E5"]}, "bs": {"BS": [b"\x00", b"z"]}},
    {"pk": {"S": "others"}, "t": {"BOOL": True}, "f": {"BOOL": False}, "null": {"NULL": True}},
    {"pk": {"S": "mixed"}, "l": {"L": [{"S": "1"}, {"N": "1"}, {"NULL": True}, {"BS": [b"1"]}]}},
    {"pk": {"S": "deep"}, "d": nested(31)},
    {"pk": {"S": 'snow \u2603 astral \U0001f6df combining e\u0301 nul \x00 lines \r\n\u2028 quote " \\ </>'}},
    {"pk": {"S": "names"}, "a.b": {"S": "1"}, "#c": {"S": "2"}, ":d": {"S": "3"}, " ": {"S": "4"}, "\u00e9": {"S": "5"}},
    {"pk": {"S": "json"}, "j": {"S": '{"Item":{"pk":{"S":"x"}}}\n{"PutRequest":{}}'}},
    {"pk": {"S": "big"}, "text": {"S": "\u00fc" * 195_000}},
]  # fmt: skip


def test_a_recovered_table_is_the_table_that_was_lost(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Definition and every item, of all types and at all edges, compared by plain boto3 and not by the product."""
    make_table(
        plain,
        table,
        EDGES,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "g", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", "a"]},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "shop"}],
        DeletionProtectionEnabled=True,
    )
    plain.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    plain.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 9},
    )
    items, definition = all_items(plain, table), definition_of(plain, table)
    assert items == comparable(EDGES)
    backup = net.back_up(table, segments=2)
    plain.update_table(TableName=table, DeletionProtectionEnabled=False)
    plain.delete_table(TableName=table)
    report = net.recover(table)
    assert all_items(plain, table) == items
    assert definition_of(plain, table) == definition
    assert (report.differences, report.follow_ups, report.resumed) == ((), (), False)
    assert (report.items_verified, report.table) == (len(EDGES), table)
    # The items went over the wire byte for byte: the digests of old and new backup are equal as well.
    assert check_content(net.catalog, net.back_up(table)) == check_content(net.catalog, backup)


@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 60])
def test_any_number_of_items_comes_back(net: Process, plain: DynamoDBClient, table: str, count: int) -> None:
    """None, one, and around the limit of a batch."""
    lost(net, plain, table, some_items(count))
    assert net.recover(table).items_verified == count
    assert all_items(plain, table) == comparable(some_items(count))


def test_a_table_of_binary_and_number_keys_named_with_dots(net: Process, plain: DynamoDBClient) -> None:
    """Keys of every type, a provisioned table with a local index, and a table whose name is three dots."""
    make_table(
        plain,
        "...",
        [{"pk": {"B": bytes([n])}, "sk": {"N": f"{n}E-3"}, "x": {"S": "x"}} for n in range(5)],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "B"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "x", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "x", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    )
    items, definition = all_items(plain, "..."), definition_of(plain, "...")
    net.back_up("...")
    plain.delete_table(TableName="...")
    assert net.recover("...").differences == ()
    assert (all_items(plain, "..."), definition_of(plain, "...")) == (items, definition)
    plain.delete_table(TableName="...")


def lost(net: Process, plain: DynamoDBClient, table: str, items: list[Item]) -> RecoveryPlan:
    """A table that was backed up and deleted: the plan to bring it back."""
    make_table(plain, table, items)
    net.back_up(table)
    plain.delete_table(TableName=table)
    plan = net.plan(table)
    net.faults.reset()
    return plan


def test_an_existing_table_is_never_written_to(net: Process, plain: DynamoDBClient, table: str) -> None:
    """TableExistsError, exit 14, before any call that writes to AWS; the table keeps its items and tags."""
    plan = lost(net, plain, table, some_items(5))
    theirs = [{"pk": {"S": "theirs"}}]
    make_table(plain, table, theirs, Tags=[{"Key": RUN_TAG, "Value": "forged"}])
    before = definition_of(plain, table)
    with pytest.raises(TableExistsError) as caught:
        net.recovery().apply(plan, WHO)
    assert caught.value.exit_code == 14
    assert "--as" in caught.value.hint
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == []
    assert all_items(plain, table) == comparable(theirs)
    assert definition_of(plain, table) == before


@pytest.mark.parametrize("nth", [1, 2])
def test_a_table_that_somebody_creates_meanwhile_is_refused(
    net: Process, plain: DynamoDBClient, table: str, nth: int
) -> None:
    """Right before our CreateTable, or in the place of one that lost its answer: it is not ours, and stays as it is."""
    plan = lost(net, plain, table, some_items(5))

    def create(request: Any, **_: object) -> None:
        events.unregister("before-send.dynamodb.CreateTable", create)
        make_table(plain, table, [{"pk": {"S": "theirs"}}])

    events = net.aws.dynamodb().meta.events
    events.register_first("before-send.dynamodb.CreateTable", create)
    if nth == 2:
        net.faults.fail("CreateTable", code="ThrottlingException")
    with pytest.raises(TableExistsError):
        net.recovery().apply(plan, WHO)
    assert all_items(plain, table) == comparable([{"pk": {"S": "theirs"}}])


def test_a_plan_for_another_place_is_not_applied(
    net: Process, plain: DynamoDBClient, endpoint: EmbeddedEndpoint, table: str
) -> None:
    """A plan made with one region's credentials does not create a table with another's."""
    plan = lost(net, plain, table, [])
    net.aws = endpoint.aws(region="us-east-1", max_attempts=1)
    recovery = net.recovery()
    net.aws = endpoint.aws(max_attempts=1)
    with pytest.raises(UnsafeError, match="us-east-1"):
        recovery.apply(plan, WHO)
    assert [key for key in net.store.writes if key.startswith(("runs/recover", "leases/recover"))] == []


def test_a_second_recovery_at_the_same_time_is_refused(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Somebody else is at it: LockedError with their name, exit 11, and nothing is done twice."""
    plan = lost(net, plain, table, [])
    take_lease(net.vault, net.clock, f"recover-{ACCOUNT}-{REGION}-{table}", "ben")
    net.faults.reset()
    with pytest.raises(LockedError, match="ben on") as caught:
        net.recovery().apply(plan, WHO)
    assert caught.value.exit_code == 11
    assert net.faults.writes == []


def test_unprocessed_items_are_put_again_until_none_is_left(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """What DynamoDB hands back is not lost, however often it does so."""
    plan = lost(net, plain, table, some_items(60))
    net.faults.leave_unprocessed(25, nth=1, times=3)
    net.faults.leave_unprocessed(7, nth=4, times=5)
    net.recovery().apply(plan, WHO)
    assert all_items(plain, table) == comparable(some_items(60))
    assert net.faults.calls.count("BatchWriteItem") > 8


def test_a_table_that_takes_nothing_is_an_error(net: Process, plain: DynamoDBClient, table: str) -> None:
    """When no item moves for thirty rounds, UnavailableError says so; the lease is free, and a rerun completes it."""
    plan = lost(net, plain, table, some_items(3))
    net.faults.leave_unprocessed(25, times=1000)
    with pytest.raises(UnavailableError, match="no more writes"):
        net.recovery().apply(plan, WHO)
    net.faults.reset()
    assert net.recovery().apply(plan, WHO).resumed
    assert all_items(plain, table) == comparable(some_items(3))


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "LimitExceededException"]
)
@pytest.mark.parametrize("operation", ["CreateTable", "BatchWriteItem", "Scan"])
def test_throttling_is_waited_out(
    net: Process, plain: DynamoDBClient, table: str, operation: str, code: str
) -> None:
    """A throttled call slows the recovery down and changes nothing else."""
    plan = lost(net, plain, table, some_items(30))
    net.faults.fail(operation, times=3, code=code)
    assert not net.recovery().apply(plan, WHO).resumed
    assert len(net.sleep.slept) >= 3
    assert all_items(plain, table) == comparable(some_items(30))


@pytest.mark.parametrize("operation", ["CreateTable", "BatchWriteItem", "Scan", "DescribeTable"])
def test_a_lost_answer_is_survived(net: Process, plain: DynamoDBClient, table: str, operation: str) -> None:
    """It happened, and nobody heard of it: the table is whole, at the latest after a rerun."""
    plan = lost(net, plain, table, some_items(30))
    net.faults.lose_answer(operation)
    try:
        net.recovery().apply(plan, WHO)
    except UnavailableError:
        assert operation == "DescribeTable"
        net.recovery().apply(plan, WHO)
    assert all_items(plain, table) == comparable(some_items(30))


def test_a_mismatch_is_found_and_a_rerun_repairs_it(net: Process, plain: DynamoDBClient, table: str) -> None:
    """An item that got lost in the table is found by the digest: exit 13. The next run loads everything again."""
    plan = lost(net, plain, table, some_items(30))

    def lose_one(request: Any, **_: object) -> None:
        events.unregister("before-send.dynamodb.Scan", lose_one)
        plain.delete_item(TableName=table, Key={"pk": {"S": "item-0007"}})

    events = net.tables._client.meta.events  # noqa: SLF001 - the scan of the verification is made by this client
    events.register_first("before-send.dynamodb.Scan", lose_one)
    with pytest.raises(RestoreMismatchError, match="29 items") as caught:
        net.recovery().apply(plan, WHO)
    assert caught.value.exit_code == 13
    assert net.recovery().unfinished(plan) is not None
    report = net.recovery().apply(plan, WHO)
    assert (report.resumed, report.items_verified) == (True, 30)
    assert all_items(plain, table) == comparable(some_items(30))


def test_a_changed_value_is_a_mismatch(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The same number of items with one other value is not the same table."""
    plan = lost(net, plain, table, some_items(3))

    def change(answer: dict[str, Any]) -> None:
        answer["Items"][0]["n"] = {"S": answer["Items"][0]["n"]["N"]}

    net.faults.change_answer("Scan", change)
    with pytest.raises(RestoreMismatchError, match="3 items"):
        net.recovery().apply(plan, WHO)


def cut(body: bytes) -> bytes:
    """Damaged so that it cannot be read."""
    return body[:-4] + b"\x00\x00\x00\x00"


def other_items(body: bytes) -> bytes:
    """Another file that reads well and has as many lines."""
    return gzip.compress(gzip.decompress(body).replace(b"item-", b"evil-"))


@pytest.mark.parametrize("damage", [cut, other_items])
def test_data_that_changes_between_check_and_load(
    net: Process, plain: DynamoDBClient, table: str, damage: Callable[[bytes], bytes]
) -> None:
    """The load checks once more what it reads: an object that was exchanged after the check is named."""
    plan = lost(net, plain, table, some_items(3))
    (entry,) = net.catalog.get(ACCOUNT, REGION, table, plan.backup_id).data_objects
    key = plan.source.folder + plan.backup_id + "/" + entry.key
    body = net.store.get(key).body

    def exchange(request: Any, **_: object) -> None:
        net.store.delete(key)
        net.store.put_new(key, damage(body))

    events = net.aws.dynamodb().meta.events
    events.register_first("before-send.dynamodb.CreateTable", exchange)
    try:
        with pytest.raises(DamagedObjectError) as caught:
            net.recovery().apply(plan, WHO)
    finally:
        events.unregister("before-send.dynamodb.CreateTable", exchange)
    assert caught.value.key == key
    assert net.recovery().unfinished(plan) is not None


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_an_error_that_waiting_does_not_mend(
    net: Process, plain: DynamoDBClient, table: str, code: str
) -> None:
    """It comes out at once, the lease is free at once, and a rerun continues."""
    plan = lost(net, plain, table, some_items(60))
    net.faults.fail("BatchWriteItem", nth=2, code=code)
    with pytest.raises((AwsError, AccessDeniedError)):
        net.recovery().apply(plan, WHO)
    assert net.sleep.slept == []
    assert net.recovery().apply(plan, WHO).resumed
    assert all_items(plain, table) == comparable(some_items(60))


def test_a_table_that_is_still_being_deleted_is_waited_for(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """At 3 a.m. the deletion may still be under way: the recovery waits and then goes on."""
    plan = lost(net, plain, table, some_items(3))
    make_table(plain, table)

    def deleting(answer: dict[str, Any]) -> None:
        answer["Table"]["TableStatus"] = "DELETING"
        if net.faults.calls.count("DescribeTable") == 3:
            plain.delete_table(TableName=table)

    net.faults.change_answer("DescribeTable", deleting, times=3)
    net.recovery().apply(plan, WHO)
    assert all_items(plain, table) == comparable(some_items(3))
    assert net.sleep.slept[:1] == [2]
