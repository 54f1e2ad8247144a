"""What is known around a deletion comes from its newest backup."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recovery.backups.backup import Backups
from recovery.backups.catalog import Catalog
from recovery.backups.engine_scan import ScanEngine
from recovery.clock import utc_now
from recovery.intents import Declaration, IntentStore
from recovery.progress import NoProgress
from recovery.testing.memory_vault import MemoryVault
from recovery.wire import RawTables
from rules.events import parse_event_json
from tests.watcher.watching import Clockwork, delete_table
from watcher.facts.enrichment import VaultFacts
from watcher.incidents.incident_store import IncidentStore

if TYPE_CHECKING:
    from recovery.backups.manifest import Manifest
    from recovery.testing.embedded_aws import EmbeddedEndpoint


TAGS = {"env": "prod", "aws:cloudformation:stack-name": "shop"}


@pytest.fixture(scope="module")
def vault() -> MemoryVault:
    """A vault for one backup."""
    return MemoryVault()


@pytest.fixture(scope="module")
def backup(endpoint: EmbeddedEndpoint, vault: MemoryVault) -> Manifest:
    """A backup of a tagged table with two items."""
    aws = endpoint.aws()
    client = aws.dynamodb()
    name = f"orders-{uuid.uuid4().hex}"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
    )
    for number in ("1", "2"):
        client.put_item(TableName=name, Item={"id": {"S": number}})
    engine = ScanEngine(RawTables(aws), vault, utc_now, time.sleep)
    backups = Backups(aws=aws, vault=vault, engine=engine, clock=utc_now, progress=NoProgress())
    return backups.back_up(name).manifest


def facts_in(vault: MemoryVault) -> VaultFacts:
    """What a vault tells."""
    return VaultFacts(Catalog(vault), IntentStore(vault, utc_now), IncidentStore(vault))


def test_tags_size_and_loss_come_from_the_newest_backup(vault: MemoryVault, backup: Manifest) -> None:
    """The table is gone, but the message can still say what it held and how much would be lost."""
    deleted = backup.time + timedelta(hours=2)
    event = parse_event_json(delete_table(backup.table.name, eventTime=f"{deleted:%Y-%m-%dT%H:%M:%SZ}"))
    around = facts_in(vault).look_around(event)
    assert (around.subject.item_count, around.subject.tags) == (2, TAGS)
    (point,) = around.recovery_points
    assert point.backup_id == backup.backup_id
    assert point.loss_seconds == pytest.approx(7200, abs=1)
    assert around.facts.document["table"]["tags"] == TAGS
    assert around.facts.document["backup"] == {"found": True, "ageHours": pytest.approx(2, abs=0.01)}
    assert {"table.tags", "table.itemCount", "backup", "intents"}.isdisjoint(around.facts.unknown)


def test_a_table_without_backup_has_unknown_tags(vault: MemoryVault) -> None:
    """No backup is a fact; the tags of a table that is gone are unknown."""
    around = facts_in(vault).look_around(parse_event_json(delete_table("never-backed-up")))
    assert around.facts.document["backup"] == {"found": False}
    assert "table.tags" in around.facts.unknown
    assert (around.recovery_points, around.recovery_unknown) == ((), "")


def test_a_damaged_definition_leaves_the_rest_known(vault: MemoryVault, backup: Manifest) -> None:
    """Tags cannot be read: they are unknown, the counts of the manifest stay."""
    damaged = MemoryVault()
    for info in vault.list(backup.folder):
        body = vault.get(info.key).body
        damaged.put_new(info.key, b"{}" if info.key.endswith("table.json") else body)
    deleted = backup.time + timedelta(hours=1)
    event = parse_event_json(delete_table(backup.table.name, eventTime=f"{deleted:%Y-%m-%dT%H:%M:%SZ}"))
    around = facts_in(damaged).look_around(event)
    assert "table.tags" in around.facts.unknown
    assert around.subject.item_count == 2


def test_a_stack_has_no_table_facts(vault: MemoryVault) -> None:
    """An event about a stack is judged on what it says itself."""
    event = parse_event_json(
        delete_table(
            eventSource="cloudformation.amazonaws.com",
            eventName="DeleteStack",
            requestParameters={"stackName": "shop-prod"},
            responseElements=None,
        )
    )
    around = facts_in(vault).look_around(event)
    assert (around.subject.type, around.subject.name) == ("stack", "shop-prod")
    assert "table" not in around.facts.document


def test_a_table_deleted_by_its_declared_stack_is_covered(vault: MemoryVault, backup: Manifest) -> None:
    """Which stack it was of is known by the tag in its newest backup, and so the stack's intent covers it."""
    clock = Clockwork(backup.time + timedelta(hours=1))
    intents = IntentStore(vault, clock)
    declared = intents.declare(
        Declaration(table="", stack="shop", by="developer", lasts=timedelta(hours=1), reason="moved"), "me"
    )
    event = parse_event_json(
        delete_table(
            backup.table.name,
            eventTime=f"{clock.now + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
            userIdentity={
                "type": "IAMUser",
                "userName": "developer",
                "invokedBy": "cloudformation.amazonaws.com",
            },
        )
    )
    around = VaultFacts(Catalog(vault), intents, IncidentStore(vault)).look_around(event)
    assert (around.origin_stack, around.intents) == ("shop", (declared.id,))
    assert around.facts.document["intents"] == [declared.id]
