"""Differences: what is found, and what does not count as one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.verification import FULL, verify_backup
from recovery.errors import DamagedObjectError
from recovery.progress import NoProgress
from recovery.repairs.differences import Kind
from recovery.repairs.table_key import TableKey
from rules.errors import UnsafeError
from tests.recovery.recovering import Process, key, make_table, some_items
from tests.recovery.repairs.repairing import ADDED, BROKEN, bad_writes, differences_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def test_added_removed_and_changed(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Each with its key and both images, in order of keys; equal items are not mentioned."""
    bad = bad_writes(net, plain, table)
    found = [
        (
            json.loads(one.key)["pk"]["S"],
            one.kind,
            one.before and json.loads(one.before),
            one.after and json.loads(one.after),
        )
        for one in differences_of(net, bad.backup, table)
    ]
    items = some_items(5)
    assert found == [
        ("item-0001", Kind.CHANGED, items[1], BROKEN),
        ("item-0002", Kind.REMOVED, items[2], b""),
        ("new", Kind.ADDED, b"", ADDED),
    ]


def test_spelling_is_no_difference(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Numbers in another spelling, sets and attributes in another order: the same item, by key and by content."""
    definitions = {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    item = {
        "pk": {"N": "1"},
        "price": {"N": "1.5"},
        "tags": {"SS": ["a", "b"]},
        "deep": {"M": {"n": {"NS": ["1", "2"]}}},
    }
    make_table(plain, table, [item], **definitions)
    backup = net.back_up(table)

    def spell_differently(answer: dict[str, Any]) -> None:
        answer["Items"] = [
            {
                "deep": {"M": {"n": {"NS": ["2.0", "1e0"]}}},
                "tags": {"SS": ["b", "a"]},
                "price": {"N": "1.50"},
                "pk": {"N": "1.0"},
            }
        ]

    net.faults.change_answer("Scan", spell_differently)
    assert differences_of(net, backup, table) == []


def test_types_are_a_difference(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The text "1" is not the number 1."""
    make_table(plain, table, [{"pk": {"S": "a"}, "v": {"N": "1"}}])
    backup = net.back_up(table)
    plain.put_item(TableName=table, Item={"pk": {"S": "a"}, "v": {"S": "1"}})
    assert [one.kind for one in differences_of(net, backup, table)] == [Kind.CHANGED]


def test_a_verified_backup_of_an_equal_table_is_not_read(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Count and digest are enough: the table is scanned once, and no data file is opened."""
    make_table(plain, table, some_items(5))
    backup = net.back_up(table)
    verify_backup(net.catalog, backup, FULL, net.clock, NoProgress())
    net.faults.reset()
    assert differences_of(net, backup, table) == []
    assert net.faults.calls.count("Scan") == 1
    assert "vault.open" not in net.faults.calls


def test_two_verified_backups_that_are_equal_are_not_read(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Nothing is scanned, and no data file is opened."""
    make_table(plain, table, some_items(5))
    backups = [net.back_up(table), net.back_up(table)]
    for backup in backups:
        verify_backup(net.catalog, backup, FULL, net.clock, NoProgress())
    net.faults.reset()
    assert differences_of(net, *backups) == []
    assert not {"Scan", "vault.open"} & set(net.faults.calls)


def test_two_backups(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The same as with a table, and the table itself is not looked at."""
    bad = bad_writes(net, plain, table)
    live = differences_of(net, bad.backup, table)
    other = net.back_up(table)
    net.faults.reset()
    assert differences_of(net, bad.backup, other) == live
    assert "Scan" not in net.faults.calls


def test_only_keys(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Without images nothing is read by key."""
    bad = bad_writes(net, plain, table)
    found = differences_of(net, bad.backup, table, images=False)
    assert [(one.kind, one.before, one.after) for one in found] == [
        (Kind.CHANGED, b"", b""),
        (Kind.REMOVED, b"", b""),
        (Kind.ADDED, b"", b""),
    ]
    assert "BatchGetItem" not in net.faults.calls


def test_only_some_keys_without_a_scan(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The table is read by key; what was not asked for is not found."""
    bad = bad_writes(net, plain, table)
    pk = TableKey(("pk",), ("S",))
    wanted = [pk.spelled(({"S": name},)) for name in ("item-0001", "item-0003", "nowhere")]
    found = differences_of(net, bad.backup, table, keys=[wanted])
    assert [json.loads(one.key)["pk"]["S"] for one in found] == ["item-0001"]
    assert "Scan" not in net.faults.calls


def test_what_is_written_while_it_is_compared(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The images by key are newer than the scan, and count: what was mended, added and removed meanwhile."""
    bad = bad_writes(net, plain, table)

    def meanwhile(_: dict[str, Any]) -> None:
        bad.put(some_items(2)[1])  # mended
        bad.put({"pk": {"S": "item-0003"}, "n": {"N": "99"}})  # changed after the scan: the next comparison's
        plain.delete_item(TableName=table, Key={"pk": {"S": "new"}})  # gone again

    net.faults.change_answer("Scan", meanwhile)
    found = differences_of(net, bad.backup, table)
    assert [json.loads(one.key)["pk"]["S"] for one in found] == ["item-0002"]


def test_a_changed_item_that_is_deleted_meanwhile_is_removed(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """It is told as it is at last."""
    bad = bad_writes(net, plain, table)

    def meanwhile(_: dict[str, Any]) -> None:
        plain.delete_item(TableName=table, Key={"pk": {"S": "item-0001"}})

    net.faults.change_answer("Scan", meanwhile)
    kinds = {json.loads(one.key)["pk"]["S"]: one.kind for one in differences_of(net, bad.backup, table)}
    assert kinds["item-0001"] is Kind.REMOVED


def test_throttled_and_unprocessed_reads_lose_nothing(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """A key that comes back unprocessed is asked for again, a throttled call is made again."""
    bad = bad_writes(net, plain, table)

    def leave_one(answer: dict[str, Any]) -> None:
        left = answer["Responses"][table].pop()
        answer["UnprocessedKeys"] = {table: {"Keys": [{"pk": left["pk"]}], "ConsistentRead": True}}

    net.faults.fail("BatchGetItem")
    net.faults.change_answer("BatchGetItem", leave_one, nth=2)
    net.faults.fail("Scan")
    assert [one.kind for one in differences_of(net, bad.backup, table)] == [
        Kind.CHANGED,
        Kind.REMOVED,
        Kind.ADDED,
    ]
    assert net.faults.calls.count("BatchGetItem") == 3


def test_many_pages_and_parts(net: Process, plain: DynamoDBClient, table: str) -> None:
    """More items than a page, a part, or a batch of keys has, in a table with a sort key."""
    make_table(plain, table, **key("pk", "sk"))
    items = [
        {"pk": {"S": f"p{number % 7}"}, "sk": {"S": f"{number:04}"}, "v": {"N": str(number)}}
        for number in range(260)
    ]
    for first in range(0, 260, 20):
        puts: list[Any] = [{"PutRequest": {"Item": item}} for item in items[first : first + 20]]
        plain.batch_write_item(RequestItems={table: puts})
    backup = net.back_up(table, segments=2, file_raw_bytes=2000)
    for first in range(0, 120, 20):
        worse: list[Any] = [
            {"PutRequest": {"Item": {**item, "v": {"S": "?"}}}} for item in items[first : first + 20]
        ]
        plain.batch_write_item(RequestItems={table: worse})
    net.faults.page_items = 50
    found = differences_of(net, backup, table)
    assert [one.kind for one in found] == [Kind.CHANGED] * 120
    assert {json.loads(one.before)["v"]["N"] for one in found} == {str(number) for number in range(120)}


def test_a_damaged_backup_is_no_difference(net: Process, plain: DynamoDBClient, table: str) -> None:
    """It is an error that names the object."""
    bad = bad_writes(net, plain, table)
    data = bad.backup.data_objects[0]
    net.store.put(bad.backup.folder + data.key, net.store.get(bad.backup.folder + data.key).body[:-5])
    with pytest.raises(DamagedObjectError, match=data.key):
        differences_of(net, bad.backup, table)


def test_another_key_cannot_be_compared(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A table that was made anew with another key is refused, and both keys are named."""
    make_table(plain, table, some_items(1))
    backup = net.back_up(table)
    plain.delete_table(TableName=table)
    make_table(plain, table, **key("id"))
    with pytest.raises(UnsafeError, match=r"id \(S\).*pk \(S\)"):
        differences_of(net, backup, table)
