"""Reading what health is told from: all of it, what cannot be read noted, incidents only once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from recovery.backups.catalog import Catalog
from rules.errors import AccessDeniedError, UnavailableError
from tests.watcher.availability.test_region_watch import backed_up
from tests.watcher.watching import NOON, delete_table
from watcher.health.canary import CANARY, Canaries
from watcher.health.health_reading import HealthReader, IncidentGlance
from watcher.health.heartbeat import Heart
from watcher.sources.positions import Positions
from watcher.sources.queue_depth import QueueDepth, QueueDepths
from watcher.testing.recording_canary import RecordingCanarySender

if TYPE_CHECKING:
    import pytest

    from tests.watcher.watching import Parts

DEPTHS = QueueDepths(QueueDepth(1, 2), QueueDepth(3, 0))


def test_all_of_it_is_read(parts: Parts) -> None:
    """Heartbeats, canary, positions, queue, incidents, backups."""
    Heart(parts.vault, parts.clock, "one", version="1", source="memory").beat()
    Canaries(parts.vault, parts.clock, RecordingCanarySender(), "one", timedelta(minutes=5)).send_due()
    Positions(parts.vault, parts.clock).note("queue", NOON)
    backed_up(parts.vault, "carts", NOON - timedelta(hours=9))
    backed_up(parts.vault, "orders", NOON - timedelta(hours=10))
    parts.pipeline.take(delete_table())
    reader = HealthReader(parts.vault, parts.incidents, parts.clock, lambda: DEPTHS, Catalog(parts.vault))
    seen = reader.observe()
    assert [beat.watcher for beat in seen.heartbeats] == ["one"]
    assert seen.canary is not None
    assert [position.source for position in seen.positions] == ["queue"]
    assert seen.queue == DEPTHS
    assert len(seen.incidents.open) == 1
    assert [(one.notifier, one.kind) for one in seen.incidents.unsent] == [("recording", "opened")]
    assert seen.backups is not None
    assert [(one.table, one.newest) for one in seen.backups] == [
        ("carts", NOON - timedelta(hours=9)),
        ("orders", NOON - timedelta(hours=10)),
    ]
    assert seen.unreadable == {}


def test_what_cannot_be_read_keeps_nothing_else_from_it(parts: Parts) -> None:
    """Each has its reason."""
    parts.vault.put(CANARY, b"{")
    parts.vault.put("watch/availability/eu-west-1.json", b"{")

    def refused() -> QueueDepths:
        raise AccessDeniedError("sqs:GetQueueAttributes is denied")

    seen = HealthReader(parts.vault, parts.incidents, parts.clock, refused).observe()
    assert seen.unreadable["queue"] == "sqs:GetQueueAttributes is denied"
    assert sorted(seen.unreadable) == ["canary", "queue", "regions"]
    assert (seen.queue, seen.backups) == (None, None)


def test_a_vault_out_of_reach_is_told_of_each_part(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error escapes: the answer is that nothing is known."""

    def down(*_: object, **__: object) -> None:
        raise UnavailableError("S3 is down")

    for name in ("get", "list", "folders"):
        monkeypatch.setattr(parts.vault, name, down)
    seen = HealthReader(parts.vault, parts.incidents, parts.clock, None, Catalog(parts.vault)).observe()
    assert sorted(seen.unreadable) == ["alerts", "backups", "canary", "regions", "sources", "watcher"]


def test_incidents_are_read_again_only_where_they_changed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vault with thousands of them is looked at every few minutes."""
    for name, who in (("a-table", "ann"), ("b-table", "bob")):
        identity = {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/{who}", "userName": who}
        parts.pipeline.take(delete_table(name, userIdentity=identity))
    parts.vault.put("incidents/2026/11/20261123T000000Z-x-0a1b2c3d.json", b"{")
    glance = IncidentGlance(parts.incidents)
    first = glance.now()
    assert (len(first.open), len(first.unsent), len(first.damaged)) == (2, 2, 1)
    parts.outbox.deliver(first.open[0])
    reads: list[str] = []
    get = parts.vault.get

    def counted(key: str) -> object:
        reads.append(key)
        return get(key)

    monkeypatch.setattr(parts.vault, "get", counted)
    second = glance.now()
    assert (len(second.open), len(second.unsent), len(second.damaged)) == (2, 1, 1)
    assert len(reads) == 1
