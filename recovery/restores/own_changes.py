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

LASTS = timedelta(hours=1)
# What is watched of the calls that put a table's settings on again.
_WATCHED_CALLS = {"ttl": "UpdateTimeToLive", "resource_policy": "PutResourcePolicy"}


def declare_settings(intents: IntentStore, plan: RecoveryPlan, caller: str) -> None:
    """Declare the watched calls among those that put the plan's settings on, once each. Raises as the vault does."""
    wanted = [getattr(plan.settings, name) for name in _WATCHED_CALLS]
    operations = tuple(
        call
        for call, setting in zip(_WATCHED_CALLS.values(), wanted, strict=True)
        if isinstance(setting, Known) and setting.value
    )
    if not operations:
        return
    intents.declare(
        Declaration(
            table=plan.target.name,
            # An ARN's path may hold what a pattern would read as its own.
            by=escape(caller),
            lasts=min(LASTS, intents.longest),
            operations=operations,
            max_changes=len(operations),
            reason=f"recovery of {plan.target.name} from backup {plan.backup_id}",
            account=plan.target.account,
            region=plan.target.region,
        ),
        declared_by=caller,
    )
