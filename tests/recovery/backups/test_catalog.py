"""The catalog: what is there, what is damaged, and that a forger gets nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.catalog import Listing
from recovery.backups.content import check_content, check_objects
from recovery.backups.digest import ALGORITHM
from recovery.backups.manifest import MANIFEST, Manifest, new_backup_id
from recovery.backups.verification import VERIFICATION, VerificationRecord
from recovery.errors import BackupNotFoundError, DamagedObjectError, RestoreMismatchError
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.vault.vault import body_of
from tests.recovery.damage import (
    append,
    data_key,
    delete,
    empty,
    export_key,
    flip,
    forge,
    rewrite,
    swap,
    table_key,
    truncate,
)
from tests.recovery.recovering import make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.testing.memory_vault import MemoryVault
    from tests.recovery.recovering import Process


@pytest.fixture
def backup(net: Process, plain: DynamoDBClient, table: str) -> Manifest:
    """The backup of a small table, which is gone by now."""
    make_table(plain, table, some_items(6))
    made = net.back_up(table, segments=2)
    plain.delete_table(TableName=table)
    assert len(made.data_objects) == 2
    net.faults.reset()
    return made


def test_the_newest_backup_is_the_one_read_last(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A listing is newest first, by the time in the manifests, whatever the ids say."""
    make_table(plain, table)
    backups = [net.back_up(table) for _ in range(3)]
    assert net.catalog.backups(ACCOUNT, REGION, table).backups == tuple(reversed(backups))
    moved = backups[0].model_copy(
        update={
            "consistency": backups[0].consistency.model_copy(
                update={"started": net.clock.now + timedelta(days=1)}
            )
        }
    )
    moved = moved.sealed()
    rewrite(net.store, moved.folder + MANIFEST, body_of(moved))
    assert net.catalog.backups(ACCOUNT, REGION, table).backups[0] == moved


def test_the_latest_is_found_without_reading_all(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Ids sort by time: a thousand older manifests, even damaged ones, are not read."""
    make_table(plain, table)
    backups = [net.back_up(table) for _ in range(3)]
    rewrite(net.store, backups[0].folder + MANIFEST, b"damaged")
    listing = net.catalog.newest(ACCOUNT, REGION, table, 2)
    assert listing == Listing((backups[2], backups[1]), ())


def test_the_latest_before_a_time(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Backups of a time and later do not count; if no other is left, the error says so."""
    make_table(plain, table)
    backups = [net.back_up(table) for _ in range(3)]
    assert net.catalog.latest(ACCOUNT, REGION, table, backups[2].time) == backups[1]
    with pytest.raises(BackupNotFoundError, match="were taken after") as caught:
        net.catalog.latest(ACCOUNT, REGION, table, backups[0].time)
    assert "--backup" in caught.value.hint


def test_an_unfinished_backup_is_invisible(net: Process, backup: Manifest) -> None:
    """A folder without manifest.json is neither a backup nor a damaged one."""
    net.store.delete(backup.folder + MANIFEST)
    listing = net.catalog.backups(ACCOUNT, REGION, backup.table.name)
    assert (listing.backups, listing.damaged) == ((), ())
    with pytest.raises(BackupNotFoundError) as caught:
        net.catalog.get(ACCOUNT, REGION, backup.table.name, backup.backup_id)
    assert caught.value.exit_code == 10


def test_no_backup_at_all(net: Process, table: str) -> None:
    """The error says where was looked."""
    with pytest.raises(BackupNotFoundError, match=rf"{table}.*{ACCOUNT}/{REGION}.*memory://"):
        net.catalog.latest(ACCOUNT, REGION, table)


def test_tables_are_listed_by_account_and_region(net: Process, plain: DynamoDBClient, table: str) -> None:
    """All tables with a folder, or those of one account or region."""
    make_table(plain, table)
    net.back_up(table)
    net.store.put_new(f"backups/{'9' * 12}/us-east-1/other/id/table.json", b"")
    mine, other = (ACCOUNT, REGION, table), ("9" * 12, "us-east-1", "other")
    assert list(net.catalog.tables()) == [mine, other]
    assert list(net.catalog.tables(account=ACCOUNT)) == [mine]
    assert list(net.catalog.tables(region="us-east-1")) == [other]


@pytest.mark.parametrize(
    "damage", [delete, truncate, empty, append, flip, swap], ids=lambda damage: damage.__name__
)
@pytest.mark.parametrize(
    "where", [data_key(0), data_key(1), table_key, export_key], ids=["data-0", "data-1", "table", "export"]
)
def test_damage_is_found_before_the_first_write(
    net: Process,
    backup: Manifest,
    damage: Callable[[MemoryVault, str, Manifest], None],
    where: Callable[[Manifest], str],
) -> None:
    """Whatever happens to an object, check and recovery name one that is damaged, and no table is created."""
    plan = net.plan(backup.table.name)
    net.faults.reset()
    key = where(backup)
    damage(net.store, key, backup)
    damaged = {key, *(data_key(n)(backup) for n in range(2) if damage is swap)}
    with pytest.raises(DamagedObjectError) as caught:
        check_objects(net.catalog, backup)
    assert caught.value.key in damaged
    with pytest.raises(DamagedObjectError) as caught:
        net.recovery().apply(plan, "anna")
    assert caught.value.key in damaged
    assert caught.value.exit_code == 13
    # The only writes are those of the lease, taken and released.
    assert net.faults.writes == ["vault.put_new", "vault.replace"]


def other_table(document: dict[str, Any]) -> None:
    """A manifest that claims to be another table's."""
    document["table"]["name"] = "other"


def other_account(document: dict[str, Any]) -> None:
    """A manifest that claims to be another account's."""
    document["table"]["account"] = "9" * 12


def other_id(document: dict[str, Any]) -> None:
    """A manifest that claims to be another backup."""
    document["backup_id"] = "20261123T000000Z-00000000"


def fewer_items(document: dict[str, Any]) -> None:
    """A count that its files do not add up to."""
    document["item_count"] -= 1


def climbing(document: dict[str, Any]) -> None:
    """An object outside of the backup's folder."""
    document["objects"][-1]["key"] = "../../secret"


def absolute(document: dict[str, Any]) -> None:
    """An object from the root."""
    document["objects"][-1]["key"] = "/leases/x.json"


def dotted(document: dict[str, Any]) -> None:
    """An object on a detour."""
    document["objects"][-1]["key"] = "AWSDynamoDB/./../x"


def extra_field(document: dict[str, Any]) -> None:
    """A field that nobody knows."""
    document["verified"] = True


def unknown_version(document: dict[str, Any]) -> None:
    """A format of the future."""
    document["format_version"] = 2


def twice(document: dict[str, Any]) -> None:
    """A data file that is counted twice."""
    data = next(entry for entry in document["objects"] if entry["items"])
    document["objects"].append(data)
    document["item_count"] += data["items"]


def other_size(document: dict[str, Any]) -> None:
    """A size that is not the object's, with the right checksum."""
    document["objects"][0]["size"] += 1


def negative(document: dict[str, Any]) -> None:
    """A size that no object has."""
    document["objects"][0]["size"] = -1


def naive_time(document: dict[str, Any]) -> None:
    """A time that could be anywhere."""
    document["consistency"]["started"] = "2026-11-23T03:00:00"


def no_objects(document: dict[str, Any]) -> None:
    """A field that is missing."""
    del document["objects"]


FORGERIES = [
    other_table,
    other_account,
    other_id,
    fewer_items,
    climbing,
    absolute,
    dotted,
    extra_field,
    unknown_version,
    twice,
    negative,
    naive_time,
    no_objects,
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
def test_a_forged_manifest_is_no_backup(
    net: Process, backup: Manifest, forgery: Callable[[dict[str, Any]], None]
) -> None:
    """It is listed as damaged with its key, cannot be chosen, and the next older backup takes its place."""
    table = backup.table.name
    older = backup.model_copy(
        update={
            "backup_id": new_backup_id(backup.time - timedelta(days=1)),
            "consistency": backup.consistency.model_copy(update={"started": backup.time - timedelta(days=1)}),
        }
    ).sealed()
    forge(net.store, backup, forgery)
    key = backup.folder + MANIFEST
    with pytest.raises(DamagedObjectError) as caught:
        net.catalog.latest(ACCOUNT, REGION, table)
    assert caught.value.key == key
    net.store.put_new(older.folder + MANIFEST, body_of(older))
    listing = net.catalog.backups(ACCOUNT, REGION, table)
    assert (listing.backups, [error.key for error in listing.damaged]) == ((older,), [key])
    assert net.catalog.latest(ACCOUNT, REGION, table) == older
    with pytest.raises(DamagedObjectError) as caught:
        net.catalog.get(ACCOUNT, REGION, table, backup.backup_id)
    assert caught.value.key == key


def test_a_plan_says_that_a_newer_backup_is_damaged(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Falling back to an older backup is never silent."""
    make_table(plain, table)
    older, newer = net.back_up(table), net.back_up(table)
    rewrite(net.store, newer.folder + MANIFEST, b"{}")
    plan = net.plan(table)
    assert plan.backup_id == older.backup_id
    assert [warning for warning in plan.warnings if newer.backup_id in warning]


def test_a_forged_definition_is_found(net: Process, backup: Manifest) -> None:
    """A table.json with a matching checksum, but of another table, is refused."""
    definition = net.catalog.definition(backup)
    theirs = definition.model_copy(
        update={"table": definition.table.model_copy(update={"name": "their-table"})}
    )
    rewrite(net.store, table_key(backup), body_of(theirs))
    with pytest.raises(DamagedObjectError, match="SHA-256"):
        net.catalog.definition(backup)


def any_change(document: dict[str, Any]) -> None:
    """Something that is not checked against anything else."""
    document["consumed_read_units"] += 1


def no_seal(document: dict[str, Any]) -> None:
    """As if it had never had one."""
    document["seal"] = None


@pytest.mark.parametrize("forgery", [any_change, no_seal], ids=lambda forgery: forgery.__name__)
def test_a_manifest_that_was_edited_is_no_backup(
    net: Process, backup: Manifest, forgery: Callable[[dict[str, Any]], None]
) -> None:
    """Whatever is changed in it, its seal does not fit any more."""
    forge(net.store, backup, forgery, seal=False)
    with pytest.raises(DamagedObjectError, match="seal") as caught:
        net.catalog.latest(ACCOUNT, REGION, backup.table.name)
    assert caught.value.key == backup.folder + MANIFEST


def test_a_verification_that_does_not_fit_is_found_after_the_load(net: Process, backup: Manifest) -> None:
    """A noted digest that is not that of the data passes every checksum, and yet nothing is called done."""
    content = check_content(net.catalog, backup)
    record = VerificationRecord(
        backup_id=backup.backup_id,
        seal=str(backup.seal),
        verified_at=net.clock.now,
        item_count=content.item_count,
        content_digest="0" * 64,
        digest_algorithm=ALGORITHM,
    )
    net.store.put(backup.folder + VERIFICATION, body_of(record))
    with pytest.raises(RestoreMismatchError) as caught:
        net.recover(backup.table.name)
    assert caught.value.exit_code == 13


def test_a_forged_size_is_found(net: Process, backup: Manifest) -> None:
    """The size of an object counts as much as its checksum."""
    forge(net.store, backup, other_size)
    forged = net.catalog.latest(ACCOUNT, REGION, backup.table.name)
    with pytest.raises(DamagedObjectError, match=r"table\.json: holds \d+ bytes, the manifest says \d+"):
        check_objects(net.catalog, forged)


def test_a_manifest_without_the_definition(net: Process, backup: Manifest) -> None:
    """A backup from which no table can be made is damaged."""

    def no_definition(document: dict[str, Any]) -> None:
        document["objects"] = [entry for entry in document["objects"] if entry["key"] != "table.json"]

    forge(net.store, backup, no_definition)
    with pytest.raises(DamagedObjectError, match=r"table\.json: is not in the manifest"):
        net.plan(backup.table.name)
