"""Making plans for stacks, reading only: captures of the vault, and what of it is still there."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recovery.definitions.reader import Reader
from recovery.definitions.readings import Known
from recovery.definitions.surroundings_stack import TABLE_TYPES, stack_of
from recovery.restores.plans import table_status
from recovery.stacks.documents import latest_stack, region_of_captures, stack_name_of
from recovery.stacks.import_template import import_template
from recovery.stacks.live import Phase, is_deployed, look, phase_of, physical_id_of
from recovery.stacks.nested import has_custom_name, nested_tables
from recovery.stacks.ordering import imports_of, in_order, processed_or_submitted
from recovery.stacks.other_region import at_home_in, moving_blocks, told_of_the_move
from recovery.stacks.plans import DELETING, StackAction, StackPlan, StackTable, TableWay
from recovery.stacks.survey import capabilities_of, made_anew, retained, role_is_gone, warnings_of
from recovery.stacks.table_runs import is_half_recovered, is_recovered
from recovery.stacks.templates import loops, parse_template, transforms
from rules.errors import NotFoundError, SafetyNetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.stacks.documents import StackCapture, StackResource
    from recovery.stacks.live import LiveStack
    from recovery.stacks.templates import Template
    from recovery.vault.vault import Vault


def plan_stack(
    vault: Vault,
    aws: Aws,
    stack: str,
    *,
    before: datetime | None = None,
    role_arn: str | None = None,
    sleep: Sleep = time.sleep,
) -> StackPlan:
    """The plan for one stack, by its name or ARN, from its latest capture (of those before a time, if given).

    ``role_arn``: as which role CloudFormation is to act, in the place of the captured one; "" is the caller's own
    rights. Raises NotFoundError without a capture, UsageError for a template that cannot be read, AccessDeniedError.
    """
    return plan_stacks(vault, aws, (stack,), before=before, role_arn=role_arn, sleep=sleep)[0]


def plan_stacks(
    vault: Vault,
    aws: Aws,
    stacks: Sequence[str],
    *,
    before: datetime | None = None,
    role_arn: str | None = None,
    elsewhere: bool = False,
    sleep: Sleep = time.sleep,
) -> tuple[StackPlan, ...]:
    """One plan a stack, in the order in which they are to be recreated: what one exports, a later one imports.

    ``elsewhere``: a stack that was never captured in this region comes from the captures of another one of the account.
    Raises as ``plan_stack``, and UsageError for stacks that import from one another in a circle, and for one that was
    in several other regions.
    """
    account, here = aws.account, aws.region
    regions = {
        stack_name_of(stack): region_of_captures(vault, account, here, stack) if elsewhere else here
        for stack in stacks
    }
    captures = [latest_stack(vault, account, region, name, before) for name, region in regions.items()]
    ordered = in_order(captures)
    planning = _Planning(vault, aws, before, sleep)
    plans = []
    for capture in ordered:
        plan = planning.plan(capture)
        plans.append(plan if role_arn is None else acting_as(plan, role_arn))
        planning.to_come |= set(capture.exports)
    return tuple(plans)


def acting_as(plan: StackPlan, role_arn: str) -> StackPlan:
    """The same plan with the role that CloudFormation is to act as; "" is the caller's own rights."""
    said = {_role_is_gone(plan.role_arn or ""), _acts_as(plan.role_arn or "")}
    warnings = [one for one in plan.warnings if one not in said]
    if role_arn and plan.action is not StackAction.NONE:
        warnings.append(_acts_as(role_arn))
    return plan.model_copy(
        update={
            "role_arn": role_arn or None,
            "blocks": tuple(one for one in plan.blocks if one not in said),
            "warnings": tuple(warnings),
        }
    )


def _role_is_gone(role_arn: str) -> str:
    return f"CloudFormation acted as {role_arn}, which the stack itself made: name another with --role-arn"


def _acts_as(role_arn: str) -> str:
    return f"CloudFormation acts as {role_arn}"


@dataclass
class _Planning:
    """Plans that are made together. ``to_come``: the exports of the stacks planned so far."""

    vault: Vault
    aws: Aws
    before: datetime | None
    sleep: Sleep
    to_come: set[str] = field(default_factory=set)
    _exports: set[str] | None = None

    def __post_init__(self) -> None:
        self._stacks = Reader(self.aws.service("cloudformation"), self.sleep)

    def plan(self, capture: StackCapture) -> StackPlan:
        template = capture.template.value if isinstance(capture.template, Known) else None
        if not template:
            raise UsageError(
                f"the template of stack {capture.name} is not in its capture {capture.key}",
                hint="It could not be read at that time. Recover the tables, and deploy the stack from its source.",
            )
        warnings: list[str] = []
        base = parse_template(processed_or_submitted(capture) or template)
        live = look(self._stacks, capture.name)
        candidates = {table.logical_id: table.physical_id or "" for table in capture.tables}
        importable = {one: name for one, name in candidates.items() if _is_importable(base, one)}
        phase = phase_of(self._stacks, live, template, importable)
        # Another stack of that name, with the same template: it has been recreated, whole or all but.
        anew = (
            live is not None
            and phase is Phase.LIVE
            and live.stack_id != capture.stack_id
            and is_deployed(self._stacks, live, template)
        )
        settled = live if phase is Phase.LIVE and not anew else None
        tables = [self._own_table(capture, one, base, settled) for one in capture.tables]
        if settled is None:
            tables += nested_tables(self.vault, self.aws, capture, self.before, warnings)
        action = _action(phase)
        if live is not None and anew:
            tables = [self._as_made(live, table) for table in tables]
            if self._is_unfinished(capture, live, tables):
                action = StackAction.CONTINUE
                warnings.append("it has been recreated: only what comes last is still missing")
        blocks = _blocks_of(live, phase) if live is not None else []
        if action is not StackAction.NONE:
            blocks += self._of_making(capture, base, tables, live, warnings)
        if capture.region != self.aws.region:
            warnings += told_of_the_move(capture)
            blocks += self._moving_blocks(capture, tables, settled)
        if phase is Phase.IMPORTED:
            warnings.append("an earlier recovery of it has imported the tables: it is continued")
        return self._plan_of(capture, template, base, live, action, tables).model_copy(
            update={"blocks": tuple(dict.fromkeys(blocks)), "warnings": tuple(dict.fromkeys(warnings))}
        )

    def _of_making(
        self,
        capture: StackCapture,
        base: Template,
        tables: Sequence[StackTable],
        live: LiveStack | None,
        warnings: list[str],
    ) -> Iterator[str]:
        """What forbids that the stack is made; ``warnings`` are added to."""
        yield from self._table_blocks(capture, tables, live)
        yield from self._missing_imports(capture, warnings)
        yield from self._of_a_parent(capture, warnings)
        warnings += warnings_of(capture, base)
        if role_is_gone(capture):
            yield _role_is_gone(capture.role_arn or "")
        elif capture.role_arn:
            warnings.append(_acts_as(capture.role_arn))

    def _plan_of(
        self,
        capture: StackCapture,
        template: str,
        base: Template,
        live: LiveStack | None,
        action: StackAction,
        tables: Sequence[StackTable],
    ) -> StackPlan:
        """The plan, but for what people have to know."""
        imported = {one.logical_id: one.name for one in tables if one.way is TableWay.IMPORT and one.is_own}
        nested = [one for one in tables if not one.is_own]
        here = at_home_in(capture, self.aws.region)
        return StackPlan(
            account=here.account,
            region=here.region,
            lost_in=capture.region if capture.region != here.region else "",
            stack=here.name,
            capture_key=capture.key,
            captured=here.captured,
            template_sha256=hashlib.sha256(template.encode()).hexdigest(),
            template_bytes=len(template.encode()),
            status=live.status if live else None,
            action=action,
            tables=tuple(tables),
            creates=made_anew(here, live) if action is not StackAction.NONE else (),
            left_out=import_template(base, imported).left_out,
            parameters={
                one.key: one.value for one in here.parameters if not one.hidden and one.value is not None
            },
            hidden=here.hidden_parameters if action is not StackAction.NONE else (),
            capabilities=capabilities_of(here, template),
            tags=here.tags,
            notification_arns=here.notification_arns,
            role_arn=here.role_arn,
            rollback=here.rollback,
            termination_protection=here.termination_protection,
            has_policy=isinstance(here.policy, Known) and bool(here.policy.value),
            import_existing=bool(retained(here, base)) or any(one.way is TableWay.IMPORT for one in nested),
            include_nested=bool(here.nested),
            exports=tuple(here.exports),
            imports=imports_of(here)[0],
        )

    def _is_unfinished(self, capture: StackCapture, live: LiveStack, tables: Sequence[StackTable]) -> bool:
        """Whether a recreated stack still lacks its protection or policy, or the items of tables that it made empty."""
        policy = isinstance(capture.policy, Known) and capture.policy.value
        return (
            (capture.termination_protection and not live.protected)
            or any(one.way is TableWay.LOAD and not one.loaded for one in tables)
            or bool(
                policy
                and not self._stacks.ask("get_stack_policy", StackName=live.stack_id).get("StackPolicyBody")
            )
        )

    def _as_made(self, live: LiveStack, table: StackTable) -> StackTable:
        """A table of a stack that has been recreated: whether its items are in what the stack has made."""
        if table.way is not TableWay.LOAD:
            return table
        made = physical_id_of(self._stacks, live.stack_id, (*table.nested, table.logical_id))
        if not made or not is_recovered(self.vault, self.aws, made, table.name):
            return table
        return table.model_copy(update={"loaded": True})

    def _moving_blocks(
        self, capture: StackCapture, tables: Sequence[StackTable], other: LiveStack | None
    ) -> Iterator[str]:
        """What forbids another region. ``other``: a stack of that name which lives there, and is not this one."""
        if other is not None:
            yield f"stack {other.name} is in {self.aws.region} already, and it is not the one of {capture.region}"
        yield from moving_blocks(self.vault, self.aws, tables)

    def _own_table(
        self, capture: StackCapture, one: StackResource, base: Template, live: LiveStack | None
    ) -> StackTable:
        """``live``: the stack where it never went, so that its tables alone are missing."""
        name = one.physical_id or ""
        way, why = TableWay.IMPORT, ""
        if live is not None:
            listed = live.physical_id(one.logical_id) == name
            way = TableWay.KEPT if listed else TableWay.ALONE
            why = "" if listed else f"the living stack {live.name} does not list it any more"
        elif not _is_importable(base, one.logical_id):
            way, why = TableWay.LOAD, _why_not(capture, base, one.logical_id)
        status = table_status(self.aws, name)
        half = (
            way is not TableWay.LOAD and status is not None and is_half_recovered(self.vault, self.aws, name)
        )
        return StackTable(
            name=name,
            logical_id=one.logical_id,
            type=one.type,
            status=status,
            way=way,
            why=why,
            custom_name=has_custom_name(base, one.logical_id, way),
            half_recovered=half,
        )

    def _table_blocks(
        self, capture: StackCapture, tables: Sequence[StackTable], live: LiveStack | None
    ) -> Iterator[str]:
        """Tables that the stack would make although they are there, and those that are another stack's."""
        made = live.tables if live else {}
        begun = live is not None and bool(live.owned)
        for table in tables:
            # What is there although it is to be made was made by this very stack, once that has begun.
            own = made.get(table.logical_id) == table.name if table.is_own else begun
            if table.status in {None, DELETING} or own:
                continue
            if table.way is TableWay.LOAD and table.custom_name:
                yield (
                    f"table {table.name} is there, and stack {capture.name} cannot import it: {table.why}. "
                    "Nothing is created over it"
                )
            elif table.way is TableWay.IMPORT:
                owner = self._owner(table.name)
                if owner and owner != capture.name:
                    yield f"table {table.name} belongs to stack {owner} by now"

    def _owner(self, table: str) -> str | None:
        """The living stack that lists a table. That nobody can tell is told by the import itself, in time."""
        try:
            found = stack_of(self._stacks, table, {})
        except SafetyNetError:
            return None
        return found["stack_name"] if found else None

    def _missing_imports(self, capture: StackCapture, warnings: list[str]) -> Iterator[str]:
        wanted, untold = imports_of(at_home_in(capture, self.aws.region))
        if untold:
            warnings.append(f"it imports {untold} more values, whose names the template does not tell")
        if not wanted:
            return
        if self._exports is None:
            try:
                self._exports = {one["Name"] for one in self._stacks.listed("list_exports", "Exports")}
            except SafetyNetError as error:
                warnings.append(f"whether what it imports is there could not be read: {error}")
                return
        for name in wanted:
            if name not in self._exports | self.to_come:
                yield f"it imports {name}, which no stack exports: recover the one that did, along with it"

    def _of_a_parent(self, capture: StackCapture, warnings: list[str]) -> Iterator[str]:
        if capture.parent_id is None:
            return
        root = stack_name_of(capture.root_id or capture.parent_id)
        try:
            latest_stack(self.vault, capture.account, capture.region, root, self.before)
        except NotFoundError:
            warnings.append(
                f"it was nested in {root}, of which there is no capture: it comes back as a stack of its own"
            )
        else:
            yield f"it is nested in stack {root}: recover that one"


def _action(phase: Phase) -> StackAction:
    if phase in {Phase.ABSENT, Phase.BROKEN}:
        return StackAction.CREATE
    return StackAction.NONE if phase is Phase.LIVE else StackAction.CONTINUE


def _blocks_of(live: LiveStack, phase: Phase) -> list[str]:
    """A stack of that name which stands in the way, with its status."""
    if phase is not Phase.BROKEN:
        return []
    return [f"stack {live.name} is {live.status}: {live.way_out}"]


def _is_importable(base: Template, logical_id: str) -> bool:
    block = base["Resources"].get(logical_id)
    return isinstance(block, dict) and block.get("Type") in TABLE_TYPES


def _why_not(capture: StackCapture, base: Template, logical_id: str) -> str:
    macros = transforms(base)
    if loops(base) or macros:
        made_by = ", ".join(macros) or "Fn::ForEach"
        return f"its block is made by {made_by}, and what that made is not in the capture"
    return f"the template of {capture.name} has no table {logical_id}"
