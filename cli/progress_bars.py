"""The Progress port as bars on stderr: how far, how fast, and how much longer."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from cli.wording import size

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console
    from rich.progress import Task

NARROW = 100
EVERY_SECONDS = 0.1


class _Speed(ProgressColumn):
    """``12,300/s, 5.1 MB/s``; what a narrow terminal has no room for is left out."""

    def __init__(self, *, narrow: bool) -> None:
        super().__init__()
        self._narrow = narrow

    def render(self, task: Task) -> Text:
        """What rich calls to draw it."""
        seconds = task.elapsed or 0.0
        if seconds <= 0 or not task.completed:
            return Text("")
        items = f"{task.completed / seconds:,.0f}/s"
        return Text(items if self._narrow else f"{items}, {size(task.fields['bytes'] / seconds)}/s")


class ProgressBars:
    """The Progress port as bars; use it in a ``with``. Without a terminal nothing is drawn."""

    def __init__(self, console: Console, time: Callable[[], float] = monotonic) -> None:
        narrow = console.width < NARROW
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16 if narrow else 30),
            TextColumn("{task.fields[done]}"),
            _Speed(narrow=narrow),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._bytes: dict[str, int] = {}
        self._waiting: dict[str, tuple[int, int]] = {}
        self._drawn: dict[str, float] = {}
        self._time = time
        self._lock = threading.Lock()

    def __enter__(self) -> ProgressBars:  # noqa: PYI034 - never subclassed
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave them as they are."""
        self._bars.stop()

    def start(self, task: str, label: str, total_items: int | None) -> None:
        """See Progress."""
        with self._lock:
            self._tasks[task] = self._bars.add_task(Text(label).plain, total=total_items, done="", bytes=0)

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """See Progress. What came since the last look is drawn some times a second, not at every page."""
        with self._lock:
            if task not in self._tasks:
                return
            before = self._waiting.get(task, (0, 0))
            self._waiting[task] = (before[0] + items, before[1] + size_bytes)
            now = self._time()
            if now - self._drawn.get(task, -EVERY_SECONDS) >= EVERY_SECONDS:
                self._drawn[task] = now
                self._draw(task)

    def _draw(self, task: str) -> None:
        items, size_bytes = self._waiting.pop(task, (0, 0))
        bar = self._tasks[task]
        self._bytes[task] = self._bytes.get(task, 0) + size_bytes
        self._bars.advance(bar, items)
        row = self._bars.tasks[bar]
        # DescribeTable counts every six hours or so: a table may hold more than it says.
        total = None if row.total is not None and row.completed > row.total else row.total
        done = f"{row.completed:,.0f} items, {size(self._bytes[task])}"
        self._bars.update(bar, done=done, bytes=self._bytes[task], total=total)

    def note(self, text: str) -> None:
        """A line above the bars, for steps that have no bar."""
        self._bars.console.print(Text(text))

    def finish(self, task: str) -> None:
        """See Progress."""
        with self._lock:
            if task in self._tasks:
                self._draw(task)
                row = self._bars.tasks[self._tasks[task]]
                whole = row.completed or 1
                self._bars.update(self._tasks[task], total=whole, completed=whole)
