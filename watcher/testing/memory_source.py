"""A queue in memory that forgets a message only when it is acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.sources import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemorySource:
    """See EventSource. Every ``receive`` hands out all that is there, again and again, as a queue may."""

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}
        self._counts: dict[str, int] = {}
        self._number = 0

    @property
    def location(self) -> str:
        """``memory``."""
        return "memory"

    @property
    def waiting(self) -> list[bytes]:
        """What has not been acknowledged."""
        return list(self._waiting.values())

    def put(self, body: bytes) -> None:
        """Add a message."""
        self._number += 1
        self._waiting[f"m{self._number}"] = body

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive."""
        for name in self._waiting:
            self._counts[name] = self._counts.get(name, 0) + 1
        return [Delivery(name, body, name, self._counts[name]) for name, body in self._waiting.items()]

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        self._waiting.pop(delivery.receipt, None)
