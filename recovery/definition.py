"""Table definitions: everything needed to create a table again under its own name.

``create_table`` is a CreateTable request (API reference, 'CreateTable') without the settings that are put
on after the data is in; those are in ``settings``, each with its third state: what could not be read is
``unknown`` with the reason, never mistaken for absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.aws import aws_errors
from recovery.errors import AwsError, TableNotFoundError
from recovery.manifest import TableIdentity, UtcTime
from rules.errors import AccessDeniedError, SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

    from recovery.aws import Aws

# While a table is being recovered it says so itself, in the same call that creates it.
RUN_TAG = "safetynet:run"


class Known(BaseModel):
    """A setting that was read; ``value`` None means that the table has no such setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["known"] = "known"
    value: Any = None


class NotKnown(BaseModel):
    """A setting that could not be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["unknown"] = "unknown"
    reason: str


Setting = Annotated[Known | NotKnown, Field(discriminator="state")]


class Settings(BaseModel):
    """What a table has besides its CreateTable request, in the shapes of the calls that set it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream: Setting  # StreamSpecification
    deletion_protection: Setting  # bool
    ttl: Setting  # {"AttributeName": ...}
    pitr: Setting  # {"PointInTimeRecoveryEnabled": ..., "RecoveryPeriodInDays": ...}
    tags: Setting  # {key: value}
    resource_policy: Setting  # the policy's text


class TableDefinition(BaseModel):
    """``table.json`` of a backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    table: TableIdentity
    created: UtcTime | None
    captured: UtcTime
    item_count_estimate: int
    size_bytes_estimate: int
    create_table: dict[str, Any]
    settings: Settings
    observed: dict[str, Any] = {}

    @property
    def unknown(self) -> dict[str, str]:
        """The settings that could not be read, with reasons."""
        return {
            name: setting.reason
            for name in Settings.model_fields
            if isinstance(setting := getattr(self.settings, name), NotKnown)
        }

    @property
    def tags(self) -> dict[str, str]:
        """The table's tags, empty where unknown."""
        tags = self.settings.tags
        return dict(tags.value or {}) if isinstance(tags, Known) else {}


def describe_table(client: DynamoDBClient, table: str) -> TableDescriptionTypeDef:
    """DescribeTable. Raises TableNotFoundError."""
    with aws_errors(f"describe table {table}"):
        return client.describe_table(TableName=table)["Table"]


def capture_definition(aws: Aws, table: str, now: UtcTime) -> TableDefinition:
    """The full definition of a live table, as of ``now``. Raises TableNotFoundError, AccessDeniedError."""
    client = aws.dynamodb()
    description = describe_table(client, table)
    arn = description["TableArn"]
    identity = TableIdentity(
        account=arn.split(":")[4],
        region=arn.split(":")[3],
        name=description["TableName"],
        arn=arn,
        table_id=description.get("TableId", ""),
    )
    return TableDefinition(
        table=identity,
        created=description.get("CreationDateTime"),
        captured=now,
        item_count_estimate=description.get("ItemCount", 0),
        size_bytes_estimate=description.get("TableSizeBytes", 0),
        create_table=create_request(dict(description)),
        settings=read_settings(client, description),
        observed=_observed(dict(description)),
    )


def create_request(description: dict[str, Any]) -> dict[str, Any]:
    """The CreateTable request that makes a table as described, but for what ``Settings`` holds."""
    on_demand = description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    request: dict[str, Any] = {
        "TableName": description["TableName"],
        "AttributeDefinitions": sorted(
            description["AttributeDefinitions"], key=lambda attribute: str(attribute["AttributeName"])
        ),
        "KeySchema": description["KeySchema"],
        "BillingMode": "PAY_PER_REQUEST" if on_demand else "PROVISIONED",
    }
    request.update(_throughput(description, on_demand=on_demand))
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        indexes = [_index(index, kind, on_demand=on_demand) for index in description.get(kind) or []]
        if indexes:
            request[kind] = sorted(indexes, key=lambda index: str(index["IndexName"]))
    table_class = description.get("TableClassSummary", {}).get("TableClass")
    if table_class:
        request["TableClass"] = table_class
    encryption = description.get("SSEDescription", {})
    if encryption.get("Status") in {"ENABLED", "UPDATING"}:
        request["SSESpecification"] = {
            "Enabled": True,
            "SSEType": encryption.get("SSEType", "KMS"),
            **({"KMSMasterKeyId": encryption["KMSMasterKeyArn"]} if "KMSMasterKeyArn" in encryption else {}),
        }
    return request


def _throughput(description: dict[str, Any], *, on_demand: bool) -> dict[str, Any]:
    if on_demand:
        limits = description.get("OnDemandThroughput") or {}
        # -1 is how DescribeTable spells "no limit".
        kept = {name: units for name, units in limits.items() if units not in (None, -1)}
        return {"OnDemandThroughput": kept} if kept else {}
    provisioned = description.get("ProvisionedThroughput", {})
    return {
        "ProvisionedThroughput": {
            "ReadCapacityUnits": provisioned.get("ReadCapacityUnits", 0),
            "WriteCapacityUnits": provisioned.get("WriteCapacityUnits", 0),
        }
    }


def _index(index: dict[str, Any], kind: str, *, on_demand: bool) -> dict[str, Any]:
    request = {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": {
            name: sorted(value) if isinstance(value, list) else value
            for name, value in index["Projection"].items()
        },
    }
    if kind == "GlobalSecondaryIndexes":
        request.update(_throughput(index, on_demand=on_demand))
    return request


def _observed(description: dict[str, Any]) -> dict[str, Any]:
    """What is worth knowing but not set at creation: warm throughput above the free default costs money."""
    found = {name: description[name] for name in ("WarmThroughput", "Replicas") if description.get(name)}
    return {
        **found,
        **({"LatestStreamArn": stream} if (stream := description.get("LatestStreamArn")) else {}),
    }


def read_settings(client: DynamoDBClient, description: TableDescriptionTypeDef) -> Settings:
    """The settings of a live table that has just been described."""
    table, arn = description["TableName"], description["TableArn"]
    stream = description.get("StreamSpecification", {})
    return Settings(
        stream=Known(value=dict(stream) if stream.get("StreamEnabled") else None),
        deletion_protection=Known(value=description.get("DeletionProtectionEnabled", False)),
        ttl=_read("time to live", lambda: _ttl(client, table)),
        pitr=_read("point-in-time recovery", lambda: _pitr(client, table)),
        tags=_read("tags", lambda: read_tags(client, arn)),
        resource_policy=_read("the resource policy", lambda: _resource_policy(client, arn)),
    )


def _read(what: str, read: Callable[[], object]) -> Known | NotKnown:
    """A setting, or why it is unknown: the caller may not, or the endpoint does not implement it."""
    try:
        with aws_errors(f"read {what}"):
            return Known(value=read())
    except TableNotFoundError:
        raise
    except AccessDeniedError as error:
        return NotKnown(reason=f"access denied: {error}")
    except SafetyNetError as error:
        return NotKnown(reason=str(error))


def _ttl(client: DynamoDBClient, table: str) -> object:
    answer = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    enabled = answer.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return {"AttributeName": answer["AttributeName"]} if enabled else None


def _pitr(client: DynamoDBClient, table: str) -> object:
    answer = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    description = answer.get("PointInTimeRecoveryDescription", {})
    if description.get("PointInTimeRecoveryStatus") != "ENABLED":
        return None
    days = description.get("RecoveryPeriodInDays")
    return {"PointInTimeRecoveryEnabled": True, **({"RecoveryPeriodInDays": days} if days else {})}


def read_tags(client: DynamoDBClient, arn: str) -> dict[str, str]:
    """All tags of a table (ListTagsOfResource, page by page)."""
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _resource_policy(client: DynamoDBClient, arn: str) -> object:
    try:
        with aws_errors("read the resource policy"):
            return client.get_resource_policy(ResourceArn=arn)["Policy"]
    except AwsError as error:
        if error.code == "PolicyNotFoundException":
            return None
        raise
