"""Who is told next when nobody acknowledges an alert, or when a notifier is down. Pure, and safe to ask again and again.

The messages are owed by the incident itself, under keys that follow from the incident and the policy alone
(``<notifier>:escalated:<step>:<n>``), so that two watchers owe the same ones. An incident that is acknowledged,
recovering or over escalates no further. When it is open again, for its recovery failed or it got worse than what was
acknowledged, the time runs anew (``<step>r1``, ``<step>r2``).

    slack:opened ---- 10 min, still open ----> oncall:escalated:1:1 -- repeat 30 min --> oncall:escalated:1:2
    slack:opened ---- not sent for 5 min ----> oncall:escalated:instead-of-slack:1
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rules.verdicts import Severity
from watcher.incidents.incident import IncidentState, NoticeKind, OutboxEntry
from watcher.incidents.owing import FIRST_WORDS, notifiers_told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from watcher.alerts.alert_settings import AlertSettings
    from watcher.incidents.incident import Incident

WATCHER = "watcher"
# For each step: an incident that nobody looks at for days must not grow without bounds.
MOST_REPEATS = 50
_INSTEAD = "instead-of-"


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told once an alert was not acknowledged for so long, and again every ``repeat``."""

    after: timedelta
    notifiers: tuple[str, ...]
    repeat: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The steps, for incidents of that severity and worse.

    ``order``: who takes the place of a notifier that could not be reached for ``when_failing``, whatever the severity;
    the first that has not been told.
    """

    steps: tuple[Step, ...] = ()
    severity: Severity = Severity.HIGH
    when_failing: timedelta = timedelta(minutes=5)
    order: tuple[str, ...] = ()


def policy_of(settings: AlertSettings) -> Policy:
    """The policy of the settings; after those of the steps, all other notifiers stand in for one that is down."""
    escalation = settings.escalation
    steps = tuple(Step(step.after, step.notifiers, step.repeat) for step in escalation.steps)
    order = [name for step in steps for name in step.notifiers] + list(settings.notifiers)
    return Policy(steps, escalation.severity, escalation.when_failing, tuple(dict.fromkeys(order)))


def escalated(incident: Incident, policy: Policy, now: datetime) -> Incident:
    """A copy that owes what is due by now, with a line in its timeline; the incident itself if nothing is.

    May be given to a conditional write as it is: asked again, it owes nothing more.
    """
    if incident.state is not IncidentState.OPEN or incident.part_of:
        return incident
    opened = [entry.created_at for entry in incident.outbox if entry.kind is NoticeKind.OPENED]
    if not opened:
        return incident
    incident = _stood_in(incident, policy, now)
    if incident.severity.rank < policy.severity.rank:
        return incident
    anew = _opened_anew(incident)
    since = max([min(opened), *anew])
    for number, step in enumerate(policy.steps, start=1):
        name = f"{number}r{len(anew)}" if anew else str(number)
        incident = _stepped(incident, step, name, since, now)
    return incident


def _opened_anew(incident: Incident) -> list[datetime]:
    """When it became open again: a recovery failed, or it got worse than what somebody had acknowledged."""
    times: list[datetime] = []
    looked_after = False
    for entry in sorted(incident.outbox, key=lambda entry: entry.created_at):
        worse = entry.kind is NoticeKind.WORSE and looked_after
        if entry.kind in {NoticeKind.ACKNOWLEDGED, NoticeKind.RECOVERING}:
            looked_after = True
        elif (worse or entry.kind is NoticeKind.RECOVERY_FAILED) and entry.created_at not in times:
            times.append(entry.created_at)
            looked_after = False
    return times


def _stepped(incident: Incident, step: Step, name: str, since: datetime, now: datetime) -> Incident:
    waited = now - since - step.after
    if waited < timedelta():
        return incident
    # What was missed while no watcher ran is not made up for: the latest one says it all.
    turn = min(waited // step.repeat + 1, MOST_REPEATS) if step.repeat is not None else 1
    due = step.after + (turn - 1) * (step.repeat or timedelta())
    told = [
        notifier
        for notifier in step.notifiers
        if incident.entry(_key(notifier, name, turn)) is None and not _still_owed(incident, notifier, name)
    ]
    if not told:
        return incident
    what = f"{'still ' if turn > 1 else ''}not acknowledged within {_span(due)}: told {', '.join(told)}"
    if step.repeat is not None and turn == MOST_REPEATS:
        what += f" for the last time ({MOST_REPEATS} times is all)"
    text = f"Nobody has acknowledged this within {_span(due)}."
    return _owing(incident, [(notifier, _key(notifier, name, turn)) for notifier in told], text, what, now)


def _still_owed(incident: Incident, notifier: str, name: str) -> bool:
    """Whether an earlier turn waits for the notifier: a second one would say the same when it is back."""
    prefix = _key(notifier, name, "")
    return any(entry.key.startswith(prefix) for entry in incident.unsent)


def _stood_in(incident: Incident, policy: Policy, now: datetime) -> Incident:
    """For each notifier that is down the next one is told, once; if that one is down too, the one after it."""
    for entry in _failing(incident, policy, now):
        told = notifiers_told(incident)
        already = any(_replaces(other, entry.notifier) for other in incident.outbox)
        stand_in = next((name for name in policy.order if name not in told), None)
        if already or stand_in is None:
            continue
        waited = f"{_span(policy.when_failing)}"
        text = f"{entry.notifier} could not be reached for {waited}, so you are told instead."
        what = f"{entry.notifier} could not be reached for {waited}: told {stand_in}"
        key = _key(stand_in, f"{_INSTEAD}{entry.notifier}", 1)
        incident = _owing(incident, [(stand_in, key)], text, what, now)
    return incident


def _failing(incident: Incident, policy: Policy, now: datetime) -> Iterator[OutboxEntry]:
    """First messages that are overdue. One that was never tried is not: then it is the watcher that was down."""
    for entry in incident.unsent:
        overdue = now - entry.created_at >= policy.when_failing
        gone = (
            entry.notifier not in policy.order
        )  # it was taken out of the settings: nobody will ever send it
        if entry.kind in FIRST_WORDS and overdue and (gone or entry.attempts > 0):
            yield entry


def _replaces(entry: OutboxEntry, notifier: str) -> bool:
    return entry.kind is NoticeKind.ESCALATED and f":{_INSTEAD}{notifier}:" in entry.key


def _owing(incident: Incident, owed: list[tuple[str, str]], text: str, what: str, now: datetime) -> Incident:
    for notifier, key in owed:
        entry = OutboxEntry(
            key=key, notifier=notifier, kind=NoticeKind.ESCALATED, text=text, reason=what, created_at=now
        )
        incident = incident.with_entry(entry)
    return incident.with_moment(now, WATCHER, what)


def _key(notifier: str, step: str, turn: int | str) -> str:
    return f"{notifier}:{NoticeKind.ESCALATED.value}:{step}:{turn}"


def _span(span: timedelta) -> str:
    """``1 h 30 min``."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
