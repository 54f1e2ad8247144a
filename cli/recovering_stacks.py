"""What `recover` does about stacks: those it makes again, and those that a recovered table goes back to."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from recovery.backups.content import check_letters
from recovery.restores.planning import end_of_second
from recovery.restores.plans import backup_of
from recovery.stacks.documents import latest_stack, region_of_captures, stack_name_of
from recovery.stacks.importing import discard_import, execute_import, prepare_import
from recovery.stacks.planning import acting_as, plan_stacks
from recovery.stacks.recreating import recreate_stack
from recovery.stacks.way_back import WayBackCase, way_back
from rules.errors import CancelledError, NotFoundError, SafetyNetError, UnsafeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from cli.composition import Net
    from recovery.restores.plans import RecoveryPlan
    from recovery.stacks.importing import PreparedImport
    from recovery.stacks.plans import StackPlan
    from recovery.stacks.recreating import StackReport
    from recovery.stacks.way_back import WayBack

SECRET_VARIABLE = "SAFETYNET_PARAMETER_"  # noqa: S105 - the name of a variable, not a secret

OWN_RIGHTS = "none"
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)


def has_capture(net: Net, name: str) -> bool:
    """Whether the vault has a capture of a stack of that name."""
    try:
        stack_name_of(name)
    except UsageError:
        return False
    account, here = net.aws.account, net.aws.region
    region = region_of_captures(net.vault, account, here, name) if net.on_replica else here
    try:
        latest_stack(net.vault, account, region, name)
    except NotFoundError:
        return False
    return True


def plan_stacks_of(net: Net, names: Sequence[str], before: datetime | None) -> tuple[StackPlan, ...]:
    """The plans of these stacks, in the order in which they are made.

    Out of the replica comes a stack of another region, too: that one may be out of reach. Raises NotFoundError without
    a capture.
    """
    if not names:
        return ()
    return plan_stacks(
        net.vault,
        net.aws,
        names,
        before=end_of_second(before),
        elsewhere=net.on_replica,
        sleep=net.sleep,
    )


def role_of(text: str) -> str | None:
    """As which role CloudFormation is to act: None as it did, "" with the caller's own rights. Raises UsageError."""
    if not text:
        return None
    if text == OWN_RIGHTS:
        return ""
    if not _ROLE_ARN.fullmatch(text):
        raise UsageError(
            f"not the ARN of a role: {text!r}", hint=f"Write arn:aws:iam::ACCOUNT:role/NAME, or {OWN_RIGHTS}."
        )
    return text


def with_role(plans: Sequence[StackPlan], role_arn: str | None) -> tuple[StackPlan, ...]:
    """The same plans with that role, if one was named. Raises UsageError where there is no stack to make."""
    if role_arn is None:
        return tuple(plans)
    if not plans:
        raise UsageError("--role-arn is for stacks", hint="Name a stack, or leave it out.")
    return tuple(acting_as(plan, role_arn) for plan in plans)


def refuse_unplanned_move(plans: Sequence[StackPlan], *, region_was_named: bool) -> None:
    """Raises UnsafeError for a stack that would go to another region which nobody has named on purpose."""
    moved = next((plan for plan in plans if plan.lost_in), None)
    if moved is not None and not region_was_named:
        raise UnsafeError(
            f"stack {moved.stack} was in {moved.lost_in}, and the credentials at hand are for {moved.region}",
            hint=f"To make it there: --region {moved.region}.",
        )


def refuse_blocked(plans: Sequence[StackPlan]) -> None:
    """Before the first table is written: raises UnsafeError that says what stands in the way of which stack."""
    blocks = [f"stack {plan.stack}: {'; '.join(plan.blocks)}" for plan in plans if plan.blocks]
    if blocks:
        raise UnsafeError(
            f"cannot be recovered: {'; '.join(blocks)}",
            hint="Nothing was written. Its tables alone: safetynet recover TABLE...",
        )


def check_backups(
    net: Net, stacks: Sequence[StackPlan], tables: Sequence[RecoveryPlan], notes: Callable[[str], None]
) -> None:
    """Read all that stacks and their tables are to come from, before the first of them is written.

    One table alone is checked by its own recovery; of several, one may be damaged when another is there already. Raises
    DamagedObjectError naming the object, BackupNotFoundError for a table that a stack makes and nothing could fill.
    """
    backups = [backup_of(net.catalog, plan) for plan in tables if plan.from_vault]
    backups += [
        net.catalog.latest(stack.account, stack.region, table.name)
        for stack in stacks
        for table in stack.load_afterwards
    ]
    for backup in backups:
        notes(f"table {backup.table.name}: checking backup {backup.backup_id}")
        net.catalog.definition(backup)
        check_letters(net.catalog, backup)


def make_stack(
    net: Net, plan: StackPlan, secrets: Mapping[str, str], notes: Callable[[str], None]
) -> StackReport:
    """Make a stack around its tables. Raises as ``recreate_stack``."""
    return recreate_stack(
        net.aws, net.vault, plan, secrets=secrets, clock=net.clock, sleep=net.sleep, notes=notes
    )


def secrets_of(plans: Sequence[StackPlan], ask: Callable[[str], str] | None) -> dict[str, dict[str, str]]:
    """By stack, the values of the parameters that CloudFormation never shows: from variables, or asked for.

    Raises UsageError for one that is missing where there is nobody to ask.
    """
    found: dict[str, dict[str, str]] = {}
    for plan in plans:
        for key in plan.hidden:
            value = os.environ.get(SECRET_VARIABLE + key)
            if value is None and ask is not None:
                value = ask(f"{key}, a hidden parameter of stack {plan.stack}: ")
            if not value:
                raise UsageError(
                    f"stack {plan.stack} needs a value for its hidden parameter {key}",
                    hint=f"Set the variable {SECRET_VARIABLE}{key}.",
                )
            found.setdefault(plan.stack, {})[key] = value
    return found


def with_way_back(net: Net, plan: RecoveryPlan) -> RecoveryPlan:
    """The same plan with what the table's stack, or whatever made the table, needs afterwards."""
    try:
        way = way_back_of(net, plan)
    except SafetyNetError as error:
        warning = f"what its stack needs afterwards could not be found out: {error}"
        return plan.model_copy(update={"warnings": (*plan.warnings, warning)})
    if way is None:
        return plan
    if way.case is WayBackCase.NO_STACK:
        commands = [step.command for step in way.steps if step.command and "\n" not in step.command]
        line = f"made with Terraform? {'; or '.join(commands)}"
        return plan.model_copy(update={"afterwards": (line,)}) if commands else plan
    lines = [f"{step.text}: {step.command}" if step.command else step.text for step in way.steps]
    if way.can_import:
        # What the CDK has made its own code has to know about; there the commands of its own are told, too.
        of_the_cdk = [f"or by the CDK: {line}" for line in lines] if way.cdk_path else []
        lines = [
            f"put it back under stack {way.stack}: safetynet recover {way.table} --into-stack",
            *of_the_cdk,
        ]
    return plan.model_copy(update={"afterwards": tuple(lines), "warnings": (*plan.warnings, *way.warnings)})


def way_back_of(net: Net, plan: RecoveryPlan) -> WayBack | None:
    """The table's way back, None where the vault has no definition of it, or it goes to another place."""
    here = (plan.source.account, plan.source.region) == (plan.target.account, plan.target.region)
    if not plan.backup_id or not here:
        return None
    definition = net.catalog.definition(backup_of(net.catalog, plan))
    renamed = plan.target.name if plan.target.name != plan.source.name else ""
    return way_back(net.aws, net.vault, definition, recovered_as=renamed, sleep=net.sleep)


def way_into_stack(net: Net, table: str) -> WayBack:
    """Where in which living stack a recovered table belongs. Writes nothing. Raises UnsafeError where it cannot go back."""
    backup = net.catalog.latest(net.aws.account, net.aws.region, table)
    way = way_back(net.aws, net.vault, net.catalog.definition(backup), sleep=net.sleep)
    if not way.can_import:
        raise UnsafeError(
            f"there is nothing to import: {way.case.value}"
            + (f" ({'; '.join(step.text for step in way.steps)})" if way.steps else "")
        )
    return way


def into_stack(
    net: Net,
    way: WayBack,
    show: Callable[[PreparedImport], None],
    agree: Callable[[PreparedImport], bool],
    role_arn: str = "",
) -> str:
    """Put a recovered table back under its living stack by an import change set; the stack's status afterwards.

    The change set is made and shown, and executed once ``agree`` says so. Raises as ``prepare_import``,
    and CancelledError where nobody agreed; then the change set is gone again.
    """
    prepared = prepare_import(net.aws, net.vault, way, sleep=net.sleep, role_arn=role_arn)
    show(prepared)
    if not agree(prepared):
        discard_import(net.aws, prepared, sleep=net.sleep)
        raise CancelledError("not confirmed; the change set is deleted, nothing was changed")
    return execute_import(net.aws, prepared, sleep=net.sleep)
