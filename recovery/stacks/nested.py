"""The tables of nested stacks: made by them, or, where their templates allow it, imported by themselves.

A change set of type IMPORT does not reach into nested stacks; ``ImportExistingResources`` does, for resources with a
literal name and a policy that retains them (CloudFormation user guide, 'Import AWS resources automatically').
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.restores.plans import table_status
from recovery.stacks.documents import NESTED, latest_stack
from recovery.stacks.ordering import processed_or_submitted
from recovery.stacks.plans import StackTable, TableWay
from recovery.stacks.table_runs import is_half_recovered
from recovery.stacks.templates import RETAINING, parse_template
from rules.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.stacks.documents import StackCapture, StackResource
    from recovery.stacks.templates import Template
    from recovery.vault.vault import Vault

_CUSTOM_NAME = "TableName"
_NESTED_WHY = (
    "in a nested stack CloudFormation imports only tables with a literal TableName and DeletionPolicy Retain"
)


def nested_tables(
    vault: Vault, aws: Aws, capture: StackCapture, before: datetime | None, warnings: list[str]
) -> list[StackTable]:
    """The tables of all stacks nested in one, at any depth, by their latest captures; ``warnings`` are added to."""

    def within(outer: StackCapture, path: tuple[str, ...]) -> Iterator[StackTable]:
        for resource in outer.own_resources:
            if resource.type != NESTED or not resource.physical_id:
                continue
            try:
                inner = latest_stack(vault, capture.account, capture.region, resource.physical_id, before)
            except NotFoundError:
                warnings.append(
                    f"the nested stack {resource.logical_id} has no capture: its tables are made empty, and "
                    "none of them is known"
                )
                continue
            way = (*path, resource.logical_id)
            text = processed_or_submitted(inner)
            base = parse_template(text) if text else {"Resources": {}}
            for table in inner.tables:
                yield _nested_table(vault, aws, base, table, way)
            yield from within(inner, way)

    return list(within(capture, ()))


def _nested_table(
    vault: Vault, aws: Aws, base: Template, one: StackResource, path: tuple[str, ...]
) -> StackTable:
    name = one.physical_id or ""
    block = base["Resources"].get(one.logical_id, {})
    literal = (block.get("Properties") or {}).get(_CUSTOM_NAME) == name
    imported = literal and block.get("DeletionPolicy") in RETAINING
    status = table_status(aws, name)
    return StackTable(
        name=name,
        logical_id=one.logical_id,
        type=one.type,
        nested=path,
        status=status,
        way=TableWay.IMPORT if imported else TableWay.LOAD,
        why="" if imported else _NESTED_WHY,
        custom_name=has_custom_name(base, one.logical_id, TableWay.LOAD),
        half_recovered=imported and status is not None and is_half_recovered(vault, aws, name),
    )


def has_custom_name(base: Template, logical_id: str, way: TableWay) -> bool:
    """Whether CloudFormation makes it under a name that is given: unknown counts as yes, nothing is created over."""
    block = base["Resources"].get(logical_id)
    if not isinstance(block, dict) or way is not TableWay.LOAD:
        return True
    return _CUSTOM_NAME in (block.get("Properties") or {})
