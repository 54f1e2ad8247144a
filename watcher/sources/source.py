"""The port through which change events come in: one adapter per file.

``source_sqs`` a queue, ``source_trail`` a queue of a trail's files, ``source_lookup`` CloudTrail's event history,
``source_archive`` a trail of the past; ``catching_up`` puts what was missed in front of one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message from a source. ``receipt`` is what acknowledges it; ``id`` is for the log.

    ``sent``: when the source got it, in UTC; None where it does not say. ``fault``: why what the message points to
    cannot be read; then ``body`` is the message itself, and it is to be told of as one that cannot be understood.
    """

    id: str
    body: bytes
    receipt: str
    receive_count: int
    sent: datetime | None = None
    fault: str = ""


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

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Forget several at once; returns, and logs, those that could not be: they come back. Raises as ``receive``."""
        ...

    def release(self, delivery: Delivery) -> None:
        """A message was not handled: it comes back by itself. Never raises, and calls nobody.

        What comes back too often is given up: SQS moves it to the dead-letter queue after ``maxReceiveCount``.
        """
        ...
