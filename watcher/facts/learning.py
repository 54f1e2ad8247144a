"""The first message goes out at once; what is learnt of the lost tables within the next seconds updates it.

    0 s    the alert, from what the vault tells
    2 s    what is kept elsewhere: on-demand backups, AWS Backup, the replica; and whether the name is taken again
    15 s   once more, for DynamoDB's own backup of the moment of the deletion, which shows 8 to 10 seconds after it

Nobody waits for it: AWS is asked in a thread of its own. What cannot be read is noted with the reason, and not asked for
again. Each change's document says when that was done (``learnt_at``), so that a watcher that comes after one that died
goes on with what is left. Two watchers that ask for the same table tell of it once (``watcher.facts.learnt_notes``).
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from recovery.restores.points import LostTable
from recovery.threads import side_by_side
from rules.errors import NotFoundError, SafetyNetError
from watcher.facts.learnt_notes import lost_keys, own_with_learnt, with_learnt
from watcher.facts.learnt_points import SYSTEM
from watcher.incidents.incident import Incident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from watcher.facts.learnt_notes import Key
    from watcher.facts.learnt_points import Learnt, LostTableLook
    from watcher.incidents.blast_radius import Touched
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

FIRST_LOOK, LAST_LOOK = timedelta(seconds=2), timedelta(seconds=15)
# What an earlier watcher left is looked for so far back: an event may come minutes after what it tells of.
LEFT_OVER = timedelta(hours=1)
RETRY, MOST_FAILURES = timedelta(seconds=30), 5
# DynamoDB's control plane is for all of an account: DescribeBackup ten times a second.
AT_ONCE, BATCH = 4, 20
MOST_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class _Due:
    """A lost table to ask about, and when: again at ``last_at``, unless all of it is known by then."""

    incident_id: str
    key: Key
    at: datetime
    last_at: datetime
    failures: int = 0


def _tell_nobody(incident_id: str) -> None:
    """What is owed is found by whoever has an outbox."""
    del incident_id


class Learning:
    """Asks about the lost tables of new incidents. Safe from several threads and watchers.

    ``deliver`` sends what an incident owes, as ``Outbox.deliver``.
    """

    def __init__(
        self,
        incidents: IncidentStore,
        look: LostTableLook,
        clock: Clock,
        deliver: Callable[[str], object] = _tell_nobody,
    ) -> None:
        self._incidents = incidents
        self._look = look
        self._clock = clock
        self._deliver = deliver
        self._noted: dict[str, datetime] = {}
        self._due: list[_Due] = []
        self._known: dict[tuple[str, Key], None] = {}
        self._resumed = False
        self._paused_until: datetime | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, incident: Incident) -> None:
        """An incident was opened, or tells of more than before. Costs nothing: it is looked at later."""
        if incident.alerted and not incident.is_over:
            with self._lock:
                self._noted.setdefault(incident.part_of or incident.id, self._clock())

    def learn_due(self) -> None:
        """Ask about what is due, in a thread of its own; nothing where that is at it yet. Never raises."""
        if self._thread is not None and self._thread.is_alive():
            return
        if not self._is_due():
            return
        self._thread = threading.Thread(target=self._learn_guarded, name="learning", daemon=True)
        self._thread.start()

    def learn_now(self) -> int:
        """Ask about what is due, here and now; how often something came of it.

        Raises as the vault does; what one incident's documents raise is logged, and tried again later.
        """
        if not self._resumed:
            self._resume()
            self._resumed = True
        learnt = 0
        self._take_noted()
        while taken := self._take_due():
            for incident_id, due in taken.items():
                learnt += self._learn_kept(incident_id, due)
            self._take_noted()
        return learnt

    def _learn_kept(self, incident_id: str, due: Sequence[_Due]) -> bool:
        try:
            return self._learn(incident_id, due)
        except SafetyNetError as error:
            log.warning("incident %s: nothing more could be learnt yet: %s", incident_id, error)
            self._again(due)
        except Exception:
            # A defect of ours with one incident must not keep the others from being learnt of.
            log.exception("incident %s: nothing more could be learnt", incident_id)
        return False

    def _learn_guarded(self) -> None:
        try:
            self.learn_now()
        except SafetyNetError as error:
            log.warning("learning more of incidents: %s", error)
            self._pause()
        except Exception:
            log.exception("learning more of incidents failed")
            self._pause()

    def _pause(self) -> None:
        with self._lock:
            self._paused_until = self._clock() + RETRY

    def _is_due(self) -> bool:
        now = self._clock()
        with self._lock:
            if self._paused_until is not None and now < self._paused_until:
                return False
            return not self._resumed or bool(self._noted) or any(due.at <= now for due in self._due)

    def _resume(self) -> None:
        """Take up what an earlier watcher left: alerts of the last hour of which nobody has learnt anything yet."""
        for _, own in self._incidents.changed({}, since=self._clock() - LEFT_OVER):
            if not isinstance(own, Incident) or own.learnt_at is not None:
                continue
            if own.alerted and not own.is_over and own.events:
                since = min(note.received for note in own.events)
                self._schedule(own.part_of or own.id, lost_keys(own), since)

    def _take_noted(self) -> None:
        with self._lock:
            noted, self._noted = self._noted, {}
        for incident_id, since in noted.items():
            try:
                lead = self._incidents.lead(incident_id)
            except NotFoundError:
                continue  # removed by hand
            except SafetyNetError:
                with self._lock:
                    self._noted.setdefault(incident_id, since)
                raise
            self._schedule(lead.id, lost_keys(lead), since)

    def _schedule(self, incident_id: str, keys: Iterable[Key], since: datetime) -> None:
        """Two looks at each table that is not known yet."""
        with self._lock:
            for key in keys:
                if (incident_id, key) in self._known:
                    continue
                self._known[incident_id, key] = None
                self._due.append(_Due(incident_id, key, since + FIRST_LOOK, since + LAST_LOOK))
            while len(self._known) > MOST_REMEMBERED:
                del self._known[next(iter(self._known))]

    def _take_due(self) -> dict[str, list[_Due]]:
        now = self._clock()
        taken: dict[str, list[_Due]] = {}
        with self._lock:
            for due in self._due:
                if due.at <= now:
                    taken.setdefault(due.incident_id, []).append(due)
            self._due = [due for due in self._due if due.at > now]
        return taken

    def _again(self, due: Sequence[_Due]) -> None:
        """The same once more, later; but not for ever."""
        at = self._clock() + RETRY
        left = [one for one in due if one.failures + 1 < MOST_FAILURES]
        with self._lock:
            self._due += [replace(one, at=at, failures=one.failures + 1) for one in left]

    def _learn(self, incident_id: str, due: Sequence[_Due]) -> bool:
        """Ask about some tables of one incident; whether more is known of them by it."""
        lead = self._incidents.lead(incident_id)
        if lead.is_over:
            return False
        tables = lost_keys(lead)
        asked = [one for one in due if one.key in tables]
        with self._lock:
            # The others' turn first: an incident of a thousand tables takes minutes.
            self._due += asked[BATCH:]
        some = asked[:BATCH]
        return bool(some) and self._learn_some(lead.id, {one.key: tables[one.key] for one in some}, some)

    def _learn_some(self, lead_id: str, tables: Mapping[Key, Touched], due: Sequence[_Due]) -> bool:
        keys = list(tables)
        workers = min(AT_ONCE, len(keys))
        found = side_by_side(
            workers, lambda number, _: [self._asked(tables[key]) for key in keys[number::workers]], "learn"
        )
        learnt = {key: found[place % workers][place // workers] for place, key in enumerate(keys)}
        now = self._clock()
        final = {one.key for one in due if now >= one.last_at or _is_all(learnt[one.key])}
        more = self._store(lead_id, tables, learnt, final)
        with self._lock:
            self._due += [replace(one, at=one.last_at) for one in due if one.key not in final]
        return more

    def _asked(self, table: Touched) -> Learnt:
        account, region, name = table.key
        return self._look.look(LostTable(account, region, name, table.time), table.subject.incarnation)

    def _store(
        self, lead_id: str, tables: Mapping[Key, Touched], learnt: Mapping[Key, Learnt], final: set[Key]
    ) -> bool:
        """Write it into the documents of the changes, then into the one that tells of them, and only then that it is done.

        A watcher that dies in between leaves what another one does again; an event that comes once more tells of its
        change what the change's own document says.
        """
        changes = {change.id: key for key, table in tables.items() for change in table.changes}
        for change_id, key in changes.items():
            if change_id != lead_id:
                self._change(change_id, _learns(learnt[key]))
        before, after = self._lead_learns(lead_id, learnt, final)
        for change_id, key in changes.items():
            if change_id != after.id and key in final:
                self._change(change_id, self._done)
        if after == before:
            return False
        log.info("incident %s: more is known of %d lost tables", after.id, len(tables))
        try:
            self._deliver(after.id)
        except SafetyNetError as error:
            log.warning("incident %s: what was learnt is not delivered yet: %s", after.id, error)
        return after.revision != before.revision

    def _lead_learns(
        self, lead_id: str, learnt: Mapping[Key, Learnt], final: set[Key]
    ) -> tuple[Incident, Incident]:
        """The incident that tells of these tables, before and after."""
        while True:
            before = self._incidents.lead(lead_id)
            after = self._incidents.update(
                before.id, lambda latest: with_learnt(latest, learnt, final, self._clock())
            )
            if not after.part_of or before.part_of:
                return before, after
            # It became part of another one between the look and the write: that one tells of them now.

    def _done(self, own: Incident) -> Incident:
        return own if own.learnt_at else own.model_copy(update={"learnt_at": self._clock()})

    def _change(self, change_id: str, change: Callable[[Incident], Incident]) -> None:
        try:
            self._incidents.update(change_id, change)
        except NotFoundError:
            log.warning("incident %s is not there", change_id)


def _learns(learnt: Learnt) -> Callable[[Incident], Incident]:
    return lambda own: own_with_learnt(own, learnt)


def _is_all(learnt: Learnt) -> bool:
    """Whether there is nothing to wait for: what comes last is there, and everything could be read."""
    return not learnt.unread and any(point.source == SYSTEM for point in learnt.points)
