"""How far the recoveries of a stack's tables are: half loaded, recovered, or somebody else's table of that name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from recovery.definitions.definition import RUN_TAG
from recovery.restores.engine import RestoreEngineName
from recovery.restores.runs import start_run
from recovery.stacks.table_runs import is_half_recovered, is_recovered
from tests.recovery.recovering import WHO, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process

HOUR = timedelta(hours=1)


def recovered(net: Process, plain: DynamoDBClient, table: str, ended: datetime, **wish: str) -> None:
    """A table that was backed up, lost, and recovered by a run that ended at that time."""
    make_table(plain, table, some_items(3))
    net.back_up(table)
    plain.delete_table(TableName=table)
    net.clock.now = ended
    net.recover(table, **wish)


def test_a_table_that_was_recovered(net: Process, plain: DynamoDBClient, table: str) -> None:
    """It is whole, and it is known of which table its items are."""
    recovered(net, plain, table, datetime.now(UTC) + HOUR)
    assert is_recovered(net.vault, net.aws, table, table)
    assert not is_recovered(net.vault, net.aws, table, f"{table}-other")
    assert not is_half_recovered(net.vault, net.aws, table)


def test_a_run_into_an_earlier_table_proves_nothing(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The table that is there was made after the run had ended: it may be empty."""
    recovered(net, plain, table, datetime.now(UTC) - HOUR)
    plain.delete_table(TableName=table)
    make_table(plain, table)
    assert not is_recovered(net.vault, net.aws, table, table)


def test_a_table_that_was_made_empty_within_the_same_second(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Where times cannot tell, the items do: a table that was loaded with some is not empty."""
    recovered(net, plain, table, datetime.now(UTC) + HOUR)
    plain.delete_table(TableName=table)
    make_table(plain, table)
    assert not is_recovered(net.vault, net.aws, table, table)


def test_a_table_whose_name_begins_alike(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Runs into ``shop.eu`` say nothing of ``shop``."""
    make_table(plain, table)
    recovered(net, plain, f"{table}.eu", datetime.now(UTC) + HOUR)
    assert not is_recovered(net.vault, net.aws, table, f"{table}.eu")


def test_a_table_that_is_only_half_loaded(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Its own tag says so, and what a record says does not count then."""
    recovered(net, plain, table, datetime.now(UTC) + HOUR)
    arn = plain.describe_table(TableName=table)["Table"]["TableArn"]
    plain.tag_resource(ResourceArn=arn, Tags=[{"Key": RUN_TAG, "Value": "run"}])
    assert is_half_recovered(net.vault, net.aws, table)
    assert not is_recovered(net.vault, net.aws, table, table)


@pytest.mark.parametrize(
    ("engine", "half"), [(RestoreEngineName.IMPORT, True), (RestoreEngineName.WRITE, False)], ids=str
)
def test_what_aws_makes_is_not_tagged_yet(
    net: Process, plain: DynamoDBClient, table: str, engine: RestoreEngineName, half: bool
) -> None:
    """There the record of the run tells, as long as the run was begun before the table was made."""
    make_table(plain, table, some_items(3))
    net.back_up(table)
    plan = net.plan(table).model_copy(update={"engine": engine})
    run = start_run(net.vault, lambda: datetime.now(UTC) - HOUR, plan, WHO)
    assert is_half_recovered(net.vault, net.aws, table) is half
    run.note(loaded=True)
    assert not is_half_recovered(net.vault, net.aws, table)


def test_a_table_that_is_not_there(net: Process, table: str) -> None:
    """Neither half recovered nor recovered."""
    assert not is_half_recovered(net.vault, net.aws, table)
    assert not is_recovered(net.vault, net.aws, table, table)
