"""A queue in memory that forgets a message only when it is acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.sources.source import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class MemorySource:
    """See EventSource. Every ``receive`` hands out all that is there, again and again, as a queue may.

    ``released`` names the messages that were let go unhandled, in order.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}
        self._counts: dict[str, int] = {}
        self._sent: dict[str, datetime] = {}
        self._number = 0
        self.released: list[str] = []

    @property
    def location(self) -> str:
        """``memory``."""
        return "memory"

    @property
    def waiting(self) -> list[bytes]:
        """What has not been acknowledged."""
        return list(self._waiting.values())

    def put(self, body: bytes, sent: datetime | None = None) -> None:
        """Add a message; ``sent`` is when it came, as a queue would say."""
        self._number += 1
        name = f"m{self._number}"
        self._waiting[name] = body
        if sent is not None:
            self._sent[name] = sent

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive."""
        for name in self._waiting:
            self._counts[name] = self._counts.get(name, 0) + 1
        return [
            Delivery(name, body, name, self._counts[name], self._sent.get(name))
            for name, body in self._waiting.items()
        ]

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        self._waiting.pop(delivery.receipt, None)

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See EventSource.acknowledge_all."""
        for delivery in deliveries:
            self.acknowledge(delivery)
        return []

    def release(self, delivery: Delivery) -> None:
        """See EventSource.release."""
        self.released.append(delivery.id)
