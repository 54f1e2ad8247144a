"""Each thing around a table, from the shapes of the service models to the calls that would put it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.validate import validate_parameters

from recovery.definitions.reader import Reader
from recovery.definitions.surroundings_scaling import auto_scaling
from recovery.definitions.surroundings_stack import stack_of
from recovery.definitions.surroundings_streams import stream_consumers
from recovery.definitions.surroundings_table import (
    contributor_insights,
    encryption_key,
    is_warmed_up,
    kinesis_destinations,
    replica_auto_scaling,
    replicas,
    stream_policy,
    warm_throughput,
)
from recovery.errors import AwsError
from tests.recovery.recovering import START, FakeSleep
from tests.recovery.surroundings_answers import Answers, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.aws import ReadService

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
STREAM = f"{ARN}/stream/2026-11-01T00:00:00.000"
UUID = "1f7d6d4e-0000-4000-8000-000000000000"
STACK = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/{UUID}"
OTHER_STACK = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/logs/{UUID}"
KEY = f"arn:aws:kms:eu-west-1:123456789012:key/{UUID}"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
ON = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.fixture(scope="module")
def _nobody() -> Answers:
    return Answers()


@pytest.fixture
def answers(_nobody: Answers) -> Answers:
    """An AWS that answers nothing yet."""
    return _nobody.renewed()


@pytest.fixture
def of(answers: Answers) -> Callable[[ReadService], Reader]:
    """A reader of a service there."""
    return lambda service: Reader(answers.aws.reader(service), FakeSleep())


def described(**more: Any) -> dict[str, Any]:
    """A DescribeTable answer."""
    return {"TableName": "orders", "TableArn": ARN, **more}


def accepted(answers: Answers, service: ReadService, operation: str, request: dict[str, Any]) -> bool:
    """Whether a call takes a request, by the service's model."""
    shape = answers.aws.reader(service).meta.service_model.operation_model(operation).input_shape
    validate_parameters(request, shape)
    return set(request) <= set(shape.members)


# Warm throughput


def warm(reads: int, writes: int) -> dict[str, Any]:
    """As DescribeTable shows it."""
    return {
        "WarmThroughput": {"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": writes, "Status": "ACTIVE"}
    }


def test_warm_throughput_of_table_and_index(answers: Answers) -> None:
    """UpdateTable's shape, without the status that it does not take."""
    index = {"IndexName": "by-g", **warm(30_000, 4_000)}
    found = warm_throughput(described(**warm(12_000, 4_000), GlobalSecondaryIndexes=[index]))
    assert found == {
        "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000},
        "GlobalSecondaryIndexUpdates": [
            {
                "Update": {
                    "IndexName": "by-g",
                    "WarmThroughput": {"ReadUnitsPerSecond": 30_000, "WriteUnitsPerSecond": 4_000},
                }
            }
        ],
    }
    assert accepted(answers, "dynamodb", "UpdateTable", {"TableName": "orders", **found})


def test_a_description_without_warm_throughput() -> None:
    """An engine that says nothing of it leaves it unknown."""
    with pytest.raises(AwsError, match="says nothing"):
        warm_throughput(described())


@pytest.mark.parametrize(
    ("table", "index", "provisioned", "expected"),
    [
        ((12_000, 4_000), (12_000, 4_000), 0, False),
        ((12_001, 4_000), (12_000, 4_000), 0, True),
        ((12_000, 4_001), (12_000, 4_000), 0, True),
        ((12_000, 4_000), (12_000, 9_000), 0, True),
        ((20_000, 20_000), (20_000, 20_000), 20_000, False),
        ((20_001, 20_000), (20_000, 20_000), 20_000, True),
        ((20_000, 20_000), (20_000, 20_001), 20_000, True),
    ],
)
def test_what_is_warmer_than_a_new_table(
    table: tuple[int, int], index: tuple[int, int], provisioned: int, *, expected: bool
) -> None:
    """What a table is born with, or gets with its provisioned throughput, needs nobody to put it back."""
    units = {"ReadCapacityUnits": provisioned, "WriteCapacityUnits": provisioned}
    request = {
        "ProvisionedThroughput": units,
        "GlobalSecondaryIndexes": [{"IndexName": "by-g", "ProvisionedThroughput": units}],
    }
    found = warm_throughput(
        described(**warm(*table), GlobalSecondaryIndexes=[{"IndexName": "by-g", **warm(*index)}])
    )
    assert is_warmed_up(found, request) is expected


# The stream's policy


def test_the_policy_of_the_stream(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """It is the stream's ARN that is asked about, not the table's."""
    answers.give("GetResourcePolicy", {"Policy": "{}", "RevisionId": "1"})
    assert stream_policy(of("dynamodb"), described(StreamSpecification=ON, LatestStreamArn=STREAM)) == "{}"
    assert answers.asked("GetResourcePolicy") == [{"ResourceArn": STREAM}]


def test_a_stream_without_a_policy(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """PolicyNotFoundException is the answer that there is none."""
    answers.give("GetResourcePolicy", Refusal("PolicyNotFoundException"))
    assert stream_policy(of("dynamodb"), described(StreamSpecification=ON, LatestStreamArn=STREAM)) is None


def test_a_stream_that_is_off_is_not_asked_for(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """DescribeTable names the latest stream long after it was switched off."""
    assert stream_policy(of("dynamodb"), described(LatestStreamArn=STREAM)) is None
    assert answers.calls == []


# Kinesis and contributor insights


def test_kinesis_destinations(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Each stream that is fed, with its precision; one that was switched off is still listed, and left out."""
    stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/"
    answers.give(
        "DescribeKinesisStreamingDestination",
        {
            "TableName": "orders",
            "KinesisDataStreamDestinations": [
                {
                    "StreamArn": f"{stream}fine",
                    "DestinationStatus": "ACTIVE",
                    "ApproximateCreationDateTimePrecision": "MICROSECOND",
                },
                {"StreamArn": f"{stream}plain", "DestinationStatus": "UPDATING"},
                {"StreamArn": f"{stream}off", "DestinationStatus": "DISABLED"},
                {"StreamArn": f"{stream}never", "DestinationStatus": "ENABLE_FAILED"},
            ],
        },
    )
    found = kinesis_destinations(of("dynamodb"), "orders")
    assert found == [
        {
            "StreamArn": f"{stream}fine",
            "EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": "MICROSECOND"},
        },
        {"StreamArn": f"{stream}plain"},
    ]
    for request in found:
        whole = {"TableName": "orders", **request}
        assert accepted(answers, "dynamodb", "EnableKinesisStreamingDestination", whole)


def test_contributor_insights_on_all_pages(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Table and indexes, each with its mode; what is off is left out."""
    table = {"TableName": "orders", "ContributorInsightsStatus": "ENABLED"}
    answers.give(
        "ListContributorInsights",
        {
            "ContributorInsightsSummaries": [{**table, "ContributorInsightsMode": "THROTTLED_KEYS"}],
            "NextToken": "more",
        },
        {
            "ContributorInsightsSummaries": [
                {**table, "IndexName": "by-g"},
                {**table, "IndexName": "by-h", "ContributorInsightsStatus": "DISABLED"},
            ]
        },
    )
    found = contributor_insights(of("dynamodb"), "orders")
    assert found == [
        {"ContributorInsightsAction": "ENABLE", "ContributorInsightsMode": "THROTTLED_KEYS"},
        {"ContributorInsightsAction": "ENABLE", "IndexName": "by-g"},
    ]
    assert [call.get("NextToken") for call in answers.asked("ListContributorInsights")] == [None, "more"]
    for request in found:
        assert accepted(answers, "dynamodb", "UpdateContributorInsights", {"TableName": "orders", **request})


# Replicas


def test_replicas_with_all_their_settings(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Class, key, overrides, witness and consistency are kept as they were described."""
    parts = {
        "GlobalTableVersion": "2019.11.21",
        "Replicas": [
            {
                "RegionName": "us-east-1",
                "ReplicaStatus": "ACTIVE",
                "KMSMasterKeyId": KEY,
                "ProvisionedThroughputOverride": {"ReadCapacityUnits": 7},
                "ReplicaTableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
                "GlobalSecondaryIndexes": [
                    {"IndexName": "by-g", "OnDemandThroughputOverride": {"MaxReadRequestUnits": 9}}
                ],
            }
        ],
        "GlobalTableWitnesses": [{"RegionName": "us-west-2", "WitnessStatus": "ACTIVE"}],
        "MultiRegionConsistency": "STRONG",
        "GlobalTableSettingsReplicationMode": "ENABLED_WITH_OVERRIDES",
        "DisassociationProtectionEnabled": False,
    }
    shape = answers.aws.reader("dynamodb").meta.service_model.operation_model("DescribeTable").output_shape
    validate_parameters({"Table": described(**parts)}, shape)
    assert replicas(of("dynamodb"), described(**parts, TableStatus="ACTIVE")) == parts
    assert answers.calls == []


@pytest.mark.parametrize(
    "more",
    [
        {"Replicas": []},
        {"GlobalTableVersion": "2019.11.21", "StreamSpecification": ON},
        {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
        {"StreamSpecification": {"StreamEnabled": False}},
    ],
)
def test_tables_that_cannot_have_replicas_are_not_asked_about(
    answers: Answers, of: Callable[[ReadService], Reader], more: dict[str, Any]
) -> None:
    """Only a stream of both images may hide a global table of the old version."""
    assert replicas(of("dynamodb"), described(**more)) is None
    assert answers.calls == []


def test_a_global_table_of_the_old_version(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """DescribeTable does not know of version 2017.11.29; the table's own region is no replica."""
    group = [{"RegionName": "eu-west-1"}, {"RegionName": "us-east-1"}]
    answers.give("DescribeGlobalTable", {"GlobalTableDescription": {"ReplicationGroup": group}})
    assert replicas(of("dynamodb"), described(StreamSpecification=ON)) == {
        "GlobalTableVersion": "2017.11.29",
        "Replicas": [{"RegionName": "us-east-1"}],
    }


def test_no_global_table_of_the_old_version(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """GlobalTableNotFoundException is the answer that there is none; another error is no answer."""
    answers.give("DescribeGlobalTable", Refusal("GlobalTableNotFoundException"))
    assert replicas(of("dynamodb"), described(StreamSpecification=ON)) is None
    answers.give("DescribeGlobalTable", Refusal("UnknownOperationException"))
    with pytest.raises(AwsError):
        replicas(of("dynamodb"), described(StreamSpecification=ON))


def test_auto_scaling_of_replicas(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """A region whose table or index scales is named, one that does not is not."""
    scales = {"MinimumUnits": 1, "MaximumUnits": 9, "AutoScalingRoleArn": "arn:aws:iam::1:role/r"}
    on_index = {"IndexName": "by-g", "ProvisionedWriteCapacityAutoScalingSettings": scales}
    regions = [
        {"RegionName": "us-east-1", "ReplicaProvisionedReadCapacityAutoScalingSettings": scales},
        {"RegionName": "us-east-2", "GlobalSecondaryIndexes": [on_index]},
        {
            "RegionName": "us-west-1",
            "ReplicaProvisionedReadCapacityAutoScalingSettings": {"AutoScalingDisabled": True},
        },
        {"RegionName": "us-west-2"},
    ]
    answers.give("DescribeTableReplicaAutoScaling", {"TableAutoScalingDescription": {"Replicas": regions}})
    with_replicas = described(Replicas=[{"RegionName": "us-east-1"}])
    found = replica_auto_scaling(of("dynamodb"), with_replicas)
    assert [region["RegionName"] for region in found or ()] == ["us-east-1", "us-east-2"]


# Auto scaling


def scaled(resource: str, dimension: str) -> dict[str, Any]:
    """What names a scalable thing."""
    return {"ServiceNamespace": "dynamodb", "ResourceId": resource, "ScalableDimension": dimension}


READS = scaled("table/orders", "dynamodb:table:ReadCapacityUnits")
INDEX_WRITES = scaled("table/orders/index/by-g", "dynamodb:index:WriteCapacityUnits")


def test_auto_scaling_of_table_and_index(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Targets, policies and scheduled actions of both, on all pages, in the shapes that put them back."""
    born = {"CreationTime": START}
    role = {"RoleARN": "arn:aws:iam::123456789012:role/r"}
    target = {"MinCapacity": 1, "MaxCapacity": 9, **role}
    suspended = {"SuspendedState": {"DynamicScalingInSuspended": True}}
    tracking = {
        "PolicyName": "half",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0, "ScaleInCooldown": 60},
    }
    night = {
        "ScheduledActionName": "night",
        "Schedule": "at(2026-12-24T00:00:00)",
        "Timezone": "Europe/Berlin",
        "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2},
    }
    answers.give(
        "DescribeScalableTargets",
        {
            "ScalableTargets": [{**READS, **target, **born, "PredictedCapacity": 4}],
            "NextToken": "more",
        },
        {"ScalableTargets": [{**INDEX_WRITES, **target, **born, **suspended}]},
    )
    alarm = {"AlarmName": "TargetTracking-table/orders-AlarmHigh", "AlarmARN": "arn:aws:cloudwatch:a"}
    answers.give(
        "DescribeScalingPolicies",
        {"ScalingPolicies": [{**READS, **tracking, **born, "PolicyARN": "arn:aws:p", "Alarms": [alarm]}]},
        {"ScalingPolicies": []},
    )
    answers.give(
        "DescribeScheduledActions",
        {"ScheduledActions": []},
        {
            "ScheduledActions": [
                {**INDEX_WRITES, **night, **born, "ScheduledActionARN": "arn:aws:s", "StartTime": START}
            ]
        },
    )
    found = auto_scaling(
        of("application-autoscaling"), described(GlobalSecondaryIndexes=[{"IndexName": "by-g"}])
    )
    assert found == {
        "RegisterScalableTarget": [{**READS, **target}, {**INDEX_WRITES, **target, **suspended}],
        "PutScalingPolicy": [{**READS, **tracking}],
        "PutScheduledAction": [{**INDEX_WRITES, **night, "StartTime": START}],
    }
    for operation, requests in found.items():
        assert all(accepted(answers, "application-autoscaling", operation, request) for request in requests)
    first, second = answers.asked("DescribeScalableTargets")
    assert first["ResourceIds"] == second["ResourceIds"] == ["table/orders", "table/orders/index/by-g"]
    assert second["NextToken"] == "more"


def test_no_targets_no_further_questions(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Without a scalable target there is no policy and no schedule."""
    answers.give("DescribeScalableTargets", {"ScalableTargets": []})
    assert auto_scaling(of("application-autoscaling"), described()) is None
    assert [name for name, _ in answers.calls] == ["DescribeScalableTargets"]


def test_more_indexes_than_one_call_takes(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """DescribeScalableTargets takes fifty resources at once."""
    answers.give("DescribeScalableTargets", {"ScalableTargets": []})
    indexes = [{"IndexName": f"index-{number:03}"} for number in range(60)]
    auto_scaling(of("application-autoscaling"), described(GlobalSecondaryIndexes=indexes))
    asked = [len(call["ResourceIds"]) for call in answers.asked("DescribeScalableTargets")]
    assert asked == [50, 11]


# Stream consumers


def test_consumers_of_the_stream_on_all_pages(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Filters, batches, the place for failures and the state come along, the old stream's ARN does not."""
    batch = {
        "BatchSize": 50,
        "StartingPosition": "TRIM_HORIZON",
        "MaximumBatchingWindowInSeconds": 5,
        "ParallelizationFactor": 2,
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["REMOVE"]}'}]},
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:q"}},
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    seen = {"UUID": UUID, "FunctionArn": FUNCTION, "EventSourceArn": STREAM, "LastModified": START}
    answers.give(
        "ListEventSourceMappings",
        {"EventSourceMappings": [{**seen, **batch, "State": "Enabled"}], "NextMarker": "more"},
        {
            "EventSourceMappings": [
                {**seen, "State": "Disabled", "FilterCriteriaError": {"ErrorCode": "KMSAccessDenied"}},
                {**seen, "State": "Deleting"},
            ]
        },
    )
    found = stream_consumers(of("lambda"), described(LatestStreamArn=STREAM))
    assert found == [
        {
            "UUID": UUID,
            "State": "Enabled",
            "CreateEventSourceMapping": {**batch, "FunctionName": FUNCTION, "Enabled": True},
        },
        {
            "UUID": UUID,
            "State": "Disabled",
            "FilterCriteriaError": {"ErrorCode": "KMSAccessDenied"},
            "CreateEventSourceMapping": {"FunctionName": FUNCTION, "Enabled": False},
        },
    ]
    for consumer in found:
        request = {**consumer["CreateEventSourceMapping"], "EventSourceArn": STREAM}
        assert accepted(answers, "lambda", "CreateEventSourceMapping", request)
    assert answers.asked("ListEventSourceMappings") == [
        {"EventSourceArn": STREAM},
        {"EventSourceArn": STREAM, "Marker": "more"},
    ]


def test_a_table_that_never_had_a_stream(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Nobody reads it, and Lambda is not asked: without an ARN it would list every mapping there is."""
    assert stream_consumers(of("lambda"), described()) is None
    assert answers.calls == []


# The stack


def resource(name: str, kind: str = "AWS::DynamoDB::Table", **more: Any) -> dict[str, Any]:
    """A stack's resource, as DescribeStackResources and ListStackResources have it."""
    return {
        "LogicalResourceId": "Orders",
        "PhysicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": "UPDATE_COMPLETE",
        **more,
    }


def in_stack(name: str, stack: str = STACK, **more: Any) -> dict[str, Any]:
    """As DescribeStackResources has it."""
    return {**resource(name, **more), "StackName": stack.split("/")[1], "StackId": stack, "Timestamp": START}


FOUND = {"stack_name": "shop", "stack_id": STACK, "logical_id": "Orders", "found_by": "resources"}


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"])
def test_the_stack_by_the_tables_name(
    answers: Answers, of: Callable[[ReadService], Reader], kind: str
) -> None:
    """A table without CloudFormation's tags is found by its physical id among the resources of its stack."""
    others = in_stack("queue", kind="AWS::SQS::Queue"), in_stack("orders", kind=kind)
    answers.give("DescribeStackResources", {"StackResources": list(others)})
    assert stack_of(of("cloudformation"), "orders", {"aws:cloudformation:stack-name": "half"}) == FOUND
    assert answers.asked("DescribeStackResources") == [{"PhysicalResourceId": "orders"}]


def test_a_stack_of_more_than_a_hundred_resources(
    answers: Answers, of: Callable[[ReadService], Reader]
) -> None:
    """DescribeStackResources stops at a hundred; the listing of the stack does not."""
    many = [in_stack(f"queue-{number}", kind="AWS::SQS::Queue") for number in range(100)]
    answers.give("DescribeStackResources", {"StackResources": many})
    summaries = [{**resource(f"table-{number}"), "LastUpdatedTimestamp": START} for number in range(100)]
    answers.give(
        "ListStackResources",
        {"StackResourceSummaries": summaries, "NextToken": "more"},
        {"StackResourceSummaries": [{**resource("orders"), "LastUpdatedTimestamp": START}]},
    )
    assert stack_of(of("cloudformation"), "orders", {}) == FOUND
    assert answers.asked("ListStackResources")[1] == {"StackName": STACK, "NextToken": "more"}


def test_something_else_has_the_tables_name(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """CloudFormation tells of one resource of a name only: of the table it then tells nothing."""
    log_group = in_stack("orders", OTHER_STACK, kind="AWS::Logs::LogGroup")
    answers.give("DescribeStackResources", {"StackResources": [log_group]})
    answers.give("ListStackResources", {"StackResourceSummaries": []})
    with pytest.raises(AwsError, match="not told"):
        stack_of(of("cloudformation"), "orders", {})


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_COMPLETE", "DELETE_SKIPPED"])
def test_a_stack_that_failed_to_get_the_table(
    answers: Answers, of: Callable[[ReadService], Reader], status: str
) -> None:
    """A stack that wanted to create a table of that name, or let go of it, does not own it."""
    answers.give("DescribeStackResources", {"StackResources": [in_stack("orders", ResourceStatus=status)]})
    answers.give("ListStackResources", {"StackResourceSummaries": []})
    with pytest.raises(AwsError, match="not told"):
        stack_of(of("cloudformation"), "orders", {})


def test_no_stack(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """AWS says no in words that name the table; an emulator that did not understand the question is not believed."""
    answers.give("DescribeStackResources", Refusal("ValidationError", "Stack for orders does not exist"))
    assert stack_of(of("cloudformation"), "orders", {}) is None
    answers.give("DescribeStackResources", Refusal("ValidationError", "Stack with id None does not exist"))
    with pytest.raises(AwsError, match="None"):
        stack_of(of("cloudformation"), "orders", {})


# The key


@pytest.mark.parametrize("manager", ["AWS", "CUSTOMER"])
def test_who_manages_the_key(answers: Answers, of: Callable[[ReadService], Reader], manager: str) -> None:
    """KMS says whether the key is the one of AWS for DynamoDB."""
    answers.give("DescribeKey", {"KeyMetadata": {"KeyId": UUID, "KeyManager": manager}})
    description = described(SSEDescription={"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": KEY})
    assert encryption_key(of("kms"), description) == {"KeyManager": manager, "MultiRegion": False}
    assert answers.asked("DescribeKey") == [{"KeyId": KEY}]


def test_a_table_without_a_key(answers: Answers, of: Callable[[ReadService], Reader]) -> None:
    """Nothing to ask."""
    assert encryption_key(of("kms"), described()) is None
    assert answers.calls == []
