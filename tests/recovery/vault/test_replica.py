"""Replicas: a second copy that stands on its own, or none that anybody could see."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.catalog import Catalog
from recovery.backups.content import check_objects
from recovery.backups.data_files import PART_BYTES
from recovery.backups.manifest import MANIFEST, TABLE_DEFINITION, BackupObject, Manifest
from recovery.backups.verification import FULL, Outcome, verify_backup
from recovery.errors import DamagedObjectError
from recovery.progress import NoProgress
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.faults import Crash, FaultyVault
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.replica import PARTS_OF, copy_backup
from recovery.vault.vault import body_of
from rules.errors import UnavailableError, UnsafeError
from tests.recovery.chains import adopt_in_place, change, continued
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
from tests.recovery.recovering import all_items, make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process

    Damage = Callable[[MemoryVault, str, Manifest], None]
    Place = Callable[[Manifest], str]

PLACES = {"data-0": data_key(0), "data-1": data_key(1), "table": table_key, "export": export_key}


@pytest.fixture
def other() -> MemoryVault:
    """A vault that shares nothing with the first one."""
    return MemoryVault("copy", "replica")


@pytest.fixture
def replica(net: Process, other: MemoryVault) -> FaultyVault:
    """The same, in front of it the faults of the process."""
    return FaultyVault(other, net.faults)


@pytest.fixture
def backup(net: Process, plain: DynamoDBClient, table: str) -> Manifest:
    """A backup in two data files."""
    make_table(plain, table, some_items(6))
    made = net.back_up(table, segments=2)
    net.faults.reset()
    return made


@pytest.fixture
def chain(net: Process, backup: Manifest) -> list[Manifest]:
    """That backup, and two of changes behind it."""
    second = continued(net, backup, [change("item-0000", "7"), change("item-0001", None)])
    links = [backup, second, continued(net, second, [change("item-0006", "6")])]
    net.faults.reset()
    return links


def outcome(net: Process, vault: MemoryVault, backup: Manifest) -> Outcome:
    """What a full verification of a copy comes to, with the replica alone."""
    return verify_backup(Catalog(vault), backup, FULL, net.clock, NoProgress()).outcome


def only_in(net: Process, other: MemoryVault) -> None:
    """From now on the process knows no vault but that one."""
    net.store, net.vault = other, FaultyVault(other, net.faults)
    net.catalog = Catalog(net.vault)


def test_a_copy_is_the_same_byte_for_byte(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """Every object and the manifest, under the same keys; what is returned is what went over."""
    assert copy_backup(net.catalog, backup, replica) == backup.size
    keys = {backup.folder + key for key in (MANIFEST, *(entry.key for entry in backup.objects))}
    assert {info.key for info in other.list("")} == keys
    assert [key for key in keys if other.get(key).body != net.store.get(key).body] == []
    assert other.writes[-1] == backup.folder + MANIFEST


def test_a_copy_is_a_backup_of_its_own(
    net: Process, plain: DynamoDBClient, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """With the first vault out of reach the table comes back from the replica."""
    before = all_items(plain, backup.table.name)
    copy_backup(net.catalog, backup, replica)
    plain.delete_table(TableName=backup.table.name)
    only_in(net, other)
    assert net.recover(backup.table.name).items_verified == 6
    assert all_items(plain, backup.table.name) == before


def test_a_chain_is_copied_with_what_it_continues(
    net: Process, plain: DynamoDBClient, chain: list[Manifest], replica: FaultyVault, other: MemoryVault
) -> None:
    """The last link takes the others with it, and can be restored from the replica alone."""
    assert copy_backup(net.catalog, chain[-1], replica) == sum(link.size for link in chain)
    copies = Catalog(other)
    assert copies.chain(copies.latest(ACCOUNT, REGION, chain[0].table.name)) == tuple(chain)
    assert outcome(net, other, chain[-1]) is Outcome.PASS
    plain.delete_table(TableName=chain[0].table.name)
    only_in(net, other)
    net.recover(chain[0].table.name)
    found = plain.scan(TableName=chain[0].table.name)["Items"]
    assert {item["pk"]["S"]: item["n"]["N"] for item in found} == {
        "item-0000": "7",
        **{f"item-{number:04}": str(number) for number in range(2, 7)},
    }


def test_a_second_call_copies_nothing(
    net: Process, chain: list[Manifest], replica: FaultyVault, other: MemoryVault
) -> None:
    """A backup that is there costs one look at its manifest; of a chain only the new link goes over."""
    copy_backup(net.catalog, chain[1], replica)
    assert copy_backup(net.catalog, chain[2], replica) == chain[2].size
    net.faults.reset()
    assert copy_backup(net.catalog, chain[2], replica) == 0
    assert net.faults.writes == []
    assert "vault.open" not in net.faults.calls


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_write_is_gone_on_with(
    net: Process, chain: list[Manifest], other: MemoryVault, after: bool
) -> None:
    """What is visible is whole at every moment, and nothing is copied twice but the object at hand."""
    copy_backup(net.catalog, chain[-1], FaultyVault(other, net.faults))
    writes, whole = net.faults.writes, {info.key: info.etag for info in other.list("")}
    assert len(writes) == len(whole) > 10
    for nth, operation in enumerate(writes, 1):
        store = MemoryVault("copy", "replica")
        replica = FaultyVault(store, net.faults)
        net.faults.reset()
        net.faults.crash(operation, nth=writes[:nth].count(operation), after=after)
        with pytest.raises(Crash):
            copy_backup(net.catalog, chain[-1], replica)
        net.faults.reset()
        for visible in Catalog(store).backups(ACCOUNT, REGION, chain[0].table.name).backups:
            check_objects(Catalog(store), visible)
        copy_backup(net.catalog, chain[-1], replica)
        assert {info.key: info.etag for info in store.list("")} == whole
        # What has the size of nothing is there as it is.
        assert len(store.writes) == len(whole)


def test_a_lost_answer_at_any_write_costs_a_repetition(net: Process, chain: list[Manifest]) -> None:
    """It happened, nobody heard of it, and running the copy again ends in the same replica."""
    store = MemoryVault("copy", "replica")
    copy_backup(net.catalog, chain[-1], FaultyVault(store, net.faults))
    writes, whole = net.faults.writes, {info.key: info.etag for info in store.list("")}
    for nth, operation in enumerate(writes, 1):
        store = MemoryVault("copy", "replica")
        replica = FaultyVault(store, net.faults)
        net.faults.reset()
        net.faults.lose_answer(operation, nth=writes[:nth].count(operation))
        with pytest.raises(UnavailableError):
            copy_backup(net.catalog, chain[-1], replica)
        copy_backup(net.catalog, chain[-1], replica)
        assert {info.key: info.etag for info in store.list("")} == whole


@pytest.mark.parametrize(
    "damage", [delete, truncate, empty, append, flip, swap], ids=lambda damage: damage.__name__
)
@pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)
def test_damage_is_not_copied(
    net: Process,
    backup: Manifest,
    replica: FaultyVault,
    other: MemoryVault,
    damage: Damage,
    where: Place,
) -> None:
    """A damaged object is named and stays where it is; the replica shows no backup, and takes it once it is mended."""
    key = where(backup)
    bodies = {
        backup.folder + entry.key: net.store.get(backup.folder + entry.key).body for entry in backup.objects
    }
    damage(net.store, key, backup)
    with pytest.raises(DamagedObjectError) as caught:
        copy_backup(net.catalog, backup, replica)
    assert caught.value.key in {key, *(data_key(n)(backup) for n in range(2) if damage is swap)}
    assert Catalog(other).backups(ACCOUNT, REGION, backup.table.name).backups == ()
    assert caught.value.key not in {info.key for info in other.list("")}
    for one, body in bodies.items():
        rewrite(net.store, one, body)
    copy_backup(net.catalog, backup, replica)
    assert outcome(net, other, backup) is Outcome.PASS


def test_a_chain_whose_base_is_missing_is_not_copied(
    net: Process, chain: list[Manifest], replica: FaultyVault, other: MemoryVault
) -> None:
    """Changes alone would be no backup there either."""
    net.store.delete(chain[0].folder + MANIFEST)
    with pytest.raises(DamagedObjectError):
        copy_backup(net.catalog, chain[-1], replica)
    assert other.writes == []


def test_adopted_data_ends_up_inside_the_replica(
    net: Process, plain: DynamoDBClient, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """An export that was adopted in its place lies with the rest there, and is restored without that place."""
    before = all_items(plain, backup.table.name)
    adopted = adopt_in_place(net, backup, "exports", "of/others")
    assert copy_backup(net.catalog, adopted, replica) == adopted.size
    (copied,) = Catalog(other).backups(ACCOUNT, REGION, backup.table.name).backups
    assert copied.data is None
    assert copied == adopted.model_copy(update={"data": None, "seal": copied.seal})
    assert {info.key for info in other.list("")} == {
        copied.folder + key for key in (MANIFEST, *(entry.key for entry in copied.objects))
    }
    assert outcome(net, other, copied) is Outcome.PASS
    assert copy_backup(net.catalog, adopted, replica) == 0
    plain.delete_table(TableName=backup.table.name)
    only_in(net, other)
    net.recover(backup.table.name)
    assert all_items(plain, backup.table.name) == before


def test_a_chain_on_adopted_data(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """What continues an adopted backup finds it in the replica, too."""
    second = continued(net, backup, [change("item-0000", "7")])
    adopt_in_place(net, backup, "exports", "")
    copy_backup(net.catalog, second, replica)
    assert outcome(net, other, second) is Outcome.PASS


def test_damage_of_adopted_data_is_not_copied(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """It is checked where it lies, like any other."""
    adopted = adopt_in_place(net, backup, "exports", "of/others")
    key = adopted.data_objects[0].key
    flip(net.store.at("exports", "of/others"), key, adopted)
    with pytest.raises(DamagedObjectError) as caught:
        copy_backup(net.catalog, adopted, replica)
    assert caught.value.key == key
    assert Catalog(other).backups(ACCOUNT, REGION, backup.table.name).backups == ()


def test_the_vault_is_no_replica_of_itself(net: Process, backup: Manifest) -> None:
    """Refused, and nothing is written; another prefix of the same bucket is another vault."""
    before = list(net.store.writes)
    with pytest.raises(UnsafeError, match="the vault itself"):
        copy_backup(net.catalog, backup, net.store.at("vault", "net"))
    assert net.store.writes == before
    assert copy_backup(net.catalog, backup, net.store.at("vault", "copies")) == backup.size


def test_a_manifest_of_another_version_stays_as_it_is(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """One without the fields that came later has a seal over what it has: its copy must be read as well as it is."""

    def earlier(document: dict[str, Any]) -> None:
        for field in ("data", "increment", "findings"):
            del document[field]

    forge(net.store, backup, earlier)
    old = net.catalog.latest(ACCOUNT, REGION, backup.table.name)
    copy_backup(net.catalog, old, replica)
    assert Catalog(other).backups(ACCOUNT, REGION, backup.table.name).damaged == ()
    assert Catalog(other).latest(ACCOUNT, REGION, backup.table.name) == old


def test_a_verification_is_not_taken_over(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """It says what was read in the first vault, and nothing of the copy."""
    verify_backup(net.catalog, backup, FULL, net.clock, NoProgress())
    copy_backup(net.catalog, backup, replica)
    assert [info.key for info in other.list("") if "verification" in info.key] == []


def large(net: Process, backup: Manifest, size: int) -> tuple[Manifest, str]:
    """The backup with one more object of so many bytes; and that one's key."""
    body = random.Random(7).randbytes(size)
    entry = BackupObject(key="AWSDynamoDB/large", size=size, sha256=hashlib.sha256(body).hexdigest())
    made = backup.model_copy(update={"objects": (*backup.objects, entry)}).sealed()
    net.store.put_new(made.folder + entry.key, body)
    rewrite(net.store, made.folder + MANIFEST, body_of(made))
    return made, made.folder + entry.key


@pytest.mark.parametrize(
    ("size", "parts"), [(PARTS_OF, 0), (PARTS_OF + 1, 3), (3 * PART_BYTES, 3), (3 * PART_BYTES + 7, 4)]
)
def test_large_files_go_in_parts(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault, size: int, parts: int
) -> None:
    """More than ten mebibytes are never held at once; the object is the same, and no upload is left open."""
    made, key = large(net, backup, size)
    copy_backup(net.catalog, made, replica)
    assert net.faults.calls.count("vault.upload_part") == parts
    assert other.get(key).body == net.store.get(key).body
    assert list(other.uploads("")) == []
    check_objects(Catalog(other), made)


def test_a_large_file_that_is_damaged_leaves_nothing(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """That it is known only at its end is no matter: the upload is given up, and the object never seen."""
    made, key = large(net, backup, PARTS_OF + 1)
    flip(net.store, key, made)
    with pytest.raises(DamagedObjectError) as caught:
        copy_backup(net.catalog, made, replica)
    assert caught.value.key == key
    assert list(other.uploads("")) == []
    assert key not in {info.key for info in other.list("")}


@pytest.mark.parametrize("operation", ["vault.upload_part", "vault.complete_upload"])
def test_a_large_file_that_fails_is_copied_again(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault, operation: str
) -> None:
    """An error of the replica comes out; the next call ends what this one began, and no upload is left open."""
    made, _ = large(net, backup, PARTS_OF + 1)
    net.faults.fail(operation)
    with pytest.raises(UnavailableError):
        copy_backup(net.catalog, made, replica)
    copy_backup(net.catalog, made, replica)
    check_objects(Catalog(other), made)
    assert list(other.uploads("")) == []


def test_the_definition_is_read_from_the_vault(
    net: Process, backup: Manifest, replica: FaultyVault, other: MemoryVault
) -> None:
    """A copied definition is that of the backup, not of the table as it is today."""
    copy_backup(net.catalog, backup, replica)
    assert json.loads(other.get(backup.folder + TABLE_DEFINITION).body) == json.loads(
        net.store.get(backup.folder + TABLE_DEFINITION).body
    )
