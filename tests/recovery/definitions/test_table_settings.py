"""A table is created with its tags, and waited for, until it is ready or gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.table_settings import (
    POLL_ATTEMPTS,
    POLL_SECONDS,
    create_table,
    wait_until_active,
    wait_until_gone,
)
from recovery.errors import TableNotFoundError
from rules.errors import UnavailableError
from tests.recovery.recovering import FakeSleep, key, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process


@pytest.fixture
def arn(plain: DynamoDBClient, table: str) -> str:
    """The ARN of a bare table."""
    make_table(plain, table)
    return plain.describe_table(TableName=table)["Table"]["TableArn"]


def test_a_table_is_created_with_its_tags(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Whose table it is is said in the call that creates it, not in a second one that could fail."""
    request = {"TableName": table, "BillingMode": "PAY_PER_REQUEST", **key("pk")}
    create_table(net.aws.dynamodb(), request, {"b": "2", "a": "1"})
    arn = plain.describe_table(TableName=table)["Table"]["TableArn"]
    tags = plain.list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert net.faults.writes == ["CreateTable"]


def still(status: str) -> Any:
    """An answer of DescribeTable with another status."""

    def change(answer: dict[str, Any]) -> None:
        answer["Table"]["TableStatus"] = status

    return change


def test_waiting_for_a_table_to_become_active(net: Process, table: str, arn: str) -> None:
    """CREATING and UPDATING are waited out, throttling meanwhile too."""
    net.faults.fail("DescribeTable", nth=2)
    net.faults.change_answer("DescribeTable", still("CREATING"), times=3)
    wait_until_active(net.aws.dynamodb(), table, net.sleep)
    assert net.sleep.slept.count(POLL_SECONDS) == 2
    assert len(net.sleep.slept) == 3


def test_waiting_ends(net: Process, table: str, arn: str) -> None:
    """After half an hour, here after five polls, it is UnavailableError with the status; a rerun continues."""
    net.faults.change_answer("DescribeTable", still("CREATING"), times=100)
    with pytest.raises(UnavailableError, match="still CREATING") as caught:
        wait_until_active(net.aws.dynamodb(), table, net.sleep, attempts=5)
    assert "continues" in caught.value.hint
    assert len(net.sleep.slept) == 4
    assert POLL_SECONDS * POLL_ATTEMPTS == 30 * 60


def test_waiting_for_a_table_that_vanishes(net: Process, table: str) -> None:
    """A table that is gone will never become active."""
    with pytest.raises(TableNotFoundError):
        wait_until_active(net.aws.dynamodb(), table, net.sleep)


def test_waiting_for_a_table_to_be_gone() -> None:
    """Polled every two seconds until it is gone, for half an hour at most."""
    sleep, answers = FakeSleep(), iter([False, False, True])
    wait_until_gone("orders", lambda: next(answers), sleep)
    assert sleep.slept == [POLL_SECONDS] * 2
    with pytest.raises(UnavailableError, match="orders is still being deleted"):
        wait_until_gone("orders", lambda: False, sleep)
    assert sum(sleep.slept[2:]) == POLL_SECONDS * (POLL_ATTEMPTS - 1)
