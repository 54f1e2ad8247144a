"""The port through which people are told: one adapter per file (``notifier_slack``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from watcher.incidents.incident import Incident, OutboxEntry

# A message that somebody began to send is left to him for so long, unless the settings say otherwise.
TAKEOVER_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to send: an outbox entry and the incident as it is now.

    ``earlier_attempt`` is the time of an attempt whose end nobody knows, None if there was none. ``thread``
    is the reference of the message that opened the incident's thread, None for that message itself.
    """

    incident: Incident
    entry: OutboxEntry
    earlier_attempt: datetime | None
    thread: Mapping[str, str] | None


class Notifier(Protocol):
    """A way to tell people."""

    name: str

    def send(self, notice: Notice) -> dict[str, str]:
        """Send it, and give back a reference by which the message can be found and changed.

        Returns only when the other side confirmed the message. With ``earlier_attempt`` set it looks first
        whether the message is already there, so that a lost answer never makes two visible messages.

        Raises UnavailableError (try again later), AccessDeniedError (token or channel is wrong), SafetyNetError
        for any other refusal.
        """
        ...

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """Bring the message that opened the thread up to date with the incident's state.

        Raises as ``send``.
        """
        ...
