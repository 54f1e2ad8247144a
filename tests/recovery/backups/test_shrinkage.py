"""Shrunk tables: the night that saves a half empty table must not cost the full one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recovery.backups.backup import BackupOptions
from recovery.backups.manifest import MANIFEST, Finding, Increment, Manifest
from recovery.backups.shrinkage import Freeze, freeze_retention, frozen, shrinkage
from recovery.errors import DamagedObjectError
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.faults import Crash
from tests.recovery.damage import forge, rewrite
from tests.recovery.recovering import make_table, some_items

if TYPE_CHECKING:
    from typing import Any

    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process


def back_up(net: Process, table: str, shrink_percent: float = 50) -> Manifest:
    """A backup that finds a shrinkage above so many per cent."""
    net.clock.advance(3600)
    return net.backups(options=BackupOptions(shrink_percent=shrink_percent)).back_up(table).manifest


def drop(plain: DynamoDBClient, table: str, count: int) -> None:
    """Delete so many of the items that are left, as an accident would."""
    for item in plain.scan(TableName=table, Limit=count)["Items"]:
        plain.delete_item(TableName=table, Key={"pk": item["pk"]})


@pytest.fixture
def before(net: Process, plain: DynamoDBClient, table: str) -> Manifest:
    """A backup of ten items."""
    make_table(plain, table, some_items(10))
    return back_up(net, table)


def test_a_table_that_lost_too_many_items_is_a_finding(
    net: Process, plain: DynamoDBClient, before: Manifest
) -> None:
    """Taken all the same, whole, with the finding in its manifest, and the table's retention is frozen."""
    table = before.table.name
    drop(plain, table, 6)
    backup = back_up(net, table)
    assert (backup.item_count, net.catalog.latest(ACCOUNT, REGION, table)) == (4, backup)
    (finding,) = backup.findings
    assert (finding.kind, finding.verdict) == ("shrunk", "suspicious")
    assert (finding.items_before, finding.items_now) == (10, 4)
    assert (finding.compared_with, finding.compared_at) == (before.backup_id, before.time)
    assert finding.message == f"{table} holds 4 items, 60% fewer than the 10 in backup {before.backup_id}"
    freeze = frozen(net.vault, backup.table)
    assert freeze is not None
    assert (freeze.backup_id, freeze.kept_backup_id) == (backup.backup_id, before.backup_id)
    assert (freeze.since, freeze.message) == (net.clock.now, finding.message)
    (key,) = [info.key for info in net.store.list("freezes/")]
    assert key == f"freezes/{ACCOUNT}/{REGION}/{table}.json"


@pytest.mark.parametrize(
    ("percent", "found"), [(19, True), (20, False), (21, False), (100, False), (0, True)]
)
def test_the_percentage_decides(
    net: Process, plain: DynamoDBClient, before: Manifest, percent: float, found: bool
) -> None:
    """Two of ten items are gone: more than 19 per cent, and not more than 20."""
    drop(plain, before.table.name, 2)
    backup = back_up(net, before.table.name, percent)
    assert bool(backup.findings) is found
    assert (frozen(net.vault, backup.table) is not None) is found


def test_a_table_that_was_emptied_is_a_finding(net: Process, plain: DynamoDBClient, before: Manifest) -> None:
    """Nothing left is the worst shrinkage, not the lack of something to compare."""
    drop(plain, before.table.name, 10)
    (finding,) = back_up(net, before.table.name).findings
    assert "holds 0 items, 100% fewer" in finding.message


def test_what_did_not_shrink_is_no_finding(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The first backup, one after an empty one, one that is the same, and one that grew, even at 0 per cent."""
    make_table(plain, table)
    backups = [back_up(net, table, 0) for _ in range(2)]
    for items in (some_items(4), some_items(4), some_items(9)):
        for item in items:
            plain.put_item(TableName=table, Item=item)
        backups.append(back_up(net, table, 0))
    assert [backup.item_count for backup in backups] == [0, 0, 4, 4, 9]
    assert [backup.findings for backup in backups] == [()] * 5
    assert frozen(net.vault, backups[0].table) is None


def test_a_table_that_was_made_anew_is_compared_too(
    net: Process, plain: DynamoDBClient, before: Manifest
) -> None:
    """Deleted and created again without its data under the same name: that is how data is lost most often."""
    plain.delete_table(TableName=before.table.name)
    make_table(plain, before.table.name, some_items(1))
    assert back_up(net, before.table.name).findings[0].compared_with == before.backup_id


def test_an_earlier_freeze_stays(net: Process, plain: DynamoDBClient, before: Manifest) -> None:
    """A second shrinkage must not let go of the backup from before the first."""
    drop(plain, before.table.name, 6)
    first = back_up(net, before.table.name)
    earlier = frozen(net.vault, before.table)
    drop(plain, before.table.name, 3)
    second = back_up(net, before.table.name)
    assert (first.item_count, second.item_count) == (4, 1)
    assert second.findings[0].compared_with == first.backup_id
    assert earlier is not None
    assert earlier == frozen(net.vault, before.table)
    assert earlier.kept_backup_id == before.backup_id


def test_a_shrunk_backup_is_never_seen_without_its_freeze(
    net: Process, plain: DynamoDBClient, before: Manifest
) -> None:
    """Whichever write of it is the last one: where the manifest is, the freeze is; run again, both are."""
    table = before.table.name
    drop(plain, table, 6)
    net.faults.reset()
    probe = back_up(net, table)
    writes = net.faults.writes
    for key in [info.key for info in net.store.list("") if probe.backup_id in info.key]:
        net.store.delete(key)
    for nth, operation in enumerate(writes, 1):
        net.store.delete(f"freezes/{ACCOUNT}/{REGION}/{table}.json")
        net.faults.reset()
        net.faults.crash(operation, nth=writes[:nth].count(operation), after=True)
        with pytest.raises(Crash):
            back_up(net, table)
        net.again()
        found = net.catalog.latest(ACCOUNT, REGION, table)
        assert found == before or frozen(net.vault, found.table)
        backup = back_up(net, table)
        assert backup.findings or backup.item_count == found.item_count
        assert frozen(net.vault, backup.table)
        for info in list(net.store.list(before.table.folder)):
            if before.backup_id not in info.key:
                net.store.delete(info.key)


def test_the_newest_full_backup_before_it_counts(net: Process, before: Manifest) -> None:
    """Backups of changes count no table: they are passed over, and are themselves no finding."""
    increment = Increment(base_id=before.backup_id, changed_from=before.time, changed_to=net.clock.now)
    net.clock.advance(3600)
    of_changes = at(net, before).model_copy(update={"increment": increment})
    assert shrinkage(net.catalog, of_changes.model_copy(update={"item_count": 1}), 50) is None
    net.store.put_new(of_changes.folder + MANIFEST, of_changes.sealed().model_dump_json().encode())
    assert net.catalog.latest(ACCOUNT, REGION, before.table.name).increment == increment
    net.clock.advance(3600)
    finding = shrinkage(net.catalog, at(net, before).model_copy(update={"item_count": 4}), 50)
    assert finding is not None
    assert finding.compared_with == before.backup_id


def at(net: Process, backup: Manifest) -> Manifest:
    """The same backup taken now."""
    now = net.clock.now
    return backup.model_copy(
        update={
            "backup_id": f"{now:%Y%m%dT%H%M%SZ}-00000000",
            "consistency": backup.consistency.model_copy(update={"started": now, "ended": now}),
        }
    )


def test_a_damaged_backup_is_not_compared_with(net: Process, plain: DynamoDBClient, before: Manifest) -> None:
    """The one before it is: a manifest nobody can trust says nothing of how large the table was."""
    newer = back_up(net, before.table.name)
    rewrite(net.store, newer.folder + MANIFEST, b"damaged")
    drop(plain, before.table.name, 6)
    assert back_up(net, before.table.name).findings[0].compared_with == before.backup_id


def test_a_finding_cannot_be_edited_away(net: Process, plain: DynamoDBClient, before: Manifest) -> None:
    """It is under the manifest's seal."""
    drop(plain, before.table.name, 6)
    backup = back_up(net, before.table.name)

    def nothing_found(document: dict[str, Any]) -> None:
        document["findings"] = []

    forge(net.store, backup, nothing_found, seal=False)
    with pytest.raises(DamagedObjectError, match="seal"):
        net.catalog.get(ACCOUNT, REGION, before.table.name, backup.backup_id)


def test_a_freeze_is_one_tables(net: Process, plain: DynamoDBClient, before: Manifest) -> None:
    """Another table, region or account of the same name is not frozen with it."""
    table = before.table
    freeze_retention(net.vault, freeze_of(net, before))
    assert frozen(net.vault, table) is not None
    for other in ({"name": f"{table.name}-archive"}, {"region": "us-east-1"}, {"account": "9" * 12}):
        assert frozen(net.vault, table.model_copy(update=other)) is None


def test_a_freeze_that_cannot_be_read_is_no_thaw(net: Process, before: Manifest) -> None:
    """Damage of the document is an error that names it: what prunes must stop there."""
    freeze_retention(net.vault, freeze_of(net, before))
    (info,) = net.store.list("freezes/")
    rewrite(net.store, info.key, b"{}")
    with pytest.raises(DamagedObjectError) as caught:
        frozen(net.vault, before.table)
    assert caught.value.key == info.key


def freeze_of(net: Process, backup: Manifest) -> Freeze:
    """A freeze as a finding about that backup makes one."""
    finding = Finding(
        kind="shrunk",
        message="half of it is gone",
        compared_with=backup.backup_id,
        compared_at=backup.time,
        items_before=10,
        items_now=5,
    )
    return Freeze.of(backup, finding, net.clock.now)
