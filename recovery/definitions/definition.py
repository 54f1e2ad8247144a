"""Table definitions: everything needed to create a table again under its own name.

``create_table`` is a CreateTable request (API reference, 'CreateTable') without the settings that are put
on after the data is in; those are in ``settings``, each with its third state: what could not be read is
``unknown`` with the reason, never mistaken for absent. ``surroundings`` has in the same way what belongs to
the table elsewhere. What puts all of it back is ``putting_back``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from recovery.aws import aws_errors
from recovery.backups.manifest import TableIdentity, UtcTime
from recovery.definitions.create_request import create_request, without_aws_key
from recovery.definitions.reader import Reader
from recovery.definitions.readings import Known, NotKnown, Setting, as_json, reading
from recovery.definitions.surroundings import Surroundings, read_surroundings
from recovery.definitions.surroundings_table import encryption_key, resource_policy
from recovery.errors import AwsError, TableNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.definitions.surroundings_alarms import AlarmListing

__all__ = [
    "RUN_TAG",
    "Known",
    "NotKnown",
    "Setting",
    "Settings",
    "Surroundings",
    "TableDefinition",
    "capture_definition",
    "create_request",
    "describe_table",
    "read_settings",
    "read_tags",
]

# While a table is being recovered it says so itself, in the same call that creates it.
RUN_TAG = "safetynet:run"


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
    surroundings: Surroundings = Surroundings()
    observed: dict[str, Any] = {}

    @property
    def unknown(self) -> dict[str, str]:
        """The settings and surroundings that could not be read, with reasons."""
        return {
            name: setting.reason
            for name, setting in (*self.settings, *self.surroundings)
            if isinstance(setting, NotKnown)
        }

    @property
    def surrounded_by(self) -> list[str]:
        """What surrounds the table, in plain words: ``auto scaling``, ``alarms``."""
        return self.surroundings.in_words(self.create_table)

    @property
    def tags(self) -> dict[str, str]:
        """The table's tags, empty where unknown."""
        tags = self.settings.tags
        return dict(tags.value or {}) if isinstance(tags, Known) else {}


def describe_table(client: DynamoDBClient, table: str) -> TableDescriptionTypeDef:
    """DescribeTable. Raises TableNotFoundError."""
    with aws_errors(f"describe table {table}"):
        return client.describe_table(TableName=table)["Table"]


def capture_definition(
    aws: Aws,
    table: str,
    now: UtcTime,
    *,
    surroundings: bool = True,
    alarms: AlarmListing | None = None,
    sleep: Sleep = time.sleep,
) -> TableDefinition:
    """The full definition of a live table, as of ``now``. Raises TableNotFoundError, AccessDeniedError.

    Who captures many tables hands in one ``alarms`` for all of them: else each lists all of the region's.
    """
    client = aws.dynamodb()
    typed = describe_table(client, table)
    description: dict[str, Any] = dict(typed)
    arn = description["TableArn"]
    identity = _identity(arn, description)
    kms = Reader(lambda: aws.reader("kms"), sleep)
    key = reading("the encryption key", lambda: encryption_key(kms, description))
    settings = read_settings(client, typed, sleep)
    around = Surroundings.not_asked()
    if surroundings:
        tags = settings.tags.value if isinstance(settings.tags, Known) else {}
        around = read_surroundings(
            aws, identity, description, tags, now, encryption_key=key, alarms=alarms, sleep=sleep
        )
    return TableDefinition(
        table=identity,
        created=description.get("CreationDateTime"),
        captured=now,
        item_count_estimate=description.get("ItemCount", 0),
        size_bytes_estimate=description.get("TableSizeBytes", 0),
        create_table=without_aws_key(create_request(description), key),
        settings=settings,
        surroundings=around,
        observed=_observed(description),
    )


def _identity(arn: str, description: dict[str, Any]) -> TableIdentity:
    try:
        return TableIdentity(
            account=arn.split(":")[4],
            region=arn.split(":")[3],
            name=description["TableName"],
            arn=arn,
            table_id=description.get("TableId", ""),
        )
    except (ValidationError, IndexError) as error:
        raise AwsError(f"no table of DynamoDB has such an ARN or name: {arn}") from error


def _observed(description: dict[str, Any]) -> dict[str, Any]:
    """What is worth knowing but not set at creation: warm throughput above the free default costs money."""
    names = ("WarmThroughput", "Replicas", "LatestStreamArn")
    return {name: as_json(description[name]) for name in names if description.get(name)}


def read_settings(
    client: DynamoDBClient, description: TableDescriptionTypeDef, sleep: Sleep = time.sleep
) -> Settings:
    """The settings of a live table that has just been described. Raises TableNotFoundError."""
    table, arn = description["TableName"], description["TableArn"]
    stream = description.get("StreamSpecification", {})
    dynamodb = Reader(client, sleep)
    # Half a definition of a table that is gone by now would be worse than none.
    gone = (TableNotFoundError,)
    return Settings(
        stream=Known(value=dict(stream) if stream.get("StreamEnabled") else None),
        deletion_protection=Known(value=description.get("DeletionProtectionEnabled", False)),
        ttl=reading("time to live", lambda: ttl_of(dynamodb, table), fatal=gone),
        pitr=reading("point-in-time recovery", lambda: pitr_of(dynamodb, table), fatal=gone),
        tags=reading("tags", lambda: read_tags(client, arn, sleep), fatal=gone),
        resource_policy=reading("the resource policy", lambda: resource_policy(dynamodb, arn), fatal=gone),
    )


def ttl_of(dynamodb: Reader, table: str) -> object:
    """``{"AttributeName": ...}`` (DescribeTimeToLive), None where it is off."""
    answer = dynamodb.ask("describe_time_to_live", TableName=table)["TimeToLiveDescription"]
    enabled = answer.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return {"AttributeName": answer["AttributeName"]} if enabled else None


def pitr_of(dynamodb: Reader, table: str) -> object:
    """The PointInTimeRecoverySpecification (DescribeContinuousBackups), None where it is off."""
    answer = dynamodb.ask("describe_continuous_backups", TableName=table)["ContinuousBackupsDescription"]
    description = answer.get("PointInTimeRecoveryDescription", {})
    if description.get("PointInTimeRecoveryStatus") != "ENABLED":
        return None
    days = description.get("RecoveryPeriodInDays")
    return {"PointInTimeRecoveryEnabled": True, **({"RecoveryPeriodInDays": days} if days else {})}


def read_tags(client: DynamoDBClient, arn: str, sleep: Sleep = time.sleep) -> dict[str, str]:
    """All tags of a table (ListTagsOfResource, page by page)."""
    tags = Reader(client, sleep).listed("list_tags_of_resource", "Tags", ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for tag in tags}
