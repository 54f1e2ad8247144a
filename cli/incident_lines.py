"""How incidents read on a terminal. Text from events is never read as markup, and never leaves its line.

Ids are never wrapped, so that they can be copied whole: print with ``crop=False``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.rendering import SEVERITY_STYLES, Trimmed, facts_grid, plain_table
from cli.wording import counted, duration, moment, size
from watcher.alerts.slack_message import clean
from watcher.incidents.blast_radius import blast_radius
from watcher.incidents.incident import IncidentState
from watcher.incidents.incident_words import headline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from cli.incident_timeline import Told
    from watcher.incidents.blast_radius import BlastRadius
    from watcher.incidents.incident import Incident, Member

SHOWN_MEMBERS = 50
_RECOVERABLE = frozenset({IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.RECOVERING})


def incidents_list(incidents: Sequence[Incident]) -> Group:
    """Three lines an incident: when, how bad and what; by whom; the id, whole, to copy."""
    return Group(*(line for incident in incidents for line in _entry(incident)))


def incident_lines(incident: Incident, lead: Incident | None = None) -> Group:
    """All of one incident. ``lead`` is the one that it is part of: whose state is its state."""
    radius = blast_radius(incident)
    parts: list[RenderableType] = [facts_grid([*_what(incident, radius, lead), *_reach(radius)])]
    if incident.members:
        parts += [Text(""), _members(incident.members), Text("")]
    parts.append(facts_grid([*_way_back(incident, lead), *_record(incident)]))
    return Group(*parts)


def timeline_lines(told: Sequence[Told]) -> Table:
    """A line each: when, what, and under it who."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for one in told:
        words = Text(f"{clean(one.about)}: " if one.about else "", style="bold")
        words.append(clean(one.what), style="yellow" if one.is_pending else "")
        words.append(f"  ({clean(one.who)})", style="dim")
        grid.add_row(Text(f"{one.time:%Y-%m-%d %H:%M:%S}", style="dim"), words)
    return grid


def decided_lines(incident: Incident) -> Group:
    """What somebody just decided, about what, and what comes next."""
    lines = [
        Text(f"{incident.state.value}: {clean(headline(incident))}"),
        _id(f"  {incident.id}"),
    ]
    if incident.members:
        others = counted(len(incident.members), "other change")
        lines.append(Text(f"  with {others} of the same cause"))
    if incident.recover_command and incident.state in _RECOVERABLE:
        lines.append(_id(f"  to recover: {clean(incident.recover_command)}"))
    return Group(*lines)


def _entry(incident: Incident) -> Iterable[RenderableType]:
    severity = incident.severity.value
    state = "part" if incident.part_of else incident.state.value
    line = Text(f"{incident.opened_at:%Y-%m-%d %H:%M:%S}  ")
    line.append(f"{severity:8}", style=SEVERITY_STYLES[severity])
    line.append(f"  {state:12}  ")
    first = Table.grid()
    first.add_column(no_wrap=True)
    first.add_column(overflow="fold")
    first.add_row(line, Text(clean(headline(incident)), style="bold"))
    yield Trimmed(first)
    others = f", {counted(len(incident.members), 'other change')}" if incident.members else ""
    yield Text(f"    by {clean(incident.actor.label)}, {incident.verdict.value}{others}")
    yield _id(f"    {incident.id}")
    if incident.part_of:
        yield _id(f"    part of {incident.part_of}")


def _what(incident: Incident, radius: BlastRadius, lead: Incident | None) -> Iterable[tuple[str, str]]:
    subject, actor = incident.subject, incident.actor
    yield "incident", incident.id
    if lead is not None:
        yield "part of", lead.id
        yield "", headline(lead)
    yield "state", _state(lead or incident)
    if incident.members:
        yield "what", headline(incident)
        yield "first", f"{incident.title}: {subject.type} {subject.name}"
    else:
        yield "what", f"{incident.title}: {subject.type} {subject.name}"
    yield "who", f"{actor.label}, with {actor.tool}, from {actor.source_ip or 'unknown address'}"
    yield from (("", name) for name in radius.people if name != actor.label)
    yield "principal", actor.arn or "unknown"
    yield "where", f"account {incident.account or '?'}, {incident.region or '?'}"
    yield "when", moment(incident.opened_at)
    yield "verdict", f"{incident.verdict.value}, severity {incident.severity.value}"
    yield from (("why", reason) for reason in incident.reasons)
    if not incident.members and subject.item_count is not None:
        yield "held", f"{subject.item_count:,} items, {size(subject.size_bytes or 0)} (newest backup)"


def _state(incident: Incident) -> str:
    why = f": {incident.dismissed_because}" if incident.dismissed_because else ""
    return f"{incident.state.value}{why}"


def _reach(radius: BlastRadius) -> Iterable[tuple[str, str]]:
    if len(radius.changes) > 1 and radius.tables:
        least = "at least " if radius.at_least and radius.items is not None else ""
        known = [f"{radius.items:,} items"] if radius.items is not None else ["nobody knows how many items"]
        known += [size(radius.size_bytes)] if radius.size_bytes is not None else []
        tables, backups = (
            counted(len(radius.tables), "table"),
            "backup" if len(radius.tables) == 1 else "backups",
        )
        yield "lost", f"{tables}, {least}{', '.join(known)} (newest {backups})"
        if radius.without_point:
            yield "", f"no recovery point for {len(radius.without_point):,} of them"
    if radius.replicas:
        yield "replicas", ", ".join(radius.replicas)
    yield from (("read by", arn) for arn in radius.consumers)
    if radius.tags:
        yield "tags", ", ".join(f"{key}={value}" for key, value in radius.tags.items())


def _members(members: Sequence[Member]) -> Table:
    table = plain_table("also", "what", "holds", "back to", whole=("also",))
    for member in members[:SHOWN_MEMBERS]:
        point = max(member.recovery_points, key=lambda one: one.time, default=None)
        items = member.subject.item_count
        back = f"{point.time:%m-%d %H:%M:%S}" if point else ("NOTHING" if member.destroyed else "")
        table.add_row(
            Text(f"{member.time:%H:%M:%S}"),
            Text(clean(f"{member.title}: {member.subject.name}" + (" (refused)" if member.failed else ""))),
            Text("" if items is None else f"{items:,} items, {size(member.subject.size_bytes or 0)}"),
            Text(back, style="" if point else "bold red"),
        )
    if len(members) > SHOWN_MEMBERS:
        table.add_row(
            "", Text(f"and {len(members) - SHOWN_MEMBERS:,} more: see them all with --json"), "", ""
        )
    return table


def _way_back(incident: Incident, lead: Incident | None) -> Iterable[tuple[str, str]]:
    for point in incident.recovery_points:
        whose = "" if point.source == "s3-backup" else point.source
        named = f"{point.backup_id} ({whose})" if whose and point.backup_id else point.backup_id or whose
        yield "recover from", f"{named}: loses {duration(point.loss_seconds)}"
    command = (lead or incident).recover_command
    if command:
        yield "command", command


def _record(incident: Incident) -> Iterable[tuple[str, str]]:
    for note in incident.events:
        yield "event", f"{note.id}  {note.name}{' ' + note.error_code if note.error_code else ''}"
    for step in incident.timeline:
        yield f"{step.time:%H:%M:%S}", f"{step.what}  ({step.who})"
    yield from (("told", reason) for reason in incident.routing)
    for entry in incident.outbox:
        failed = f" - {entry.last_error}" if entry.last_error else ""
        why = f" ({entry.reason})" if entry.reason else ""
        yield "message", f"{entry.key}: {entry.state.value}{failed}{why}"


def _id(text: str) -> Text:
    return Text(text, style="dim", no_wrap=True, overflow="ignore")
