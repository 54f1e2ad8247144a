"""The way back under its stack, or its tool, for a table that was recovered by itself. Reads only."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from recovery.definitions.reader import Reader
from recovery.definitions.readings import Known
from recovery.stacks.capture import template_of
from recovery.stacks.documents import captures_of
from recovery.stacks.live import look
from recovery.stacks.ordering import processed_or_submitted
from recovery.stacks.other_tools import Step, cdk_import, terraform_import
from recovery.stacks.templates import attribute_readers, cdk_path, parse_template

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.definitions.definition import TableDefinition
    from recovery.stacks.documents import StackCapture
    from recovery.stacks.live import LiveStack
    from recovery.vault.vault import Vault

_STREAM = "StreamArn"


class WayBackCase(StrEnum):
    """How it stands between a recovered table and the stack that it belonged to."""

    IN_PLACE = "in place"  # the living stack lists it under this very name: nothing to import
    IMPORT = "import"  # the living stack has no such resource any more: ``importing`` puts it back
    TAKEN = "taken"  # its logical id stands for another table by now
    OTHER_NAME = "other name"  # it was recovered as a copy beside the one that was lost
    STACK_GONE = "stack gone"
    NO_STACK = "no stack"  # it never was of a stack, or nobody knows of which


class WayBack(BaseModel):
    """What is left to do about a recovered table. ``steps`` are in order; a command of "" is for people to do.

    ``stream_readers`` are the resources and outputs of the stack's template that read the table's stream ARN, which is
    another one since the recovery. ``can_import``: ``importing.prepare_import`` can do it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = 1
    table: str
    account: str
    region: str
    case: WayBackCase
    stack: str = ""
    logical_id: str = ""
    type: str = ""
    cdk_path: str = ""
    stream_readers: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def can_import(self) -> bool:
        """Whether an import change set brings it back."""
        return self.case is WayBackCase.IMPORT and bool(self.type)


def way_back(
    aws: Aws,
    vault: Vault,
    definition: TableDefinition,
    *,
    recovered_as: str = "",
    made_by: str = "",
    sleep: Sleep = time.sleep,
) -> WayBack:
    """What is left to do about a table after its recovery, by the definition in its backup.

    ``recovered_as``: its name now, where it is another one. ``made_by``: the tool that it was made with, if known
    (``terraform``, ``cdk``); else the ways of all that may be are told. Raises AccessDeniedError, UnavailableError.
    """
    table = definition.table
    place = {"table": table.name, "account": table.account, "region": table.region}
    owner = definition.surroundings.stack
    found = owner.value if isinstance(owner, Known) else None
    if not found:
        reason = getattr(owner, "reason", "")
        return WayBack(
            **place,
            case=WayBackCase.NO_STACK,
            steps=_without_stack(recovered_as or table.name, made_by),
            warnings=(f"its stack is unknown: {reason}",) if reason else (),
        )
    stack, logical_id = str(found["stack_name"]), str(found["logical_id"])
    stacks = Reader(aws.service("cloudformation"), sleep)
    live = look(stacks, stack)
    # A stack made anew under the old name is as good as the old one; what it lists decides.
    captured = capture_with(vault, table.account, table.region, stack, logical_id, table.name)
    text = processed_or_submitted(captured) if captured else None
    old = parse_template(text) if text else {"Resources": {}}
    path = cdk_path(old, logical_id)
    kind = next((one.type for one in captured.tables if one.logical_id == logical_id), "") if captured else ""
    place |= {"stack": stack, "logical_id": logical_id, "type": kind, "cdk_path": path}
    if recovered_as and recovered_as != table.name:
        steps = _other_name(table.name, recovered_as, stack, logical_id)
        return WayBack(**place, case=WayBackCase.OTHER_NAME, steps=steps)
    if live is None:
        return WayBack(**place, case=WayBackCase.STACK_GONE, steps=_stack_gone(stack, captured))
    if live.physical_id(logical_id) == table.name:
        current = parse_template(template_of(stacks, live.stack_id, processed=True))
        readers = attribute_readers(current, logical_id, _STREAM)
        steps = _in_place(live, logical_id, readers)
        return WayBack(**place, case=WayBackCase.IN_PLACE, stream_readers=readers, steps=steps)
    if live.physical_id(logical_id):
        return WayBack(**place, case=WayBackCase.TAKEN, steps=_taken(live, logical_id, table.name))
    readers = attribute_readers(old, logical_id, _STREAM)
    return WayBack(
        **place,
        case=WayBackCase.IMPORT,
        stream_readers=readers,
        steps=_import_steps(live, logical_id, table.name, path),
        warnings=()
        if captured
        else (
            f"no capture has the table's block in the template of {stack}: it cannot be imported from here",
        ),
    )


def capture_with(
    vault: Vault, account: str, region: str, stack: str, logical_id: str, table: str
) -> StackCapture | None:
    """The newest capture of a stack that lists a table under a logical id: later ones may have lost it."""
    return next(
        (
            capture
            for capture in captures_of(vault, account, region, stack)
            if any((one.logical_id, one.physical_id) == (logical_id, table) for one in capture.tables)
        ),
        None,
    )


def _in_place(live: LiveStack, logical_id: str, readers: tuple[str, ...]) -> tuple[Step, ...]:
    steps = [
        Step(
            text=f"stack {live.name} knows it by its name: nothing has to be imported. See whether it differs",
            command=(
                f"aws cloudformation detect-stack-resource-drift --stack-name {live.name} "
                f"--logical-resource-id {logical_id} --region {live.region}"
            ),
        )
    ]
    if readers:
        steps.append(
            Step(
                text=(
                    f"{', '.join(readers)} of the stack hold the ARN of the lost table's stream; CloudFormation "
                    "gives them the new one with the next update that changes them"
                )
            )
        )
    return tuple(steps)


def _import_steps(live: LiveStack, logical_id: str, table: str, path: str) -> tuple[Step, ...]:
    if path:
        return (
            Step(text=f"stack {live.name} is of the CDK: put the construct {path} back into its code"),
            *cdk_import(path, {logical_id: table}),
        )
    return (
        Step(text=f"stack {live.name} does not list it any more: an import change set brings it back"),
        Step(
            text=(
                "put its block into the source of the template, too, with DeletionPolicy Retain: the next deployment "
                "would let go of it otherwise"
            )
        ),
    )


def _taken(live: LiveStack, logical_id: str, table: str) -> tuple[Step, ...]:
    other = live.physical_id(logical_id)
    return (
        Step(
            text=f"{logical_id} of stack {live.name} is table {other} by now: {table} cannot take its place"
        ),
        Step(text=f"give {table} a logical id of its own in the template, and import it under that one"),
    )


def _other_name(table: str, recovered_as: str, stack: str, logical_id: str) -> tuple[Step, ...]:
    return (
        Step(
            text=(
                f"stack {stack} cannot take {recovered_as} for {logical_id}: another TableName makes it create a new, "
                "empty table"
            )
        ),
        Step(
            text=f"under its own name it finds its place by itself, once no table {table} is there",
            command=f"safetynet recover {table}",
        ),
    )


def _stack_gone(stack: str, captured: StackCapture | None) -> tuple[Step, ...]:
    if captured is None:
        return (Step(text=f"stack {stack} is gone, and no capture of it is in the vault: deploy its source"),)
    return (
        Step(
            text=f"stack {stack} is gone: it can be recreated around the table",
            command=f"safetynet recover {stack}",
        ),
    )


def _without_stack(table: str, made_by: str) -> tuple[Step, ...]:
    tool = made_by.lower()
    if "cdk" in tool or "cloudformation" in tool:
        return (Step(text="no stack is known to have owned it: import it into the one that it belongs to"),)
    steps = terraform_import(table)
    if "terraform" in tool:
        return steps
    return (Step(text="no stack owned it. Made by hand, it needs nothing; made with Terraform:"), *steps)
