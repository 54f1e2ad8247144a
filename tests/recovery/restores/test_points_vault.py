"""The vault's backups as recovery points."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recovery.backups.catalog import Catalog
from recovery.restores.gathering import gather
from recovery.restores.points import LostTable, PointKind
from recovery.restores.points_vault import VaultPoints
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.replica import copy_backup
from tests.recovery.chains import change, continued
from tests.recovery.damage import data_key, flip, table_key
from tests.recovery.recovering import make_table, some_items

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from recovery.errors import DamagedObjectError
    from tests.recovery.recovering import Process


def lost(table: str, deleted_at: datetime | None = None) -> LostTable:
    """The table that is looked for."""
    return LostTable(ACCOUNT, REGION, table, deleted_at)


@pytest.fixture
def backups(net: Process, plain: DynamoDBClient, table: str) -> list[Manifest]:
    """Three backups of a table of three items, oldest first."""
    make_table(plain, table, some_items(3))
    return [net.back_up(table) for _ in range(3)]


def test_every_whole_backup_is_a_point(net: Process, table: str, backups: list[Manifest]) -> None:
    """Newest first, with the sizes of the manifest, and with what a recovery from it takes."""
    found = VaultPoints(net.catalog).find(lost(table))
    assert [(point.id, point.time) for point in found] == [
        (backup.backup_id, backup.time) for backup in reversed(backups)
    ]
    assert {(point.kind, point.item_count, point.size_bytes) for point in found} == {
        (PointKind.VAULT, 3, backups[0].data_bytes)
    }
    assert all(point.seconds and point.dollars for point in found)
    assert {point.earliest for point in found} == {None}


def test_only_backups_from_before_the_deletion(net: Process, table: str, backups: list[Manifest]) -> None:
    """A later one is of another table; one of the very second, which is all that CloudTrail tells, is not."""
    old, middle, _ = backups
    deleted = middle.time.replace(microsecond=0)
    assert [point.id for point in VaultPoints(net.catalog).find(lost(table, deleted))] == [
        middle.backup_id,
        old.backup_id,
    ]
    exact = middle.time + timedelta(microseconds=1)
    assert len(VaultPoints(net.catalog).find(lost(table, exact))) == 2
    before = middle.time - timedelta(seconds=1)
    assert [point.id for point in VaultPoints(net.catalog).find(lost(table, before))] == [old.backup_id]


def test_what_could_not_be_read_at_backup_is_lacking(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A point says that it does not know the tags; one of a backup that knows them does not."""
    make_table(plain, table)
    net.back_up(table)
    net.faults.reset()
    net.faults.fail("ListTagsOfResource", code="AccessDeniedException")
    net.back_up(table)
    newer, older = VaultPoints(net.catalog).find(lost(table))
    assert "tags" in newer.lacks
    assert "tags" not in older.lacks
    assert "kinesis destinations" in older.lacks, "which these backups of tests never ask for"


@pytest.mark.parametrize("key", [table_key, lambda backup: backup.folder + "manifest.json"])
def test_a_damaged_backup_is_told_and_is_no_point(
    net: Process, table: str, backups: list[Manifest], key: object
) -> None:
    """Whether its manifest or its definition was changed; the others stay points."""
    assert callable(key)
    flip(net.store, key(backups[-1]), backups[-1])
    told: list[DamagedObjectError] = []
    found = VaultPoints(net.catalog, damaged=told.append).find(lost(table))
    assert [point.id for point in found] == [backups[1].backup_id, backups[0].backup_id]
    assert [error.key for error in told] == [key(backups[-1])]


def test_nothing_but_damaged_backups_is_not_none(
    net: Process, table: str, backups: list[Manifest], caplog: pytest.LogCaptureFixture
) -> None:
    """It is an error, so that the kind is noted as unread with what is wrong."""
    for backup in backups:
        flip(net.store, table_key(backup), backup)
    found = gather([VaultPoints(net.catalog)], lost(table))
    assert found.points == ()
    assert table_key(backups[-1]) in found.unread[PointKind.VAULT]
    assert not caplog.records


def test_damage_is_logged_where_nobody_asks(
    net: Process, table: str, backups: list[Manifest], caplog: pytest.LogCaptureFixture
) -> None:
    """A backup that silently does not count would be worse than none."""
    flip(net.store, table_key(backups[0]), backups[0])
    assert len(VaultPoints(net.catalog).find(lost(table))) == 2
    assert table_key(backups[0]) in caplog.text


def test_an_increment_counts_what_it_continues(net: Process, table: str, backups: list[Manifest]) -> None:
    """Items and bytes are those of all links; without the link it is no point."""
    increment = continued(net, backups[-1], [change("more", "1")])
    newest = VaultPoints(net.catalog).find(lost(table))[0]
    assert (newest.id, newest.item_count) == (increment.backup_id, 4)
    net.store.delete(backups[-1].folder + "manifest.json")
    told: list[DamagedObjectError] = []
    found = VaultPoints(net.catalog, damaged=told.append).find(lost(table))
    assert [point.id for point in found] == [backups[1].backup_id, backups[0].backup_id]
    assert backups[-1].backup_id in str(told[0])


def test_a_measured_rate_counts(net: Process, table: str, backups: list[Manifest]) -> None:
    """An engine slower than the table is what the estimate goes by."""
    quick = VaultPoints(net.catalog).find(lost(table))[0]
    slow = VaultPoints(net.catalog, items_per_second=0.01).find(lost(table))[0]
    assert quick.seconds is not None
    assert slow.seconds is not None
    assert slow.seconds - quick.seconds == pytest.approx(300, rel=0.01)


def test_a_replica_adds_only_what_the_vault_has_not(
    net: Process, table: str, backups: list[Manifest]
) -> None:
    """The same backup in both is one point, of the vault; what only the replica has says so."""
    replica = MemoryVault(bucket="replica")
    for backup in backups[1:]:
        copy_backup(net.catalog, backup, replica)
    net.store.delete(backups[-1].folder + "manifest.json")
    sources = [VaultPoints(net.catalog), VaultPoints(Catalog(replica), label="replica")]
    found = gather(sources, lost(table))
    assert [point.id for point in found.points] == [backup.backup_id for backup in reversed(backups)]
    assert found.labels == {backups[-1].backup_id: "replica"}
    assert found.unread == {}


def test_the_replica_alone_is_enough(net: Process, table: str, backups: list[Manifest]) -> None:
    """Where the vault cannot be reached its reason stands beside the points of the replica."""
    replica = MemoryVault(bucket="replica")
    copy_backup(net.catalog, backups[-1], replica)
    net.faults.fail("vault.folders")
    sources = [VaultPoints(net.catalog), VaultPoints(Catalog(replica), label="replica")]
    found = gather(sources, lost(table))
    assert [point.id for point in found.points] == [backups[-1].backup_id]
    assert found.unread == {PointKind.VAULT: "vault.folders: scripted"}
    assert found.labels == {backups[-1].backup_id: "replica"}


def test_no_backup_is_no_point(net: Process, table: str) -> None:
    """Nor is a folder without a manifest; and data is not read for it, so damage there is found when it is used."""
    assert VaultPoints(net.catalog).find(lost(table)) == []


def test_looking_writes_nothing(net: Process, table: str, backups: list[Manifest]) -> None:
    """Not to AWS and not to the vault, and no data file is read."""
    flip(net.store, data_key()(backups[0]), backups[0])
    net.faults.reset()
    assert len(VaultPoints(net.catalog).find(lost(table))) == 3
    assert net.faults.writes == []
    assert "vault.open" not in net.faults.calls
