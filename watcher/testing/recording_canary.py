"""The two ends of the canary's way in memory: a sender that keeps what it sends, a switch that keeps its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watcher.health.canary import Canary


class RecordingCanarySender:
    """See CanarySender. ``failures`` are raised first, one a call."""

    def __init__(self) -> None:
        self.sent: list[Canary] = []
        self.failures: list[BaseException] = []

    def send(self, canary: Canary) -> None:
        """See CanarySender.send."""
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(canary)


class RecordingDeadMan:
    """See DeadMan. ``calls``: "" for each that all is well, else the reason. ``failures`` as above."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures: list[BaseException] = []

    def alive(self) -> None:
        """See DeadMan.alive."""
        self._take("")

    def failed(self, reason: str) -> None:
        """See DeadMan.failed."""
        self._take(reason)

    def _take(self, reason: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.calls.append(reason)
