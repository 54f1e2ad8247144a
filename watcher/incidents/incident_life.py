"""What people decide about an incident: somebody is looking at it, or nothing has to be done.

    open --acknowledge--> acknowledged --recover--> recovering --> recovered
    open, acknowledged or recovering --dismiss, with a reason--> dismissed

A change that is told with others is decided on where it is told. Who decided, and when, is in the timeline, and
everybody who was told of the incident hears of it; the messages are owed, and sent by whoever has an outbox. No rule
may silence tampering with the net; a person may dismiss it, and has to say why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.errors import UnavailableError, UsageError
from watcher.incidents.incident import AlertState, IncidentState, NoticeKind
from watcher.incidents.owing import notifiers_told, owed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

ATTEMPTS = 20
LONGEST_REASON = 1000
# How the timeline names it; messages look for the first word.
ACKNOWLEDGED, AS_WELL, DISMISSED = "acknowledged", "acknowledged as well", "dismissed: "
# After these it was open again: what was acknowledged was something else.
_REOPENED = ("worse: ", "The recovery stopped")


def acknowledge(incidents: IncidentStore, incident_id: str, who: str, now: datetime) -> Incident:
    """Note that somebody is looking at it; the incident that tells of it, as stored.

    The same person again changes nothing. Raises UsageError for one that is not open any more or never alerted,
    NotFoundError, UnavailableError.
    """
    return _decided(incidents, incident_id, lambda incident: acknowledged(incident, who, now))


def dismiss(incidents: IncidentStore, incident_id: str, who: str, reason: str, now: datetime) -> Incident:
    """Note that nothing has to be done about it, and why; the incident that tells of it, as stored.

    The same person with the same reason again changes nothing. Raises UsageError for one that is over or never
    alerted, or a reason that is none, NotFoundError, UnavailableError.
    """
    return _decided(incidents, incident_id, lambda incident: dismissed(incident, who, reason, now))


def acknowledged(incident: Incident, who: str, now: datetime) -> Incident:
    """A copy that is acknowledged; raises as ``acknowledge``. Pure, so it may be given to a conditional write."""
    if incident.state is IncidentState.ACKNOWLEDGED:
        if who in _looking(incident):
            return incident
        return _told(
            incident.revised().with_moment(now, who, AS_WELL),
            NoticeKind.ACKNOWLEDGED,
            f"{who} is looking at it as well.",
            now,
        )
    if incident.state is not IncidentState.OPEN:
        raise _refused(incident, "acknowledge")
    taken = (
        _nobody_else(incident).revised(state=IncidentState.ACKNOWLEDGED).with_moment(now, who, ACKNOWLEDGED)
    )
    return _told(taken, NoticeKind.ACKNOWLEDGED, f"{who} is looking at it.", now)


def dismissed(incident: Incident, who: str, reason: str, now: datetime) -> Incident:
    """A copy that is dismissed; raises as ``dismiss``. Pure, so it may be given to a conditional write."""
    why = reason.strip()
    if not why:
        raise UsageError("a dismissal needs a reason", hint="Say why with --reason; people will read it.")
    if len(why) > LONGEST_REASON:
        raise UsageError(f"the reason has {len(why):,} characters, {LONGEST_REASON:,} are allowed")
    if incident.state is IncidentState.DISMISSED and (who, why) == (
        _who_dismissed(incident),
        incident.dismissed_because,
    ):
        return incident
    if incident.is_over or not incident.alerted:
        raise _refused(incident, "dismiss")
    over = _nobody_else(incident).revised(state=IncidentState.DISMISSED, dismissed_because=why)
    over = over.with_moment(now, who, f"{DISMISSED}{why}")
    return _told(over, NoticeKind.DISMISSED, f"{who}: {why}", now)


def _decided(incidents: IncidentStore, incident_id: str, change: Callable[[Incident], Incident]) -> Incident:
    for _ in range(ATTEMPTS):
        lead = incidents.lead(incident_id)
        # It may become part of another one between the look and the write: then that one is meant.
        stored = incidents.update(lead.id, lambda latest: latest if latest.part_of else change(latest))
        if not stored.part_of:
            return stored
    raise UnavailableError(f"incident {incident_id} is part of others, and none of them tells of it")


def _nobody_else(incident: Incident) -> Incident:
    """Without the escalations that wait to be sent: somebody has heard it."""
    for entry in incident.unsent:
        if entry.kind is NoticeKind.ESCALATED and entry.state is AlertState.PENDING:
            gone = {
                "state": AlertState.OBSOLETE,
                "reason": f"{entry.reason}; acknowledged before it was sent",
            }
            incident = incident.with_entry(entry.model_copy(update=gone))
    return incident


def _told(incident: Incident, kind: NoticeKind, text: str, now: datetime) -> Incident:
    return owed(incident, notifiers_told(incident), kind, now, text)


def _looking(incident: Incident) -> set[str]:
    """Who has acknowledged it since it was last opened."""
    people: set[str] = set()
    for moment in incident.timeline:
        if moment.what.startswith(_REOPENED):
            people.clear()
        elif moment.what in (ACKNOWLEDGED, AS_WELL):
            people.add(moment.who)
    return people


def _who_dismissed(incident: Incident) -> str:
    told = (one.who for one in reversed(incident.timeline) if one.what.startswith(DISMISSED))
    return next(told, "")


def _refused(incident: Incident, doing: str) -> UsageError:
    state = incident.state
    if state is IncidentState.QUIET:
        return UsageError(
            f"incident {incident.id} never alerted anybody: there is nothing to {doing}",
            hint=f"See why with `safetynet incidents show {incident.id}`.",
        )
    if state is IncidentState.RECOVERING:
        return UsageError(
            f"incident {incident.id} is being recovered: somebody is at it already",
            hint=f"See who with `safetynet incidents timeline {incident.id}`.",
        )
    by = f" by {_who_dismissed(incident)}: {incident.dismissed_because}" if incident.dismissed_because else ""
    return UsageError(
        f"incident {incident.id} is {state.value} already{by}",
        hint="What happens next is another incident: see `safetynet incidents list`.",
    )
