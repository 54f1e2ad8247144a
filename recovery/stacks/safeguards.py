"""What is looked at before anything is done to a stack: no table is created over, replaced or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.definitions.surroundings_stack import TABLE_TYPES
from recovery.errors import TableExistsError
from recovery.restores.plans import table_status
from recovery.stacks.plans import DELETING, TableWay
from recovery.stacks.table_runs import is_half_recovered
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.stacks.change_sets import ChangeSet
    from recovery.stacks.live import LiveStack
    from recovery.stacks.plans import StackPlan
    from recovery.vault.vault import Vault

_ACTIVE = "ACTIVE"
# Conditional: CloudFormation will know only while it is at it. That is too late.
_MAY_REPLACE = frozenset({"True", "Conditional"})


def cost_of(plan: StackPlan, change_set: ChangeSet) -> str:
    """Which table a change set would cost, and how; "" where it costs none."""
    for change in change_set.changes:
        if change.type not in TABLE_TYPES:
            continue
        added = change.action == "Add" and change.logical_id in plan.imported
        if added or change.action == "Remove" or change.replacement in _MAY_REPLACE:
            table = change.physical_id or plan.imported.get(change.logical_id) or change.logical_id
            what = f"replacement: {change.replacement}" if change.replacement else change.action
            return f"it would not take over table {table} as it is ({what})"
    return ""


def refuse_absent(aws: Aws, vault: Vault, plan: StackPlan) -> None:
    """Only what is there, whole, can be imported; CloudFormation would say so only after it has begun, or never.

    Raises UnsafeError for a table that is not ACTIVE, and for one that is only half recovered.
    """
    for table in plan.tables:
        if table.way is not TableWay.IMPORT:
            continue
        status = table_status(aws, table.name)
        if status != _ACTIVE:
            raise UnsafeError(
                f"table {table.name} is {status or 'not there'}: stack {plan.stack} cannot take it over",
                hint="Recover the table first; then run this again.",
            )
        if is_half_recovered(vault, aws, table.name):
            raise UnsafeError(
                f"table {table.name} is only half recovered: stack {plan.stack} cannot take it over",
                hint="Run the same command again: its recovery goes on first.",
            )


def refuse_existing(aws: Aws, plan: StackPlan, live: LiveStack | None) -> None:
    """Never create over a table that is there, unless the very stack has made it.

    Raises TableExistsError.
    """
    made = set(live.tables.values()) if live else set()
    for table in plan.load_afterwards:
        there = table.custom_name and table_status(aws, table.name) not in {None, DELETING}
        if there and table.name not in made:
            raise TableExistsError(f"table {table.name} exists, and stack {plan.stack} would create it")
