"""What became of intents: which changes each covered, and which were over-used, unused or declared too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rules.intents import IntentState, principal_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rules.intents import Change, Intent
    from watcher.facts.intent_ledger import IntentLedger, LedgerEntry

# How long before its declaration a change still looks as if it was the reason for it.
AFTER_THE_FACT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class UsedFor:
    """One change in the account of an intent."""

    time: datetime
    event_name: str
    resource: str
    incident_id: str

    def document(self) -> dict[str, str]:
        """As JSON."""
        return {
            "time": self.time.isoformat(),
            "event": self.event_name,
            "resource": self.resource,
            "incident": self.incident_id,
        }


@dataclass(frozen=True, slots=True)
class IntentUsage:
    """The account of one intent at one moment.

    ``covered`` are the changes it explained, with alerts or without. Of the changes that no intent explained,
    ``beyond`` are those that it fitted while it was in force, and ``before`` those that it would have explained,
    made in the 24 hours before it was declared. ``counted`` is how many of ``covered`` and ``beyond`` count
    towards ``max_changes``.
    """

    intent: Intent
    state: IntentState
    covered: tuple[UsedFor, ...]
    beyond: tuple[UsedFor, ...]
    before: tuple[UsedFor, ...]
    counted: int
    self_declared: bool = False

    @property
    def over_used(self) -> bool:
        """Whether more was done than it allowed."""
        return self.intent.max_changes is not None and self.counted > self.intent.max_changes

    @property
    def unused(self) -> bool:
        """Whether it is over or revoked, and nothing came of it."""
        return self.state in {IntentState.OVER, IntentState.REVOKED} and not self.covered

    @property
    def after_the_fact(self) -> bool:
        """Whether what it explains was done before anybody declared it."""
        return bool(self.before)

    def document(self) -> dict[str, Any]:
        """The intent with its account, as JSON."""
        return {
            **self.intent.model_dump(mode="json"),
            "state": self.state.value,
            "covered": [one.document() for one in self.covered],
            "beyond": [one.document() for one in self.beyond],
            "before": [one.document() for one in self.before],
            "over_used": self.over_used,
            "unused": self.unused,
            "after_the_fact": self.after_the_fact,
            "self_declared": self.self_declared,
        }


def usage_of(intents: Sequence[Intent], ledger: IntentLedger, now: datetime) -> list[IntentUsage]:
    """The account of each intent. Reads no incident older than a day before the oldest of them.

    Raises as the vault does.
    """
    if not intents:
        return []
    entries = ledger.since(min(intent.declared_at for intent in intents) - AFTER_THE_FACT)
    return [_usage(intent, entries, now) for intent in intents]


def _usage(intent: Intent, entries: Sequence[LedgerEntry], now: datetime) -> IntentUsage:
    covered = [entry for entry in entries if intent.id in entry.intents]
    # A change that another intent explains was neither too much nor too early: nightly jobs declare each night.
    unexplained = [entry for entry in entries if not entry.intents]
    beyond = [entry for entry in unexplained if intent.covers(entry.change)]
    before = [
        entry
        for entry in unexplained
        if intent.declared_at - AFTER_THE_FACT <= entry.change.time < intent.declared_at
        and intent.fits(entry.change)
    ]
    return IntentUsage(
        intent=intent,
        state=intent.state(now),
        covered=tuple(map(_used_for, covered)),
        beyond=tuple(map(_used_for, beyond)),
        before=tuple(map(_used_for, before)),
        counted=sum(intent.counts(entry.change) for entry in (*covered, *beyond)),
        self_declared=any(_is_by_who_declared(intent, entry.change) for entry in covered),
    )


def _is_by_who_declared(intent: Intent, change: Change) -> bool:
    """Whether the principal that made the change had declared it himself, in whatever session."""
    # Bare names are of any account, and say nothing here.
    arns = (name for name in change.names if ":" in name)
    return principal_of(intent.declared_by) in map(principal_of, arns)


def _used_for(entry: LedgerEntry) -> UsedFor:
    change = entry.change
    return UsedFor(change.time, change.event_name, change.resource_name, entry.incident_id)
