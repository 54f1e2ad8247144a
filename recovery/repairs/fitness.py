"""Whether a table may be written to at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.definitions.definition import RUN_TAG, describe_table, read_tags
from recovery.errors import AwsError
from rules.errors import AccessDeniedError, UnsafeError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.clock import Sleep

WRITABLE = frozenset({"ACTIVE", "UPDATING"})


def refuse_unfit(aws: Aws, table: str, sleep: Sleep) -> list[str]:
    """What to warn of before a table is written to. Raises TableNotFoundError, and UnsafeError where it must not be."""
    client = aws.dynamodb()
    described = describe_table(client, table)
    status = described["TableStatus"]
    warnings = []
    if status not in WRITABLE:
        raise UnsafeError(f"table {table} is {status}", hint="Wait until it is ACTIVE.")
    try:
        recovering = RUN_TAG in read_tags(client, described["TableArn"], sleep)
    except (AccessDeniedError, AwsError) as error:
        recovering = False
        warnings.append(f"whether the table is just being recovered could not be found out: {error}")
    if recovering:
        raise UnsafeError(
            f"table {table} is being recovered: not all of it is there",
            hint=f"Finish that first: safetynet recover {table}.",
        )
    if described.get("StreamSpecification", {}).get("StreamEnabled"):
        warnings.append("the table has a stream: its consumers see every item that is put back as a change")
    if described.get("Replicas"):
        warnings.append("a global table: conditions hold in this region only, see docs/repair.md")
    return warnings
