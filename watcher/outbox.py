"""Delivering what incidents owe: each message once, as far as the other side lets us see it.

An entry goes pending -> posting -> sent, each step stored before the next begins:

    pending --(store "posting", by conditional write: one watcher wins)--> posting
    posting --(the notifier confirms)--> store "sent" with the reference
    crash in between: the entry is "posting"; whoever comes next looks first whether the message is there

An entry that another watcher has been posting for less than ``takeover_seconds`` is left to it.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from recovery.errors import DamagedObjectError
from rules.errors import SafetyNetError
from watcher.incidents import AlertState, NoticeKind, OutboxEntry
from watcher.notifiers import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from watcher.incident_store import IncidentStore
    from watcher.incidents import Incident
    from watcher.notifiers import Notifier

log = logging.getLogger(__name__)

TAKEOVER_SECONDS = 120
BACKOFF_SECONDS = 5
LONGEST_BACKOFF_SECONDS = 300


def owed(
    incident: Incident, notifiers: Sequence[str], kind: NoticeKind, now: datetime, text: str = ""
) -> Incident:
    """A copy that owes one more message of that kind to each notifier; nothing changes if it already does."""
    for notifier in notifiers:
        key = f"{notifier}:{kind.value}"
        if kind is not NoticeKind.OPENED:
            key = f"{key}:{now:%Y%m%dT%H%M%S}"
        if incident.entry(key) is None:
            incident = incident.with_entry(
                OutboxEntry(key=key, notifier=notifier, kind=kind, text=text, created_at=now)
            )
    return incident


class Outbox:
    """Sends what is owed, through the notifiers there are."""

    def __init__(
        self,
        incidents: IncidentStore,
        notifiers: Sequence[Notifier],
        clock: Clock,
        takeover_seconds: int = TAKEOVER_SECONDS,
    ) -> None:
        self._incidents = incidents
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._clock = clock
        self._takeover = timedelta(seconds=takeover_seconds)
        self._settled: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The notifiers there are."""
        return tuple(self._notifiers)

    def deliver_all(self) -> int:
        """Send everything that any incident owes and that is due; returns how many were sent."""
        sent = 0
        for key, found in self._incidents.changed(self._settled):
            if isinstance(found, DamagedObjectError):
                log.error("an incident cannot be read: %s", found)
            elif found.unsent:
                del self._settled[key]  # looked at again until nothing is owed
                sent += self.deliver(found.id)
        return sent

    def deliver(self, incident_id: str) -> int:
        """Send what one incident owes and that is due, in order; returns how many were sent.

        A notifier that fails is logged and noted in the incident; the entry stays owed.
        """
        incident = self._incidents.get(incident_id)
        sent = 0
        for entry in incident.unsent:
            notifier = self._notifiers.get(entry.notifier)
            if notifier is not None and self._deliver(notifier, incident_id, entry.key):
                sent += 1
        return sent

    def _deliver(self, notifier: Notifier, incident_id: str, key: str) -> bool:
        now = self._clock()
        claim = _Claim(key, now, self._takeover)
        incident = self._incidents.update(incident_id, claim)
        entry = incident.entry(key)
        if not claim.won or entry is None:
            return False
        thread = _thread(incident, entry)
        if entry.kind is not NoticeKind.OPENED and thread is None:
            self._note_failure(incident_id, key, "waits for the message that opens the thread")
            return False
        try:
            reference = notifier.send(Notice(incident, entry, claim.earlier_attempt, thread))
        except SafetyNetError as error:
            log.warning("incident %s: %s was not sent: %s", incident_id, key, error)
            self._note_failure(incident_id, key, str(error))
            return False
        except Exception as error:
            # A defect of ours in one message must not keep the others, or the watcher itself, from going on.
            log.exception("incident %s: %s could not be made", incident_id, key)
            self._note_failure(incident_id, key, f"{type(error).__name__}: {error}")
            return False
        self._incidents.update(incident_id, lambda latest: _sent(latest, key, reference, self._clock()))
        self._refresh(notifier, incident_id, entry.kind, thread)
        return True

    def _note_failure(self, incident_id: str, key: str, reason: str) -> None:
        def change(latest: Incident) -> Incident:
            entry = latest.entry(key)
            if entry is None or entry.state is AlertState.SENT:
                return latest
            return latest.with_entry(entry.model_copy(update={"last_error": reason[:500]}))

        self._incidents.update(incident_id, change)

    def _refresh(
        self, notifier: Notifier, incident_id: str, kind: NoticeKind, thread: Mapping[str, str] | None
    ) -> None:
        """After news in the thread, the first message shows the new state; failing that is no lost alert."""
        if kind is NoticeKind.OPENED or thread is None:
            return
        try:
            notifier.refresh(self._incidents.get(incident_id), thread)
        except SafetyNetError as error:
            log.warning("incident %s: its first message was not updated: %s", incident_id, error)


class _Claim:
    """Takes an entry for this sender; as a function, so that it can be applied to the newest version."""

    def __init__(self, key: str, now: datetime, takeover: timedelta) -> None:
        self._key = key
        self._takeover = takeover
        self._now = now
        self.won = False
        self.earlier_attempt: datetime | None = None

    def __call__(self, incident: Incident) -> Incident:
        self.won = False
        entry = incident.entry(self._key)
        if entry is None or entry.state is AlertState.SENT or not _due(entry, self._now, self._takeover):
            return incident
        self.won = True
        self.earlier_attempt = entry.attempted_at
        return incident.with_entry(
            entry.model_copy(
                update={
                    "state": AlertState.POSTING,
                    "attempts": entry.attempts + 1,
                    "attempted_at": self._now,
                    "last_error": "",
                }
            )
        )


def _due(entry: OutboxEntry, now: datetime, takeover: timedelta) -> bool:
    """A failed attempt waits with growing pauses; one without a known end is somebody else's for a while."""
    if entry.attempted_at is None:
        return True
    waited = now - entry.attempted_at
    if entry.last_error:
        pause = min(LONGEST_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (entry.attempts - 1))
        return waited >= timedelta(seconds=pause)
    return waited >= takeover


def _thread(incident: Incident, entry: OutboxEntry) -> Mapping[str, str] | None:
    if entry.kind is NoticeKind.OPENED:
        return None
    opened = incident.entry(f"{entry.notifier}:{NoticeKind.OPENED.value}")
    return opened.reference if opened is not None and opened.state is AlertState.SENT else None


def _sent(incident: Incident, key: str, reference: dict[str, str], now: datetime) -> Incident:
    entry = incident.entry(key)
    if entry is None:
        return incident
    return incident.with_entry(
        entry.model_copy(
            update={"state": AlertState.SENT, "sent_at": now, "reference": reference, "last_error": ""}
        )
    )
