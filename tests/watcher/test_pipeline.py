"""From message to incident."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.errors import AwsError, ConflictError
from recovery.intents import Declaration
from rules.errors import EventError, UnavailableError
from rules.verdicts import Severity, VerdictKind
from tests.watcher.watching import NOON, by, delete_stack, delete_table
from watcher.incidents.incident import Incident, IncidentState

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork, Parts


def test_a_deletion_becomes_an_incident(parts: Parts) -> None:
    """What, who, where, when, with what and why are all in the stored incident."""
    incident = parts.pipeline.take(delete_table("shop-prod-orders"))
    assert incident is not None
    stored = parts.incidents.get(incident.id)
    assert stored == incident
    assert (stored.title, stored.subject.name, stored.account, stored.region) == (
        "Table deleted", "shop-prod-orders", "123456789012", "eu-west-1",
    )  # fmt: skip
    assert (stored.actor.label, stored.actor.tool, stored.actor.source_ip) == (
        "developer",
        "cli",
        "203.0.113.7",
    )
    assert (stored.state, stored.verdict) == (IncidentState.OPEN, VerdictKind.SUSPICIOUS)
    assert stored.severity is Severity.CRITICAL
    assert any("production" in reason for reason in stored.reasons)
    assert [entry.key for entry in stored.unsent] == ["recording:opened"]


def test_an_incident_keeps_what_intents_are_held_against(parts: Parts) -> None:
    """Role, session, source identity, application and token: later nobody can ask the event any more."""
    identity = {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::123456789012:assumed-role/deploy/job-7",
        "invokedBy": "cloudformation.amazonaws.com",
        "sessionContext": {"sessionIssuer": {"userName": "deploy"}, "sourceIdentity": "somebody"},
    }
    incident = parts.pipeline.take(
        delete_stack("shop", userIdentity=identity, userAgent="aws-cli/2.31.0 app/nightly")
    )
    assert incident is not None
    who = incident.actor
    assert (who.name, who.role, who.session, who.source_identity, who.app, who.invoked_by) == (
        "deploy", "deploy", "job-7", "somebody", "nightly", "cloudformation.amazonaws.com",
    )  # fmt: skip
    assert incident.events[0].request_token == "token-shop"


def test_the_same_message_again_changes_nothing(parts: Parts) -> None:
    """A redelivered or doubled event is one incident with one event and one owed message."""
    body = delete_table()
    first = parts.pipeline.take(body)
    assert first is not None
    writes = len(parts.vault.writes)
    assert parts.pipeline.take(body) == first
    assert len(parts.vault.writes) == writes


def test_another_record_of_the_same_deletion_is_added(parts: Parts) -> None:
    """By another source the same deletion may come under another event id: still one incident, one message."""
    parts.pipeline.take(delete_table(eventID="e-1"))
    incident = parts.pipeline.take(delete_table(eventID="e-2"))
    assert incident is not None
    assert [note.id for note in incident.events] == ["e-1", "e-2"]
    assert len(incident.outbox) == 1


def test_a_declared_deletion_is_quiet(parts: Parts, clock: Clockwork) -> None:
    """An intent that covers it makes it intentional: recorded, and nobody is told."""
    parts.intents.declare(
        Declaration(table="staging-*", by="developer", lasts=timedelta(hours=1), reason="refresh"), "somebody"
    )
    clock.now += timedelta(minutes=5)
    incident = parts.pipeline.take(delete_table("staging-orders", eventTime="2026-11-23T12:04:00Z"))
    assert incident is not None
    assert (incident.verdict, incident.state, incident.outbox) == (
        VerdictKind.INTENTIONAL,
        IncidentState.QUIET,
        (),
    )


def test_an_intent_declared_afterwards_explains_nothing(parts: Parts) -> None:
    """The deletion was before the declaration: it alerts."""
    parts.intents.declare(
        Declaration(table="ord*", by="dev*", lasts=timedelta(hours=1), reason="oops"), "somebody"
    )
    incident = parts.pipeline.take(delete_table(eventTime="2026-11-23T11:59:59Z"))
    assert incident is not None
    assert incident.verdict is VerdictKind.SUSPICIOUS


@pytest.mark.parametrize(
    "changes",
    [
        {"eventName": "DescribeTable", "readOnly": True},
        {"eventSource": "glue.amazonaws.com"},
        {"eventName": "CreateTable"},
    ],
)
def test_what_is_not_watched_is_taken_and_forgotten(parts: Parts, changes: dict[str, Any]) -> None:
    """Read-only calls, other services' calls and what only explains others make no incident and no error."""
    assert parts.pipeline.take(delete_table(**changes)) is None
    assert parts.vault.writes == []


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[]", b"null", b'{"a": 1}', b'{"detail-type": "x", "detail": {}}']
)
def test_what_cannot_be_understood_is_an_error(parts: Parts, body: bytes) -> None:
    """Nothing is guessed: the caller gets an EventError and may store an incident about the message."""
    with pytest.raises(EventError) as error:
        parts.pipeline.take(body)
    incident = parts.pipeline.take_unreadable(body, error.value)
    assert incident.state is IncidentState.OPEN
    assert incident.severity is Severity.HIGH
    assert parts.pipeline.take_unreadable(body, error.value) == incident


def test_a_vault_that_cannot_be_read_stops_the_intake(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the vault nothing is acknowledged: the error goes to the caller."""

    def broken(*_: object) -> str:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(parts.vault, "put_new", broken)
    with pytest.raises(UnavailableError):
        parts.pipeline.take(delete_table())


def test_unreadable_surroundings_do_not_stop_an_alert(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backups and intents that cannot be listed are unknown, and the incident says so."""
    listing = parts.vault.list

    def only_incidents(prefix: str, after: str = "") -> object:
        if prefix.startswith("incidents/"):
            return listing(prefix, after)
        raise AwsError("no")

    monkeypatch.setattr(parts.vault, "list", only_incidents)
    incident = parts.pipeline.take(delete_table())
    assert incident is not None
    assert incident.alerted
    assert incident.recovery_unknown == "no"


def test_two_watchers_that_meet_make_one_incident(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one whose conditional write is refused goes on with what the other stored."""
    body = delete_table()
    other = parts.restart()
    put_new = parts.vault.put_new

    def overtaken(key: str, content: bytes) -> str:
        monkeypatch.undo()
        other.pipeline.take(body)
        return put_new(key, content)

    monkeypatch.setattr(parts.vault, "put_new", overtaken)
    parts.clock.now = NOON + timedelta(seconds=1)
    mine = parts.pipeline.take(body)
    assert mine is not None
    assert mine == parts.incidents.get(mine.id)
    assert len(list(parts.incidents.all())) == 1


def test_a_batch_is_taken_in_event_by_event(parts: Parts) -> None:
    """Records of a trail, or a notification of SNS around an event: one incident each, and again changes nothing."""
    records = [json.loads(delete_table(name, **by(name)))["detail"] for name in ("orders", "basket")]
    batch = json.dumps({"Records": records}).encode()
    assert [one.subject.name for one in parts.pipeline.take_all(batch)] == ["orders", "basket"]
    assert [one.subject.name for one in parts.restart().pipeline.take_all(batch)] == ["orders", "basket"]
    notice = json.dumps(
        {"Type": "Notification", "Message": delete_table("carts", **by("carts")).decode()}
    ).encode()
    assert [one.subject.name for one in parts.pipeline.take_all(notice)] == ["carts"]
    assert len(list(parts.incidents.all())) == 3


def test_what_is_understood_of_a_batch_is_stored(parts: Parts) -> None:
    """One bad record makes the message come again, but hides none of the others."""
    good = json.loads(delete_table("orders"))["detail"]
    with pytest.raises(EventError, match="eventTime"):
        parts.pipeline.take_all(json.dumps({"Records": [{**good, "eventTime": "noon"}, good]}).encode())
    assert [one.subject.name for one in parts.incidents.all() if isinstance(one, Incident)] == ["orders"]


def test_conflicts_are_retried(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that meets another writer is applied to the newest version."""
    incident = parts.pipeline.take(delete_table())
    assert incident is not None
    replace = parts.vault.replace
    refusals = [ConflictError("busy"), ConflictError("busy")]

    def busy(key: str, body: bytes, etag: str) -> str:
        if refusals:
            raise refusals.pop()
        return replace(key, body, etag)

    monkeypatch.setattr(parts.vault, "replace", busy)
    changed = parts.incidents.update(incident.id, lambda one: one.with_moment(NOON, "me", "looked"))
    assert changed.timeline[-1].what == "looked"


def test_an_alert_never_hides_in_a_quiet_incident(parts: Parts, clock: Clockwork) -> None:
    """What comes later under the same identity and alerts opens the incident; both events are in it."""
    parts.intents.declare(
        Declaration(table="ord*", by="developer", lasts=timedelta(minutes=1), reason="clean up"), "somebody"
    )
    quiet = parts.pipeline.take(delete_table(eventTime="2026-11-23T12:00:30Z", eventID="e-1"))
    assert quiet is not None
    assert not quiet.alerted
    clock.now += timedelta(hours=1)
    later = {"eventTime": "2026-11-23T12:00:30Z", "eventID": "e-2"}
    other = delete_table(**later, userIdentity={"type": "Root", "arn": "arn:aws:iam::123456789012:root"})
    loud = parts.pipeline.take(other)
    assert loud is not None
    assert (loud.id, loud.state) == (quiet.id, IncidentState.OPEN)
    assert [note.id for note in loud.events] == ["e-1", "e-2"]
    assert len(loud.unsent) == 1
