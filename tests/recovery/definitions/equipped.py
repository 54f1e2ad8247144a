"""A table with everything an embedded AWS has, the loss of it, and what is around it as plain boto3 sees that."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.definitions.definition import RUN_TAG, capture_definition
from recovery.definitions.putting_back import Wanted, put_back
from tests.recovery.recovering import START, FakeSleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.aws import Aws
    from recovery.definitions.definition import TableDefinition
    from recovery.definitions.follow_ups import FollowUp

ACCOUNT_ROOT = "arn:aws:iam::123456789012:root"
ON = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
INDEX = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
    "ProvisionedThroughput": UNITS,
}
PROVISIONED: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "g", "AttributeType": "S"},
        {"AttributeName": "pk", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": UNITS,
    "GlobalSecondaryIndexes": [INDEX],
}
WRITES = "dynamodb:table:WriteCapacityUnits"
INDEX_READS = "dynamodb:index:ReadCapacityUnits"
STEPS = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [{"ScalingAdjustment": 1, "MetricIntervalLowerBound": 0.0}],
    "Cooldown": 60,
}
TRACKING = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
}


@dataclass(frozen=True, slots=True)
class Clients:
    """Plain boto3, of one endpoint; nothing of the product's in it."""

    tables: Any
    scaling: Any
    alarms: Any
    functions: Any
    iam: Any

    @classmethod
    def of(cls, aws: Aws) -> Clients:
        """Clients with the settings of an ``Aws``."""
        session: Any = aws.session
        names = ("dynamodb", "application-autoscaling", "cloudwatch", "lambda", "iam")
        return cls(*(session.client(name, endpoint_url=aws.endpoint_url) for name in names))

    def function(self, name: str) -> str:
        """The ARN of a function that is there, and does nothing."""
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("f.py", "")
        made = self.functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role,
            Handler="f.x",
            Code={"ZipFile": code.getvalue()},
        )
        return str(made["FunctionArn"])

    def mappings(self, stream: str) -> list[dict[str, Any]]:
        """Who reads a stream."""
        found: list[dict[str, Any]] = self.functions.list_event_source_mappings(EventSourceArn=stream)[
            "EventSourceMappings"
        ]
        return found

    def stream(self, table: str) -> str:
        """The ARN of a table's stream."""
        return str(self.tables.describe_table(TableName=table)["Table"]["LatestStreamArn"])


def equip(clients: Clients, table: str, function: str = "") -> None:
    """Make a table that has whatever can be had, with a consumer where there is a function."""
    clients.tables.create_table(
        TableName=table,
        **PROVISIONED,
        StreamSpecification=ON,
        DeletionProtectionEnabled=True,
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    arn = clients.tables.describe_table(TableName=table)["Table"]["TableArn"]
    clients.tables.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    clients.tables.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 9},
    )
    clients.tables.put_resource_policy(ResourceArn=arn, Policy=policy_for(arn))
    scale(clients, table)
    if function:
        clients.functions.create_event_source_mapping(
            FunctionName=function,
            EventSourceArn=clients.stream(table),
            StartingPosition="TRIM_HORIZON",
            BatchSize=7,
        )


def policy_for(arn: str) -> str:
    """A policy that names the table and its indexes."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ACCOUNT_ROOT},
        "Action": "dynamodb:GetItem",
        "Resource": [arn, f"{arn}/index/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def scale(clients: Clients, table: str) -> None:
    """Auto scaling of all kinds, and an alarm that calls a step scaling policy."""
    own = {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}", "ScalableDimension": WRITES}
    index = {**own, "ResourceId": f"table/{table}/index/by-g", "ScalableDimension": INDEX_READS}
    for target in (own, index):
        clients.scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=9)
    clients.scaling.put_scaling_policy(
        **own,
        PolicyName="half",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    steps = clients.scaling.put_scaling_policy(
        **own, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEPS
    )
    clients.scaling.put_scheduled_action(
        **index,
        ScheduledActionName="night",
        Schedule="cron(0 0 * * ? *)",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )
    clients.alarms.put_metric_alarm(
        AlarmName=f"{table}-busy",
        Namespace="AWS/DynamoDB",
        MetricName="ConsumedWriteCapacityUnits",
        Dimensions=[{"Name": "TableName", "Value": table}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=100,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=["arn:aws:sns:eu-west-1:123456789012:oncall", steps["PolicyARN"]],
    )


def capture(aws: Aws, table: str) -> TableDefinition:
    """The definition with all that surrounds the table, as a backup has it."""
    return capture_definition(aws, table, START, sleep=FakeSleep())


def lose(clients: Clients, table: str) -> None:
    """The table is deleted, and with it what AWS or a thorough person deletes; mapping and policy ARNs are dead."""
    clients.tables.update_table(TableName=table, DeletionProtectionEnabled=False)
    arn = clients.tables.describe_table(TableName=table)["Table"]["TableArn"]
    clients.tables.delete_resource_policy(ResourceArn=arn)
    clients.tables.delete_table(TableName=table)
    clients.alarms.delete_alarms(AlarmNames=[f"{table}-busy"])
    own = {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}", "ScalableDimension": WRITES}
    # AWS deletes them with their target.
    for policy in ("half", "steps"):
        clients.scaling.delete_scaling_policy(PolicyName=policy, **own)
    index = {"ResourceId": f"table/{table}/index/by-g", "ScalableDimension": INDEX_READS}
    clients.scaling.delete_scheduled_action(ServiceNamespace="dynamodb", ScheduledActionName="night", **index)
    for resource, dimension in ((f"table/{table}", WRITES), (f"table/{table}/index/by-g", INDEX_READS)):
        clients.scaling.deregister_scalable_target(
            ServiceNamespace="dynamodb", ResourceId=resource, ScalableDimension=dimension
        )


def bare(clients: Clients, definition: TableDefinition, **more: Any) -> None:
    """The table as a load leaves it: raised capacity, the run's tag, none of its settings and no index."""
    request = {
        name: value for name, value in definition.create_table.items() if name != "GlobalSecondaryIndexes"
    }
    request["AttributeDefinitions"] = [{"AttributeName": "pk", "AttributeType": "S"}]
    raised = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 4000}
    clients.tables.create_table(
        **{**request, "ProvisionedThroughput": raised, **more}, Tags=[{"Key": RUN_TAG, "Value": "run-1"}]
    )


def wanted(definition: TableDefinition, table: str = "", **more: Any) -> Wanted:
    """What the pass is to bring about, under the table's own name unless another is given."""
    parts: dict[str, Any] = {
        "table": table or definition.table.name,
        "create_table": {**definition.create_table, "TableName": table or definition.table.name},
        "settings": definition.settings,
        "surroundings": definition.surroundings,
        "source": definition.table,
        **more,
    }
    return Wanted(**parts)


def run(
    aws: Aws, what: Wanted, still_ours: Callable[[], None] = lambda: None
) -> tuple[list[FollowUp], FakeSleep]:
    """One pass, and how long it would have slept."""
    sleep = FakeSleep()
    return put_back(aws, what, sleep, still_ours), sleep
