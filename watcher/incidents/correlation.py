"""Changes of one cause as one incident: what the oldest tells of the others. Pure; ``watcher.incidents.causes`` says of whom.

member_of    a change's own incident, in short
with_members the lead, telling of more changes; where that makes it worse, whoever was told is told again
absorbed     an incident whose changes are told elsewhere from now on
recreated    the lead, telling that a lost table's name is taken again
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.actions import Weight
from watcher.incidents.incident import AlertState, IncidentState, Member, NoticeKind
from watcher.incidents.owing import notifiers_told, owed, owed_first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from rules.events import ChangeEvent
    from watcher.incidents.incident import Incident
    from watcher.incidents.owing import Routing

    # Who is told of an incident as it is, and why.
    Router = Callable[[Incident], Routing]

# One more tells nothing to a person, and a document that grows for ever costs more with every change.
MOST_MEMBERS = 1000
MEMBER_REASONS = 3
WATCHER = "watcher"
_MADE = {
    "table-created": "A table of the name {name} was created at {at} by {who}: it is empty. "
    "The lost items are not in it.",
    "table-restored": "Table {name} was restored at {at} by {who}, beside this net. Check what it holds.",
    "table-imported": "A table of the name {name} was imported at {at} by {who}, beside this net. Check what it holds.",
}


def member_of(incident: Incident) -> Member:
    """A change's own incident in short; of its recovery points the newest."""
    note = incident.events[0] if incident.events else None
    return Member(
        id=incident.id,
        title=incident.title,
        time=note.time if note else incident.opened_at,
        who=incident.actor.label,
        change=note.change if note else "",
        weight=note.weight if note else "",
        failed=bool(incident.events) and all(one.error_code for one in incident.events),
        severity=incident.severity,
        verdict=incident.verdict,
        subject=incident.subject,
        rules=incident.rules,
        reasons=incident.reasons[:MEMBER_REASONS],
        recovery_points=tuple(sorted(incident.recovery_points, key=lambda point: point.time)[-1:]),
    )


def with_members(lead: Incident, members: Sequence[Member], now: datetime, router: Router) -> Incident:
    """The lead with these changes among what it tells; unchanged if it tells all of them already.

    It takes over the worst severity, with its reasons. Where it gets worse, or the first data is lost, those who
    were told before are told so, and those are told who now have to be; if somebody had acknowledged what it was
    before, it is open again.
    """
    known = {member.id: member for member in lead.members}
    fresh = {
        member.id: member for member in members if member.id != lead.id and known.get(member.id) != member
    }
    if not fresh:
        return lead
    told = known | fresh
    changes: dict[str, object] = {
        "members": tuple(sorted(told.values(), key=lambda member: (member.time, member.id)))
    }
    worst = max(fresh.values(), key=lambda member: member.severity.rank)
    graver = worst.severity.rank > lead.severity.rank
    if graver:
        changes |= {
            "severity": worst.severity,
            "verdict": worst.verdict,
            "rules": tuple(dict.fromkeys((*worst.rules, *lead.rules))),
            "reasons": tuple(dict.fromkeys((*worst.reasons, *lead.reasons))),
        }
    grown = lead.revised(**changes)
    lost = next((member for member in fresh.values() if member.destroyed), None)
    if not grown.recover_command and any(
        member.destroyed and member.recovery_points for member in grown.members
    ):
        grown = grown.model_copy(update={"recover_command": f"safetynet recover {lead.id}"})
    worse = graver or (lost is not None and not any_loss(lead))
    return _told_again(grown, lost or worst, now, router) if worse else grown


def any_loss(incident: Incident) -> bool:
    """Whether data is gone by any of what an incident tells."""
    own = any(note.weight == Weight.DESTRUCTIVE and not note.error_code for note in incident.events)
    return own or any(member.destroyed for member in incident.members)


def _told_again(lead: Incident, worse: Member, now: datetime, router: Router) -> Incident:
    what = f"{worse.title}: {worse.subject.name}" if worse.subject.name else worse.title
    text = f"{what}, by {worse.who}, at {worse.time:%H:%M:%S} UTC. Severity is {lead.severity.value} now."
    if lead.state is IncidentState.ACKNOWLEDGED:
        lead = lead.model_copy(update={"state": IncidentState.OPEN})
        text += " It is open again: what was acknowledged was less than this."
    # A first message that is still to be sent will tell all of it.
    unaware = {
        entry.notifier
        for entry in lead.outbox
        if entry.kind is NoticeKind.OPENED and entry.state is AlertState.PENDING
    }
    know = [notifier for notifier in notifiers_told(lead) if notifier not in unaware]
    lead = owed(lead, know, NoticeKind.WORSE, now, text)
    lead = owed_first(lead, router(lead), now)
    return lead.with_moment(now, WATCHER, f"worse: {text}")


def absorbed(other: Incident, lead_id: str, now: datetime) -> Incident:
    """An incident whose changes the lead tells from now on; what it owes need not be sent any more.

    Unchanged if it is over or part of another already.
    """
    if other.part_of or other.is_over or other.id == lead_id:
        return other
    outbox = tuple(
        entry.model_copy(update={"state": AlertState.OBSOLETE, "reason": f"told in incident {lead_id}"})
        if entry.state is AlertState.PENDING
        else entry
        for entry in other.outbox
    )
    return other.revised(part_of=lead_id, outbox=outbox).with_moment(
        now, WATCHER, f"told in incident {lead_id} from now on: it has the same cause"
    )


def recreated(lead: Incident, event: ChangeEvent, now: datetime) -> Incident:
    """The lead of a lost table, telling that its name is taken again; unchanged if it told so, or did it itself."""
    change = event.action.change if event.action is not None else ""
    name = event.resource.name
    ours = lead.state is IncidentState.RECOVERING or lead.is_over
    if change not in _MADE or event.failed or ours:
        return lead
    if not any(
        loss.type == "table" and loss.name == name and loss.time <= event.time for loss in lead.losses
    ):
        return lead
    text = _MADE[change].format(name=name, at=f"{event.time:%H:%M:%S} UTC", who=event.actor.label)
    if any(moment.time == event.time and moment.what == text for moment in lead.timeline):
        return lead
    told = notifiers_told(lead)
    noted = lead.revised().with_moment(event.time, event.actor.label, text)
    return owed(noted, told, NoticeKind.LEARNT, now, text)
