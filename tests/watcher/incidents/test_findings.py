"""Findings: a table that shrank becomes an incident, once, with the way back in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.manifest import BackupObject, Consistency, Finding, Manifest, TableIdentity
from recovery.testing.memory_vault import MemoryVault
from rules.verdicts import Severity, VerdictKind
from watcher.alerts.slack_message import opened_message
from watcher.alerts.slack_text import plain_text
from watcher.incidents.findings import open_finding
from watcher.incidents.incident import Incident, IncidentState
from watcher.incidents.incident_store import IncidentStore
from watcher.testing.slack_blocks import check_blocks

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork, Parts

NIGHT = datetime(2026, 11, 23, 2, tzinfo=UTC)
BEFORE = NIGHT - timedelta(days=1)
NOW = NIGHT + timedelta(minutes=9)
LONGEST = 248  # 255 letters with "-before" behind it


def shrunk(name: str = "orders", backup_id: str = "20261123T020000Z-0a1b2c3d", **of: Any) -> Manifest:
    """A backup of a table that lost 60 per cent, with its finding."""
    table = TableIdentity(
        **{"account": "123456789012", "region": "eu-west-1", "name": name, "table_id": "id", **of},
        arn=f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name}",
    )
    finding = Finding(
        kind="shrunk",
        message=f"{name} holds 4,000 items, 60% fewer than the 10,000 in backup 20261122T020000Z-99999999",
        compared_with="20261122T020000Z-99999999",
        compared_at=BEFORE,
        items_before=10_000,
        items_now=4_000,
    )
    return Manifest(
        backup_id=backup_id,
        table=table,
        engine="scan",
        consistency=Consistency(kind="per-item", started=NIGHT, ended=NIGHT + timedelta(minutes=8)),
        item_count=4_000,
        data_bytes=400_000,
        consumed_read_units=100.0,
        export_id="01-ab",
        objects=(BackupObject(key="table.json", size=1, sha256="0" * 64),),
        findings=(finding,),
        tool_version="0.1.0",
    ).sealed()


@pytest.fixture
def incidents() -> IncidentStore:
    """Where incidents are kept."""
    return IncidentStore(MemoryVault())


def opened(incidents: IncidentStore, backup: Manifest, now: datetime = NOW) -> Incident:
    """The incident of a backup's finding."""
    return open_finding(incidents, backup, backup.findings[0], ["slack", "mail"], now)


def shown(incident: Incident) -> str:
    """What Slack's message says, a line for each line that is not wrapped."""
    message = opened_message(incident)
    check_blocks(message.blocks)
    return plain_text(message, width=400)


def test_a_finding_is_an_incident(incidents: IncidentStore) -> None:
    """Open, suspicious and high; about the table as it was, from the time of the backup that showed it."""
    incident = opened(incidents, shrunk())
    assert incidents.get(incident.id) == incident
    assert incident.id == "20261123T020000Z-orders-0a1b2c3d"
    assert (incident.state, incident.alerted) == (IncidentState.OPEN, True)
    assert (incident.verdict, incident.severity) == (VerdictKind.SUSPICIOUS, Severity.HIGH)
    assert (incident.account, incident.region) == ("123456789012", "eu-west-1")
    subject = incident.subject
    assert (subject.type, subject.name, subject.item_count) == ("table", "orders", 10_000)
    assert subject.arn == "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    assert incident.opened_at == NIGHT
    assert incident.reasons[0] == shrunk().findings[0].message
    assert [(moment.time, moment.what) for moment in incident.timeline] == [(NOW, incident.reasons[0])]


def test_the_way_back_is_the_backup_from_before(incidents: IncidentStore) -> None:
    """The full backup is the recovery point, with what a return to it would lose; not the one that shrank."""
    (point,) = opened(incidents, shrunk()).recovery_points
    assert (point.source, point.backup_id) == ("s3-backup", "20261122T020000Z-99999999")
    assert (point.time, point.item_count, point.loss_seconds) == (BEFORE, 10_000, 86_400)


def test_the_command_brings_it_back_beside_the_table(incidents: IncidentStore) -> None:
    """The table is there and is never written to: the older backup comes back under another name."""
    assert opened(incidents, shrunk()).recover_command == (
        "safetynet recover orders --backup 20261122T020000Z-99999999 --as orders-before"
    )


def test_everybody_is_told_once(incidents: IncidentStore) -> None:
    """An opening message is owed to each notifier; the same finding again, later, is the same incident."""
    first = opened(incidents, shrunk())
    assert [(entry.notifier, entry.key) for entry in first.unsent] == [
        ("slack", "slack:opened"),
        ("mail", "mail:opened"),
    ]
    incidents.update(first.id, lambda old: old.model_copy(update={"state": IncidentState.ACKNOWLEDGED}))
    again = opened(incidents, shrunk(), NOW + timedelta(hours=3))
    assert again == incidents.get(first.id)
    assert (again.state, again.outbox) == (IncidentState.ACKNOWLEDGED, first.outbox)
    assert len(list(incidents.all())) == 1


def test_it_is_delivered_once(clock: Clockwork, parts: Parts) -> None:
    """Through the outbox like any incident, and not again when the backup is looked at a second time."""
    backup = shrunk()
    for _ in range(2):
        found = open_finding(parts.incidents, backup, backup.findings[0], parts.outbox.names, clock.now)
        parts.outbox.deliver(found.id)
    assert [notice.incident.subject.name for notice in parts.notifier.sent] == ["orders"]


@pytest.mark.parametrize(
    "other",
    [
        shrunk(backup_id="20261124T020000Z-0a1b2c3d"),
        shrunk(backup_id="20261123T020000Z-ffffffff"),
        shrunk("orders-archive"),
    ],
    ids=["another night", "another backup", "another table"],
)
def test_another_finding_is_another_incident(incidents: IncidentStore, other: Manifest) -> None:
    """Each backup of each table that shrank is told of."""
    assert opened(incidents, shrunk()).id != opened(incidents, other).id
    assert len(list(incidents.all())) == 2


def test_it_is_found_by_its_table(incidents: IncidentStore) -> None:
    """`safetynet recover orders` sees that there is an incident about the table."""
    incident = opened(incidents, shrunk())
    assert list(incidents.about("orders")) == [incident]
    assert list(incidents.about("orders-archive")) == []


def test_what_people_read(incidents: IncidentStore) -> None:
    """What shrank, by how much, that retention is frozen, what is there to go back to, and the command."""
    text = shown(opened(incidents, shrunk()))
    assert text.startswith("🔴 Table lost many items: orders\n")
    for line in (
        "• orders holds 4,000 items, 60% fewer than the 10,000 in backup 20261122T020000Z-99999999",
        "• Retention of its backups is frozen, so that the older ones stay.",
        "Why: severity high, judged suspicious",
        "Where     account 123456789012 in eu-west-1",
        "When      2026-11-23 02:00:00 UTC",
        "• newest backup 2026-11-22 02:00:00 UTC, 10,000 items; changes of the last 1 d are lost",
        "    safetynet recover orders --backup 20261122T020000Z-99999999 --as orders-before",
        "Incident 20261123T020000Z-orders-0a1b2c3d",
    ):
        assert f"\n{line}" in text, line


def test_people_read_nothing_that_nobody_knows(incidents: IncidentStore) -> None:
    """No call was seen: nobody is named as the one who did it, no tool, no link to an event that is none."""
    text = shown(opened(incidents, shrunk()))
    assert "\nWho" not in text
    assert "\nWith" not in text
    assert "CloudTrail" not in text
    assert "NO BACKUP" not in text


def test_the_count_at_stake_is_not_said_to_be_of_the_newest_backup(incidents: IncidentStore) -> None:
    """10,000 items are those of the backup before; the newest one is the one that holds 4,000."""
    text = shown(opened(incidents, shrunk()))
    assert "10,000 items, as of the newest backup" not in text


def test_a_name_that_is_too_long_has_no_command(incidents: IncidentStore) -> None:
    """DynamoDB would refuse the name beside it, so no command is shown rather than one that fails."""
    longest = opened(incidents, shrunk("n" * LONGEST))
    assert longest.recover_command.endswith(f" --as {'n' * LONGEST}-before")
    for length in (LONGEST + 1, 255):
        incident = opened(incidents, shrunk("n" * length))
        assert incident.recover_command == ""
        assert "To recover, run" not in shown(incident)
        assert "newest backup 2026-11-22" in shown(incident)
