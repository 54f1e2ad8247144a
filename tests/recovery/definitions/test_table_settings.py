"""Settings go on after the data; what fails is a follow-up with the exact command."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import Known, NotKnown, Settings, describe_table, read_settings
from recovery.definitions.table_settings import (
    POLL_ATTEMPTS,
    POLL_SECONDS,
    create_table,
    put_settings,
    wait_until_active,
    wait_until_gone,
)
from recovery.errors import TableNotFoundError
from rules.errors import UnavailableError
from tests.recovery.recovering import FakeSleep, key, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.definitions.table_settings import FollowUp
    from tests.recovery.recovering import Process

POLICY = '{"Version":"2012-10-17","Statement":[]}'
FULL = Settings(
    stream=Known(value={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}),
    deletion_protection=Known(value=True),
    ttl=Known(value={"AttributeName": "it's over"}),
    pitr=Known(value={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 5}),
    tags=Known(value={}),
    resource_policy=Known(value=POLICY),
)
CALLS = {
    "pitr": "UpdateContinuousBackups",
    "ttl": "UpdateTimeToLive",
    "stream": "UpdateTable",
    "resource_policy": "PutResourcePolicy",
}


@pytest.fixture
def arn(plain: DynamoDBClient, table: str) -> str:
    """The ARN of a bare table."""
    make_table(plain, table)
    return plain.describe_table(TableName=table)["Table"]["TableArn"]


def put(net: Process, arn: str, settings: Settings = FULL) -> list[FollowUp]:
    """Put settings on the table."""
    return put_settings(net.aws.dynamodb(), arn.rsplit("/", 1)[-1], arn, settings, net.sleep)


def found(client: DynamoDBClient, arn: str) -> Settings:
    """What the table has now."""
    return read_settings(client, describe_table(client, arn.rsplit("/", 1)[-1]))


def test_every_setting_is_put_on(net: Process, plain: DynamoDBClient, arn: str) -> None:
    """PITR, TTL, stream, policy and protection are as wanted, protection last; nothing is left to do."""
    assert put(net, arn) == []
    assert found(plain, arn) == FULL
    assert net.faults.writes == [*CALLS.values(), "UpdateTable"]


def test_putting_them_on_again_changes_nothing(net: Process, plain: DynamoDBClient, arn: str) -> None:
    """A second run meets what is set already, which some calls refuse: no follow-up and no waiting."""
    put(net, arn)
    assert put(net, arn) == []
    assert found(plain, arn) == FULL
    assert net.sleep.slept == []


@pytest.mark.parametrize("setting", CALLS)
@pytest.mark.parametrize(
    "message", ["TimeToLive is already enabled", "Table already has an enabled stream: t"]
)
def test_enabled_already_is_success_only_if_it_is_true(
    net: Process, plain: DynamoDBClient, arn: str, setting: str, message: str
) -> None:
    """AWS's ValidationException counts as done when the table has the setting, whatever the message says."""
    net.faults.fail(CALLS[setting], code="ValidationException", message=message)
    assert [step.setting for step in put(net, arn)] == [setting]
    put(net, arn)
    net.faults.reset()
    net.faults.fail(CALLS[setting], code="ValidationException", message=message)
    assert put(net, arn) == []


@pytest.mark.parametrize("setting", CALLS)
def test_a_lost_answer_is_no_follow_up(net: Process, plain: DynamoDBClient, arn: str, setting: str) -> None:
    """It was set, the answer was lost, and the repetition finds it set."""
    net.faults.lose_answer(CALLS[setting])
    assert put(net, arn) == []
    assert found(plain, arn) == FULL


@pytest.mark.parametrize("setting", CALLS)
def test_what_fails_is_a_follow_up_with_the_command(
    net: Process, plain: DynamoDBClient, arn: str, setting: str
) -> None:
    """The others are put on all the same, and the command, as a shell reads it, sets the one that is missing."""
    net.faults.fail(CALLS[setting], code="AccessDeniedException")
    (step,) = put(net, arn)
    assert step.setting == setting
    assert "scripted" in step.reason
    program, service, call, region_option, region, option, arguments = shlex.split(step.command)
    assert (program, service, region_option, region, option) == (
        "aws",
        "dynamodb",
        "--region",
        "eu-west-1",
        "--cli-input-json",
    )
    client: Any = plain
    getattr(client, call.replace("-", "_"))(**json.loads(arguments))
    assert found(plain, arn) == FULL


@pytest.mark.parametrize(
    "code", ["ContinuousBackupsUnavailableException", "ThrottlingException", "ResourceInUseException"]
)
def test_a_table_that_is_not_ready_yet_is_waited_for(
    net: Process, plain: DynamoDBClient, arn: str, code: str
) -> None:
    """A table that is only just ACTIVE refuses some calls for a while."""
    net.faults.fail("UpdateContinuousBackups", times=3, code=code)
    assert put(net, arn) == []
    assert len(net.sleep.slept) == 3
    assert found(plain, arn) == FULL


def test_absent_and_unknown_settings_are_left_alone(net: Process, plain: DynamoDBClient, arn: str) -> None:
    """Nothing is switched off, and nothing is guessed."""
    nothing = Settings(
        stream=Known(),
        deletion_protection=Known(value=False),
        ttl=NotKnown(reason="denied"),
        pitr=Known(),
        tags=Known(value={"ignored": "here"}),
        resource_policy=NotKnown(reason="denied"),
    )
    assert put(net, arn, nothing) == []
    assert net.faults.writes == []


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
