"""What an incident keeps of its events, read back: the event and the facts that it was judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.errors import EventError, IntegrityError, NotFoundError
from rules.events import parse_event
from rules.facts import Facts
from rules.net import ANY_NET

if TYPE_CHECKING:
    from rules.events import ChangeEvent
    from rules.net import NetParts
    from watcher.incidents.incident import EventNote, Incident

_HINT = (
    "It was opened before incidents kept them. Save the event from CloudTrail (the event history's JSON will do) "
    "and give that file instead."
)


# A document that is nested deeper cannot be stored.
MOST_LEVELS = 100


def kept_event(event: ChangeEvent) -> dict[str, Any]:
    """The event as an incident keeps it: as it came, but nothing of one that is nested absurdly deep."""
    level: list[Any] = [event.envelope]
    for _ in range(MOST_LEVELS):
        level = [
            below
            for node in level
            for below in (node.values() if isinstance(node, dict) else node)
            if isinstance(below, (dict, list))
        ]
        if not level:
            return event.envelope
    return {}


def evidence(incident: Incident, event_id: str = "", net: NetParts = ANY_NET) -> tuple[ChangeEvent, Facts]:
    """The event of an incident, and the facts at the time it was judged.

    ``event_id`` names one of several events; without it, it is the first that the incident keeps. Raises
    NotFoundError where the incident has no such event, or does not keep it; IntegrityError for a kept event that
    cannot be read.
    """
    kept = [note for note in _notes(incident, event_id) if note.event]
    if not kept:
        raise NotFoundError(f"incident {incident.id} does not keep the event it was opened for", hint=_HINT)
    note = kept[0]
    try:
        event = parse_event(note.event, net)
    except EventError as error:
        raise IntegrityError(f"incident {incident.id}: event {note.id} cannot be read: {error}") from error
    return event, Facts(note.facts, note.unknown)


def _notes(incident: Incident, event_id: str) -> list[EventNote]:
    if not incident.events:
        raise NotFoundError(
            f"incident {incident.id} has no event: its message could not be understood",
            hint="The message itself is in the dead-letter queue.",
        )
    if not event_id:
        return list(incident.events)
    notes = [note for note in incident.events if note.id == event_id]
    if not notes:
        raise NotFoundError(
            f"incident {incident.id} has no event {event_id}",
            hint=f"See `safetynet incidents show {incident.id}`.",
        )
    return notes
