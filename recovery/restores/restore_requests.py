"""What AWS is told when it restores one of its own recovery points, so that the table is the one of the plan.

RestoreTableToPointInTime and RestoreTableFromBackup (API reference) take the billing mode, throughput, encryption and
a choice of the indexes that the point has. StartRestoreJob takes of a table its name and its encryption ('Restore a
DynamoDB table' and 'Restore testing inferred metadata' in AWS Backup's developer guide). The rest is put on afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.aws import aws_errors
from recovery.definitions.create_request import create_request
from recovery.restores.points import PointKind

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.restores.plans import RecoveryPlan

_INDEXES = {
    "GlobalSecondaryIndexes": "GlobalSecondaryIndexOverride",
    "LocalSecondaryIndexes": "LocalSecondaryIndexOverride",
    "VectorIndexes": "VectorIndexOverride",
}
_AWS_OWNED_KEY = {"Enabled": False}


def restore_call(aws: Aws, plan: RecoveryPlan) -> tuple[str, dict[str, Any]]:
    """The client's method and its request for a point that DynamoDB itself restores. Raises as AWS does."""
    point = plan.point
    request: dict[str, Any] = {"TargetTableName": plan.target.name}
    if point.kind is not PointKind.PITR:
        call, request["BackupArn"] = "restore_table_from_backup", point.id
        return call, {**request, **overrides(plan.create_table, _of_backup(aws, point.id))}
    region, account, name = point.id.split(":")[3], point.id.split(":")[4], point.id.rpartition("/")[2]
    here = (region, account) == (plan.target.region, plan.target.account)
    # The ARN is for a table of another region; what is there cannot be described from here.
    request |= {"SourceTableName": name} if here else {"SourceTableArn": point.id}
    # A point with a window stands for the latest moment, one without for its own.
    request |= (
        {"UseLatestRestorableTime": True} if point.earliest is not None else {"RestoreDateTime": point.time}
    )
    there = _of_table(aws, name) if here else None
    return "restore_table_to_point_in_time", {**request, **overrides(plan.create_table, there)}


def overrides(create_table: dict[str, Any], there: dict[str, Any] | None) -> dict[str, Any]:
    """The overrides that make the restored table the one of a CreateTable request.

    ``there`` is the CreateTable request that the point answers to by itself, None where that is not known: only
    indexes that it has can be chosen from. Without a definition in ``create_table`` all is left as it was.
    """
    if "KeySchema" not in create_table:
        return {}
    request: dict[str, Any] = {
        # "Mandatory for cross-Region restores", and else the key would be the one that AWS owns.
        "SSESpecificationOverride": create_table.get("SSESpecification", _AWS_OWNED_KEY)
    }
    for setting in ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput"):
        if setting in create_table:
            request[f"{setting}Override"] = create_table[setting]
    if there is None:
        return request
    for kind, override in _INDEXES.items():
        found = {index["IndexName"]: index for index in there.get(kind, ())}
        wanted = {
            index["IndexName"]: index for index in create_table.get(kind, ()) if index["IndexName"] in found
        }
        if wanted != found:
            request[override] = list(wanted.values())
    return request


def job_metadata(plan: RecoveryPlan) -> dict[str, str]:
    """StartRestoreJob's Metadata for a table."""
    encryption = plan.create_table.get("SSESpecification", _AWS_OWNED_KEY)
    metadata = {"targetTableName": plan.target.name}
    if not encryption.get("Enabled"):
        return {**metadata, "encryptionType": "Default"}
    key = encryption.get("KMSMasterKeyId")
    return {**metadata, "encryptionType": "KMS", **({"kmsMasterKeyArn": key} if key else {})}


def _of_table(aws: Aws, table: str) -> dict[str, Any]:
    client: Any = aws.dynamodb()
    with aws_errors(f"describe table {table}"):
        return create_request(client.describe_table(TableName=table)["Table"])


def _of_backup(aws: Aws, arn: str) -> dict[str, Any]:
    """As if the table of the backup had been described; its attributes are not told, and no index needs them."""
    client: Any = aws.dynamodb()
    with aws_errors(f"describe backup {arn}"):
        description = client.describe_backup(BackupArn=arn)["BackupDescription"]
    details = description["SourceTableDetails"]
    return create_request(
        {
            **details,
            **description.get("SourceTableFeatureDetails", {}),
            "BillingModeSummary": {"BillingMode": details.get("BillingMode")},
            "AttributeDefinitions": [],
        }
    )
