"""Putting a recovered table back under its living stack: an import change set, made, shown, executed on a yes."""

from __future__ import annotations

import secrets as random
import time
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from recovery.definitions.reader import Reader
from recovery.restores.plans import table_status
from recovery.stacks.capture import described_stack, template_of
from recovery.stacks.change_sets import Change, ChangeSet, ChangeSets
from recovery.stacks.import_template import with_block
from recovery.stacks.live import look
from recovery.stacks.ordering import known_values, processed_or_submitted
from recovery.stacks.templates import as_text, parse_template, transforms
from recovery.stacks.way_back import capture_with
from rules.errors import NotFoundError, UnsafeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.stacks.way_back import WayBack
    from recovery.vault.vault import Vault

_ACTIVE = "ACTIVE"
_AUTO_EXPAND = "CAPABILITY_AUTO_EXPAND"


class PreparedImport(BaseModel):
    """An import change set that waits to be executed.

    ``changes`` are all that it would do, one a line. ``left_out`` are the properties of the captured block that refer
    to what the stack does not have any more: they stay as they are at the table, and are not in the template.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = 1
    account: str
    region: str
    stack: str
    logical_id: str
    table: str
    change_set: str
    change_set_name: str
    changes: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def prepare_import(
    aws: Aws,
    vault: Vault,
    way: WayBack,
    *,
    sleep: Sleep = time.sleep,
    notes: Callable[[str], None] = lambda _: None,
    run_id: str = "",
    role_arn: str = "",
) -> PreparedImport:
    """Make the change set and look at it; nothing of the stack or the table changes yet.

    ``role_arn``: as which role CloudFormation is to act; "" leaves it to the stack's own, if it has one. The stack's current template gets the table's block from the newest capture that has it. Raises NotFoundError
    without such a capture or stack, UnsafeError for a table that is not ACTIVE and for a change set that would do
    anything else, StackFailedError, AccessDeniedError.
    """
    capture = capture_with(vault, way.account, way.region, way.stack, way.logical_id, way.table)
    text = processed_or_submitted(capture) if capture else None
    block = parse_template(text)["Resources"].get(way.logical_id) if text else None
    if capture is None or not isinstance(block, dict):
        raise NotFoundError(f"no capture of stack {way.stack} has the block of table {way.table}")
    status = table_status(aws, way.table)
    if status != _ACTIVE:
        raise UnsafeError(f"table {way.table} is {status or 'not there'}: there is nothing to import")
    stacks = Reader(aws.service("cloudformation"), sleep)
    live = look(stacks, way.stack)
    if live is None:
        raise NotFoundError(f"no stack {way.stack}", hint=f"Recreate it: safetynet recover {way.stack}")
    described: dict[str, Any] = described_stack(stacks, way.stack)
    current = parse_template(template_of(stacks, live.stack_id))
    if way.logical_id in current["Resources"]:
        raise UnsafeError(
            f"the template of stack {way.stack} has a {way.logical_id} already, and it is not table {way.table}"
        )
    put_back = with_block(current, way.logical_id, block, way.table, known_values(capture))
    sets = ChangeSets(aws, live.name, sleep, notes=notes, vault=vault)
    capabilities = list(described.get("Capabilities") or ())
    change_set = sets.make(
        "IMPORT",
        f"safetynet-import-{run_id or random.token_hex(4)}",
        as_text(put_back.template),
        Parameters=[
            {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}
            for one in described.get("Parameters") or ()
        ],
        Capabilities=[*capabilities, *([_AUTO_EXPAND] if transforms(current) else [])],
        RoleARN=role_arn,
        ResourcesToImport=[
            {
                "ResourceType": block["Type"],
                "LogicalResourceId": way.logical_id,
                "ResourceIdentifier": {"TableName": way.table},
            }
        ],
    )
    if [(one.action, one.logical_id) for one in change_set.changes] != [("Import", way.logical_id)]:
        sets.discard(change_set)
        raise UnsafeError(
            f"importing {way.table} would do more to stack {way.stack}: {'; '.join(_lines(change_set.changes))}"
        )
    return PreparedImport(
        account=way.account,
        region=way.region,
        stack=live.name,
        logical_id=way.logical_id,
        table=way.table,
        change_set=change_set.arn,
        change_set_name=change_set.name,
        changes=_lines(change_set.changes),
        left_out=put_back.left_out.get(way.logical_id, ()),
    )


def execute_import(
    aws: Aws,
    prepared: PreparedImport,
    *,
    sleep: Sleep = time.sleep,
    notes: Callable[[str], None] = lambda _: None,
) -> str:
    """Execute the change set and wait; the stack's status. Once it is done, to do it again changes nothing.

    Raises StackFailedError where CloudFormation rolled it back (the table is untouched), UnavailableError.
    """
    sets = ChangeSets(aws, prepared.stack, sleep, notes=notes)
    change_set = _change_set(prepared)
    live = look(sets.stacks, prepared.stack)
    if live is None:
        raise NotFoundError(f"no stack {prepared.stack}")
    if live.physical_id(prepared.logical_id) != prepared.table:
        sets.execute(change_set)
        live = sets.wait(change_set)
    if live.physical_id(prepared.logical_id) != prepared.table:
        raise sets.failure(f"import table {prepared.table}", live)
    return live.status


def discard_import(aws: Aws, prepared: PreparedImport, *, sleep: Sleep = time.sleep) -> None:
    """Throw the change set away: somebody said no."""
    ChangeSets(aws, prepared.stack, sleep, notes=lambda _: None).discard(_change_set(prepared))


def _change_set(prepared: PreparedImport) -> ChangeSet:
    return ChangeSet(arn=prepared.change_set, name=prepared.change_set_name, stack=prepared.stack, changes=())


def _lines(changes: tuple[Change, ...]) -> tuple[str, ...]:
    return tuple(
        f"{one.action} {one.logical_id} ({one.type})" + (f": {one.physical_id}" if one.physical_id else "")
        for one in changes
    )
