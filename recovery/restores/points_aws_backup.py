"""The recovery points that AWS Backup keeps of a table, also of one that is gone.

ListRecoveryPointsByResource and DescribeRecoveryPoint (AWS Backup API reference). The ARN of one that AWS Backup
manages in full is AWS Backup's own and its tags are in it ('Advanced DynamoDB backup'); else it is DynamoDB's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from recovery.definitions.reader import Reader
from recovery.errors import TableNotFoundError
from recovery.restores.estimates import aws_backup_restore
from recovery.restores.points import PointKind, RecoveryPoint
from recovery.restores.points_native import (
    DESCRIBED,
    NATIVE_LACKS,
    refuse_other_place,
    table_arn,
    taken_before,
)
from rules.errors import AccessDeniedError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.restores.points import LostTable

# Both say that it is whole; AWS has used one and the other.
USABLE = frozenset({"COMPLETED", "AVAILABLE"})


class AwsBackupPoints:
    """See PointSource."""

    kinds: tuple[PointKind, ...] = (PointKind.AWS_BACKUP,)

    def __init__(self, aws: Aws, sleep: Sleep = time.sleep) -> None:
        self._aws = aws
        self._sleep = sleep

    def find(self, lost: LostTable) -> list[RecoveryPoint]:
        """See PointSource.find."""
        refuse_other_place(self._aws, lost)
        reader = Reader(lambda: self._aws.reader("backup"), self._sleep)
        arn = table_arn(self._aws.dynamodb().meta.partition, lost)
        listed = [
            entry
            for entry in recovery_points(reader, arn)
            if entry.get("Status") in USABLE and taken_before(entry["CreationDate"], lost.deleted_at)
        ]
        listed.sort(key=lambda entry: entry["CreationDate"], reverse=True)
        points: list[RecoveryPoint] = []
        for entry in listed:
            told = described(reader, entry) if len(points) < DESCRIBED else {}
            if told is not None and told.get("Status", "AVAILABLE") in USABLE:
                points.append(_point(entry, told))
        return points


def recovery_points(reader: Reader, resource_arn: str) -> list[dict[str, Any]]:
    """All that is listed of a resource, whatever its status; nothing where AWS Backup does not know it."""
    try:
        return list(
            reader.listed("list_recovery_points_by_resource", "RecoveryPoints", ResourceArn=resource_arn)
        )
    except TableNotFoundError:
        return []


def described(reader: Reader, entry: dict[str, Any]) -> dict[str, Any] | None:
    """DescribeRecoveryPoint of a listed one; {} where that may not be read, None where it is gone by now."""
    vault = entry.get("BackupVaultName")
    # The API reference leaves it open for which resources the listing tells the vault.
    if not vault:
        return {}
    try:
        return reader.ask(
            "describe_recovery_point", BackupVaultName=vault, RecoveryPointArn=entry["RecoveryPointArn"]
        )
    except AccessDeniedError:
        return {}
    except TableNotFoundError:
        return None


def is_fully_managed(arn: str) -> bool:
    """Whether only AWS Backup can restore it; DynamoDB restores what has an ARN of its own."""
    return arn.split(":")[2] == "backup"


def _point(entry: dict[str, Any], told: dict[str, Any]) -> RecoveryPoint:
    arn = entry["RecoveryPointArn"]
    size = told.get("BackupSizeInBytes", entry.get("BackupSizeBytes"))
    cold = told.get("StorageClass") == "COLD"
    estimate = aws_backup_restore(size or 0, cold=cold)
    kept = {"tags"} if is_fully_managed(arn) else set()
    return RecoveryPoint(
        kind=PointKind.AWS_BACKUP,
        id=arn,
        time=entry["CreationDate"],
        size_bytes=size,
        lacks=tuple(name for name in NATIVE_LACKS if name not in kept),
        seconds=estimate.seconds,
        dollars=None if size is None else estimate.dollars,
        expires=told.get("CalculatedLifecycle", {}).get("DeleteAt"),
    )
