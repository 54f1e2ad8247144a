"""Damaged backups and the engines of DynamoDB's own: nothing is made or begun from one, and the object is named."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.manifest import MANIFEST
from recovery.backups.verification import FULL, verify_backup
from recovery.definitions.definition import RUN_TAG
from recovery.errors import AwsError, DamagedObjectError, RestoreMismatchError
from recovery.progress import NoProgress
from recovery.restores.engine import RestoreEngineName
from recovery.restores.plans import table_exists
from recovery.testing.equality import comparable
from rules.errors import IntegrityError
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
from tests.recovery.managed import backup_of
from tests.recovery.recovering import definition_of
from tests.recovery.restores.interruptions import ITEMS, loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from recovery.testing.managed_loads import ManagedLoads
    from recovery.testing.memory_vault import MemoryVault
    from tests.recovery.recovering import Process
    from tests.recovery.restores.interruptions import Scene

PLACES = {"data-0": data_key(0), "data-1": data_key(1), "table": table_key, "export": export_key}
DAMAGES = {one.__name__: one for one in (delete, truncate, empty, append, flip, swap)}


@pytest.fixture(params=[RestoreEngineName.BULK, RestoreEngineName.IMPORT])
def scene(
    request: pytest.FixtureRequest,
    managed: Process,
    plain: DynamoDBClient,
    loads: ManagedLoads,
    table: str,
) -> Scene:
    """The plan to bring a table back by one of the engines, from a whole backup of two data files."""
    made = loaded(request.param, managed, plain, loads, table)
    assert len(backup_of(managed, made.plan).data_objects) == 2
    managed.faults.reset()
    return made


def assert_nothing_was_made(scene: Scene) -> None:
    """No call to AWS that changes anything, no load begun, no table there."""
    assert [call for call in scene.net.faults.writes if not call.startswith("vault.")] == []
    assert scene.loads.operations == []
    assert not table_exists(scene.net.aws, scene.table)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_before_anything_is_made(scene: Scene, damage: str, where: str) -> None:
    """Whatever happened to whichever object: the error names it."""
    backup = backup_of(scene.net, scene.plan)
    key = PLACES[where](backup)
    DAMAGES[damage](scene.net.store, key, backup)
    damaged = {key, *(data_key(n)(backup) for n in range(2) if damage == "swap")}
    with pytest.raises(DamagedObjectError) as caught:
        scene.apply()
    assert caught.value.key in damaged
    assert str(caught.value).startswith(f"{caught.value.key}: ")
    assert caught.value.exit_code == 13
    assert_nothing_was_made(scene)


def test_what_was_good_at_some_time_is_checked_again(scene: Scene) -> None:
    """A verification that was noted is no reason not to look: one flipped bit since then is found."""
    net, backup = scene.net, backup_of(scene.net, scene.plan)
    verify_backup(net.catalog, backup, FULL, net.clock, NoProgress())
    key = data_key(1)(backup)
    flip(net.store, key, backup)
    with pytest.raises(DamagedObjectError) as caught:
        scene.apply()
    assert caught.value.key == key
    assert_nothing_was_made(scene)


def other_table(document: dict[str, Any]) -> None:
    """A manifest that claims to be another table's."""
    document["table"]["name"] = "other"


def fewer_items(document: dict[str, Any]) -> None:
    """A count that its files do not add up to."""
    document["item_count"] -= 1


def climbing(document: dict[str, Any]) -> None:
    """An object outside of the backup's folder."""
    document["objects"][-1]["key"] = "../../secret"


def without_a_file(document: dict[str, Any]) -> None:
    """A data file less, and a count that fits: the forger has thought of all but the export's own manifest."""
    last = next(entry for entry in reversed(document["objects"]) if entry["items"])
    document["objects"].remove(last)
    document["item_count"] -= last["items"]


@pytest.mark.parametrize(
    ("forgery", "seal"),
    [
        (other_table, True),
        (fewer_items, True),
        (climbing, True),
        (fewer_items, False),
        (without_a_file, False),
    ],
)
def test_a_forged_manifest_makes_nothing(
    scene: Scene, forgery: Callable[[dict[str, Any]], None], seal: bool
) -> None:
    """With a seal or without a fitting one: the manifest is named."""
    backup = backup_of(scene.net, scene.plan)
    forge(scene.net.store, backup, forgery, seal=seal)
    with pytest.raises(DamagedObjectError) as caught:
        scene.apply()
    assert caught.value.key == backup.folder + MANIFEST
    assert_nothing_was_made(scene)


def test_a_data_file_that_a_forger_left_out_is_not_loaded_either(scene: Scene) -> None:
    """DynamoDB reads what lies there: the file that no manifest tells of any more is named before a load begins."""
    backup = backup_of(scene.net, scene.plan)
    left_out = data_key(-1)(backup)
    forge(scene.net.store, backup, without_a_file)
    with pytest.raises(DamagedObjectError, match="is not in the manifest") as caught:
        scene.apply()
    assert caught.value.key == left_out
    assert scene.loads.operations == []


def other_items(store: MemoryVault, key: str, backup: Manifest) -> None:
    """Another file that reads well and has as many lines."""
    rewrite(store, key, gzip.compress(gzip.decompress(store.get(key).body).replace(b"item-", b"evil-")))


@pytest.mark.parametrize("damage", [delete, truncate, empty, flip, other_items])
def test_damage_between_the_check_and_the_load(
    scene: Scene, damage: Callable[[MemoryVault, str, Manifest], None]
) -> None:
    """DynamoDB reads what nobody checks in that moment: never called done, and told how to get the whole table.

    A table that an import made has to be deleted by hand: the hint names it and ends with the command.
    """
    net, backup = scene.net, backup_of(scene.net, scene.plan)
    key = data_key(0)(backup)
    body = net.store.get(key).body
    begins = "StartBulkPutItems" if scene.plan.engine is RestoreEngineName.BULK else "ImportTable"
    events = net.aws.dynamodb().meta.events

    def strike(request: Any, **_: object) -> None:
        events.unregister(f"before-send.dynamodb.{begins}", strike)
        damage(net.store, key, backup)

    events.register_first(f"before-send.dynamodb.{begins}", strike)
    with pytest.raises((IntegrityError, AwsError)) as caught:
        scene.apply()
    assert scene.table in str(caught.value)
    assert RUN_TAG in dict(definition_of(scene.plain, scene.table)["tags"]), (
        "nobody takes it for a whole table"
    )
    net.store.put(key, body)
    deleted = finish(scene)
    assert scene.items() == comparable(ITEMS)
    if scene.plan.engine is RestoreEngineName.IMPORT:
        # What a failed import has left the next run clears away by itself.
        assert deleted == (scene.loads.operations[0].status == "COMPLETED")


def finish(scene: Scene) -> bool:
    """Run the command again, and do by hand what it says, until the table is back; whether it had to be deleted."""
    before = deleted = False
    for _ in range(4):
        scene.net.again()
        told = outcome(scene)
        if told is None:
            return deleted
        if told.startswith("Delete table") or before:
            what, _, command = told.rpartition(": ")
            assert scene.table in what
            type_in(scene, command)
            deleted = True
        before = True
    raise AssertionError("it is not back")


def outcome(scene: Scene) -> str | None:
    """What the command says that helps, where the table is not what it should be."""
    try:
        report = scene.apply()
    except RestoreMismatchError as error:
        return error.hint
    assert report.differences == ()
    return None


def type_in(scene: Scene, command: str) -> None:
    """Do what a command of the AWS command line does."""
    words = command.split(" ")
    assert words == [
        "aws", "dynamodb", "delete-table", "--region", scene.plan.target.region, "--table-name", scene.table,
    ]  # fmt: skip
    scene.plain.delete_table(TableName=words[-1])
