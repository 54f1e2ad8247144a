"""What people see: tables and lines on a terminal. Text from AWS is never read as markup."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cli.wording import duration, moment, size
from rules.errors import UsageError
from watcher.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import ConsoleOptions, RenderableType, RenderResult

    from watcher.incidents import Incident

SEVERITY_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}


def stdout() -> Console:
    """For results."""
    return Console(highlight=False, soft_wrap=False)


def stderr() -> Console:
    """For progress, questions and logs."""
    return Console(stderr=True, highlight=False)


class Trimmed:
    """Something to print, without the spaces to which rich fills each line of a table."""

    def __init__(self, whole: RenderableType) -> None:
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What rich calls to print it."""
        for line in console.render_lines(self._whole, options, pad=False):
            while line and not line[-1].text.strip(" "):
                line.pop()
            if line:
                last = line.pop()
                line.append(Segment(last.text.rstrip(" "), last.style))
            yield from line
            yield Segment.line()


def require_terminal() -> None:
    """Raises UsageError where there is nobody to ask: a pipe cannot confirm."""
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="Look at --dry-run first, then pass --yes.")


def print_json(document: Any) -> None:
    """One JSON document on stdout, and nothing else."""
    sys.stdout.write(json.dumps(document, indent=1, default=str) + "\n")


def plain_table(*columns: str, whole: Sequence[str] = ()) -> Table:
    """A table without lines; the columns in ``whole`` are never broken, for they are there to be copied."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    return table


def facts_grid(rows: Sequence[tuple[str, str]]) -> Table:
    """Names and values, a line each; the same name again is a further line."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(name), Text(clean(value)))
    return grid


def incidents_list(incidents: Sequence[Incident]) -> Group:
    """Three lines an incident: when, how bad and what; by whom; the id, whole, to copy."""
    lines = []
    for incident in incidents:
        severity = incident.severity.value
        line = Text(f"{incident.opened_at:%Y-%m-%d %H:%M:%S}  ")
        line.append(f"{severity:8}", style=SEVERITY_STYLES[severity])
        line.append(f"  {incident.state.value:12}  {incident.title}")
        line.append(f": {clean(incident.subject.name)}" if incident.subject.name else "", style="bold")
        who = Text(f"    by {clean(incident.actor.label)}, {incident.verdict.value}")
        lines += [line, who, Text(f"    {incident.id}", style="dim")]
    return Group(*lines)


def incident_lines(incident: Incident) -> Table:
    """All of one incident."""
    subject, actor = incident.subject, incident.actor
    rows = [
        ("incident", incident.id),
        ("state", incident.state.value),
        ("what", f"{incident.title}: {subject.type} {subject.name}"),
        ("who", f"{actor.label}, with {actor.tool}, from {actor.source_ip or 'unknown address'}"),
        ("principal", actor.arn or "unknown"),
        ("where", f"account {incident.account or '?'}, {incident.region or '?'}"),
        ("when", moment(incident.opened_at)),
        ("verdict", f"{incident.verdict.value}, severity {incident.severity.value}"),
        *(("why", reason) for reason in incident.reasons),
    ]
    if subject.item_count is not None:
        rows.append(
            ("held", f"{subject.item_count:,} items, {size(subject.size_bytes or 0)} (newest backup)")
        )
    rows += [
        ("recover from", f"{point.backup_id}: loses {duration(point.loss_seconds)}")
        for point in incident.recovery_points
    ]
    if incident.recover_command:
        rows.append(("command", incident.recover_command))
    rows += [
        ("event", f"{note.id}  {note.name}{' ' + note.error_code if note.error_code else ''}")
        for note in incident.events
    ]
    rows += [(f"{step.time:%H:%M:%S}", f"{step.what}  ({step.who})") for step in incident.timeline]
    rows += [
        ("message", f"{entry.key}: {entry.state.value}{' - ' + entry.last_error if entry.last_error else ''}")
        for entry in incident.outbox
    ]
    return facts_grid(rows)
