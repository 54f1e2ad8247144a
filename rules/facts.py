"""Facts: what is known around a change event, as one document that rules can match.

A fact has three states: known, absent, and unknown (it could not be read). Unknown facts are not in the
document, so that patterns see them as missing; their paths and the reasons are kept beside it, because an
``intentional`` rule must not rest on something nobody could look at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.intents import Intent

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Unknown:
    """The third state of a fact, with the reason why it could not be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is known of the table: tags, items, bytes and the time of its newest whole backup.

    ``newest_backup`` None means that there certainly is no backup.
    """

    tags: Mapping[str, str] | Unknown
    item_count: int | Unknown
    size_bytes: int | Unknown
    newest_backup: datetime | Unknown | None


@dataclass(frozen=True, slots=True)
class Facts:
    """``document`` is matched under the key ``facts``; ``unknown`` maps dotted paths to reasons."""

    document: Mapping[str, Any]
    unknown: Mapping[str, str] = field(default_factory=dict)

    def unknown_among(self, paths: Sequence[str]) -> dict[str, str]:
        """The unknown facts that the given pattern paths (``facts.table.tags.env``) touch, with reasons."""
        touched: dict[str, str] = {}
        for path in paths:
            for unknown, reason in self.unknown.items():
                place = f"facts.{unknown}"
                if path == place or path.startswith(place + ".") or place.startswith(path + "."):
                    touched[unknown] = reason
        return touched


def facts_of(event: ChangeEvent, table: TableFacts | None, intents: Sequence[Intent] | Unknown) -> Facts:
    """All facts of one event. ``table`` None: the event is not about a table."""
    document = facts_from_event(event)
    unknown: dict[str, str] = {}
    if table is not None:
        _add_table(document, unknown, table, event.time)
    if isinstance(intents, Unknown):
        unknown["intents"] = intents.reason
    else:
        document["intents"] = [intent.id for intent in intents if intent.covers(event)]
    return Facts(document, unknown)


def facts_from_event(event: ChangeEvent) -> dict[str, Any]:
    """The facts that are in the event itself: actor, tool, resource, whether it failed, its weight."""
    actor = event.actor
    return {
        "account": event.account,
        "region": event.region,
        "weight": event.action.weight.value if event.action else "none",
        "failed": event.failed,
        "tool": event.tool.value,
        "actor": {
            "kind": actor.kind.value,
            "name": actor.name,
            "arn": actor.arn,
            "role": actor.role,
            "session": actor.session,
            "sourceIdentity": actor.source_identity,
            "sourceIp": actor.source_ip,
            "invokedBy": actor.invoked_by,
            **({} if actor.mfa is None else {"mfa": actor.mfa}),
        },
        "resource": {"type": event.resource.type, "name": event.resource.name},
    }


def _add_table(
    document: dict[str, Any], unknown: dict[str, str], table: TableFacts, event_time: datetime
) -> None:
    known: dict[str, Any] = {}
    for key, value in (
        ("tags", table.tags),
        ("itemCount", table.item_count),
        ("sizeBytes", table.size_bytes),
    ):
        if isinstance(value, Unknown):
            unknown[f"table.{key}"] = value.reason
        else:
            known[key] = value if isinstance(value, int) else dict(value)
    document["table"] = known
    newest = table.newest_backup
    if isinstance(newest, Unknown):
        unknown["backup"] = newest.reason
    elif newest is None:
        document["backup"] = {"found": False}
    else:
        age = max(0.0, (event_time - newest).total_seconds()) / SECONDS_PER_HOUR
        document["backup"] = {"found": True, "ageHours": round(age, 3)}
