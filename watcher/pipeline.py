"""From a message to an incident to an alert. The same core for every source.

    body -> parse -> look around -> judge -> store the incident -> acknowledge -> deliver what it owes

Each step may crash: the message comes back, the incident's id is the same, and the outbox knows what was said.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rules.errors import EventError
from rules.events import parse_event_json
from rules.net import ANY_NET
from rules.screen import records_in
from rules.verdicts import Severity, VerdictKind
from watcher.evidence import kept_event
from watcher.incidents import (
    EventNote,
    Incident,
    IncidentState,
    NoticeKind,
    Person,
    Subject,
    incident_id,
    unreadable_incident_id,
)
from watcher.outbox import owed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from rules.events import ChangeEvent
    from rules.net import NetParts
    from rules.rule_set import RuleSet
    from rules.verdicts import Verdict
    from watcher.enrichment import FactsSource, Surroundings
    from watcher.incident_store import IncidentStore

log = logging.getLogger(__name__)

WATCHER = "watcher"


class Pipeline:
    """Makes incidents out of messages."""

    def __init__(
        self,
        incidents: IncidentStore,
        facts: FactsSource,
        rules: RuleSet,
        clock: Clock,
        notifiers: Sequence[str],
        net: NetParts = ANY_NET,
    ) -> None:
        self._incidents = incidents
        self._facts = facts
        self._rules = rules
        self._clock = clock
        self._notifiers = tuple(notifiers)
        self._net = net

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
        """Take in one event; when this returns, its incident is stored and it may be acknowledged.

        None: the event is none of ours (read-only, not watched, or only there to explain others). Raises
        EventError for a message that cannot be understood (see ``take_unreadable``) and whatever the vault
        raises: then nothing is acknowledged.
        """
        event = parse_event_json(body, self._net)
        if not event.alerting:
            log.info("event %s: %s on %s is not watched", event.id, event.event_name, event.event_source)
            return None
        surroundings = self._facts.look_around(event)
        now = self._clock()
        verdict = self._rules.judge(event, surroundings.facts, now)
        fresh = self._incident(event, surroundings, verdict, now)
        incident, new = self._incidents.create(fresh)
        if not new:
            incident = self._incidents.update(incident.id, lambda known: _with_event(known, fresh, event))
        log.info(
            "event %s: %s %s is %s (incident %s, %s)",
            event.id, event.title, event.resource.name, verdict.kind, incident.id, "new" if new else "known",
        )  # fmt: skip
        return incident

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
        stored, _ = self._incidents.create(owed(incident, self._notifiers, NoticeKind.OPENED, now))
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
        incident = incident.with_moment(now, WATCHER, f"judged {verdict.kind}, severity {verdict.severity}")
        return owed(incident, self._notifiers, NoticeKind.OPENED, now) if verdict.alerts else incident


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
    added = incident.model_copy(update={"events": (*incident.events, *fresh.events), "intents": intents})
    return added.with_moment(event.time, event.actor.label, event.title)
