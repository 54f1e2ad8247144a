"""How the story looks in a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.progress_bars import ProgressBars
from cli.recovery_lines import plan_lines, report_lines
from watcher.alerts.slack_text import SlackMessage, plain_text

if TYPE_CHECKING:
    from rich.console import Console

    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import RecoveryReport
    from watcher.testing.slack import PostedMessage

WIDEST = 100


class Screen:
    """Prints the story; each step with the seconds since the start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._started

    def step(self, what: str, command: str = "", *, bad: bool = False) -> None:
        """A new step, and the command that a person would type for it."""
        line = Text(f"\n{self.seconds:5.1f} s  ", style="dim")
        line.append(what, style="bold red" if bad else "bold")
        self._console.print(line)
        if command:
            self._console.print(Text(f"         $ {command}", style="cyan"))

    def say(self, what: str) -> None:
        """One more line about the step."""
        self._line(Text("         "), Text(what))

    def check(self, *, passed: bool, what: str) -> None:
        """Something that was checked."""
        mark = Text("       ✓ " if passed else "       ✗ ", style="green" if passed else "bold red")
        self._line(mark, Text(what, style="" if passed else "bold red"))

    def _line(self, mark: Text, text: Text) -> None:
        """A mark, and a text that wraps beside it."""
        grid = Table.grid()
        grid.add_column(width=len(mark))
        grid.add_column(overflow="fold")
        grid.add_row(mark, text)
        self._console.print(grid)

    def slack(self, message: PostedMessage) -> None:
        """A Slack message as a person sees it."""
        width = min(self._console.width, WIDEST)
        text = plain_text(SlackMessage(message.text, message.blocks), width=width - 4)
        title = "Slack, in the thread" if message.thread_ts else "Slack, #alerts"
        style = "green" if message.thread_ts else "red"
        self._console.print(
            Panel(Text(text), title=title, title_align="left", border_style=style, width=width)
        )

    def plan(self, plan: RecoveryPlan) -> None:
        """A plan."""
        self._console.print(plan_lines(plan))

    def report(self, report: RecoveryReport) -> None:
        """What a recovery came to."""
        self._console.print(report_lines(report))

    def progress(self) -> ProgressBars:
        """Progress bars."""
        return ProgressBars(self._console)

    def figures(self, rows: list[tuple[str, str]]) -> None:
        """The table at the end."""
        table = Table(title="\nThe figures", title_justify="left", title_style="bold", show_header=False)
        table.add_column()
        table.add_column(justify="right", style="bold")
        for name, value in rows:
            table.add_row(name, value)
        table.add_row("the whole story", f"{self.seconds:.1f} s")
        self._console.print(table)
