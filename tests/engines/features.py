"""What a table can have besides items: how it is asked for, and what the API then says of it (plain boto3)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recovery.testing.embedded_aws import REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engines.engine import Engine

Description = dict[str, Any]
POLLS, POLL_SECONDS = 200, 0.1


def _nothing(engine: Engine, description: Description) -> None:
    """Asked for with CreateTable alone."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One setting. ``request`` is its part of CreateTable, ``put`` what is called afterwards.

    ``read`` gives from the API what must be ``wanted`` where an engine has the feature.
    """

    name: str
    wanted: Any
    read: Callable[[Engine, Description], Any]
    request: dict[str, Any] = field(default_factory=dict)
    put: Callable[[Engine, Description], None] = _nothing


def _tags(engine: Engine, description: Description) -> Any:
    tags = engine.client.list_tags_of_resource(ResourceArn=description["TableArn"])["Tags"]
    return sorted((tag["Key"], tag["Value"]) for tag in tags)


def _ttl(engine: Engine, description: Description) -> Any:
    answer = engine.client.describe_time_to_live(TableName=description["TableName"])["TimeToLiveDescription"]
    return answer.get("TimeToLiveStatus"), answer.get("AttributeName")


def _put_ttl(engine: Engine, description: Description) -> None:
    engine.client.update_time_to_live(
        TableName=description["TableName"],
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )


def _pitr(engine: Engine, description: Description) -> Any:
    answer = engine.client.describe_continuous_backups(TableName=description["TableName"])
    return answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]


def _put_pitr(engine: Engine, description: Description) -> None:
    engine.client.update_continuous_backups(
        TableName=description["TableName"],
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
    )


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteTable", "Resource": "*"},
    ],
}


def _policy(engine: Engine, description: Description) -> Any:
    return json.loads(engine.client.get_resource_policy(ResourceArn=description["TableArn"])["Policy"])


def _put_policy(engine: Engine, description: Description) -> None:
    engine.client.put_resource_policy(ResourceArn=description["TableArn"], Policy=json.dumps(POLICY))


def _exports(description: Description) -> str:
    return f"exports-of-{description['TableName']}"


def _put_export(engine: Engine, description: Description) -> None:
    _put_pitr(engine, description)
    bucket = _exports(description)
    engine.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    engine.client.export_table_to_point_in_time(TableArn=description["TableArn"], S3Bucket=bucket)


def _export_is_whole(engine: Engine, description: Description) -> bool:
    """Whether a manifest is there once all exports say that they are complete."""
    for _ in range(POLLS):
        told = engine.client.list_exports(TableArn=description["TableArn"])["ExportSummaries"]
        if {one["ExportStatus"] for one in told} == {"COMPLETED"}:
            break
        time.sleep(POLL_SECONDS)
    found = engine.s3.list_objects_v2(Bucket=_exports(description)).get("Contents", [])
    return any(entry["Key"].endswith("/manifest-summary.json") for entry in found)


STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(
            "tags with CreateTable",
            [("cost centre", "a/b:c=1+2@x"), ("team", "shop")],
            _tags,
            {
                "Tags": [
                    {"Key": "team", "Value": "shop"},
                    {"Key": "cost centre", "Value": "a/b:c=1+2@x"},
                ]
            },
        ),
        Feature("time to live", ("ENABLED", "expires"), _ttl, put=_put_ttl),
        Feature(
            "point-in-time recovery",
            "ENABLED",
            lambda engine, description: _pitr(engine, description)["PointInTimeRecoveryStatus"],
            put=_put_pitr,
        ),
        Feature(
            "days of point-in-time recovery",
            7,
            lambda engine, description: _pitr(engine, description).get("RecoveryPeriodInDays"),
            put=_put_pitr,
        ),
        Feature("resource policy", POLICY, _policy, put=_put_policy),
        Feature(
            "stream",
            STREAM,
            lambda _, description: description.get("StreamSpecification"),
            {"StreamSpecification": STREAM},
        ),
        Feature(
            "deletion protection",
            True,
            lambda _, description: description.get("DeletionProtectionEnabled"),
            {"DeletionProtectionEnabled": True},
        ),
        Feature(
            "table class",
            "STANDARD_INFREQUENT_ACCESS",
            lambda _, description: description.get("TableClassSummary", {}).get("TableClass"),
            {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        ),
        Feature(
            "encryption with a key",
            ("ENABLED", "KMS"),
            lambda _, description: (
                description.get("SSEDescription", {}).get("Status"),
                description.get("SSEDescription", {}).get("SSEType"),
            ),
            {"SSESpecification": {"Enabled": True, "SSEType": "KMS"}},
        ),
        Feature(
            "limits of on-demand capacity",
            {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20},
            lambda _, description: description.get("OnDemandThroughput"),
            {"OnDemandThroughput": {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}},
        ),
        Feature("whole exports", True, _export_is_whole, put=_put_export),
        Feature("table id", True, lambda _, description: bool(description.get("TableId"))),
        Feature("states that last", "CREATING", lambda _, description: description["FirstStatus"]),
    )
}
