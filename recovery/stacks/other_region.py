"""A stack that is made in another region than it was captured in: what of it does not come along.

Templates say ``AWS::Region``, and are at home anywhere. What names the old region in so many words is not: topics and
alarms of a stack must be in its own region (API reference, 'CreateStack', NotificationARNs, RollbackConfiguration).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.stacks.plans import DELETING, TableWay
from recovery.stacks.table_runs import is_recovered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recovery.aws import Aws
    from recovery.stacks.documents import StackCapture
    from recovery.stacks.plans import StackTable
    from recovery.vault.vault import Vault

_GLOBAL_TABLE = "AWS::DynamoDB::GlobalTable"


def at_home_in(capture: StackCapture, region: str) -> StackCapture:
    """The capture as if it were of that region, without what must be in the stack's own."""
    if capture.region == region:
        return capture
    return capture.model_copy(update={"region": region, "notification_arns": (), "rollback": {}})


def told_of_the_move(capture: StackCapture) -> list[str]:
    """What a person should know about the move of a captured stack to another region, a line each."""
    told = [f"it was captured in {capture.region}: names of that region in the template stay as they are"]
    if capture.notification_arns:
        told.append(f"left out, for they are of {capture.region}: {', '.join(capture.notification_arns)}")
    if capture.rollback:
        told.append(f"left out, for its alarms are of {capture.region}: the rollback configuration")
    named = [one.key for one in capture.parameters if capture.region in (one.value or "")]
    if named:
        told.append(f"these parameters name {capture.region}, and are given as they were: {', '.join(named)}")
    if capture.nested:
        told.append(f"templates of nested stacks are read from where they were, maybe in {capture.region}")
    return told


def moving_blocks(vault: Vault, aws: Aws, tables: Sequence[StackTable]) -> Iterator[str]:
    """The tables for which the stack cannot be made in another region. A replica or a namesake is never taken over."""
    for table in tables:
        if table.type == _GLOBAL_TABLE:
            yield f"{table.name} is a global table: its replica in {aws.region}, if there is one, is the table"
        elif table.way is TableWay.LOAD and not table.loaded:
            yield (
                f"table {table.name} would be made by the stack and loaded afterwards, which works only where it was: "
                f"recover it by itself, and deploy the stack from its source"
            )
        elif (
            table.status not in {None, DELETING}
            and not table.half_recovered
            and not is_recovered(vault, aws, table.name, table.name)
        ):
            yield f"a table {table.name} is in {aws.region} already, and no recovery has brought it there"
