"""Delivering what incidents owe: each message once, as far as the other side lets us see it.

An entry goes pending -> posting -> sent, each step stored before the next begins:

    pending --(store "posting", by conditional write: one watcher wins)--> posting
    posting --(the notifier confirms)--> store "sent" with the reference
    crash in between: the entry is "posting"; whoever comes next looks first whether the message is there

An entry that another watcher has been posting for less than ``takeover_seconds`` is left to it.

A first message that shows less than what is known by now is brought up to date, every few seconds at most: a burst of
a hundred changes is one message that grows, not a hundred. What it shows is in the incident, too.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from recovery.errors import DamagedObjectError
from rules.errors import SafetyNetError
from watcher.alerts.notifier import TAKEOVER_SECONDS, Notice
from watcher.incidents.incident import AlertState, NoticeKind, OutboxEntry
from watcher.incidents.owing import Routing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from watcher.alerts.notifier import Notifier
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 5
LONGEST_BACKOFF_SECONDS = 300
# Slack allows about one message a second and channel, and fifty updates a minute ('Rate limits', tier 3).
REFRESH_SECONDS = 3
# A refresh that failed is tried again after so long, and for a day at most: the alert itself was sent.
REFRESH_RETRY_SECONDS = 60
REFRESHED_FOR = timedelta(days=1)
# What a notifier can hear first of an incident; all else goes into the thread of that.
_FIRST_WORDS = (NoticeKind.OPENED, NoticeKind.ESCALATED)


def everybody(notifiers: Sequence[str]) -> Callable[[Incident], Routing]:
    """The router that tells all notifiers of all incidents."""
    why = "everybody is told of everything"
    routing = Routing(dict.fromkeys(notifiers, why), (why,))
    return lambda _: routing


class DigestChoice(Protocol):
    """Decides which first messages are told in a digest (``watcher.alerts.digest``)."""

    def digest_for(self, incident: Incident, notifier: str) -> Incident | None:
        """The digest that tells of the incident from now on; None: it has a message of its own."""
        ...


class Outbox:
    """Sends what is owed, through the notifiers there are. Safe from several threads and watchers."""

    def __init__(
        self,
        incidents: IncidentStore,
        notifiers: Sequence[Notifier],
        clock: Clock,
        takeover_seconds: int = TAKEOVER_SECONDS,
        digests: DigestChoice | None = None,
    ) -> None:
        self._incidents = incidents
        self._digests = digests
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._clock = clock
        self._takeover = timedelta(seconds=takeover_seconds)
        self._settled: dict[str, str] = {}
        self._due: dict[str, datetime] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The notifiers there are."""
        return tuple(self._notifiers)

    def owing(self) -> Iterator[str]:
        """The ids of the incidents that owe something, found by listing. Raises as the vault does."""
        for key, found in self._incidents.changed(self._settled):
            if isinstance(found, DamagedObjectError):
                log.error("an incident cannot be read: %s", found)
            elif found.unsent or self._outdated(found):
                del self._settled[key]  # looked at again until nothing is owed
                yield found.id

    def take_due(self) -> list[str]:
        """The ids of the incidents that this outbox left for later, and that are due by now: given out once."""
        now = self._clock()
        with self._lock:
            due = [incident_id for incident_id, at in self._due.items() if at <= now]
            for incident_id in due:
                del self._due[incident_id]
        return due

    def deliver_all(self) -> int:
        """Send everything that any incident owes and that is due; returns how many were sent."""
        return sum(map(self.deliver, self.owing()))

    def deliver_due(self) -> int:
        """Send what was left for later and is due by now; unlike ``deliver_all`` it looks at nothing else."""
        return sum(map(self.deliver, self.take_due()))

    def deliver(self, incident_id: str, known: Incident | None = None) -> int:
        """Send what one incident owes and that is due, in order; returns how many were sent.

        ``known``: the incident as it was stored a moment ago, which then needs not be read. A notifier that fails is
        logged and noted in the incident; the entry stays owed.
        """
        incident = known or self._incidents.get(incident_id)
        sent: list[NoticeKind] = []
        for entry in incident.unsent:
            notifier = self._notifiers.get(entry.notifier)
            if notifier is not None and self._deliver(notifier, incident, entry):
                sent.append(entry.kind)
        if incident.unsent or self._outdated(incident):
            incident = self._incidents.get(incident_id)
        # News in the thread and an old state above it would not go together.
        news = any(kind is not NoticeKind.OPENED for kind in sent)
        for entry in self._outdated(incident, due=not news):
            incident = self._bring_up_to_date(incident, entry)
        self._come_back(incident)
        return len(sent)

    def _come_back(self, incident: Incident) -> None:
        """Note when there is something to do for the incident again; what others have to do is found by listing."""
        now = self._clock()
        times = [
            _due_at(entry, self._takeover) for entry in incident.unsent if entry.notifier in self._notifiers
        ]
        times += [_refresh_at(entry) for entry in self._outdated(incident, due=False)]
        with self._lock:
            if times:
                self._due[incident.id] = max(now, min(times))
            else:
                self._due.pop(incident.id, None)

    def _outdated(self, incident: Incident, *, due: bool = True) -> list[OutboxEntry]:
        """The first messages that are to be brought up to date, now or (``due`` False) at all."""
        now = self._clock()
        return [
            entry
            for entry in incident.stale
            if entry.notifier in self._notifiers
            and entry.sent_at is not None
            and "digest" not in entry.reference
            and now - entry.sent_at <= REFRESHED_FOR
            and (not due or _refresh_at(entry) <= now)
        ]

    def _deliver(self, notifier: Notifier, seen: Incident, wanted: OutboxEntry) -> bool:
        incident_id, key = seen.id, wanted.key
        if self._told_in_a_digest(seen, wanted):
            return False
        now = self._clock()
        claim = _Claim(key, now, self._takeover)
        incident = self._incidents.update(incident_id, claim)
        entry = incident.entry(key)
        if not claim.won or entry is None:
            return False
        thread = _thread(incident, entry)
        if entry.kind not in _FIRST_WORDS and thread is None:
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
        shown = incident.revision
        self._incidents.update(
            incident_id, lambda latest: _sent(latest, key, reference, shown, self._clock())
        )
        return True

    def _told_in_a_digest(self, incident: Incident, entry: OutboxEntry) -> bool:
        """Whether a digest tells it: once that is sent, it counts as sent, and its thread is the digest's."""
        incident_id, key = incident.id, entry.key
        if self._digests is None or entry.kind is not NoticeKind.OPENED or entry.attempts:
            return False
        digest_id = entry.reference.get("digest", "")
        if not digest_id:
            digest = self._digests.digest_for(incident, entry.notifier)
            if digest is None:
                return False
            digest_id = digest.id
            # From now on it is there that it is told, however long that takes.
            self._incidents.update(incident_id, lambda one: _in_digest(one, key, digest_id))
        self.deliver(digest_id)
        told = self._incidents.get(digest_id).entry(key)
        if told is None or told.state is not AlertState.SENT:
            self._note_failure(incident_id, key, f"waits for the message of the digest {digest_id}")
            return True
        now, place = self._clock(), {"digest": digest_id, **told.reference}
        self._incidents.update(incident_id, lambda one: _sent(one, key, place, one.revision, now))
        return True

    def _note_failure(self, incident_id: str, key: str, reason: str) -> None:
        def change(latest: Incident) -> Incident:
            entry = latest.entry(key)
            if entry is None or entry.state is AlertState.SENT:
                return latest
            return latest.with_entry(entry.model_copy(update={"last_error": reason[:500]}))

        self._incidents.update(incident_id, change)

    def _bring_up_to_date(self, incident: Incident, entry: OutboxEntry) -> Incident:
        """Have a first message show the incident as it is; failing that is no lost alert."""
        now = self._clock()
        shown, failure = incident.revision, ""
        try:
            self._notifiers[entry.notifier].refresh(incident, entry.reference)
        except SafetyNetError as error:
            log.warning("incident %s: its first message was not brought up to date: %s", incident.id, error)
            shown, failure = entry.shown, str(error)
        except Exception as error:
            log.exception("incident %s: its first message could not be made", incident.id)
            shown, failure = entry.shown, f"{type(error).__name__}: {error}"

        def change(latest: Incident) -> Incident:
            known = latest.entry(entry.key)
            if known is None or known.shown > shown:
                return latest
            return latest.with_entry(
                known.model_copy(update={"shown": shown, "refreshed_at": now, "last_error": failure[:500]})
            )

        return self._incidents.update(incident.id, change)


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
        if entry is None or entry not in incident.unsent:
            return incident
        if entry.attempted_at is not None and _due_at(entry, self._takeover) > self._now:
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


def _due_at(entry: OutboxEntry, takeover: timedelta) -> datetime:
    """A failed attempt waits with growing pauses; one without a known end is somebody else's for a while."""
    if entry.attempted_at is None:
        return entry.created_at
    if entry.last_error:
        pause = min(LONGEST_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (entry.attempts - 1))
        return entry.attempted_at + timedelta(seconds=pause)
    return entry.attempted_at + takeover


def _refresh_at(entry: OutboxEntry) -> datetime:
    """When a first message may be brought up to date: some seconds after it was sent or brought up to date."""
    last = entry.refreshed_at or entry.sent_at or entry.created_at
    return last + timedelta(seconds=REFRESH_RETRY_SECONDS if entry.last_error else REFRESH_SECONDS)


def _thread(incident: Incident, entry: OutboxEntry) -> Mapping[str, str] | None:
    """The first message that this notifier sent about the incident: for who was told late, that of the escalation."""
    if entry.kind is NoticeKind.OPENED:
        return None
    first = (
        one.reference
        for one in incident.outbox
        if one.notifier == entry.notifier and one.kind in _FIRST_WORDS and one.state is AlertState.SENT
    )
    return next(first, None)


def _sent(incident: Incident, key: str, reference: dict[str, str], shown: int, now: datetime) -> Incident:
    entry = incident.entry(key)
    if entry is None or entry.state is AlertState.SENT:
        return incident
    sent = {
        "state": AlertState.SENT,
        "sent_at": now,
        "reference": reference,
        "shown": shown,
        "last_error": "",
    }
    return incident.with_entry(entry.model_copy(update=sent))


def _in_digest(incident: Incident, key: str, digest_id: str) -> Incident:
    entry = incident.entry(key)
    if entry is None or entry not in incident.unsent:
        return incident
    reason = f"told in the digest {digest_id}: too many alerts at once"
    return incident.with_entry(
        entry.model_copy(update={"reference": {"digest": digest_id}, "reason": reason})
    )
