"""The changes that incidents keep, each with the intents that covered it; and which intents cover a new one.

What an intent has covered is not counted anywhere: it is what the incidents say. Two watchers that judge at the
same moment may so cover one change more than an intent allows; ``intent_usage`` shows it.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left, insort
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from recovery.errors import DamagedObjectError
from rules.errors import SafetyNetError
from rules.intents import BY_CLOUDFORMATION, DELETE_STACK, Change, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from rules.intents import Intent
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

LISTED_FOR = timedelta(seconds=1)
# An intent lasts 90 days at most.
REMEMBERED_FOR = timedelta(days=100)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One change, the incident that keeps it, and the ids of the intents that covered it then.

    ``kind`` and ``weight`` are the facts ``change`` and ``weight``, "" where the incident is too old to say.
    """

    incident_id: str
    change: Change
    intents: tuple[str, ...]
    kind: str = ""
    weight: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The ids of the intents that cover a change; where none does, ``notes`` say which one nearly did, and why not."""

    intents: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class IntentLedger:
    """Reads the incidents. Keeps what it has read, and reads again only what has changed. Safe from several threads.

    With a ``clock`` the listing of the vault is used for ``LISTED_FOR``: in a burst it would be what costs most. What
    this process itself stores is known at once, if it is ``note``d.
    """

    def __init__(self, incidents: IncidentStore, clock: Clock | None = None) -> None:
        self._incidents = incidents
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._entries: dict[str, LedgerEntry | None] = {}
        self._ordered: list[tuple[datetime, str, LedgerEntry]] = []
        self._lock = threading.Lock()
        self._listed: tuple[datetime, datetime] | None = None  # until when, and from which time on

    def note(self, incident: Incident) -> None:
        """An incident that this process has just stored."""
        with self._lock:
            self._put(self._incidents.key(incident.id), _entry(incident))

    def since(self, time: datetime) -> list[LedgerEntry]:
        """The changes from then on, oldest first. One incident is one change; attempts that failed are none.

        An incident that cannot be read is logged and passed over. Raises as the vault does.
        """
        with self._lock:
            self._read(time)
            found = [entry for _, _, entry in self._ordered[bisect_left(self._ordered, (time, "")) :]]
        deletions = _stack_deletions(found)
        if not any(deletion.intents for deletion in deletions):
            return found
        return [
            replace(entry, change=_with_its_stack(entry.change, deletions))
            if entry.change.by_cloudformation and entry.change.origin_stack
            else entry
            for entry in found
        ]

    def _put(self, key: str, entry: LedgerEntry | None) -> None:
        """Keep an entry, in its place by time: in a burst there are thousands, and each event asks for them."""
        old = self._entries.get(key)
        self._entries[key] = entry
        if old is not None:
            del self._ordered[bisect_left(self._ordered, (old.change.time, old.incident_id))]
        if entry is not None:
            insort(self._ordered, (entry.change.time, entry.incident_id, entry), key=lambda one: one[:2])

    def _read(self, time: datetime) -> None:
        now = self._clock() if self._clock is not None else None
        if now is not None and self._listed is not None:
            listed_until, since = self._listed
            if now < listed_until and since <= time:
                return
        for key, incident in self._incidents.changed(self._seen, since=time):
            if isinstance(incident, DamagedObjectError):
                log.warning("passed over: %s", incident)
                self._put(key, None)
            else:
                self._put(key, _entry(incident))
        if now is not None and self._clock is not None:
            # With thousands of incidents a listing takes its time: a tenth of it all, at most.
            took = self._clock() - now
            self._listed = (now + max(LISTED_FOR, 10 * took), time)
            self._forget(now)

    def _forget(self, now: datetime) -> None:
        """What is older than any intent and any history can matter; a watcher runs for months."""
        old = [
            key
            for key, entry in self._entries.items()
            if entry is not None and now - entry.change.time > REMEMBERED_FOR
        ]
        for key in old:
            self._put(key, None)
            del self._entries[key]
            self._seen.pop(key, None)

    def coverage(self, change: Change, intents: Sequence[Intent], incident_id: str) -> Coverage:
        """Which of the intents cover a change that belongs to that incident, which itself is not counted.

        Never raises: an intent whose count cannot be read does not cover, and the notes say so.
        """
        candidates = [intent for intent in intents if intent.in_force(change.time)]
        past: list[LedgerEntry] = []
        unread = ""
        begins = [intent.starts for intent in candidates if _needs_the_past(intent, change)]
        if begins:
            try:
                past = self.since(min(begins))
            except SafetyNetError as error:
                log.warning("what intents have covered cannot be read: %s", error)
                unread = str(error)
        past = [entry for entry in past if entry.incident_id != incident_id]
        change = _with_its_stack(change, _stack_deletions(past))
        covering = tuple(
            intent.id
            for intent in candidates
            if intent.covers(change, already(intent, past)) and not (unread and intent.max_changes)
        )
        if covering:
            return Coverage(covering)
        notes = (_why_not(intent, change, past, unread) for intent in candidates)
        return Coverage(notes=tuple(note for note in notes if note))


def already(intent: Intent, entries: Sequence[LedgerEntry]) -> int:
    """How many of the changes an intent covered, of those that count."""
    return sum(intent.id in entry.intents and intent.counts(entry.change) for entry in entries)


def _needs_the_past(intent: Intent, change: Change) -> bool:
    """Whether it matters what was covered before: for a number, or for what follows from a stack's deletion."""
    return (intent.max_changes is not None and intent.fits(change)) or (
        change.by_cloudformation and bool(intent.stack)
    )


def _why_not(intent: Intent, change: Change, past: Sequence[LedgerEntry], unread: str) -> str:
    """What kept an intent from covering a change that fits it otherwise, as a sentence for people; or ""."""
    if intent.covers(change):
        if unread:
            return f"How many changes intent {intent.id} has covered could not be read: {unread}"
        count = already(intent, past)
        return f"Intent {intent.id} covered its {count} change{'' if count == 1 else 's'} already."
    if change.by_cloudformation and not change.origin_stack:
        of_its_stack = replace(change, origin_stack=intent.stack)
        if intent.covers(of_its_stack):
            return (
                f"Intent {intent.id} is for stack {intent.stack}; nobody knows whether this table was of it."
            )
    return ""


def _stack_deletions(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    return [entry for entry in entries if entry.change.event_name == DELETE_STACK]


def _with_its_stack(change: Change, deletions: Sequence[LedgerEntry]) -> Change:
    """The change with the intents that covered the latest deletion of its stack before it.

    CloudFormation deletes the tables then, and its calls lack the application and the request token of who asked
    for it; with a service role they lack the person, too.
    """
    if not change.by_cloudformation or not change.origin_stack:
        return change
    of_its_stack = [
        entry
        for entry in deletions
        if (entry.change.account, entry.change.region) == (change.account, change.region)
        and entry.change.resource_name == change.origin_stack
        and entry.change.time <= change.time
    ]
    return replace(change, stack_intents=of_its_stack[-1].intents) if of_its_stack else change


def _entry(incident: Incident) -> LedgerEntry | None:
    note = next((note for note in incident.events if not note.error_code), None)
    if note is None:
        return None
    actor = incident.actor
    change = Change(
        event_name=note.name,
        time=note.time,
        account=incident.account,
        region=incident.region,
        resource_type=incident.subject.type,
        resource_name=incident.subject.name,
        origin_stack=note.origin_stack,
        names=names_of(actor, at=incident.account),
        session=actor.session,
        source_identity=actor.source_identity,
        app=actor.app,
        request_token=note.request_token,
        by_cloudformation=actor.invoked_by in BY_CLOUDFORMATION,
    )
    return LedgerEntry(incident.id, change, incident.intents, note.change, note.weight)
