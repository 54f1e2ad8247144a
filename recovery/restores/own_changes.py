"""Changes that a recovery itself makes and that are watched, declared beforehand so that they alert nobody."""

from __future__ import annotations

from datetime import timedelta
from glob import escape
from typing import TYPE_CHECKING

from recovery.definitions.definition import Known
from recovery.intents import Declaration

if TYPE_CHECKING:
    from recovery.intents import IntentStore
    from recovery.restores.plans import RecoveryPlan

# To fill an index that was left for later takes hours, and what is declared comes after it.
LASTS = timedelta(hours=8)
# What is watched of the calls that put a table's settings and surroundings on again. UpdateTable is watched only where
# it takes something away, which the pass does not; nor does it switch point-in-time recovery off.
_WATCHED_CALLS = {
    "ttl": "UpdateTimeToLive",
    "stream_policy": "PutResourcePolicy",
    "resource_policy": "PutResourcePolicy",
}


def declare_settings(intents: IntentStore, plan: RecoveryPlan, caller: str) -> None:
    """Declare the watched calls among those that put the plan's settings on, once each. Raises as the vault does."""
    wanted = {**dict(plan.settings), **dict(plan.surroundings)}
    calls = [
        call
        for part, call in _WATCHED_CALLS.items()
        if isinstance(found := wanted[part], Known) and found.value
    ]
    operations = tuple(dict.fromkeys(calls))
    if not operations:
        return
    intents.declare(
        Declaration(
            table=plan.target.name,
            # An ARN's path may hold what a pattern would read as its own.
            by=escape(caller),
            lasts=min(LASTS, intents.longest),
            operations=operations,
            max_changes=len(calls),
            reason=f"recovery of {plan.target.name} from backup {plan.backup_id}",
            account=plan.target.account,
            region=plan.target.region,
        ),
        declared_by=caller,
    )
