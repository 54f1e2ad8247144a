"""All that happened to an incident and to what it tells of, in order of time: moments, and who was told."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.threads import side_by_side
from rules.errors import SafetyNetError
from watcher.incidents.incident import AlertState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from threading import Event

    from watcher.incidents.incident import Incident, OutboxEntry
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

READERS = 8


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the timeline.

    ``incident`` is the id of its document, ``about`` the name of what that is about, where there are several.
    ``message`` is the outbox entry's key, "" for a moment; ``is_pending``: it is still owed.
    """

    time: datetime
    who: str
    what: str
    incident: str
    about: str = ""
    message: str = ""
    is_pending: bool = False

    def document(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "time": self.time.isoformat(),
            "who": self.who,
            "what": self.what,
            "incident": self.incident,
            "about": self.about,
            **({"message": self.message, "pending": self.is_pending} if self.message else {}),
        }


def timeline_of(incidents: IncidentStore, lead: Incident) -> list[Told]:
    """The lines of the lead and of its members. A member that cannot be read is logged, and told by the lead alone."""
    documents = [lead, *_members(incidents, lead)]
    lines = [line for one in documents for line in _lines(one, several=len(documents) > 1)]
    return sorted(lines, key=lambda line: line.time)


def message_state(entry: OutboxEntry) -> str:
    """What became of a message, and why it was sent or was not."""
    said = f"message {entry.kind.value} to {entry.notifier}"
    why = f": {entry.reason}" if entry.reason else ""
    if entry.state is AlertState.SENT:
        return f"{said} sent{why}"
    if entry.state is AlertState.OBSOLETE:
        return f"{said} not needed any more{why}"
    return f"{said} not sent yet: {entry.last_error or 'not tried yet'}{why}"


def _members(incidents: IncidentStore, lead: Incident) -> Sequence[Incident]:
    ids = [member.id for member in lead.members]
    readers = min(READERS, len(ids))

    def read(reader: int, stop: Event) -> list[Incident]:
        found = []
        for member in ids[reader::readers]:
            if stop.is_set():
                break
            try:
                found.append(incidents.get(member))
            except SafetyNetError as error:
                log.warning("incident %s cannot be read: %s", member, error)
        return found

    return [one for some in side_by_side(readers, read, "timeline") for one in some] if readers else []


def _lines(incident: Incident, *, several: bool) -> Iterable[Told]:
    about = incident.subject.name if several else ""
    for moment in incident.timeline:
        yield Told(moment.time, moment.who, moment.what, incident.id, about)
    for entry in incident.outbox:
        # Said is when it was confirmed; what is still owed stands where it came to be owed.
        yield Told(
            entry.sent_at or entry.created_at,
            entry.notifier,
            message_state(entry),
            incident.id,
            about,
            entry.key,
            entry.state in (AlertState.PENDING, AlertState.POSTING),
        )
