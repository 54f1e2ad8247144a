"""What an incident's Slack message tells of its blast radius: history, losses, recovery points, the command."""

from __future__ import annotations

import html
from itertools import groupby
from typing import TYPE_CHECKING

from rules.actions import Weight
from watcher.alerts.slack_parts import (
    LINE_LIMIT,
    clean,
    code,
    cut,
    escaped,
    plain,
    section,
    shortened,
    size,
    span,
    utc,
)
from watcher.incidents.incident import IncidentState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from watcher.alerts.slack_text import Block
    from watcher.incidents.blast_radius import BlastRadius, Change, Touched
    from watcher.incidents.incident import Incident, RecoveryPoint

BODY_LIMIT, HISTORY_LIMIT, COMMAND_LIMIT = 2500, 1200, 600
NAME_LIMIT, FIELD_LIMIT = 120, 150
SHOWN_POINTS, SHOWN_TABLES, SHOWN_NAMES, SHOWN_TAGS = 5, 12, 3, 5
SHOWN_STEPS = 8
FINAL = frozenset({IncidentState.RECOVERED, IncidentState.DISMISSED})
NO_BACKUP = "NO BACKUP FOUND."
_RECOVERABLE = frozenset({"table", "stack"})
_SOURCES = {
    "s3-backup": "backup",
    "replica": "backup in the second vault",
    "pitr": "point-in-time recovery",
    "system": "DynamoDB's own backup of the deleted table",
    "on-demand": "on-demand backup",
    "aws-backup": "recovery point of AWS Backup",
}
# What incidents hold that are too old to say how bad it was.
_DESTRUCTIVE = frozenset({"DeleteTable", "DeleteStack"})


def only_tried(incident: Incident, radius: BlastRadius) -> bool:
    """Whether AWS refused every call: then nothing has changed, and there is nothing to recover."""
    if incident.members:
        return radius.only_tried
    return bool(incident.events) and all(event.error_code for event in incident.events)


def nothing_to_go_back_to(incident: Incident, radius: BlastRadius) -> str:
    """What people must be told where nothing was found to restore from; "" where something was, or need not be."""
    if incident.state in FINAL or only_tried(incident, radius):
        return ""
    if not incident.members or not radius.tables:
        recoverable = incident.subject.type in _RECOVERABLE
        return NO_BACKUP if recoverable and not incident.recovery_points and not incident.members else ""
    without = len(radius.without_point)
    if without and len(radius.tables) > 1:
        return f"{NO_BACKUP.rstrip('.')} for {without:,} of {len(radius.tables):,} tables."
    return NO_BACKUP if without else ""


def stake(incident: Incident, radius: BlastRadius) -> list[tuple[str, str]]:
    """The field that says how much is lost or at stake; none where nobody could ever tell."""
    if not incident.members:
        return [_own_stake(incident, radius)] if incident.subject.type in _RECOVERABLE else []
    if radius.only_tried:
        return [("Lost", "nothing: the calls were refused")]
    if radius.tables:
        return [("Lost", _amount(radius, radius.tables))]
    if radius.stacks:
        return [("Lost", "unknown: no deletion of a table was seen yet")]
    return [("At stake", _amount(radius, radius.at_stake))] if radius.at_stake else []


def reach(radius: BlastRadius) -> list[tuple[str, str]]:
    """The fields for replicas, who reads the streams, and the tags that all have."""
    fields = []
    if radius.replicas:
        fields.append(("Replicas", f"{_listed(radius.replicas)} as of the newest backup"))
    if radius.consumers:
        names = [arn.rpartition(":")[2].rpartition("/")[2] or arn for arn in radius.consumers]
        fields.append(("Read by", f"{_listed(names)} through its stream"))
    if radius.tags:
        tags = [f"{key}={value}" for key, value in radius.tags.items()]
        fields.append(("Tags", _listed(tags, SHOWN_TAGS)))
    return fields


def when(incident: Incident, radius: BlastRadius) -> str:
    """The time of what happened, or of the first and the last of it."""
    if incident.members:
        times, what = [change.time for change in radius.changes], "changes"
    else:
        times, what = sorted(event.time for event in incident.events), "events"
    if not times:
        return utc(incident.opened_at)
    if len(times) == 1:
        return utc(times[0])
    return f"{utc(times[0])}, {len(times):,} {what} until {utc(times[-1])}"


def history(incident: Incident, radius: BlastRadius, limit: int = HISTORY_LIMIT) -> list[Block]:
    """What happened, in order of time; nothing where it was all one kind of thing."""
    # A deletion is told once, though the call and what the service says of it are both there.
    again = {one.id for gone in (*radius.tables, *radius.stacks) for one in gone.changes[1:]}
    told = [change for change in radius.changes if change.id not in again]
    steps = [list(same) for _, same in groupby(told, key=lambda one: (one.title, one.who, one.failed))]
    if not incident.members or len(steps) < 2:  # noqa: PLR2004 - one step is told by the headline
        return []
    lines = [f"• {cut(clean(_step(step, incident.actor.label)))}" for step in steps]
    if len(lines) > SHOWN_STEPS:
        first, last = SHOWN_STEPS // 2, SHOWN_STEPS // 2
        lines = [*lines[:first], f"… and {len(lines) - first - last:,} more …", *lines[-last:]]
    return [section("*What happened, in order*"), plain(lines, limit)]


def recovery(incident: Incident, radius: BlastRadius, limit: int = BODY_LIMIT) -> list[Block]:
    """What can be restored, from when, and the command; none of it once there is nothing to do."""
    if incident.state in FINAL or only_tried(incident, radius):
        return []
    running = incident.state is IncidentState.RECOVERING
    label = "Should the recovery stop, resume it" if running else "To recover, run"
    return [*_points(incident, radius, limit), *command(incident, label)]


def command(incident: Incident, label: str) -> list[Block]:
    """The command to type, exactly or not at all: a command that was altered must not be run."""
    typed = clean(incident.recover_command)
    shown = escaped(typed, COMMAND_LIMIT)
    if not typed:
        return []
    if typed != incident.recover_command.strip() or "`" in typed or html.unescape(shown) != typed:
        return to_type(
            f"safetynet incidents show {incident.id}",
            "The recovery command cannot be shown here; see it with",
        )
    return to_type(typed, label)


def to_type(typed: str, label: str) -> list[Block]:
    """A command in a block of code, which a backtick would end."""
    shown = escaped(clean(typed).replace("`", "'"), COMMAND_LIMIT)
    return [section(f"*{label}*\n```\n{shown}\n```")]


def _points(incident: Incident, radius: BlastRadius, limit: int) -> list[Block]:
    missing = nothing_to_go_back_to(incident, radius)
    if incident.members and len(radius.tables) > 1:
        return [*_warning(incident, missing), *_tables(incident, radius, limit)]
    if incident.members and radius.tables:
        points, at = radius.tables[0].recovery_points, radius.tables[0].time
    else:
        points = incident.recovery_points
        at = min((event.time for event in incident.events), default=incident.opened_at)
    newest_first = sorted(points, key=lambda point: point.time, reverse=True)
    if not newest_first:
        return _warning(incident, missing)
    # What an outage can be recovered from is a backup of each of its tables.
    ranked = incident.subject.type != "region"
    lines = [
        f"• {_rank(point is newest_first[0]) if ranked else ''}{_point(point, at)}" for point in newest_first
    ]
    return [section("*Recovery points*"), plain(shortened(lines, SHOWN_POINTS), limit)]


def _warning(incident: Incident, missing: str) -> list[Block]:
    if not missing:
        return []
    if incident.recovery_unknown:
        why = shortened([incident.recovery_unknown], 1)
        return [section("⚠️ *The backups could not be looked at.*"), plain(why, BODY_LIMIT)]
    capitals, _, rest = missing.partition(" for ")
    counted = f" for {rest}" if rest else ""
    return [section(f"⚠️ *{capitals}*{counted} There was no recovery point when this was written.")]


def _tables(incident: Incident, radius: BlastRadius, limit: int) -> list[Block]:
    """A line for each lost table: those that nothing brings back first, then by size."""
    worst_first = sorted(
        radius.tables,
        key=lambda one: (bool(one.recovery_points), -(one.subject.size_bytes or 0), one.name),
    )
    lines = shortened([f"• {_table(one)}" for one in worst_first[:SHOWN_TABLES]], SHOWN_TABLES)
    if (more := len(worst_first) - SHOWN_TABLES) > 0:
        lines.append(f"and {more:,} more: safetynet incidents show {incident.id}")
    return [section("*Lost tables, each with its newest recovery point*"), plain(lines, limit)]


def _table(table: Touched) -> str:
    name, point = cut(clean(table.name), NAME_LIMIT), table.newest_point
    holds = ", ".join(_holds(table.subject.item_count, table.subject.size_bytes))
    held = f" ({holds})" if holds else ""
    return (
        f"{name}{held}: {NO_BACKUP.rstrip('.') if point is None else _point(point, table.time, count=False)}"
    )


def _rank(newest: bool) -> str:
    return "newest " if newest else "older "


def _point(point: RecoveryPoint, at: datetime, *, count: bool = True) -> str:
    loss = span(point.loss_seconds)
    lost = f"changes of the last {loss} are lost" if point.loss_seconds > 0 else "nothing is lost"
    old = span((at - point.time).total_seconds())
    # The age is the window of loss as a rule; it is said only where it differs.
    age = "" if old == loss else f" ({old} old)"
    items = f", {_items(point.item_count)}" if count and point.item_count is not None else ""
    return f"{_source(point)} {utc(point.time)}{age}{items}; {lost}"


def _source(point: RecoveryPoint) -> str:
    return _SOURCES.get(point.source) or clean(point.source)[:60]


def _own_stake(incident: Incident, radius: BlastRadius) -> tuple[str, str]:
    """Of an incident that is a single change."""
    if only_tried(incident, radius):
        return "Lost", "nothing: the call was refused"
    lost = any(
        event.weight == Weight.DESTRUCTIVE or (not event.weight and event.name in _DESTRUCTIVE)
        for event in incident.events
    )
    parts = _holds(incident.subject.item_count, incident.subject.size_bytes)
    # Where no call was seen a backup told, and what it is compared with is the one before.
    which = "newest backup" if incident.events else "backup before"
    known = f"{', '.join(parts)}, as of the {which}" if parts else "unknown: no backup tells"
    return ("Lost" if lost else "At stake"), known


def _amount(radius: BlastRadius, tables: Sequence[Touched]) -> str:
    """``3 tables: at least 12,345 items, 2.3 MB, as of the newest backups``."""
    parts = _holds(radius.items, radius.size_bytes)
    one = len(tables) == 1
    which = "" if one else f"{len(tables):,} tables: "
    if not parts:
        return f"{which}unknown: no backup tells"
    least = "at least " if radius.at_least else ""
    return f"{which}{least}{', '.join(parts)}, as of the newest backup{'' if one else 's'}"


def _holds(items: int | None, size_bytes: int | None) -> list[str]:
    parts = [_items(items)] if items is not None else []
    return parts + ([size(size_bytes)] if size_bytes is not None else [])


def _items(count: int) -> str:
    return f"{count:,} {'item' if count == 1 else 'items'}"


def _step(changes: Sequence[Change], who: str) -> str:
    """``03:01:00 Deletion protection switched off: orders``."""
    first, last = changes[0], changes[-1]
    times = sum(change.tries for change in changes)
    until = f" to {last.time:%H:%M:%S}" if last.time != first.time else ""
    named = _first_names(change.subject.name for change in changes)
    count = f", {times:,} times" if times > 1 else ""
    by = f", by {first.who}" if first.who != who else ""
    refused = " (refused)" if first.failed else ""
    return f"{first.time:%H:%M:%S}{until} {first.title}{count}{f': {named}' if named else ''}{by}{refused}"


def _first_names(names: Iterable[str]) -> str:
    each = [cut(name, LINE_LIMIT // SHOWN_NAMES) for name in dict.fromkeys(names) if name]
    more = len(each) - SHOWN_NAMES
    return ", ".join(each[:SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _listed(values: Sequence[str], shown: int = SHOWN_NAMES) -> str:
    more = f" and {len(values) - shown:,} more" if len(values) > shown else ""
    return f"{code(', '.join(values[:shown]), FIELD_LIMIT)}{more}"
