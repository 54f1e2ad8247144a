"""What DynamoDB itself keeps around a table beside its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.errors import AwsError

if TYPE_CHECKING:
    from recovery.definitions.reader import Reader

# What a new on-demand table can do at once, by itself (developer guide, 'Understanding DynamoDB warm
# throughput in different scenarios').
WARM_FROM_BIRTH = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}
_ENABLED = frozenset({"ACTIVE", "ENABLED", "ENABLING", "UPDATING"})
_REPLICA_PARTS = (
    "GlobalTableVersion",
    "Replicas",
    "GlobalTableWitnesses",
    "MultiRegionConsistency",
    "GlobalTableSettingsReplicationMode",
    "DisassociationProtectionEnabled",
)


def warm_throughput(description: dict[str, Any]) -> dict[str, Any]:
    """What UpdateTable takes to warm table and indexes up again. It costs money, so nobody does it unasked.

    Raises AwsError where the description says nothing of it.
    """
    if not (table := _units(description)):
        raise AwsError("DescribeTable says nothing of warm throughput")
    indexes = [
        {"Update": {"IndexName": index["IndexName"], "WarmThroughput": units}}
        for index in description.get("GlobalSecondaryIndexes") or ()
        if (units := _units(index))
    ]
    return {
        "WarmThroughput": table,
        **({"GlobalSecondaryIndexUpdates": indexes} if indexes else {}),
    }


def _units(described: dict[str, Any]) -> dict[str, int]:
    warm = described.get("WarmThroughput") or {}
    return {name: warm[name] for name in WARM_FROM_BIRTH if warm.get(name)}


def is_warmed_up(warm: dict[str, Any], create_table: dict[str, Any]) -> bool:
    """Whether table or index can do more at once than one can that is created anew."""
    updates = {
        update["Update"]["IndexName"]: update["Update"]["WarmThroughput"]
        for update in warm.get("GlobalSecondaryIndexUpdates", ())
    }
    indexes = {index["IndexName"]: index for index in create_table.get("GlobalSecondaryIndexes", ())}
    return _is_warmer(warm.get("WarmThroughput", {}), create_table) or any(
        _is_warmer(units, indexes.get(name, {})) for name, units in updates.items()
    )


def _is_warmer(units: dict[str, int], request: dict[str, Any]) -> bool:
    provisioned = request.get("ProvisionedThroughput", {})
    anew = {
        "ReadUnitsPerSecond": provisioned.get("ReadCapacityUnits", 0),
        "WriteUnitsPerSecond": provisioned.get("WriteCapacityUnits", 0),
    }
    return any(units.get(name, 0) > max(least, anew[name]) for name, least in WARM_FROM_BIRTH.items())


def stream_policy(dynamodb: Reader, description: dict[str, Any]) -> str | None:
    """The policy of the table's stream. A stream that is off will not come back, and no policy with it."""
    if not description.get("StreamSpecification", {}).get("StreamEnabled"):
        return None
    return resource_policy(dynamodb, description["LatestStreamArn"])


def resource_policy(dynamodb: Reader, arn: str) -> str | None:
    """The policy's text (GetResourcePolicy)."""
    try:
        policy: str = dynamodb.ask("get_resource_policy", ResourceArn=arn)["Policy"]
    except AwsError as error:
        if error.code == "PolicyNotFoundException":
            return None
        raise
    return policy


def kinesis_destinations(dynamodb: Reader, table: str) -> list[dict[str, Any]] | None:
    """What EnableKinesisStreamingDestination takes, one for each stream that is fed."""
    found = dynamodb.ask("describe_kinesis_streaming_destination", TableName=table)
    return [
        _destination(destination)
        for destination in found.get("KinesisDataStreamDestinations", ())
        if destination.get("DestinationStatus") in _ENABLED
    ] or None


def _destination(described: dict[str, Any]) -> dict[str, Any]:
    name = "ApproximateCreationDateTimePrecision"
    precise = {"EnableKinesisStreamingConfiguration": {name: described[name]}} if described.get(name) else {}
    return {"StreamArn": described["StreamArn"], **precise}


def contributor_insights(dynamodb: Reader, table: str) -> list[dict[str, Any]] | None:
    """What UpdateContributorInsights takes, for the table and each index where they are on."""
    return [
        {
            "ContributorInsightsAction": "ENABLE",
            **{name: summary[name] for name in ("IndexName", "ContributorInsightsMode") if summary.get(name)},
        }
        for summary in dynamodb.listed(
            "list_contributor_insights", "ContributorInsightsSummaries", TableName=table
        )
        if summary.get("ContributorInsightsStatus") in _ENABLED
    ] or None


def replicas(dynamodb: Reader, description: dict[str, Any]) -> dict[str, Any] | None:
    """The other regions and how they differ, as DescribeTable has it, or DescribeGlobalTable in version 2017."""
    found = {name: description[name] for name in _REPLICA_PARTS if description.get(name) is not None}
    if found.get("Replicas") or found.get("GlobalTableWitnesses"):
        return found
    if "GlobalTableVersion" in found:
        return None
    stream = description.get("StreamSpecification", {})
    # Version 2017.11.29 does not work without this stream, and DescribeTable does not know of it.
    if not stream.get("StreamEnabled") or stream.get("StreamViewType") != "NEW_AND_OLD_IMAGES":
        return None
    return _old_replicas(dynamodb, description)


def _old_replicas(dynamodb: Reader, description: dict[str, Any]) -> dict[str, Any] | None:
    try:
        answer = dynamodb.ask("describe_global_table", GlobalTableName=description["TableName"])
    except AwsError as error:
        if error.code == "GlobalTableNotFoundException":
            return None
        raise
    here = description["TableArn"].split(":")[3]
    group = answer["GlobalTableDescription"].get("ReplicationGroup", [])
    elsewhere = [replica for replica in group if replica.get("RegionName") != here]
    return {"GlobalTableVersion": "2017.11.29", "Replicas": elsewhere} if elsewhere else None


def replica_auto_scaling(dynamodb: Reader, description: dict[str, Any]) -> list[dict[str, Any]] | None:
    """How the replicas of a table scale, one entry a region; only a table with replicas is asked about."""
    if not description.get("Replicas"):
        return None
    answer = dynamodb.ask("describe_table_replica_auto_scaling", TableName=description["TableName"])
    regions = answer["TableAutoScalingDescription"].get("Replicas", [])
    return [region for region in regions if _scales(region)] or None


def _scales(region: dict[str, Any]) -> bool:
    places = [region, *region.get("GlobalSecondaryIndexes", ())]
    settings = [
        value for place in places for name, value in place.items() if name.endswith("AutoScalingSettings")
    ]
    return any(one and not one.get("AutoScalingDisabled", False) for one in settings)


def encryption_key(kms: Reader, description: dict[str, Any]) -> dict[str, Any] | None:
    """Who manages the key of a table that has one (KMS DescribeKey)."""
    arn = description.get("SSEDescription", {}).get("KMSMasterKeyArn")
    if not arn:
        return None
    metadata = kms.ask("describe_key", KeyId=arn)["KeyMetadata"]
    return {"KeyManager": metadata["KeyManager"], "MultiRegion": metadata.get("MultiRegion", False)}
