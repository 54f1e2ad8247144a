"""How far a back-test is: files and megabytes, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cli.wording import size

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from watcher.archives.archive import Piece


class ReplayBar:
    """The ReplayProgress port as a bar; use it in a ``with``. It runs by bytes where all sizes are known."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            # A log file needs no bar, and nobody watches it.
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("listing", total=None, done="")
        self._found = self._read = self._bytes = self._bytes_read = 0
        self._sized = True

    def __enter__(self) -> ReplayBar:  # noqa: PYI034 - never subclassed
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away; the report says how much was read."""
        self._bar.stop()

    def found(self, piece: Piece) -> None:
        """See ReplayProgress."""
        self._found += 1
        self._sized = self._sized and piece.size_bytes is not None
        self._bytes += piece.size_bytes or 0
        self._bar.update(self._task, done=f"{self._found:,} files, {size(self._bytes)}")

    def read(self, piece: Piece) -> None:
        """See ReplayProgress."""
        self._read += 1
        self._bytes_read += piece.size_bytes or 0
        done, total = (self._bytes_read, self._bytes) if self._sized else (self._read, self._found)
        text = f"{self._read:,} of {self._found:,} files"
        if self._bytes:
            text += f", {size(self._bytes_read)}"
        self._bar.update(self._task, description="reading", completed=done, total=total or 1, done=text)
