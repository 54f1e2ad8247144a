"""Incidents: one disaster as people see it, and its life until recovered.

An incident is one JSON document in the vault, changed only by conditional writes. The alerts it owes are in
it too (its outbox), so that what was said to whom survives every restart.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from rules.actions import Weight
from rules.verdicts import Severity, VerdictKind

if TYPE_CHECKING:
    from rules.events import ChangeEvent

_LOSSES = frozenset({"table-deleted", "stack-deleted"})

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class IncidentState(StrEnum):
    """open -> acknowledged -> recovering -> recovered | dismissed; ``quiet`` is one that never alerted."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RECOVERING = "recovering"
    RECOVERED = "recovered"
    DISMISSED = "dismissed"
    QUIET = "quiet"


class NoticeKind(StrEnum):
    """What a message is about. ``opened`` starts the thread, the others go into it.

    ``worse``: the incident is graver than what was told at first. ``learnt``: something more is known of it.
    ``escalated``: nobody has acknowledged it in time, so this is the next one to be told.
    """

    OPENED = "opened"
    WORSE = "worse"
    LEARNT = "learnt"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    DISMISSED = "dismissed"
    RECOVERING = "recovering"
    PROGRESS = "progress"
    RECOVERED = "recovered"
    RECOVERY_FAILED = "recovery-failed"


class AlertState(StrEnum):
    """``posting``: an attempt was begun whose end nobody knows; a retry looks first.

    ``obsolete``: it need not be sent any more, since another message tells it; ``reason`` says which.
    """

    PENDING = "pending"
    POSTING = "posting"
    SENT = "sent"
    OBSOLETE = "obsolete"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OutboxEntry(_Document):
    """One message that is owed to one notifier. Sent means that the notifier confirmed it.

    ``reason`` says why this notifier is told (its route, an escalation). ``shown`` is the incident's revision that
    the message shows, and ``refreshed_at`` when it was last brought up to date; both matter for ``opened`` only.
    """

    key: str
    notifier: str
    kind: NoticeKind
    text: str = ""
    reason: str = ""
    state: AlertState = AlertState.PENDING
    attempts: int = 0
    created_at: UtcTime
    attempted_at: UtcTime | None = None
    sent_at: UtcTime | None = None
    shown: int = 0
    refreshed_at: UtcTime | None = None
    reference: dict[str, str] = {}
    last_error: str = ""


class EventNote(_Document):
    """One change event that belongs to the incident.

    ``origin_stack`` is the name of the stack that the table belonged to, ``request_token`` the one that
    CloudFormation was called with; "" where there is none or nobody knows. ``event`` is the event as EventBridge
    delivered it, ``facts`` and ``unknown`` what it was judged by: so it can be explained, and a rule be made of it.
    """

    id: str
    name: str
    time: UtcTime
    received: UtcTime
    error_code: str = ""
    error_message: str = ""
    origin_stack: str = ""
    request_token: str = ""
    event: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    unknown: dict[str, str] = {}

    @property
    def weight(self) -> str:
        """How bad it was (``rules.actions.Weight``), "" where the incident is too old to say."""
        return str(self.facts.get("weight", ""))

    @property
    def change(self) -> str:
        """What happened (``table-deleted``), "" where the incident is too old to say."""
        return str(self.facts.get("change", ""))


class Person(_Document):
    """Who did it, in words for people, with what a rule or an intent needs to name him."""

    label: str
    kind: str
    arn: str = ""
    source_ip: str = ""
    tool: str = "unknown"
    user_agent: str = ""
    name: str = ""
    role: str = ""
    issuer: str = ""
    session: str = ""
    source_identity: str = ""
    app: str = ""
    invoked_by: str = ""


class Subject(_Document):
    """What it happened to. Counts are None where nobody could tell; they come from the newest backup.

    ``replicas`` are the regions of its replicas, ``consumers`` what read its stream, as ARNs; from there, too.
    """

    type: str
    name: str
    arn: str = ""
    incarnation: str = ""
    item_count: int | None = None
    size_bytes: int | None = None
    tags: dict[str, str] = {}
    replicas: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()


class RecoveryPoint(_Document):
    """Something the subject can be restored from, and how much it would lose.

    ``source`` is ``s3-backup`` for the vault's, ``replica`` for those that only the second vault has, else the word of
    ``--source`` (``system``). ``backup_id`` is as ``--backup`` takes it. ``item_count`` None: whoever keeps it does not
    tell.
    """

    source: str
    backup_id: str
    time: UtcTime
    item_count: int | None = None
    loss_seconds: float


class Member(_Document):
    """Another change of the same cause, in short; the document under ``id`` tells all of it.

    ``change`` and ``weight`` are as in ``EventNote``; ``failed`` is set for an attempt that AWS refused.
    """

    id: str
    title: str
    time: UtcTime
    who: str
    change: str
    weight: str
    failed: bool
    severity: Severity
    verdict: VerdictKind
    subject: Subject
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    recovery_points: tuple[RecoveryPoint, ...] = ()

    @property
    def destroyed(self) -> bool:
        """Whether data is gone by it."""
        return self.weight == Weight.DESTRUCTIVE and not self.failed


class Loss(_Document):
    """A table or stack that is gone by what an incident tells of: ``type``, ``name`` and when (UTC)."""

    type: str
    name: str
    time: UtcTime


class Moment(_Document):
    """One line of the incident's timeline."""

    time: UtcTime
    who: str
    what: str


class Incident(_Document):
    """The whole document under ``incidents/<yyyy>/<mm>/<id>.json``.

    ``recovery_unknown`` says why the backups could not be looked at; no recovery point then means nothing.
    ``intents`` are the ids of the declared intents that covered its events.

    Each change has a document of its own. Where several have one cause, the oldest tells of all of them, as its
    ``members``, and the documents of the others are ``part_of`` it: they owe no messages, and their state is its.
    ``revision`` counts what changed of what a message shows. ``dismissed_because`` is why it was dismissed.
    ``routing`` says who is told and who is not, and why. ``recovered`` are the tables and stacks that are back, as ``<type>:<name>``. ``learnt_at`` is when all that can be
    learnt of its own change after the alert had been asked for (``watcher.facts.learning``).
    """

    format_version: Literal[1] = 1
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=400)]
    state: IncidentState
    title: str
    verdict: VerdictKind
    severity: Severity
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    account: str
    region: str
    subject: Subject
    actor: Person
    events: tuple[EventNote, ...]
    opened_at: UtcTime
    recovery_points: tuple[RecoveryPoint, ...] = ()
    recovery_unknown: str = ""
    recover_command: str = ""
    intents: tuple[str, ...] = ()
    part_of: str = ""
    members: tuple[Member, ...] = ()
    revision: int = 0
    dismissed_because: str = ""
    routing: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    learnt_at: UtcTime | None = None
    outbox: tuple[OutboxEntry, ...] = ()
    timeline: tuple[Moment, ...] = ()

    @property
    def alerted(self) -> bool:
        """Whether a person is, or is to be, told about it."""
        return self.state is not IncidentState.QUIET

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be done about it: what happens next is another incident."""
        return self.state in (IncidentState.RECOVERED, IncidentState.DISMISSED)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """The tables and stacks that are gone by it, each once, the first first."""
        found = [
            Loss(type=self.subject.type, name=self.subject.name, time=note.time)
            for note in self.events
            if note.weight == Weight.DESTRUCTIVE and not note.error_code and note.change in _LOSSES
        ]
        found += [
            Loss(type=member.subject.type, name=member.subject.name, time=member.time)
            for member in self.members
            if member.destroyed and member.change in _LOSSES
        ]
        found.sort(key=lambda loss: loss.time)
        return tuple({(loss.type, loss.name): loss for loss in reversed(found)}.values())[::-1]

    @property
    def still_lost(self) -> tuple[Loss, ...]:
        """Those of the losses that no recovery has brought back."""
        return tuple(loss for loss in self.losses if f"{loss.type}:{loss.name}" not in self.recovered)

    @property
    def stale(self) -> tuple[OutboxEntry, ...]:
        """The first messages that show less than what is known by now."""
        return tuple(
            entry
            for entry in self.outbox
            if entry.kind is NoticeKind.OPENED
            and entry.state is AlertState.SENT
            and entry.shown < self.revision
        )

    @property
    def unsent(self) -> tuple[OutboxEntry, ...]:
        """The messages that are still owed, oldest first."""
        return tuple(
            entry for entry in self.outbox if entry.state in (AlertState.PENDING, AlertState.POSTING)
        )

    def entry(self, key: str) -> OutboxEntry | None:
        """The outbox entry with that key."""
        return next((entry for entry in self.outbox if entry.key == key), None)

    def with_entry(self, entry: OutboxEntry) -> Incident:
        """A copy with the entry added, or put in the place of the one with the same key."""
        if self.entry(entry.key) is None:
            return self.model_copy(update={"outbox": (*self.outbox, entry)})
        outbox = tuple(entry if old.key == entry.key else old for old in self.outbox)
        return self.model_copy(update={"outbox": outbox})

    def revised(self, **changes: Any) -> Incident:
        """A copy with the changes, and the note that the messages about it no longer show all."""
        return self.model_copy(update={**changes, "revision": self.revision + 1})

    def with_moment(self, time: datetime, who: str, what: str) -> Incident:
        """A copy with one more line in the timeline."""
        return self.model_copy(update={"timeline": (*self.timeline, Moment(time=time, who=who, what=what))})


def incident_id(event: ChangeEvent) -> str:
    """The id of the incident that an event belongs to: the same event always gives the same id.

    One table's life is one incident: the identity is account, region, kind and name, and the incarnation
    (TableId, stack id), without which the event itself has to do. Attempts that failed changed nothing, so
    all attempts of one actor on one resource in one hour are one incident.
    """
    subject = event.resource
    if event.failed:
        cause: tuple[str, ...] = (
            "attempt",
            event.event_name,
            event.actor.arn or event.actor.label,
            event.error_code,
            f"{event.time:%Y%m%dT%H}",
        )
        time = event.time.replace(minute=0, second=0, microsecond=0)
    else:
        cause = (event.event_name, subject.incarnation or event.id)
        time = event.time
    identity = (event.account, event.region, event.event_source, subject.type, subject.name, *cause)
    digest = hashlib.sha256("\x1f".join(identity).encode()).hexdigest()[:8]
    return f"{time:%Y%m%dT%H%M%SZ}-{slug(subject.name or event.event_name)}-{digest}"


def unreadable_incident_id(body: bytes, received: datetime) -> str:
    """The id for a message that could not be understood: the same text on the same day is one incident."""
    return f"{received:%Y%m%d}T000000Z-unreadable-event-{hashlib.sha256(body).hexdigest()[:8]}"


def slug(name: str) -> str:
    """The part of an incident's id that names its subject; safe in a key."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:255]
