"""Recovery plans: made by reading only, and refused where they would go to the wrong place."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.manifest import seal_of
from recovery.definitions.definition import RUN_TAG, Known, NotKnown
from recovery.errors import BackupNotFoundError
from recovery.restores.plans import RecoveryPlan
from recovery.vault.vault import body_of
from rules.errors import UnsafeError, UsageError
from tests.recovery.recovering import copy_to_account, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.recovery.recovering import Process

STREAM = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}


@pytest.fixture
def backup(net: Process, plain: DynamoDBClient, table: str) -> Manifest:
    """A backup of a table with tags, stream and TTL, which is gone by now."""
    make_table(
        plain, table, some_items(3), StreamSpecification=STREAM, Tags=[{"Key": "team", "Value": "shop"}]
    )
    plain.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    made = net.back_up(table)
    plain.delete_table(TableName=table)
    net.faults.reset()
    return made


def test_planning_writes_nothing(net: Process, backup: Manifest) -> None:
    """A dry run makes not a single write, neither in AWS nor in the vault."""
    before = list(net.store.writes)
    plan = net.plan(backup.table.name)
    assert (net.faults.writes, net.store.writes) == ([], before)
    assert net.faults.calls
    assert not plan.target_exists


def test_a_plan_says_what_will_be_done(net: Process, backup: Manifest) -> None:
    """Backup, target, counts, request, tags and settings are all in it, and it survives being stored."""
    plan = net.plan(backup.table.name, deleted_at=backup.time + timedelta(seconds=90))
    assert (plan.backup_id, plan.backup_time, plan.item_count) == (backup.backup_id, backup.time, 3)
    assert plan.loss_seconds == 90
    assert plan.under_own_name
    assert plan.create_table["TableName"] == backup.table.name
    assert plan.tags == {"team": "shop"}
    assert plan.settings.stream == Known(value=STREAM)
    assert plan.vault_bytes == sum(entry.size for entry in backup.objects)
    assert plan.warnings == ()
    assert RecoveryPlan.model_validate_json(body_of(plan)) == plan


def test_without_a_time_of_deletion_the_loss_is_unknown(net: Process, backup: Manifest) -> None:
    """Unknown is None and never zero."""
    assert net.plan(backup.table.name).loss_seconds is None


def test_the_table_that_took_the_place_of_the_lost_one_is_not_recovered(
    net: Process, plain: DynamoDBClient, backup: Manifest
) -> None:
    """CloudFormation made an empty table, and the night backed it up: the plan takes the backup from before."""
    name, deleted = backup.table.name, backup.time + timedelta(seconds=30)
    make_table(plain, name)
    empty = net.back_up(name)
    assert empty.time > deleted
    assert net.plan(name).backup_id == empty.backup_id
    assert net.plan(name, deleted_at=deleted).backup_id == backup.backup_id
    assert net.plan(name, deleted_at=deleted, backup_id=empty.backup_id).backup_id == empty.backup_id
    with pytest.raises(BackupNotFoundError):
        net.plan(name, deleted_at=backup.time - timedelta(seconds=1))


def test_a_backup_by_its_id(net: Process, plain: DynamoDBClient, table: str) -> None:
    """An older backup can be asked for; one that is not there is not found."""
    make_table(plain, table)
    older, newer = net.back_up(table), net.back_up(table)
    assert net.plan(table).backup_id == newer.backup_id
    assert net.plan(table, backup_id=older.backup_id).backup_id == older.backup_id
    with pytest.raises(BackupNotFoundError, match="20000101T000000Z-00000000"):
        net.plan(table, backup_id="20000101T000000Z-00000000")


@pytest.mark.parametrize(
    ("credentials", "shown"),
    [({"region": "us-east-1"}, "123456789012/us-east-1"), ({"account": "9" * 12}, "123456789012/eu-west-1")],
)
def test_another_place_needs_leave(
    net: Process, endpoint: EmbeddedEndpoint, backup: Manifest, credentials: dict[str, str], shown: str
) -> None:
    """A backup of another account or region is refused, exit 14, unless it is asked for with a flag."""
    wish: dict[str, Any] = {}
    if "region" in credentials:
        net.aws = endpoint.aws(region=credentials["region"], max_attempts=1)
    else:
        # The backup is moved to another account's folder, manifest and all.
        wish = {"account": credentials["account"]}
        copy_to_account(net, backup, credentials["account"])
    with pytest.raises(UnsafeError, match=shown) as caught:
        net.plan(backup.table.name, **wish)
    assert caught.value.exit_code == 14
    assert "--elsewhere" in caught.value.hint
    plan = net.plan(backup.table.name, elsewhere=True, **wish)
    assert not plan.under_own_name
    assert f"{plan.target.account}/{plan.target.region}" == shown


@pytest.mark.parametrize("wish", [{"as_name": "copy-of-it"}, {"as_copy": True}])
def test_a_copy_leaves_out_what_belongs_to_the_original(
    net: Process, backup: Manifest, wish: dict[str, Any]
) -> None:
    """No stream, PITR, policy or protection in a copy, and the plan says so; TTL and tags are kept."""
    plan = net.plan(backup.table.name, **wish)
    assert plan.settings.stream == Known(value=None)
    assert plan.settings.ttl == Known(value={"AttributeName": "expires"})
    assert plan.tags == {"team": "shop"}
    assert plan.warnings == ("left out in a copy: stream",)


@pytest.mark.parametrize("name", ["ab", "with space", "x" * 256, "a/b", "täble"])
def test_a_name_that_is_no_table_name(net: Process, backup: Manifest, name: str) -> None:
    """A misspelled --as is a UsageError with the rule for names, not a traceback."""
    with pytest.raises(UsageError, match="not a table name") as caught:
        net.plan(backup.table.name, as_name=name)
    assert caught.value.exit_code == 2


def test_tags_that_cannot_be_created_are_left_out(net: Process, backup: Manifest) -> None:
    """AWS keeps aws: for itself, and the mark of an earlier run is not the mark of this one."""
    definition = net.catalog.definition(backup)
    tags = {
        "aws:cloudformation:stack-name": "shop",
        RUN_TAG: "old",
        "safetynet:runbook": "kept",
        "team": "shop",
    }
    settings = definition.settings.model_copy(update={"tags": Known(value=tags)})
    replace_definition(net, backup, definition.model_copy(update={"settings": settings}))
    assert net.plan(backup.table.name).tags == {"safetynet:runbook": "kept", "team": "shop"}


def replace_definition(net: Process, backup: Manifest, definition: Any) -> None:
    """Another table.json, with the manifest made to fit."""
    body = body_of(definition)
    document = json.loads(net.store.get(f"{backup.folder}manifest.json").body)
    document["objects"][0].update(size=len(body), sha256=hashlib.sha256(body).hexdigest())
    document["seal"] = seal_of(document)
    for key, content in (("table.json", body), ("manifest.json", json.dumps(document).encode())):
        net.store.delete(backup.folder + key)
        net.store.put_new(backup.folder + key, content)


def test_what_will_not_come_back_is_said(net: Process, backup: Manifest) -> None:
    """What could not be read at backup is a warning of the plan; what surrounds the table is part of it."""
    definition = net.catalog.definition(backup)
    changed = definition.model_copy(
        update={
            "settings": definition.settings.model_copy(update={"ttl": NotKnown(reason="access denied: no")}),
            "surroundings": definition.surroundings.model_copy(
                update={
                    "replicas": Known(value={"Replicas": [{"RegionName": "us-east-1"}]}),
                    "alarms": NotKnown(reason="throttled"),
                }
            ),
        }
    )
    replace_definition(net, backup, changed)
    plan = net.plan(backup.table.name)
    unread, unknown = plan.warnings
    assert "ttl" in unread
    assert "access denied" in unread
    assert unknown == "could not be read at backup: alarms"
    assert plan.surroundings.replicas == Known(value={"Replicas": [{"RegionName": "us-east-1"}]})
    (left_out,) = [line for line in net.plan(backup.table.name, as_name="copy").warnings if "copy" in line]
    assert "us-east-1" in left_out


def test_an_existing_target_is_seen(net: Process, plain: DynamoDBClient, backup: Manifest) -> None:
    """The plan says that the table is there, whatever its state but DELETING."""
    name = backup.table.name
    make_table(plain, name)
    assert net.plan(name).target_exists

    def deleting(answer: dict[str, Any]) -> None:
        answer["Table"]["TableStatus"] = "DELETING"

    net.faults.change_answer("DescribeTable", deleting)
    plan = net.plan(name)
    assert not plan.target_exists
    assert "still being deleted" in plan.warnings[0]
