"""From a message to an incident to an alert. The same core for every source.

    body -> parse -> look around -> judge -> place -> store the incident -> acknowledge -> deliver what it owes

Each step may crash: the message comes back, the incident's id is the same, and the outbox knows what was said.
Every change has an incident of its own; one whose cause is known already becomes part of the incident that tells of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.errors import EventError
from rules.events import parse_event_json
from rules.net import ANY_NET
from rules.screen import records_in
from rules.verdicts import Severity, VerdictKind
from watcher.facts.evidence import kept_event
from watcher.incidents.causes import cause_keys
from watcher.incidents.correlation import WATCHER, absorbed, member_of, recreated, with_members
from watcher.incidents.incident import (
    EventNote,
    Incident,
    IncidentState,
    Person,
    Subject,
    incident_id,
    unreadable_incident_id,
)
from watcher.incidents.owing import owed_first
from watcher.log_context import about_event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from rules.events import ChangeEvent
    from rules.net import NetParts
    from rules.rule_set import RuleSet
    from rules.verdicts import Verdict
    from watcher.facts.enrichment import FactsSource, Surroundings
    from watcher.incidents.causes import Causes
    from watcher.incidents.correlation import Router
    from watcher.incidents.incident import Member
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TakenElsewhere:
    """A message that is no change event, taken in; the incident that it led to, if any."""

    incident: Incident | None = None


# Takes in a message that is no change event (a canary, an event of AWS Health); None: it is not of that kind.
OtherIntake = Callable[[bytes], TakenElsewhere | None]


class Pipeline:
    """Makes incidents out of messages."""

    def __init__(
        self,
        incidents: IncidentStore,
        facts: FactsSource,
        rules: RuleSet,
        clock: Clock,
        router: Router,
        causes: Causes,
        *,
        net: NetParts = ANY_NET,
        others: Sequence[OtherIntake] = (),
    ) -> None:
        self._incidents = incidents
        self._facts = facts
        self._rules = rules
        self._clock = clock
        self._router = router
        self._causes = causes
        self._net = net
        self._others = tuple(others)
        self._together = _Together(
            lambda lead_id, members: incidents.update(lead_id, self._telling(*members))
        )

    def check(self) -> None:
        """Whether incidents can be stored: asked before anything is received. Raises as the vault does."""
        self._incidents.check()

    def take_all(self, body: bytes) -> list[Incident]:
        """Take in a message that holds one event or a batch of them, such as a notification of SNS or of a trail.

        Raises as ``take``. What can be understood of a batch is stored even where some of it cannot be: then
        EventError comes at the end, the message is not acknowledged, and to take it in again changes nothing.
        """
        try:
            bodies = list(records_in(body))
        except EventError:
            bodies = [body]  # one event, or none: ``take`` says which
        taken: list[Incident] = []
        fault: EventError | None = None
        for one in bodies:
            try:
                incident = self.take(one)
            except EventError as error:
                fault = fault or error
            else:
                taken += [incident] if incident is not None else []
        if fault is not None:
            raise fault
        return taken

    def take(self, body: bytes) -> Incident | None:
        """Take in one event; when this returns, the incident that tells of it is stored, and it may be acknowledged.

        None: the event is none of ours (read-only, not watched, or only there to explain others). Raises
        EventError for a message that cannot be understood (see ``take_unreadable``) and whatever the vault
        raises: then nothing is acknowledged.
        """
        for other in self._others:
            found = other(body)
            if found is not None:
                return found.incident
        event = parse_event_json(body, self._net)
        with about_event(event.id):
            return self._taken(event)

    def _taken(self, event: ChangeEvent) -> Incident | None:
        if not event.alerting:
            log.info("event %s: %s on %s is not watched", event.id, event.event_name, event.event_source)
            return self._explained(event)
        surroundings = self._facts.look_around(event)
        now = self._clock()
        verdict = self._rules.judge(event, surroundings.facts, now)
        fresh = self._incident(event, surroundings, verdict, now)
        own, new = self._stored(fresh, event, surroundings.origin_stack)
        lead = self._told(own) if own.part_of else own
        log.info(
            "event %s: %s %s is %s (incident %s, %s)",
            event.id, event.title, event.resource.name, verdict.kind, lead.id, "new" if new else "known",
        )  # fmt: skip
        return lead

    def _stored(self, fresh: Incident, event: ChangeEvent, stack: str) -> tuple[Incident, bool]:
        """The change's own incident, stored; whether it is new.

        One that alerts for the first time is placed before it is written: a crash in between leaves a cause that
        leads to an incident which the same event, taken in again, writes.
        """
        known = self._incidents.find(fresh.id)
        if fresh.alerted and (known is None or not known.alerted):
            keys = cause_keys(event, stack)
            lead = self._causes.place(keys, fresh.id, event.time, event.resource.incarnation, self._merge)
            if lead == fresh.id:
                fresh = owed_first(fresh, self._router(fresh), self._clock())
            else:
                fresh = fresh.model_copy(update={"part_of": lead})
        own, new = self._incidents.create(fresh) if known is None else (known, False)
        if not new:
            own = self._incidents.update(fresh.id, lambda old: _with_event(old, fresh, event))
        self._facts.stored(own)
        return own, new

    def _told(self, own: Incident) -> Incident:
        """The lead, telling of the change."""
        member, lead_id = member_of(own), own.part_of
        while True:
            lead = self._together.tell(lead_id, member)
            if not lead.part_of:
                return lead
            lead_id = lead.part_of

    def _telling(self, *members: Member) -> Callable[[Incident], Incident]:
        def change(lead: Incident) -> Incident:
            # One that became part of another meanwhile tells nothing more.
            return lead if lead.part_of else with_members(lead, members, self._clock(), self._router)

        return change

    def _merge(self, other_id: str, lead_id: str) -> None:
        """Have the lead tell what another incident told."""
        # Told there before it ends here; and once more, for what came to it in between.
        other = self._incidents.get(other_id)
        self._incidents.update(lead_id, self._telling(member_of(other), *other.members))
        other = self._incidents.update(other_id, lambda one: absorbed(one, lead_id, self._clock()))
        self._incidents.update(lead_id, self._telling(member_of(other), *other.members))
        log.info("incident %s is part of %s from now on", other_id, lead_id)

    def _explained(self, event: ChangeEvent) -> Incident | None:
        """The incident of a lost table whose name is taken again; None for an event that explains nothing."""
        if event.action is None or event.read_only or event.resource.type != "table":
            return None
        lead = self._causes.lead_for(cause_keys(event, "")[-1:], event.time)
        if lead is None:
            return None
        told = self._incidents.update(lead.id, lambda one: recreated(one, event, self._clock()))
        return told if told != lead else None

    def take_unreadable(self, body: bytes, error: EventError) -> Incident:
        """Store an incident for a message that cannot be understood, so that a person looks at it."""
        now = self._clock()
        incident = Incident(
            id=unreadable_incident_id(body, now),
            state=IncidentState.OPEN,
            title="Event that cannot be understood",
            verdict=VerdictKind.SUSPICIOUS,
            severity=Severity.HIGH,
            reasons=(str(error)[:1000], "It stays on its queue and goes to the dead-letter queue."),
            account="",
            region="",
            subject=Subject(type="message", name=""),
            actor=Person(label="unknown", kind="unknown"),
            events=(),
            opened_at=now,
        ).with_moment(now, WATCHER, "a message that cannot be understood was received")
        stored, _ = self._incidents.create(owed_first(incident, self._router(incident), now))
        return stored

    def _incident(
        self, event: ChangeEvent, surroundings: Surroundings, verdict: Verdict, now: datetime
    ) -> Incident:
        actor = event.actor
        incident = Incident(
            id=incident_id(event),
            state=IncidentState.OPEN if verdict.alerts else IncidentState.QUIET,
            title=event.title,
            verdict=verdict.kind,
            severity=verdict.severity,
            rules=tuple(hit.rule_id for hit in verdict.hits),
            reasons=_reasons(verdict, surroundings),
            account=event.account,
            region=event.region,
            subject=surroundings.subject,
            actor=_person(event),
            events=(_note(event, surroundings, now),),
            opened_at=event.time,
            recovery_points=surroundings.recovery_points,
            recovery_unknown=surroundings.recovery_unknown,
            intents=surroundings.intents,
        )
        gone = event.action is not None and event.action.change == "table-deleted"
        destroyed = gone and not event.failed
        if destroyed and verdict.alerts and surroundings.recovery_points:
            incident = incident.model_copy(update={"recover_command": f"safetynet recover {incident.id}"})
        incident = incident.with_moment(event.time, actor.label, event.title)
        return incident.with_moment(now, WATCHER, f"judged {verdict.kind}, severity {verdict.severity}")


@dataclass(eq=False, slots=True)
class _Waiting:
    """A change that waits for its lead to tell of it; ``lead`` is the lead that does."""

    member: Member
    lead: Incident | None = None


class _Together:
    """Has leads tell of changes. Those that come while a lead is being written are written with the next one, at once.

    A burst of a thousand is so a few hundred writes of a document that grows, and nobody waits for more than two.
    """

    def __init__(self, write: Callable[[str, Sequence[Member]], Incident]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: dict[str, list[_Waiting]] = {}
        self._turns: dict[str, tuple[threading.Lock, int]] = {}

    def tell(self, lead_id: str, member: Member) -> Incident:
        """The lead, telling of the change, or part of another one. Raises as the vault does."""
        mine = _Waiting(member)
        with self._lock:
            self._waiting.setdefault(lead_id, []).append(mine)
            turn, users = self._turns.get(lead_id, (threading.Lock(), 0))
            self._turns[lead_id] = (turn, users + 1)
        try:
            with turn:
                return mine.lead or self._tell_all(lead_id)
        finally:
            self._leave(lead_id, mine)

    def _tell_all(self, lead_id: str) -> Incident:
        with self._lock:
            batch = list(self._waiting[lead_id])
        lead = self._write(lead_id, [one.member for one in batch])
        # Where that failed, each of the others tries it for itself.
        with self._lock:
            for one in batch:
                one.lead = lead
                self._waiting[lead_id].remove(one)
        return lead

    def _leave(self, lead_id: str, mine: _Waiting) -> None:
        with self._lock:
            if mine.lead is None:
                self._waiting[lead_id].remove(mine)
            turn, users = self._turns.pop(lead_id)
            if users > 1:
                self._turns[lead_id] = (turn, users - 1)
            else:
                del self._waiting[lead_id]


def _reasons(verdict: Verdict, surroundings: Surroundings) -> tuple[str, ...]:
    """Why, the most telling first: messages show only some. Who declared it asks first why his intent did not count."""
    if not verdict.alerts:
        return verdict.reasons
    return (*verdict.reasons[:1], *surroundings.notes, *verdict.reasons[1:])


def _person(event: ChangeEvent) -> Person:
    actor = event.actor
    return Person(
        label=actor.label,
        kind=actor.kind.value,
        arn=actor.arn,
        source_ip=actor.source_ip,
        tool=event.tool.value,
        user_agent=event.user_agent[:1000],
        name=actor.name,
        role=actor.role,
        issuer=actor.issuer,
        session=actor.session,
        source_identity=actor.source_identity,
        app=event.app[:1000],
        invoked_by=actor.invoked_by,
    )


def _note(event: ChangeEvent, surroundings: Surroundings, now: datetime) -> EventNote:
    return EventNote(
        id=event.id,
        name=event.event_name,
        time=event.time,
        received=now,
        error_code=event.error_code,
        error_message=event.error_message,
        origin_stack=surroundings.origin_stack,
        request_token=event.request_token,
        event=kept_event(event),
        facts=dict(surroundings.facts.document),
        unknown=dict(surroundings.facts.unknown),
    )


def _with_event(incident: Incident, fresh: Incident, event: ChangeEvent) -> Incident:
    """The same event again changes nothing; another one of the same cause is added.

    If it alerts and what was known did not, its incident takes over: nothing suspicious hides in a quiet one. If it is
    worse than what was known, it says from then on how bad the incident is, and why.
    """
    if any(note.id == event.id for note in incident.events):
        return incident
    intents = tuple(dict.fromkeys((*incident.intents, *fresh.intents)))
    if fresh.alerted and not incident.alerted:
        incident = fresh.model_copy(update={"events": incident.events, "timeline": incident.timeline})
    elif fresh.alerted and fresh.severity.rank > incident.severity.rank:
        incident = incident.model_copy(
            update={
                "title": fresh.title,
                "verdict": fresh.verdict,
                "severity": fresh.severity,
                "rules": fresh.rules,
                "reasons": tuple(dict.fromkeys((*fresh.reasons, *incident.reasons))),
            }
        )
    added = incident.revised(events=(*incident.events, *fresh.events), intents=intents)
    return added.with_moment(event.time, event.actor.label, event.title)
