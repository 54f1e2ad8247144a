"""What people type who made their table with Terraform or with the CDK.

Rests on the documentation of Terraform's ``aws_dynamodb_table`` and ``import`` block, and of ``cdk import``.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


class Step(BaseModel):
    """One thing to do: what and why, and the command for it, "" where there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    command: str = ""


def terraform_import(table: str) -> tuple[Step, ...]:
    """How a table comes back into Terraform's state. The resource's name is a guess that people have to check."""
    name = _NOT_OF_A_NAME.sub("_", table)
    name = name if re.match(r"[A-Za-z_]", name) else f"_{name}"
    address = f"aws_dynamodb_table.{name}"
    block = f'import {{\n  to = {address}\n  id = "{table}"\n}}'
    return (
        Step(
            text="a state that still has it finds it by its name: then this shows no creation",
            command="terraform plan",
        ),
        Step(
            text=f"a state that lost it takes it back ({name}: as the resource is called in your code)",
            command=f"terraform import {shlex.quote(address)} {shlex.quote(table)}",
        ),
        Step(text="or from Terraform 1.5 on, in the code", command=block),
    )


def cdk_import(path: str, tables: Mapping[str, str]) -> tuple[Step, ...]:
    """How tables, by logical id, come back under a stack of the CDK. ``path``: of one of the constructs."""
    mapping = json.dumps({logical_id: {"TableName": table} for logical_id, table in tables.items()})
    app_stack = path.split("/", 1)[0]
    return (
        Step(text="nothing else may have changed", command=f"cdk diff {shlex.quote(app_stack)}"),
        Step(
            text="tell the CDK which table it is", command=f"printf %s {shlex.quote(mapping)} > mapping.json"
        ),
        Step(
            text="import it",
            command=f"cdk import {shlex.quote(app_stack)} --resource-mapping mapping.json",
        ),
    )
