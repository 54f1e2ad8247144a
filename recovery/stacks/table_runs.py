"""How far the recoveries of a stack's tables are: what is half loaded is no table to build a stack around.

The table's own tag tells of a run that is under way (``RUN_TAG``), the records in the vault of one that has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.aws import aws_errors
from recovery.definitions.definition import RUN_TAG, describe_table, read_tags
from recovery.errors import TableNotFoundError
from recovery.restores.engine import RestoreEngineName
from recovery.restores.plans import DELETING
from recovery.restores.runs import RUNS, RunRecord
from recovery.vault.vault import document

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.vault.vault import Vault

# What AWS makes itself carries the tag only once it is there.
_MADE_BY_AWS = frozenset({RestoreEngineName.IMPORT, RestoreEngineName.RESTORE})


def is_half_recovered(vault: Vault, aws: Aws, table: str) -> bool:
    """Whether a recovery has begun with the table that is there, and not ended. Raises AccessDeniedError."""
    found = _described(aws, table)
    if found is None:
        return False
    if RUN_TAG in read_tags(aws.dynamodb(), found["TableArn"]):
        return True
    made: datetime = found["CreationDateTime"]
    return any(
        run.plan.engine in _MADE_BY_AWS and not run.loaded and run.started_at <= made
        for run in _runs_into(vault, aws, table)
    )


def is_recovered(vault: Vault, aws: Aws, table: str, lost: str) -> bool:
    """Whether a recovery has brought the items of ``lost`` into the very table that is there, and ended.

    A run that ended before that table was made was into one that is gone; so was one that loaded items where there is
    none now, for some endpoints tell the time of the making in whole seconds. Raises AccessDeniedError.
    """
    found = _described(aws, table)
    if found is None or RUN_TAG in read_tags(aws.dynamodb(), found["TableArn"]):
        return False
    made: datetime = found["CreationDateTime"]
    ended = [
        run
        for run in _runs_into(vault, aws, table)
        if run.settled and run.plan.source.name == lost and (run.ended_at or run.started_at) >= made
    ]
    return bool(ended) and (not ended[-1].plan.item_count or not _is_empty(aws, table))


def _described(aws: Aws, table: str) -> Any:
    try:
        found = describe_table(aws.dynamodb(), table)
    except TableNotFoundError:
        return None
    return None if found["TableStatus"] == DELETING else found


def _is_empty(aws: Aws, table: str) -> bool:
    with aws_errors(f"scan table {table}"):
        return not aws.dynamodb().scan(TableName=table, Limit=1, ConsistentRead=True)["Items"]


def _runs_into(vault: Vault, aws: Aws, table: str) -> list[RunRecord]:
    place = (aws.account, aws.region, table)
    listed = vault.list(f"{RUNS}recover.{'.'.join(place)}.")
    records = [document(RunRecord, vault.get(info.key)) for info in listed]
    # The runs of "shop.eu" begin like those of "shop".
    return [
        one
        for one in records
        if (one.plan.target.account, one.plan.target.region, one.plan.target.name) == place
    ]
