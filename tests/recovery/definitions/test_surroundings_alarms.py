"""Which alarms watch a table, whatever way they name it, and how seldom CloudWatch is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.validate import validate_parameters

from recovery.backups.manifest import TableIdentity
from recovery.definitions.reader import Reader
from recovery.definitions.surroundings_alarms import AlarmListing
from rules.errors import AccessDeniedError
from tests.recovery.recovering import START, FakeSleep
from tests.recovery.surroundings_answers import Answers, Refusal

ORDERS = TableIdentity(
    account="123456789012",
    region="eu-west-1",
    name="orders",
    arn="arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
)
PARTS = ORDERS.model_copy(update={"name": "parts"})


@pytest.fixture(scope="module")
def _nobody() -> Answers:
    return Answers()


@pytest.fixture
def answers(_nobody: Answers) -> Answers:
    """An AWS that answers nothing yet."""
    return _nobody.renewed()


def alarm(**more: Any) -> dict[str, Any]:
    """An alarm as DescribeAlarms shows it, with all the state that PutMetricAlarm does not take."""
    return {
        "AlarmName": "slow",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:slow",
        "AlarmConfigurationUpdatedTimestamp": START,
        "StateValue": "OK",
        "StateReason": "fine",
        "StateUpdatedTimestamp": START,
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:oncall"],
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **more,
    }


def metric(table: str, namespace: str = "AWS/DynamoDB", **more: str) -> dict[str, Any]:
    """A metric of a table."""
    dimensions = [{"Name": name, "Value": value} for name, value in ({"TableName": table} | more).items()]
    return {"Namespace": namespace, "MetricName": "ThrottledRequests", "Dimensions": dimensions}


def query(table: str, **more: Any) -> dict[str, Any]:
    """A metric within metric math."""
    return {
        "Id": "m1",
        "MetricStat": {"Metric": metric(table), "Period": 60, "Stat": "Sum"},
        "ReturnData": False,
        **more,
    }


def watching(
    answers: Answers, *alarms: dict[str, Any], table: TableIdentity = ORDERS
) -> list[dict[str, Any]]:
    """What of these alarms is captured for the table."""
    answers.give("DescribeAlarms", {"MetricAlarms": list(alarms)})
    found = AlarmListing().of(Reader(answers.aws.reader("cloudwatch"), FakeSleep()), table, START)
    shape = answers.aws.reader("cloudwatch").meta.service_model.operation_model("PutMetricAlarm").input_shape
    for request in found or ():
        validate_parameters(request, shape)
        assert set(request) <= set(shape.members)
    return found or []


def test_an_alarm_as_put_metric_alarm_takes_it(answers: Answers) -> None:
    """Everything that makes the alarm, a threshold of zero too, and nothing of its state."""
    (found,) = watching(answers, alarm(**metric("orders", Operation="GetItem"), Statistic="Sum", Period=60))
    assert found == {
        "AlarmName": "slow",
        "ActionsEnabled": True,
        "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:oncall"],
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **metric("orders", Operation="GetItem"),
        "Statistic": "Sum",
        "Period": 60,
    }


@pytest.mark.parametrize(
    ("more", "watches"),
    [
        (metric("orders", GlobalSecondaryIndexName="by-g"), True),
        (metric("orders-archive"), False),
        (metric("orders", namespace="Shop"), False),
        ({"Metrics": [query("parts"), query("orders", Id="m2")]}, True),
        ({"Metrics": [query("parts")]}, False),
        ({"Metrics": [query("orders", AccountId="123456789012")]}, True),
        ({"Metrics": [query("orders", AccountId="210987654321")]}, False),
        ({"Metrics": [{"Id": "e", "Expression": "SEARCH('{AWS/DynamoDB,TableName} orders', 'Sum')"}]}, True),
        (
            {"Metrics": [{"Id": "e", "Expression": "SEARCH('{AWS/DynamoDB,TableName} orders-x', 'Sum')"}]},
            False,
        ),
        ({"Metrics": [{"Id": "e", "Expression": "SEARCH('{AWS/SQS,QueueName} orders', 'Sum')"}]}, False),
        (
            {
                "Metrics": [
                    {
                        "Id": "q",
                        "Expression": (
                            "SELECT SUM(X) FROM SCHEMA(\"AWS/DynamoDB\", TableName) WHERE TableName = 'orders'"
                        ),
                        "Period": 60,
                    }
                ]
            },
            True,
        ),
        ({"AlarmName": "TargetTracking-table/orders-AlarmHigh-1", **metric("orders")}, False),
    ],
)
def test_which_alarms_watch_a_table(answers: Answers, more: dict[str, Any], *, watches: bool) -> None:
    """By dimension, in metric math, in a search or query; not a namesake's, another account's or auto scaling's."""
    assert bool(watching(answers, alarm(**more))) is watches


def test_a_tables_name_is_no_pattern(answers: Answers) -> None:
    """A dot in a table's name stands for a dot."""
    dotted = ORDERS.model_copy(update={"name": "or.ers"})
    named = {"Metrics": [{"Id": "e", "Expression": "SEARCH('{AWS/DynamoDB,TableName} orders', 'Sum')"}]}
    assert watching(answers, alarm(**named), table=dotted) == []


def test_many_tables_one_listing(answers: Answers) -> None:
    """All pages are asked for once for all tables of a run, and again when minutes have passed."""
    first, second = alarm(**metric("orders")), alarm(AlarmName="parts-slow", **metric("parts"))
    answers.give(
        "DescribeAlarms",
        {"MetricAlarms": [first], "NextToken": "more"},
        {"MetricAlarms": [second]},
        {"MetricAlarms": []},
    )
    listing, alarms = AlarmListing(), Reader(answers.aws.reader("cloudwatch"), FakeSleep())
    (of_orders,) = listing.of(alarms, ORDERS, START) or [{}]
    # Tables that are captured side by side do not come in the order of their times.
    (of_parts,) = listing.of(alarms, PARTS, START - timedelta(seconds=1)) or [{}]
    assert (of_orders["AlarmName"], of_parts["AlarmName"]) == ("slow", "parts-slow")
    assert len(answers.asked("DescribeAlarms")) == 2
    assert listing.of(alarms, ORDERS, START + timedelta(minutes=5)) is None
    assert len(answers.asked("DescribeAlarms")) == 3


def test_a_failure_is_not_repeated_for_each_table(answers: Answers) -> None:
    """What was refused for one table is not asked for again for the next one."""
    answers.give("DescribeAlarms", Refusal("AccessDenied", status=403))
    listing, alarms = AlarmListing(), Reader(answers.aws.reader("cloudwatch"), FakeSleep())
    for table in (ORDERS, PARTS):
        with pytest.raises(AccessDeniedError):
            listing.of(alarms, table, START)
    assert len(answers.asked("DescribeAlarms")) == 1
