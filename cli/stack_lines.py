"""Stacks as people read them: the plan for one, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.rendering import facts_grid
from cli.wording import counted, duration, moment
from recovery.stacks.plans import StackAction, TableWay

if TYPE_CHECKING:
    from rich.table import Table

    from recovery.stacks.plans import StackPlan, StackTable
    from recovery.stacks.recreating import StackReport

_ACTIONS = {
    StackAction.CREATE: "made again",
    StackAction.CONTINUE: "an interrupted recreation goes on",
    StackAction.NONE: "it is there; only its tables come back",
}
_WAYS = {
    TableWay.IMPORT: "imported with its items",
    TableWay.LOAD: "made by the stack, loaded afterwards",
    TableWay.KEPT: "listed by the living stack",
    TableWay.ALONE: "not listed by the living stack",
}
_SHOWN = 12


def stack_plan_lines(plan: StackPlan) -> Table:
    """A stack's plan as a person has to read it before saying yes."""
    rows = [
        ("stack", f"{plan.stack}  in {plan.account}/{plan.region}: {_ACTIONS[plan.action]}"),
        ("captured", moment(plan.captured)),
        *(("table", _table(table)) for table in plan.tables),
        *(("creates", resource) for resource in plan.creates[:_SHOWN]),
    ]
    if (more := len(plan.creates) - _SHOWN) > 0:
        rows.append(("", f"and {counted(more, 'more resource')}"))
    rows += [("asks for", f"{key}, a hidden parameter") for key in plan.hidden]
    rows += [("warning", warning) for warning in plan.warnings]
    rows += [("BLOCKED", block) for block in plan.blocks]
    return facts_grid(rows)


def _table(table: StackTable) -> str:
    first = "recovered first, then " if table.needs_recovery else ""
    return f"{table.name} ({'/'.join((*table.nested, table.logical_id))}): {first}{_WAYS[table.way]}" + (
        f" ({table.why})" if table.why else ""
    )


def stack_report_lines(report: StackReport) -> Table:
    """What a stack came to."""
    rows = [
        ("stack", f"{report.stack}: {report.status}" + (" (continued)" if report.resumed else "")),
        *(("imported", table) for table in report.imported),
        *(("loaded", f"{one.name}, from the backups of {one.lost}") for one in report.to_load),
        ("took", duration(report.seconds)),
    ]
    for step in report.follow_ups:
        rows += [("still to do", f"{step.setting}: {step.reason}"), ("", step.command)]
    return facts_grid(rows)
