"""What happened shortly before a change, told from the incidents that are kept: the facts under ``facts.recent``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.actions import Weight
from rules.errors import SafetyNetError
from rules.facts import RecentFacts, Unknown
from rules.history import DELETIONS_WITHIN, STACK_DELETED_WITHIN, WEAKENED_WITHIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.events import ChangeEvent
    from watcher.facts.intent_ledger import IntentLedger, LedgerEntry

_WEAKENING = (Weight.WEAKENING, Weight.TAMPERING)
_STACK_DELETED = "stack-deleted"


def recent_facts(ledger: IntentLedger, event: ChangeEvent, stack: str, incident_id: str) -> RecentFacts:
    """The facts for an event; ``stack`` is the name of the stack its table belongs to, "" where nobody knows of one.

    The event's own incident is left out. Never raises: what cannot be read is unknown.
    """
    try:
        kept = ledger.since(event.time - WEAKENED_WITHIN)
    except SafetyNetError as error:
        lost = Unknown(str(error))
        return RecentFacts(lost, lost, lost)
    before = [
        entry
        for entry in kept
        if entry.incident_id != incident_id
        and entry.change.time <= event.time
        and (entry.change.account, entry.change.region) == (event.account, event.region)
    ]
    destroys = event.action is not None and event.action.weight is Weight.DESTRUCTIVE and not event.failed
    return RecentFacts(
        _deletions(before, event) + destroys, _weakened(before, event), _stack_deleted(before, event, stack)
    )


def _deletions(before: Sequence[LedgerEntry], event: ChangeEvent) -> int:
    """Destructive changes by the same principal; a role's sessions are one, since their names are the caller's."""
    principals = {name for name in (event.actor.arn, event.actor.role) if name}
    return sum(
        entry.weight == Weight.DESTRUCTIVE
        and entry.change.time >= event.time - DELETIONS_WITHIN
        and not principals.isdisjoint(entry.change.names)
        for entry in before
    )


def _weakened(before: Sequence[LedgerEntry], event: ChangeEvent) -> tuple[str, ...]:
    return tuple(
        entry.kind
        for entry in before
        if entry.weight in _WEAKENING and entry.change.resource_name == event.resource.name
    )


def _stack_deleted(before: Sequence[LedgerEntry], event: ChangeEvent, stack: str) -> bool | Unknown:
    """Unknown where nobody knows the stack: the table may well have gone with it."""
    if not stack:
        return Unknown("nobody knows the stack that the table belongs to")
    return any(
        entry.kind == _STACK_DELETED
        and entry.change.resource_name == stack
        and entry.change.time >= event.time - STACK_DELETED_WITHIN
        for entry in before
    )
