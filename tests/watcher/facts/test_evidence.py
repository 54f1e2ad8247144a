"""What an incident keeps of its events comes back as it was; what it does not keep is said plainly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules.errors import IntegrityError, NotFoundError
from rules.facts import Facts
from rules.net import NetParts
from rules.verdicts import Severity, VerdictKind
from tests.watcher.watching import NOON, delete_table
from watcher.facts.evidence import evidence
from watcher.incidents.incident import EventNote, Incident, IncidentState, Person, Subject


def note(envelope: dict[str, Any] | None = None, **kept: Any) -> EventNote:
    """The note of an event, which keeps it if it is given."""
    event_id = kept.pop("id", (envelope or {}).get("detail", {}).get("eventID", "old"))
    fields: dict[str, Any] = {"id": event_id, "name": "DeleteTable", "time": NOON, "received": NOON}
    if envelope is None:
        return EventNote(**fields)
    return EventNote(**{**fields, "event": envelope, **kept})


def incident(*notes: EventNote) -> Incident:
    """An incident with these events."""
    return Incident(
        id="20261123T120000Z-orders-1a2b3c4d",
        state=IncidentState.OPEN,
        title="Table deleted",
        verdict=VerdictKind.SUSPICIOUS,
        severity=Severity.HIGH,
        account="123456789012",
        region="eu-west-1",
        subject=Subject(type="table", name="orders"),
        actor=Person(label="developer", kind="iam-user"),
        events=notes,
        opened_at=NOON,
    )


def envelope(name: str = "orders", **changes: Any) -> dict[str, Any]:
    """An event as EventBridge delivers it."""
    document: dict[str, Any] = json.loads(delete_table(name, **changes))
    return document


def test_the_event_and_its_facts() -> None:
    """Both are as they were when the event was judged."""
    came = envelope()
    kept = note(came, facts={"table": {"tags": {"env": "dev"}}}, unknown={"backup": "out of reach"})
    event, facts = evidence(incident(kept))
    assert (event.id, event.resource.name, event.envelope) == (kept.id, "orders", came)
    assert facts == Facts({"table": {"tags": {"env": "dev"}}}, {"backup": "out of reach"})


def test_one_event_of_several() -> None:
    """The one that is named; without a name the first that is kept."""
    old, first, second = note(id="old"), note(envelope("a")), note(envelope("b"))
    several = incident(old, first, second)
    assert evidence(several)[0].resource.name == "a"
    assert evidence(several, second.id)[0].resource.name == "b"


def test_facts_that_could_not_be_read_stay_unknown() -> None:
    """No facts at all are not taken for facts that are absent."""
    assert evidence(incident(note(envelope(), unknown={"intents": "why"})))[1].unknown == {"intents": "why"}


@pytest.mark.parametrize(
    ("of", "event_id", "why"),
    [
        (incident(note()), "", "does not keep the event"),
        (incident(note(), note(envelope())), "old", "does not keep the event"),
        (incident(note(envelope())), "another", "has no event another"),
        (incident(), "", "its message could not be understood"),
    ],
)
def test_what_is_not_kept(of: Incident, event_id: str, why: str) -> None:
    """Old incidents, unknown ids, unreadable messages: each says what to do instead."""
    with pytest.raises(NotFoundError, match=why) as caught:
        evidence(of, event_id)
    assert caught.value.hint


def test_a_kept_event_that_is_damaged() -> None:
    """It is named, and never guessed at."""
    with pytest.raises(IntegrityError, match="event e cannot be read"):
        evidence(incident(note({"detail-type": "Nonsense", "source": "x", "detail": {}}, id="e")))


def test_parts_of_the_net() -> None:
    """A call that tampers with the vault is one only for the net whose vault it is."""
    request = {"bucketName": "our-vault"}
    kept = envelope(eventSource="s3.amazonaws.com", eventName="DeleteBucket", requestParameters=request)
    assert evidence(incident(note(kept)))[0].action is None
    ours = evidence(incident(note(kept)), net=NetParts(vault_bucket="our-vault"))[0]
    assert ours.action is not None
