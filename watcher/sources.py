"""The port through which change events come in: one adapter per file (``source_sqs``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message from a source. ``receipt`` is what acknowledges it; ``id`` is for the log."""

    id: str
    body: bytes
    receipt: str
    receive_count: int


class EventSource(Protocol):
    """Hands out messages, and forgets one only when told to."""

    @property
    def location(self) -> str:
        """For people: which queue or trail."""
        ...

    def receive(self) -> Sequence[Delivery]:
        """The next messages; waits for a while when there are none, and may then return nothing.

        Raises UnavailableError, AccessDeniedError, NotFoundError.
        """
        ...

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget a message: its incident is stored. Raises as ``receive``."""
        ...
