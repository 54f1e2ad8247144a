"""Exports that others made: adopted where they lie, verified and recovered from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.adoption import Adoption, read_description
from recovery.backups.content import check_objects
from recovery.backups.verification import FULL, Outcome, verify_backup
from recovery.errors import DamagedObjectError, ObjectNotFoundError
from recovery.progress import NoProgress
from recovery.testing.embedded_aws import ACCOUNT, REGION
from rules.errors import UsageError
from tests.recovery.exports import EXPORTED, HandMadeExport, change, item
from tests.recovery.recovering import all_items, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from tests.recovery.recovering import Process

DESCRIPTION: dict[str, Any] = {
    "TableName": "whatever",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
}


def adoption(net: Process) -> Adoption:
    """What adopts."""
    return Adoption(net.aws, net.catalog, net.clock, NoProgress())


def adopted(net: Process, export: HandMadeExport, description: dict[str, Any] | None = None) -> Manifest:
    """Written into a bucket of its own, and adopted."""
    export.write(net.vault.at("exports", export.prefix))
    return adoption(net).adopt_export("exports", export.prefix, export.root, description)


def full(table: str, **more: Any) -> HandMadeExport:
    """Six items in two files."""
    return HandMadeExport(table, [[item(1), item(2)], [item(3), item(4), item(5), item(6)]], **more)


@pytest.mark.parametrize("suffix", [".md5", ".checksum"])
def test_an_export_is_a_backup(net: Process, plain: DynamoDBClient, table: str, suffix: str) -> None:
    """It is in the catalog with its own time, its data is not copied, and the table comes back from it."""
    backup = adopted(net, full(table, checksum_suffix=suffix), DESCRIPTION)
    assert (backup.engine, backup.consistency.kind) == ("export", "point-in-time")
    assert (backup.time, backup.item_count) == (EXPORTED, 6)
    assert net.catalog.latest(ACCOUNT, REGION, table) == backup
    kept = {info.key.rpartition("/")[2] for info in net.store.list(backup.folder)}
    assert kept == {"table.json", "manifest.json"}
    report = net.recover(table)
    assert report.items_verified == 6
    assert len(all_items(plain, table)) == 6


def test_adopting_twice_is_once(net: Process, table: str) -> None:
    """The second time the same backup comes back."""
    export = full(table)
    first = adopted(net, export, DESCRIPTION)
    assert adoption(net).adopt_export("exports", export.prefix, export.root, DESCRIPTION) == first
    assert net.catalog.backups(ACCOUNT, REGION, table).backups == (first,)


def test_an_export_that_was_moved(net: Process, table: str) -> None:
    """Its manifests name where it was written; it is read where it is."""
    export = full(table)
    export.write(net.vault.at("archive", "2026/november"))
    backup = adoption(net).adopt_export("archive", "2026/november", export.root, DESCRIPTION)
    check_objects(net.catalog, backup)


def test_the_definition_of_the_living_table(net: Process, plain: DynamoDBClient, table: str) -> None:
    """While the table is there, its definition with all settings is taken."""
    make_table(plain, table, Tags=[{"Key": "team", "Value": "shop"}])
    backup = adopted(net, full(table))
    assert net.catalog.definition(backup).tags == {"team": "shop"}


def test_the_definition_of_an_earlier_backup(net: Process, plain: DynamoDBClient, table: str) -> None:
    """When the table is gone, its last backup tells what it was."""
    make_table(plain, table, Tags=[{"Key": "team", "Value": "shop"}])
    net.back_up(table)
    plain.delete_table(TableName=table)
    assert net.catalog.definition(adopted(net, full(table))).tags == {"team": "shop"}


def test_without_any_definition(net: Process, table: str) -> None:
    """A table cannot be made from items alone: the error says what to give, and nothing is stored."""
    with pytest.raises(UsageError, match="no table definition") as caught:
        adopted(net, full(table))
    assert "--definition" in caught.value.hint
    assert net.catalog.backups(ACCOUNT, REGION, table).backups == ()


def test_a_description_tells_no_more_than_it_does(net: Process, table: str) -> None:
    """Settings that a description has not are unknown, not absent."""
    backup = adopted(net, full(table), DESCRIPTION)
    assert {"ttl", "tags", "pitr"} <= set(net.catalog.definition(backup).unknown)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"Table": {"TableName": "x"}}', b"\xff"])
def test_what_is_no_description(text: bytes) -> None:
    """A file of another kind is a usage error that says how to get the right one."""
    with pytest.raises(UsageError, match="not a table description") as caught:
        read_description(text, "orders.json")
    assert "describe-table" in caught.value.hint


DAMAGES: dict[str, dict[str, Any]] = {
    "a count that its files do not add up to": {"itemCount": 7},
    "an unknown version": {"version": "1999-01-01"},
    "Ion instead of JSON": {"outputFormat": "ION"},
    "no ARN": {"tableArn": None},
    "files elsewhere": {"s3Prefix": "somewhere/else"},
}


@pytest.mark.parametrize("changes", DAMAGES.values(), ids=DAMAGES)
def test_a_summary_that_does_not_fit(net: Process, table: str, changes: dict[str, Any]) -> None:
    """It is an error that names the manifest, and no backup."""
    with pytest.raises(DamagedObjectError, match=r"manifest-summary\.json"):
        adopted(net, full(table, changes=changes), DESCRIPTION)


def test_a_changed_manifest(net: Process, table: str) -> None:
    """A manifest whose checksum object does not fit is refused."""
    export = full(table)
    place = net.vault.at("exports", export.prefix)
    export.write(place)
    files = f"{export.root}manifest-files.json"
    place.put(files, place.get(files).body + b"\n")
    with pytest.raises(DamagedObjectError, match=r"manifest-files\.json.*MD5"):
        adoption(net).adopt_export("exports", export.prefix, export.root, DESCRIPTION)


def test_a_data_file_that_is_missing(net: Process, table: str) -> None:
    """Named when it is adopted."""
    export = full(table)
    place = net.vault.at("exports", export.prefix)
    export.write(place)
    gone = next(info.key for info in place.list(f"{export.root}data/"))
    place.delete(gone)
    with pytest.raises(DamagedObjectError, match="is missing") as caught:
        adoption(net).adopt_export("exports", export.prefix, export.root, DESCRIPTION)
    assert caught.value.key == gone


def test_no_export_there(net: Process, table: str) -> None:
    """Not found, with the place in it."""
    with pytest.raises(ObjectNotFoundError, match="exports"):
        adoption(net).adopt_export("exports", "old", "AWSDynamoDB/none/")


def test_data_that_changes_later_is_found(net: Process, table: str) -> None:
    """By its MD5, in a full verification and before a recovery's first write."""
    export = full(table)
    backup = adopted(net, export, DESCRIPTION)
    place = net.vault.at("exports", export.prefix)
    entry = backup.data_objects[0]
    body = bytearray(place.get(entry.key).body)
    body[-5] ^= 1
    place.put(entry.key, bytes(body))
    found = verify_backup(net.catalog, backup, FULL, net.clock, NoProgress())
    assert found.outcome is Outcome.FAIL
    assert entry.key in found.problems[0]
    plan = net.plan(table)
    net.faults.reset()
    with pytest.raises(DamagedObjectError):
        net.recovery().apply(plan, "anna")
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == []


def changes_of(table: str, day: int, lines: list[dict[str, Any]], **more: Any) -> HandMadeExport:
    """The incremental export of a day."""
    since = EXPORTED + timedelta(days=day - 1)
    return HandMadeExport(
        table,
        [lines],
        export_id=f"0169999999999{day}-0000000{day}",
        window=(since, since + timedelta(days=1)),
        **more,
    )


def test_a_chain_of_exports(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A full export and two days of changes: added, changed twice, deleted, deleted and added again."""
    adopted(net, full(table), DESCRIPTION)
    noon = EXPORTED + timedelta(hours=12)
    later = noon + timedelta(days=1)
    adopted(
        net,
        changes_of(
            table,
            1,
            [
                change(1, noon + timedelta(minutes=5), {"n": {"N": "12"}}),
                change(1, noon, {"n": {"N": "11"}}),  # told later, written earlier
                change(2, noon, None),
                change(3, noon, None),
                change(7, noon, {"n": {"N": "7"}}),
            ],
        ),
    )
    last = adopted(
        net,
        changes_of(
            table,
            2,
            [change(3, later, {"n": {"N": "33"}}), change(7, later, None), change(8, later, None)],
        ),
    )
    assert len(net.catalog.chain(last)) == 3
    assert last.time == EXPORTED + timedelta(days=2)
    report = net.recover(table)
    found = {one["pk"]["S"]: one["n"]["N"] for one in plain.scan(TableName=table)["Items"]}
    assert found == {
        "item-0001": "12",
        "item-0003": "33",
        "item-0004": "4",
        "item-0005": "5",
        "item-0006": "6",
    }
    assert report.items_verified == 5


def test_a_chain_can_be_verified(net: Process, table: str) -> None:
    """In full, with the count of what a recovery would bring; and a base that is gone is a failure."""
    base = adopted(net, full(table), DESCRIPTION)
    last = adopted(net, changes_of(table, 1, [change(9, EXPORTED, {"n": {"N": "9"}})]))
    found = verify_backup(net.catalog, last, FULL, net.clock, NoProgress())
    assert (found.outcome, found.problems) == (Outcome.PASS, ())
    assert found.content is not None
    assert found.content.item_count == 7
    net.store.delete(f"{base.folder}manifest.json")
    found = verify_backup(net.catalog, last, FULL, net.clock, NoProgress())
    assert found.outcome is Outcome.FAIL
    assert base.backup_id in found.problems[0]


def test_changes_without_what_they_continue(net: Process, table: str) -> None:
    """An incremental export alone restores nothing: the error says what to adopt first."""
    adopted(net, full(table), DESCRIPTION)
    with pytest.raises(UsageError, match="where this export begins") as caught:
        adopted(net, changes_of(table, 3, [change(1, EXPORTED, None)]))
    assert "first" in caught.value.hint


def test_changes_of_numbers_spelled_otherwise(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A key of a number is the same key however it is spelled."""
    description = {**DESCRIPTION, "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "N"}]}
    base = HandMadeExport(table, [[{"Item": {"pk": {"N": "1.50"}, "n": {"N": "1"}}}]])
    adopted(net, base, description)
    line = change(0, EXPORTED, {"n": {"N": "2"}})
    line["Keys"] = {"pk": {"N": "15E-1"}}
    line["NewImage"]["pk"] = {"N": "1.5"}
    adopted(net, changes_of(table, 1, [line]))
    assert net.recover(table).items_verified == 1
    assert plain.scan(TableName=table)["Items"] == [{"pk": {"N": "1.5"}, "n": {"N": "2"}}]
