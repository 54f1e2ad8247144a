"""Verification: what is wrong is found and named, what could not be read is never called well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.content import check_content
from recovery.backups.manifest import (
    MANIFEST,
    Manifest,
)
from recovery.backups.verification import (
    FULL,
    LISTED,
    VERIFICATION,
    Depth,
    Outcome,
    Verification,
    VerificationRecord,
    known_content,
    verify_backup,
)
from recovery.errors import DamagedObjectError, ObjectNotFoundError
from recovery.progress import NoProgress
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.vault.s3 import S3Vault
from recovery.vault.vault import document
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

    from recovery.testing.memory_vault import MemoryVault
    from tests.recovery.recovering import Process

    Damage = Callable[[MemoryVault, str, Manifest], None]
    Place = Callable[[Manifest], str]

HALF = Depth(1, 2)
TENTH = Depth(percent=10)
DEPTHS = [LISTED, HALF, TENTH, FULL]
PLACES = {"data-0": data_key(0), "data-1": data_key(1), "table": table_key, "export": export_key}


@pytest.fixture
def backup(net: Process, plain: DynamoDBClient, table: str) -> Manifest:
    """A backup in two data files."""
    make_table(plain, table, some_items(6))
    made = net.back_up(table, segments=2)
    assert len(made.data_objects) == 2
    return made


def verify(net: Process, backup: Manifest, depth: Depth = FULL) -> Verification:
    """Verify as the command does."""
    return verify_backup(net.catalog, backup, depth, net.clock, NoProgress())


def names(found: Verification, key: str) -> bool:
    """Whether one of the problems is of that object."""
    return any(problem.startswith(f"{key}: ") for problem in found.problems)


@pytest.mark.parametrize("depth", DEPTHS, ids=lambda depth: depth.name)
def test_a_whole_backup_passes(net: Process, backup: Manifest, depth: Depth) -> None:
    """At every depth, with nothing to tell; what was read is told, and only a full one knows the content."""
    small = len(backup.objects) - 2
    found = verify(net, backup, depth)
    assert (found.outcome, found.problems, found.objects) == (Outcome.PASS, (), small + 2)
    assert found.read == small + {"listed": 0, "1/2": 1, "10%": 1, "full": 2}[depth.name]
    assert found.content == (check_content(net.catalog, backup) if depth is FULL else None)


@pytest.mark.parametrize(
    "damage", [delete, truncate, empty, append, flip, swap], ids=lambda damage: damage.__name__
)
@pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)
def test_a_full_verification_finds_every_damage(
    net: Process, backup: Manifest, damage: Damage, where: Place
) -> None:
    """Whatever happened to whichever object, the outcome is FAIL, the object is named, and nothing is noted."""
    key = where(backup)
    damage(net.store, key, backup)
    found = verify(net, backup)
    damaged = {key, *(data_key(n)(backup) for n in range(2) if damage is swap)}
    assert (found.outcome, found.content) == (Outcome.FAIL, None)
    assert any(names(found, one) for one in damaged)
    assert known_content(net.catalog, backup) is None


@pytest.mark.parametrize("depth", [LISTED, HALF, TENTH], ids=lambda depth: depth.name)
@pytest.mark.parametrize("damage", [delete, truncate, empty, append], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)
def test_what_is_missing_or_of_another_size_is_found_at_every_depth(
    net: Process, backup: Manifest, depth: Depth, damage: Damage, where: Place
) -> None:
    """A listing tells what is gone, cut or longer, without a data file being read."""
    key = where(backup)
    damage(net.store, key, backup)
    found = verify(net, backup, depth)
    assert found.outcome is Outcome.FAIL
    assert names(found, key)


@pytest.mark.parametrize("where", [table_key, export_key], ids=["table", "export"])
def test_small_objects_are_hashed_at_every_depth(net: Process, backup: Manifest, where: Place) -> None:
    """A flipped bit in the definition or an export manifest is found even where no data file is read."""
    key = where(backup)
    flip(net.store, key, backup)
    for depth in DEPTHS:
        found = verify(net, backup, depth)
        assert found.outcome is Outcome.FAIL
        assert names(found, key)


def test_a_listing_does_not_see_a_flipped_byte_of_the_data(net: Process, backup: Manifest) -> None:
    """The limit of the shallow depth, stated: a data file of the right size passes it, and fails the full one."""
    flip(net.store, data_key(0)(backup), backup)
    assert verify(net, backup, LISTED).outcome is Outcome.PASS
    assert names(verify(net, backup, Depth(1, 2)), data_key(0)(backup))
    assert names(verify(net, backup, FULL), data_key(0)(backup))


def test_a_full_verification_names_all_that_is_damaged(net: Process, backup: Manifest) -> None:
    """Not only the first: who decides what is still good must know of every object that is not."""
    delete(net.store, data_key(0)(backup), backup)
    for where in (data_key(1), table_key, export_key):
        flip(net.store, where(backup), backup)
    found = verify(net, backup)
    assert [name for name, where in PLACES.items() if not names(found, where(backup))] == []


def test_two_damaged_data_files_are_both_named(net: Process, backup: Manifest) -> None:
    """A flipped byte in one file does not hide that in another."""
    for number in range(2):
        flip(net.store, data_key(number)(backup), backup)
    found = verify(net, backup)
    assert [number for number in range(2) if not names(found, data_key(number)(backup))] == []


def test_nights_of_a_group_each_read_every_file_once(net: Process, plain: DynamoDBClient, table: str) -> None:
    """1/3, 2/3 and 3/3 have no file in common and leave none out: each damaged file fails exactly one night."""
    make_table(plain, table, some_items(20))
    net.faults.page_items = 3
    backup = net.back_up(table, file_raw_bytes=1)
    files = backup.data_objects
    assert len(files) == 7
    nights = [Depth(night, 3) for night in (1, 2, 3)]
    for entry in files:
        whole = net.store.get(backup.folder + entry.key).body
        flip(net.store, backup.folder + entry.key, backup)
        found = [verify(net, backup, night) for night in nights]
        assert sorted(one.outcome for one in found) == [Outcome.FAIL, Outcome.PASS, Outcome.PASS]
        rewrite(net.store, backup.folder + entry.key, whole)
    small = len(backup.objects) - len(files)
    assert sum(verify(net, backup, night).read - small for night in nights) == len(files)


def test_a_percentage_reads_so_many_files(net: Process, backup: Manifest) -> None:
    """Rounded up, so that a sample is never empty; never one twice; all of them at a hundred per cent."""
    entry = backup.data_objects[0]
    files = [entry.model_copy(update={"key": f"data/{number}.json.gz"}) for number in range(25)]
    for percent, count in ((0.1, 1), (4, 1), (10, 3), (50, 13), (100, 25)):
        chosen = Depth(percent=percent).chosen(files)
        assert len({one.key for one in chosen}) == len(chosen) == count
    assert LISTED.chosen(files) == []
    assert Depth(percent=50).chosen([]) == []


def test_depths_have_names() -> None:
    """What a report calls them."""
    assert [depth.name for depth in (LISTED, FULL, Depth(2, 50), Depth(percent=12.5))] == [
        "listed",
        "full",
        "2/50",
        "12.5%",
    ]


@pytest.fixture
def in_s3(net: Process, bucket: str, plain: DynamoDBClient, table: str) -> Manifest:
    """A backup in two data files, in an S3 whose answers can be scripted."""
    net.vault = net.catalog.vault = S3Vault(net.aws.s3(), bucket, "net")  # type: ignore[assignment]  # a vault for a vault
    make_table(plain, table, some_items(6))
    made = net.back_up(table, segments=2)
    net.faults.reset()
    return made


REFUSALS = [(403, "AccessDenied"), (503, "SlowDown")]


@pytest.mark.parametrize("depth", DEPTHS, ids=lambda depth: depth.name)
@pytest.mark.parametrize("operation", ["GetObject", "ListObjectsV2"])
@pytest.mark.parametrize(("status", "code"), REFUSALS)
def test_what_cannot_be_read_is_inconclusive(
    net: Process, in_s3: Manifest, status: int, code: str, operation: str, depth: Depth
) -> None:
    """No access, or throttled: neither a pass nor a failure, and the reason is told."""
    net.faults.fail(operation, times=1000, status=status, code=code)
    found = verify(net, in_s3, depth)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.problems
    assert found.content is None
    net.faults.reset()
    assert known_content(net.catalog, in_s3) is None


@pytest.mark.parametrize(("status", "code"), REFUSALS)
def test_one_object_that_cannot_be_read_is_inconclusive(
    net: Process, in_s3: Manifest, status: int, code: str
) -> None:
    """One refusal among many good reads is enough, wherever in a full verification it comes."""
    assert verify(net, in_s3).outcome is Outcome.PASS
    reads = net.faults.calls.count("GetObject")
    assert reads == len(in_s3.objects)
    for nth in range(1, reads + 1):
        net.faults.reset()
        net.faults.fail("GetObject", nth=nth, status=status, code=code)
        assert verify(net, in_s3).outcome is Outcome.INCONCLUSIVE


def test_what_was_not_read_is_not_counted_as_read(net: Process, in_s3: Manifest) -> None:
    """A report that says how much was read must not say all of it when hardly anything was."""
    net.faults.fail("GetObject", times=1000, status=403, code="AccessDenied")
    found = verify(net, in_s3)
    assert (found.outcome, found.read) == (Outcome.INCONCLUSIVE, 0)


def test_a_failure_outweighs_what_could_not_be_read(net: Process, backup: Manifest) -> None:
    """Damage that is known stays damage, whatever else could not be looked at."""
    delete(net.store, data_key(0)(backup), backup)
    net.faults.fail("vault.open")
    found = verify(net, backup, LISTED)
    assert found.outcome is Outcome.FAIL
    assert names(found, data_key(0)(backup))
    assert len(found.problems) == 2


def test_a_full_verification_is_noted(net: Process, backup: Manifest) -> None:
    """verification.json has what was found, when, and of which manifest; a later one takes its place."""
    with pytest.raises(ObjectNotFoundError):
        net.store.get(backup.folder + VERIFICATION)
    for _ in range(2):
        net.clock.advance(86_400)
        found = verify(net, backup)
        record = document(VerificationRecord, net.store.get(backup.folder + VERIFICATION))
        assert (record.backup_id, record.seal) == (backup.backup_id, backup.seal)
        assert record.verified_at == net.clock.now
        assert found.content == known_content(net.catalog, backup) == check_content(net.catalog, backup)
        assert found.content is not None
        assert found.content.item_count == 6


@pytest.mark.parametrize("depth", [LISTED, HALF, TENTH, Depth(percent=100)], ids=lambda depth: depth.name)
def test_less_than_a_full_verification_is_not_noted(net: Process, backup: Manifest, depth: Depth) -> None:
    """What was sampled has no digest, and writes nothing."""
    net.faults.reset()
    verify(net, backup, depth)
    assert net.faults.writes == []
    assert known_content(net.catalog, backup) is None


def test_a_note_does_not_outlive_its_manifest(net: Process, backup: Manifest) -> None:
    """A manifest that was replaced is not the one that was verified, even if its seal fits."""
    verify(net, backup)

    def later(document: dict[str, Any]) -> None:
        document["tool_version"] = "another"

    forge(net.store, backup, later)
    replaced = net.catalog.latest(ACCOUNT, REGION, backup.table.name)
    assert known_content(net.catalog, backup) is not None
    assert known_content(net.catalog, replaced) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"digest_algorithm": "blake2b-256-sum/1"}',
    ],
    ids=["empty", "no fields", "an algorithm that is gone"],
)
def test_a_note_that_cannot_be_used_is_as_good_as_none(net: Process, backup: Manifest, body: bytes) -> None:
    """Damaged, or digested in another way: the backup is digested again, and nothing fails."""
    verify(net, backup)
    noted = json.loads(net.store.get(backup.folder + VERIFICATION).body)
    if b"algorithm" in body:
        body = json.dumps({**noted, **json.loads(body)}).encode()
    rewrite(net.store, backup.folder + VERIFICATION, body)
    assert known_content(net.catalog, backup) is None
    assert verify(net, backup).outcome is Outcome.PASS
    assert known_content(net.catalog, backup) is not None


def test_a_recovery_does_not_digest_again_what_was_verified(
    net: Process, plain: DynamoDBClient, backup: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the noted content, compares the table with it, and is as complete as any other."""
    before = all_items(plain, backup.table.name)
    verify(net, backup)
    plain.delete_table(TableName=backup.table.name)

    def again(*_: object) -> None:
        pytest.fail("the backup was digested again")

    for reading in ("check_content", "check_letters"):
        monkeypatch.setattr(f"recovery.restores.restore.{reading}", again)
    assert net.recover(backup.table.name).items_verified == 6
    assert all_items(plain, backup.table.name) == before


@pytest.mark.parametrize("damage", [delete, truncate, append, flip, swap], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)
def test_damage_after_a_verification_is_found_before_the_first_write(
    net: Process, plain: DynamoDBClient, backup: Manifest, damage: Damage, where: Place
) -> None:
    """A note saves the digest and nothing else: every object is checked, and no table is created."""
    verify(net, backup)
    plain.delete_table(TableName=backup.table.name)
    plan = net.plan(backup.table.name)
    damage(net.store, where(backup), backup)
    net.faults.reset()
    with pytest.raises(DamagedObjectError):
        net.recovery().apply(plan, "anna")
    # The only writes are those of the lease, taken and released.
    assert net.faults.writes == ["vault.put_new", "vault.replace"]


def test_a_count_that_is_not_the_manifests_is_a_failure(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """A manifest that was forged with a seal that fits fails where the data file's items are counted."""
    make_table(plain, table, some_items(3))
    backup = net.back_up(table)

    def one_more(document: dict[str, Any]) -> None:
        document["item_count"] += 1
        next(entry for entry in document["objects"] if entry["items"] is not None)["items"] += 1

    forge(net.store, backup, one_more)
    forged = net.catalog.latest(ACCOUNT, REGION, table)
    found = verify(net, forged)
    assert found.outcome is Outcome.FAIL
    assert names(found, data_key(0)(backup))


@pytest.fixture
def chain(net: Process, backup: Manifest) -> list[Manifest]:
    """A full backup of items 0 to 5, one that changes 0 and deletes 1, and one that adds 6."""
    second = continued(net, backup, [change("item-0000", "7"), change("item-0001", None)])
    return [backup, second, continued(net, second, [change("item-0006", "6")])]


@pytest.mark.parametrize("depth", DEPTHS, ids=lambda depth: depth.name)
def test_a_chain_is_verified_with_all_its_links(net: Process, chain: list[Manifest], depth: Depth) -> None:
    """All objects of all links count; a full verification notes the content that the chain adds up to."""
    found = verify(net, chain[-1], depth)
    assert (found.outcome, found.problems) == (Outcome.PASS, ())
    assert found.objects == sum(len(link.objects) for link in chain)
    assert found.content == known_content(net.catalog, chain[-1])
    assert depth is not FULL or (found.content is not None and found.content.item_count == 6)


@pytest.mark.parametrize("damage", [delete, truncate, flip], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("link", range(3))
def test_damage_in_any_link_of_a_chain_is_found(
    net: Process, chain: list[Manifest], damage: Damage, link: int
) -> None:
    """A backup of changes is worth as much as the worst of those that it continues."""
    key = data_key(0)(chain[link])
    damage(net.store, key, chain[link])
    found = verify(net, chain[-1])
    assert found.outcome is Outcome.FAIL
    assert names(found, key)
    if damage is not flip:
        assert names(verify(net, chain[-1], LISTED), key)


@pytest.mark.parametrize("depth", DEPTHS, ids=lambda depth: depth.name)
@pytest.mark.parametrize("link", [0, 1])
def test_a_chain_whose_base_is_missing_fails(
    net: Process, chain: list[Manifest], link: int, depth: Depth
) -> None:
    """Changes without what they change are no backup, at any depth; the link is named."""
    net.store.delete(chain[link].folder + MANIFEST)
    found = verify(net, chain[-1], depth)
    assert found.outcome is Outcome.FAIL
    assert chain[link].backup_id in found.problems[0]


@pytest.mark.parametrize("nth", [1, 2])
def test_a_chain_whose_base_cannot_be_looked_at_is_inconclusive(
    net: Process, chain: list[Manifest], nth: int
) -> None:
    """Throttled at the manifest of a link: no failure, and no error that stops the verification of others."""
    net.faults.reset()
    net.faults.fail("vault.get", nth=nth)
    assert verify(net, chain[-1], LISTED).outcome is Outcome.INCONCLUSIVE


def test_adopted_data_is_verified_where_it_lies(net: Process, backup: Manifest) -> None:
    """Objects in another bucket are listed and read there; what is missing there is named."""
    adopted = adopt_in_place(net, backup, "exports", "of/others")
    assert verify(net, adopted, LISTED).outcome is Outcome.PASS
    assert verify(net, adopted, FULL).outcome is Outcome.PASS
    place = net.store.at("exports", "of/others")
    key = adopted.data_objects[0].key
    flip(place, key, adopted)
    assert names(verify(net, adopted, FULL), key)
    place.delete(key)
    assert names(verify(net, adopted, LISTED), key)
