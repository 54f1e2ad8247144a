"""What belongs to a table elsewhere: known with its value, known to be absent, or unknown with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.manifest import TableIdentity
from recovery.definitions.definition import TableDefinition, capture_definition
from recovery.definitions.readings import Known, NotKnown
from recovery.definitions.surroundings import NOT_ASKED, Surroundings, read_surroundings
from recovery.testing.embedded_aws import EmbeddedEndpoint
from recovery.vault.vault import StoredObject, body_of, document
from tests.recovery.recovering import START, FakeSleep, make_table
from tests.recovery.surroundings_answers import NOBODY, Answers, Refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
STREAM = f"{ARN}/stream/2026-11-01T00:00:00.000"
TABLE = TableIdentity(account="123456789012", region="eu-west-1", name="orders", arn=ARN)
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1f7d6d4e-0000-4000-8000-000000000000"
KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
UUID = "1f7d6d4e-0000-4000-8000-000000000000"
POLICY = '{"Version":"2012-10-17","Statement":[]}'
SCALED = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/orders",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
}


def described(**more: Any) -> dict[str, Any]:
    """A DescribeTable answer with all that surrounds a table."""
    return {
        "TableName": "orders",
        "TableArn": ARN,
        "WarmThroughput": {"ReadUnitsPerSecond": 50_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "LatestStreamArn": STREAM,
        "GlobalTableVersion": "2019.11.21",
        "Replicas": [{"RegionName": "us-east-1", "ReplicaStatus": "ACTIVE"}],
        **more,
    }


BARE = {
    "TableName": "orders",
    "TableArn": ARN,
    "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
}

FULL_ANSWERS: dict[str, dict[str, Any]] = {
    "GetResourcePolicy": {"Policy": POLICY, "RevisionId": "1"},
    "DescribeKinesisStreamingDestination": {
        "TableName": "orders",
        "KinesisDataStreamDestinations": [{"StreamArn": KINESIS, "DestinationStatus": "ACTIVE"}],
    },
    "ListContributorInsights": {
        "ContributorInsightsSummaries": [{"TableName": "orders", "ContributorInsightsStatus": "ENABLED"}]
    },
    "DescribeTableReplicaAutoScaling": {
        "TableAutoScalingDescription": {
            "Replicas": [
                {
                    "RegionName": "us-east-1",
                    "ReplicaProvisionedReadCapacityAutoScalingSettings": {"MinimumUnits": 1},
                }
            ]
        }
    },
    "DescribeScalableTargets": {
        "ScalableTargets": [
            {
                **SCALED,
                "MinCapacity": 1,
                "MaxCapacity": 9,
                "RoleARN": "arn:aws:iam::123456789012:role/r",
                "CreationTime": START,
            }
        ]
    },
    "DescribeScalingPolicies": {"ScalingPolicies": []},
    "DescribeScheduledActions": {"ScheduledActions": []},
    "ListEventSourceMappings": {
        "EventSourceMappings": [
            {
                "UUID": UUID,
                "State": "Enabled",
                "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
            }
        ]
    },
    "DescribeAlarms": {
        "MetricAlarms": [
            {
                "AlarmName": "slow",
                "Namespace": "AWS/DynamoDB",
                "Dimensions": [{"Name": "TableName", "Value": "orders"}],
            }
        ]
    },
    "DescribeStackResources": {
        "StackResources": [
            {
                "StackName": "shop",
                "StackId": STACK_ID,
                "LogicalResourceId": "Orders",
                "PhysicalResourceId": "orders",
                "ResourceType": "AWS::DynamoDB::Table",
                "ResourceStatus": "CREATE_COMPLETE",
                "Timestamp": START,
            }
        ]
    },
}
EMPTY_ANSWERS: dict[str, Any] = {
    "DescribeKinesisStreamingDestination": {"TableName": "orders", "KinesisDataStreamDestinations": []},
    "ListContributorInsights": {"ContributorInsightsSummaries": []},
    "DescribeScalableTargets": {"ScalableTargets": []},
    "DescribeAlarms": {"MetricAlarms": []},
    "DescribeStackResources": Refusal("ValidationError", "Stack for orders does not exist"),
}
READ_BY = {
    "stream_policy": "GetResourcePolicy",
    "kinesis_destinations": "DescribeKinesisStreamingDestination",
    "contributor_insights": "ListContributorInsights",
    "replica_auto_scaling": "DescribeTableReplicaAutoScaling",
    "auto_scaling": "DescribeScalableTargets",
    "stream_consumers": "ListEventSourceMappings",
    "alarms": "DescribeAlarms",
    "stack": "DescribeStackResources",
}


@pytest.fixture(scope="module")
def _nobody() -> Answers:
    return Answers()


@pytest.fixture
def silent(_nobody: Answers) -> Answers:
    """An AWS that answers nothing yet."""
    return _nobody.renewed()


@pytest.fixture
def answers(silent: Answers) -> Answers:
    """An AWS where a table has everything."""
    for operation, answer in FULL_ANSWERS.items():
        silent.give(operation, answer)
    return silent


def read(
    answers: Answers, description: dict[str, Any] | None = None, sleep: FakeSleep | None = None
) -> Surroundings:
    """The surroundings of the table."""
    return read_surroundings(
        answers.aws,
        TABLE,
        description or described(),
        {},
        START,
        encryption_key=Known(),
        sleep=sleep or FakeSleep(),
    )


def test_everything_is_known(answers: Answers) -> None:
    """Each part is read, and in plain words nothing of it is missing."""
    found = read(answers)
    assert [name for name, part in found if isinstance(part, NotKnown)] == []
    assert found.in_words({}) == [
        "warm throughput",
        "the resource policy of the stream",
        "Kinesis destinations",
        "contributor insights",
        "replicas in us-east-1",
        "auto scaling of replicas",
        "auto scaling",
        "stream consumers",
        "alarms",
        "the place in the stack shop",
    ]


def test_nothing_around_a_bare_table_is_known_to_be_nothing(silent: Answers) -> None:
    """Absent is known, and nothing needs words: the warm throughput of a new table comes by itself."""
    for operation, answer in EMPTY_ANSWERS.items():
        silent.give(operation, answer)
    found = read(silent, BARE)
    assert [name for name, part in found if part != Known()] == ["warm_throughput"]
    assert found.in_words({}) == []
    assert {name for name, _ in silent.calls} == set(EMPTY_ANSWERS), "a bare table is asked about needlessly"


@pytest.mark.parametrize(("part", "operation"), READ_BY.items())
@pytest.mark.parametrize(
    ("refusal", "reason", "attempts"),
    [
        (Refusal("AccessDeniedException", "not authorized"), "access denied: ", 1),
        (Refusal("UnknownOperationException"), "scripted", 1),
        (
            Refusal("500", "<!doctype html>\n<title>500</title>", 500),
            "a web page for an answer (HTTP 500)",
            2,
        ),
        (Refusal("ThrottlingException", "Rate exceeded"), "Rate exceeded", 6),
    ],
)
def test_what_cannot_be_read_is_unknown(
    answers: Answers, part: str, operation: str, refusal: Refusal, reason: str, attempts: int
) -> None:
    """No permission, a call that an endpoint lacks, a throttle that does not end: unknown and why, never absent."""
    answers.give(operation, refusal)
    found = read(answers)
    unknown = {name: part.reason for name, part in found if isinstance(part, NotKnown)}
    assert list(unknown) == [part]
    assert reason in unknown[part]
    assert "\n" not in unknown[part]
    assert operation in unknown[part]
    assert len(answers.asked(operation)) == attempts


def test_a_throttle_passes(answers: Answers) -> None:
    """A throttled read is repeated after longer and longer waits, and is known in the end."""
    sleep = FakeSleep()
    throttled = [Refusal("ThrottlingException")] * 5
    answers.give("ListContributorInsights", *throttled, FULL_ANSWERS["ListContributorInsights"])
    assert isinstance(read(answers, sleep=sleep).contributor_insights, Known)
    assert len(sleep.slept) == 5
    assert sum(sleep.slept) <= 0.5 + 1 + 2 + 4 + 8


def test_an_answer_that_lacks_what_aws_always_tells(answers: Answers) -> None:
    """An engine's description without a stream's ARN costs that part alone, and the backup goes on."""
    description = described()
    del description["LatestStreamArn"], description["WarmThroughput"]
    found = read(answers, description)
    assert isinstance(found.stream_policy, NotKnown)
    assert "not AWS's shape" in found.stream_policy.reason
    assert found.warm_throughput == NotKnown(reason="DescribeTable says nothing of warm throughput")
    assert found.stream_consumers == Known()


def test_services_that_nobody_serves() -> None:
    """Connection refused everywhere: all of it is unknown, none of it an error."""
    aws = EmbeddedEndpoint(NOBODY).aws()
    found = read_surroundings(aws, TABLE, described(), {}, START, encryption_key=Known(), sleep=FakeSleep())
    unknown = {name: part.reason for name, part in found if isinstance(part, NotKnown)}
    assert set(unknown) == set(READ_BY)
    assert all("127.0.0.1" in reason for reason in unknown.values())


def test_tags_tell_the_stack_without_a_call(answers: Answers) -> None:
    """CloudFormation's own tags are enough."""
    tags = {
        "aws:cloudformation:stack-name": "shop",
        "aws:cloudformation:stack-id": STACK_ID,
        "aws:cloudformation:logical-id": "Orders",
    }
    found = read_surroundings(answers.aws, TABLE, described(), tags, START, encryption_key=Known())
    assert isinstance(found.stack, Known)
    assert found.stack.value["found_by"] == "tags"
    assert answers.asked("DescribeStackResources") == []


def test_they_come_back_from_the_vault_as_they_were(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Written and read again, a definition with times and nested parts equals itself."""
    make_table(plain, table)

    def replica(answer: dict[str, Any]) -> None:
        answer["Table"]["Replicas"] = [
            {"RegionName": "us-east-1", "ReplicaInaccessibleDateTime": START.timestamp()}
        ]

    net.faults.change_answer("DescribeTable", replica)
    definition = capture_definition(net.aws, table, START)
    assert document(TableDefinition, StoredObject("table.json", body_of(definition), "")) == definition
    assert "replicas in us-east-1" in definition.surrounded_by


def test_a_definition_of_an_earlier_version(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A table.json without surroundings is read, and says of each that it cannot know."""
    make_table(plain, table)
    old = json.loads(body_of(capture_definition(net.aws, table, START)))
    del old["surroundings"]
    definition = TableDefinition.model_validate_json(json.dumps(old))
    assert set(definition.unknown) == set(Surroundings.model_fields)
    assert set(definition.unknown.values()) == {"the backup was made by an earlier version"}
    assert definition.surrounded_by == []


def test_nobody_asked(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Who needs the settings alone causes no other call."""
    make_table(plain, table)
    definition = capture_definition(net.aws, table, START, surroundings=False)
    assert {part for _, part in definition.surroundings} == {NOT_ASKED}
    assert set(net.faults.calls) == {
        "DescribeTable",
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
        "ListTagsOfResource",
        "GetResourcePolicy",
    }


def test_on_the_embedded_aws(net: Process, plain: DynamoDBClient, table: str) -> None:
    """What is captured there is accepted there: the requests put back what was lost."""
    make_table(plain, table)
    scaling, alarms = net.aws.reader("application-autoscaling"), net.aws.reader("cloudwatch")
    target = {**SCALED, "ResourceId": f"table/{table}"}
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=9)
    scaling.put_scaling_policy(
        **target,
        PolicyName="half",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 50.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
        },
    )
    scaling.put_scheduled_action(**target, ScheduledActionName="night", Schedule="cron(0 1 * * ? *)")
    alarms.put_metric_alarm(
        AlarmName=table,
        Namespace="AWS/DynamoDB",
        MetricName="ThrottledRequests",
        Dimensions=[{"Name": "TableName", "Value": table}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=["arn:aws:sns:eu-west-1:123456789012:oncall"],
    )

    before = capture_definition(net.aws, table, START).surroundings
    assert isinstance(before.auto_scaling, Known)
    assert isinstance(before.alarms, Known)
    assert [alarm["AlarmName"] for alarm in before.alarms.value] == [table]
    scaling.deregister_scalable_target(**target)
    scaling.delete_scheduled_action(**target, ScheduledActionName="night")
    alarms.delete_alarms(AlarmNames=[table])
    assert capture_definition(net.aws, table, START).surroundings.alarms == Known()

    calls = {
        "RegisterScalableTarget": scaling.register_scalable_target,
        "PutScalingPolicy": scaling.put_scaling_policy,
        "PutScheduledAction": scaling.put_scheduled_action,
    }
    for call, requests in before.auto_scaling.value.items():
        assert len(requests) == 1
        calls[call](**requests[0])
    alarms.put_metric_alarm(**before.alarms.value[0])
    after = capture_definition(net.aws, table, START).surroundings
    assert after == before
