"""What people see: tables and lines on a terminal. Text from AWS is never read as markup."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from rules.errors import UsageError
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import ConsoleOptions, RenderableType, RenderResult

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
