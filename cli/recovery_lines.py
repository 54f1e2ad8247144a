"""A recovery as people read it before they say yes, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from cli.rendering import facts_grid, plain_table
from cli.stack_lines import stack_plan_lines, stack_report_lines
from cli.wording import counted, duration, moment, size
from recovery.definitions.readings import Known
from recovery.restores.engine import RestoreEngineName
from recovery.restores.planner import ASK_FOR_BULK_BYTES
from recovery.restores.points import PointKind
from recovery.restores.several import NotRecovered
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from cli.recovering import Prepared, RecoverOutcome
    from recovery.restores.plans import EngineOption, RecoveryPlan
    from recovery.restores.points import RecoveryPoint
    from recovery.restores.restore import RecoveryReport

_BY = {
    RestoreEngineName.WRITE: "by BatchWriteItem from here",
    RestoreEngineName.BULK: "by DynamoDB's StartBulkPutItems from the vault",
    RestoreEngineName.IMPORT: "by DynamoDB's ImportTable from the vault",
    RestoreEngineName.RESTORE: "by AWS's own restore",
}
_EXISTS = "a table of that name exists: only an interrupted recovery of it goes on"
_SHOWN_POINTS = 6


def plan_lines(plan: RecoveryPlan, *, replaces: bool = False) -> RenderableType:
    """A recovery plan as a person has to read it before saying yes."""
    rows = [
        ("recover", f"{plan.target.name}  in {plan.target.account}/{plan.target.region}"),
        ("from", _origin(plan)),
        ("as of", moment(plan.backup_time)),
        ("loses", _loss(plan)),
        ("loads", _loads(plan)),
        *((("takes", takes),) if (takes := _takes(plan.seconds, plan.dollars)) else ()),
        *(("or", option) for option in _options(plan)),
        ("creates", _created(plan)),
        ("indexes", _indexes(plan)),
        ("then sets", ", ".join(_settings(plan)) or "nothing"),
        ("checks", _checks(plan)),
    ]
    rows += [("better", line) for line in plan.better]
    rows += [("warning", warning) for warning in plan.warnings]
    if plan.target_exists and replaces:
        rows.insert(
            0, ("DELETES", f"table {plan.target.name}, which carries the staging marker, and makes it anew")
        )
    elif plan.target_exists:
        rows.append(("warning", _EXISTS))
    rows += [("afterwards", line) for line in plan.afterwards]
    grid = facts_grid(rows)
    if not plan.points and not plan.points_unread:
        return grid
    return Group(grid, Text(), _points(plan))


def several_lines(plans: Sequence[RecoveryPlan]) -> RenderableType:
    """The tables of one plan, a line each; what needs attention below."""
    table = plain_table("table", "as of", "items", "size", "loses", "takes", "by", whole=("table",))
    for plan in plans:
        table.add_row(
            Text(clean(plan.target.name)),
            f"{plan.backup_time:%m-%d %H:%M:%S}",
            f"{plan.item_count:,}",
            size(plan.data_bytes),
            "?" if plan.loss_seconds is None else duration(plan.loss_seconds),
            "?" if plan.seconds is None else duration(plan.seconds),
            plan.engine.value,
        )
    notes = [
        (plan.target.name, f"{word}: {line}")
        for plan in plans
        for word, lines in (
            ("warning", (*plan.warnings, *([_EXISTS] if plan.target_exists else []))),
            ("better", plan.better),
        )
        for line in lines
    ]
    return Group(table, Text(), facts_grid(notes)) if notes else table


def report_lines(report: RecoveryReport) -> Table:
    """What a recovery came to."""
    rows = [
        ("recovered", report.table + (" (continued an interrupted run)" if report.resumed else "")),
        (
            "verified",
            "restored by AWS; compare it with a backup: safetynet diff " + report.table
            if report.items_verified is None
            else f"{report.items_verified:,} items: count and content digest equal",
        ),
        ("definition", "equal" if not report.differences else "differs"),
        ("took", duration(report.seconds)),
    ]
    rows += [("differs", difference) for difference in report.differences]
    for step in report.follow_ups:
        rows += [("still to do", f"{step.setting}: {step.reason}"), ("", step.command)]
    return facts_grid(rows)


def prepared_lines(prepared: Prepared) -> RenderableType:
    """All that is to come back: one table in full, or tables a line each and the stacks around them."""
    if prepared.is_one_table:
        return plan_lines(prepared.plan)
    blocks: list[RenderableType] = []
    if prepared.plans:
        blocks.append(several_lines(prepared.plans))
    for stack in prepared.stacks:
        blocks += [*([Text()] if blocks else []), stack_plan_lines(stack)]
    if prepared.without:
        rows = [(name, f"NOT with these: {error}") for name, error in prepared.without.items()]
        blocks += [Text(), facts_grid(rows)]
    return Group(*blocks)


def outcome_lines(outcome: RecoverOutcome, prepared: Prepared) -> RenderableType:
    """What became of each table and each stack, and what is left for people to do."""
    blocks: list[RenderableType] = []
    for one in outcome.tables:
        if isinstance(one, NotRecovered):
            rows = [("NOT back", one.plan.target.name), ("because", str(one.error))]
            blocks.append(facts_grid([*rows, *([("hint", one.error.hint)] if one.error.hint else [])]))
        else:
            blocks.append(report_lines(one.report))
    blocks += [stack_report_lines(report) for report in outcome.stacks]
    blocks += [
        facts_grid([("NOT back", f"stack {name}"), ("because", str(error))])
        for name, error in outcome.not_made.items()
    ]
    blocks += [
        facts_grid([("NOT back", name), ("because", str(error))]) for name, error in outcome.without.items()
    ]
    afterwards = [("afterwards", line) for plan in prepared.plans for line in plan.afterwards]
    if afterwards:
        blocks.append(facts_grid(afterwards))
    return (
        Group(*(part for block in blocks for part in (block, Text()))) if len(blocks) > 1 else Group(*blocks)
    )


def _origin(plan: RecoveryPlan) -> str:
    where = (
        "" if plan.under_own_name else f" of {plan.source.name} in {plan.source.account}/{plan.source.region}"
    )
    if plan.from_vault:
        return f"backup {plan.backup_id}{where}"
    words = {
        PointKind.PITR: "point-in-time recovery",
        PointKind.SYSTEM: f"the system backup of the deleted table ({plan.point.id})",
        PointKind.ON_DEMAND: f"the on-demand backup {plan.point.id}",
        PointKind.AWS_BACKUP: f"the recovery point {plan.point.id} of AWS Backup",
    }
    return f"{words[plan.point.kind]}{where}"


def _loss(plan: RecoveryPlan) -> str:
    if plan.loss_seconds is None:
        return f"what was written after {moment(plan.backup_time)}"
    if plan.loss_seconds == 0:
        return "nothing: it is as of the deletion"
    return f"what was written in the {duration(plan.loss_seconds)} before the deletion"


def _loads(plan: RecoveryPlan) -> str:
    items = counted(plan.item_count, "item") if plan.item_count or plan.from_vault else "all items"
    amount = f"{items}, {size(plan.data_bytes)}" if plan.data_bytes or plan.from_vault else items
    return f"{amount}, {_BY[plan.engine]}" + (f" ({plan.engine_why})" if plan.engine_why else "")


def _takes(seconds: float | None, dollars: float | None) -> str:
    parts = []
    if seconds is not None:
        parts.append(f"about {duration(max(seconds, 60))}")
    if dollars is not None:
        parts.append(f"about ${dollars:,.2f}")
    return f"{', '.join(parts)} (an estimate)" if parts else ""


def _options(plan: RecoveryPlan) -> list[str]:
    # Of a small table nobody needs to know why DynamoDB itself could not load it.
    large = plan.data_bytes >= ASK_FOR_BULK_BYTES
    return [
        _option(option)
        for option in plan.engine_options
        if option.name is not plan.engine and (large or not option.not_offered)
    ]


def _option(option: EngineOption) -> str:
    if option.not_offered:
        return f"not --engine {option.name.value}: {option.not_offered}"
    parts = []
    if option.seconds is not None:
        parts.append(f"about {duration(max(option.seconds, 60))}")
    if option.dollars is not None:
        parts.append(f"about ${option.dollars:,.2f}")
    return f"--engine {option.name.value}: {', '.join(parts) or 'nobody can tell how long'}"


def _created(plan: RecoveryPlan) -> str:
    request = plan.create_table
    if not request:
        return "a table as the restore makes it"
    billing = str(request["BillingMode"]).lower().replace("_", "-")
    extra = []
    if (table_class := request.get("TableClass", "STANDARD")) != "STANDARD":
        extra.append(str(table_class).lower().replace("_", " "))
    if key := request.get("SSESpecification", {}).get("KMSMasterKeyId"):
        extra.append(f"KMS key {key}")
    units = (plan.created_as or {}).get("ProvisionedThroughput", {}).get("WriteCapacityUnits")
    if units and units != request.get("ProvisionedThroughput", {}).get("WriteCapacityUnits"):
        extra.append(f"{units:,} write units while it loads")
    return ", ".join([f"{billing} table", *extra])


def _indexes(plan: RecoveryPlan) -> str:
    kinds = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
    names = [index["IndexName"] for kind in kinds for index in plan.create_table.get(kind, [])]
    if not names:
        return "none" if plan.create_table else "as the restore makes them"
    at_once = {index["IndexName"] for kind in kinds for index in plan.create_request.get(kind, [])}
    later = [name for name in names if name not in at_once]
    return ", ".join(names) + (f"  (after the load: {', '.join(later)})" if later else "")


def _settings(plan: RecoveryPlan) -> list[str]:
    own = [
        name.replace("_", " ")
        for name, setting in plan.settings
        if name != "tags" and isinstance(setting, Known) and setting.value
    ]
    around = plan.surroundings.in_words(plan.create_table)
    return [*own, *around, *(["tags"] if plan.tags else [])]


def _checks(plan: RecoveryPlan) -> str:
    if plan.from_vault:
        return "every object's SHA-256 before, item count and content digest after"
    return "nothing of ours: what AWS kept is not in the vault"


def _points(plan: RecoveryPlan) -> RenderableType:
    """Every recovery point, the one that is taken marked."""
    table = plain_table("recovery point", "as of (UTC)", "loses", "takes", "costs")
    shown = list(plan.points[:_SHOWN_POINTS])
    if plan.point.id not in {point.id for point in shown}:
        shown += [point for point in plan.points if point.id == plan.point.id]
    for point in shown:
        taken = point.id == plan.point.id
        loss = point.loss_seconds(plan.deleted_at)
        table.add_row(
            Text(f"{'>' if taken else ' '} {point.kind.value}", style="bold" if taken else ""),
            f"{point.time:%Y-%m-%d %H:%M:%S}",
            "?" if loss is None else duration(loss),
            "?" if point.seconds is None else duration(max(point.seconds, 60)),
            "?" if point.dollars is None else f"${point.dollars:,.2f}",
        )
    notes = _lacking(shown)
    if (more := len(plan.points) - len(shown)) > 0:
        notes.append(f"and {counted(more, 'older point')}")
    notes += [f"{kind} could not be looked at: {why}" for kind, why in plan.points_unread.items()]
    return Group(table, *(Text(clean(note), style="dim") for note in notes))


def _lacking(points: Sequence[RecoveryPoint]) -> list[str]:
    """What each kind cannot bring back by itself, once."""
    lacks = {
        point.kind: point.lacks
        for point in reversed(points)
        # Of the vault's it is a warning of the plan.
        if point.lacks and point.kind is not PointKind.VAULT
    }
    return [f"{kind.value} alone would not bring back: {', '.join(what)}" for kind, what in lacks.items()]
