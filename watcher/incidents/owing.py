"""What an incident owes: messages to notifiers, as entries of its outbox. Pure; ``watcher.alerts.outbox`` sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.incidents.incident import NoticeKind, OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from watcher.incidents.incident import Incident

MOST_REASONS = 50
FIRST_WORDS = frozenset({NoticeKind.OPENED, NoticeKind.ESCALATED})


@dataclass(frozen=True, slots=True)
class Routing:
    """Who is told, each with the reason, and why of everything that was asked: one sentence for each route."""

    told: Mapping[str, str]
    reasons: tuple[str, ...]

    @property
    def notifiers(self) -> tuple[str, ...]:
        """Who is told, each once."""
        return tuple(self.told)


def owed(
    incident: Incident, notifiers: Sequence[str], kind: NoticeKind, now: datetime, text: str = ""
) -> Incident:
    """A copy that owes one more message of that kind to each notifier; nothing changes if it already does.

    Two texts of one kind in one second are two messages.
    """
    for notifier in notifiers:
        key = f"{notifier}:{kind.value}"
        if kind is not NoticeKind.OPENED:
            key = f"{key}:{now:%Y%m%dT%H%M%S}"
            others = sum(entry.key.startswith(key) and entry.text != text for entry in incident.outbox)
            key = f"{key}.{others}" if others else key
        if incident.entry(key) is None:
            incident = incident.with_entry(
                OutboxEntry(key=key, notifier=notifier, kind=kind, text=text, created_at=now)
            )
    return incident


def owed_first(incident: Incident, routing: Routing, now: datetime) -> Incident:
    """A copy that owes its first message to each of the notifiers that are told, and says why they are, and no others."""
    reasons = tuple(dict.fromkeys((*incident.routing, *routing.reasons)))[:MOST_REASONS]
    incident = incident.model_copy(update={"routing": reasons})
    for notifier, reason in routing.told.items():
        key = f"{notifier}:{NoticeKind.OPENED.value}"
        if incident.entry(key) is None:
            incident = incident.with_entry(
                OutboxEntry(key=key, notifier=notifier, kind=NoticeKind.OPENED, reason=reason, created_at=now)
            )
    return incident


def notifiers_told(incident: Incident) -> tuple[str, ...]:
    """Everyone who was, or is to be, told of the incident: those who must hear of its end as well."""
    told = (entry.notifier for entry in incident.outbox if entry.kind in FIRST_WORDS)
    return tuple(dict.fromkeys(told))
