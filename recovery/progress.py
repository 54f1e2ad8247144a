"""The port through which long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told by several threads at once; must not raise."""

    def start(self, task: str, label: str, total_items: int | None) -> None:
        """A task begins. ``total_items`` None: nobody knows how many."""
        ...

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """So many more items and bytes are done."""
        ...

    def finish(self, task: str) -> None:
        """The task has ended."""
        ...


class NoProgress:
    """Says nothing."""

    def start(self, task: str, label: str, total_items: int | None) -> None:
        """See Progress."""

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """See Progress."""

    def finish(self, task: str) -> None:
        """See Progress."""
