"""Stacks as people read them: the plan for one, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.rendering import facts_grid
from cli.wording import counted, duration, moment
from recovery.stacks.plans import StackAction, TableWay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from recovery.stacks.importing import PreparedImport
    from recovery.stacks.plans import StackPlan, StackTable
    from recovery.stacks.recreating import StackReport
    from recovery.stacks.way_back import WayBack

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
# How far a stack is whose recreation goes on.
_WHOLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_IMPORTED = _WHOLE | {"IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
_SHOWN = 12
_SHOWN_OF_A_VALUE = 40


def stack_plan_lines(plan: StackPlan) -> Table:
    """A stack's plan as a person has to read it before saying yes."""
    captured = moment(plan.captured) + (f" in {plan.lost_in}" if plan.lost_in else "")
    action = "it is there, and whole: nothing to do" if plan.is_done else _ACTIONS[plan.action]
    rows = [
        ("stack", f"{plan.stack} in {plan.account}/{plan.region}: {action}"),
        *(("BLOCKED", block) for block in plan.blocks),
        ("captured", captured),
        *(("table", _table(table)) for table in plan.tables),
    ]
    if plan.action is not StackAction.NONE:
        rows += [("steps", f"{number}. {step}") for number, step in enumerate(_steps(plan), 1)]
        rows += [("creates", line) for line in _by_type(plan.creates)]
        rows += [("parameter", f"{key} = {_cut(value)}") for key, value in plan.parameters.items()]
    rows += [
        ("asks for", f"{key}, a hidden parameter: type it, or set SAFETYNET_PARAMETER_{key}")
        for key in plan.hidden
    ]
    rows += [("warning", warning) for warning in plan.warnings]
    return facts_grid(_each_name_once(rows))


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
    return facts_grid(_each_name_once(rows))


def way_back_lines(way: WayBack) -> Table:
    """What is worth knowing before a table goes back into its stack, and the commands of the tool that made it."""
    rows = [("instead", f"{step.text}: {step.command}") for step in way.steps if step.command]
    if way.stream_readers:
        readers = ", ".join(way.stream_readers)
        rows.append(("afterwards", f"{readers} held the ARN of the lost table's stream: it has a new one"))
    rows += [("warning", warning) for warning in way.warnings]
    return facts_grid(_each_name_once(rows))


def prepared_import_lines(prepared: PreparedImport) -> Table:
    """A change set that waits to be executed: all that it would do."""
    rows = [
        ("stack", f"{prepared.stack} in {prepared.account}/{prepared.region}"),
        ("change set", prepared.change_set_name),
        *(("does", line) for line in prepared.changes),
        *(("left out", f"{name}: it stays as it is at the table") for name in prepared.left_out),
    ]
    return facts_grid(_each_name_once(rows))


def _table(table: StackTable) -> str:
    way = _WAYS[table.way]
    if table.loaded:
        way = "made by the stack, and loaded"
    elif table.half_recovered:
        way = f"its recovery is ended first, then {way}"
    elif table.needs_recovery:
        way = f"recovered first, then {way}"
    return f"{table.name} ({'/'.join((*table.nested, table.logical_id))}): {way}" + (
        f" ({table.why})" if table.why and not table.loaded else ""
    )


def _steps(plan: StackPlan) -> Iterator[str]:
    """What is still to be done, in order."""
    begun = plan.action is StackAction.CONTINUE and plan.status is not None
    if plan.recover_first:
        yield f"recover {counted(len(plan.recover_first), 'table')}, each from its own recovery point"
    if plan.imported and not (begun and plan.status in _IMPORTED):
        names = ", ".join(sorted(plan.imported))
        yield f"import {names} by a change set of type IMPORT: with the items, and nothing else"
    if plan.imported and not (begun and plan.status in _WHOLE):
        later = [f"{properties} of {name}" for name, parts in plan.left_out.items() for properties in parts]
        yield (
            "update to the whole template: creates what is missing"
            + (f", and puts on {', '.join(later)}" if later else "")
            + "; refused if it would replace a table"
        )
    if not plan.imported and not (begun and plan.status in _WHOLE):
        yield "create all of it by a change set; refused where a table of its own is there already"
    if plan.load_afterwards:
        yield f"load {counted(len(plan.load_afterwards), 'table')} that the stack has made, empty"
    last = [("stack policy", plan.has_policy), ("termination protection", plan.termination_protection)]
    if wanted := [name for name, is_wanted in last if is_wanted]:
        yield f"put on {' and '.join(wanted)}"


def _by_type(creates: Sequence[str]) -> list[str]:
    """``LogicalId (type)`` gathered: a type a line, with the logical ids."""
    found: dict[str, list[str]] = {}
    for one in creates:
        logical_id, _, kind = one.removesuffix(")").partition(" (")
        found.setdefault(kind, []).append(logical_id)
    return [
        f"{kind}: {', '.join(names[:_SHOWN])}"
        + (f" and {counted(more, 'more resource')}" if (more := len(names) - _SHOWN) > 0 else "")
        for kind, names in sorted(found.items())
    ]


def _cut(value: str) -> str:
    return value if len(value) <= _SHOWN_OF_A_VALUE else f"{value[:_SHOWN_OF_A_VALUE]}..."


def _each_name_once(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same rows; a name that stands above already is not said again."""
    names = ["", *(name for name, _ in rows)]
    return [("" if name == above else name, value) for above, (name, value) in zip(names, rows, strict=False)]
