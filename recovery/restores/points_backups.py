"""DynamoDB's own backups: on-demand ones, and the system backup that it makes of a table deleted with PITR on.

ListBackups and DescribeBackup (API reference). ListBackups shows system backups only to who asks for them, and those
of a table that is gone, too. A system backup is named ``<table>$DeletedTableBackup``, has the table as of the moment
of its deletion, shows some seconds later, and is kept for 35 days.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recovery.definitions.reader import Reader
from recovery.errors import AwsError
from recovery.restores.estimates import native_restore
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

SYSTEM_BACKUP = "{table}$DeletedTableBackup"
SYSTEM_BACKUP_DAYS = 35
# Without DescribeBackup nobody knows when the table of a system backup was made: then only one that was made
# right at the deletion is taken for that of the lost table.
AT_THE_DELETION = timedelta(minutes=10)
_KINDS = {"USER": PointKind.ON_DEMAND, "SYSTEM": PointKind.SYSTEM, "AWS_BACKUP": PointKind.AWS_BACKUP}


class BackupPoints:
    """See PointSource. What AWS Backup made comes along where DynamoDB shows it, but is AWS Backup's to list."""

    kinds: tuple[PointKind, ...] = (PointKind.SYSTEM, PointKind.ON_DEMAND)

    def __init__(self, aws: Aws, sleep: Sleep = time.sleep) -> None:
        self._aws = aws
        self._sleep = sleep

    def find(self, lost: LostTable) -> list[RecoveryPoint]:
        """See PointSource.find. Only what is AVAILABLE can be restored from."""
        refuse_other_place(self._aws, lost)
        reader = Reader(lambda: self._aws.reader("dynamodb"), self._sleep)
        listed = reader.listed(
            "list_backups",
            "BackupSummaries",
            marker="ExclusiveStartBackupArn",
            next_marker="LastEvaluatedBackupArn",
            TableName=lost.name,
            BackupType="ALL",
        )
        arn = table_arn(self._aws.dynamodb().meta.partition, lost)
        theirs = [summary for summary in listed if _is_of(summary, lost, arn)]
        theirs.sort(key=lambda summary: summary["BackupCreationDateTime"], reverse=True)
        points: list[RecoveryPoint] = []
        for summary in theirs:
            table = _described(reader, summary) if len(points) < DESCRIBED else {}
            if table is not None and _is_before_the_deletion(summary, table, lost):
                points.append(_point(summary, table))
        return points


def _is_of(summary: dict[str, Any], lost: LostTable, arn: str) -> bool:
    if summary.get("TableName") != lost.name or summary.get("TableArn", arn) != arn:
        return False
    kind = summary.get("BackupType", "USER")
    # Its name is the one thing that tells a system backup of a deleted table from any other kind there may be.
    if kind == "SYSTEM" and summary.get("BackupName") != SYSTEM_BACKUP.format(table=lost.name):
        return False
    return kind in _KINDS and summary.get("BackupStatus") == "AVAILABLE"


def _described(reader: Reader, summary: dict[str, Any]) -> dict[str, Any] | None:
    """DescribeBackup's SourceTableDetails; {} where they may not be read, None for a backup that is no point."""
    try:
        answer = reader.ask("describe_backup", BackupArn=summary["BackupArn"])["BackupDescription"]
    except AccessDeniedError:
        return {}
    except AwsError as error:
        # It ran out or was deleted after it was listed.
        if error.code == "BackupNotFoundException":
            return None
        raise
    table = answer.get("SourceTableDetails", {})
    is_same = all(
        table[name] == summary[name]
        for name in ("TableName", "TableId")
        if table.get(name) and summary.get(name)
    )
    return table if is_same and answer["BackupDetails"]["BackupStatus"] == "AVAILABLE" else None


def _is_before_the_deletion(summary: dict[str, Any], table: dict[str, Any], lost: LostTable) -> bool:
    made = summary["BackupCreationDateTime"]
    if taken_before(made, lost.deleted_at) or lost.deleted_at is None:
        return True
    if summary.get("BackupType") != "SYSTEM":
        return False
    # Made when the table was deleted, so a little later than that. A table that was there before the deletion
    # and is deleted afterwards is the one that this deletion deleted, and none that took its place.
    created = table.get("TableCreationDateTime")
    if created is not None:
        return bool(created < lost.deleted_at)
    return bool(made - lost.deleted_at <= AT_THE_DELETION)


def _point(summary: dict[str, Any], table: dict[str, Any]) -> RecoveryPoint:
    kind = _KINDS[summary.get("BackupType", "USER")]
    made = summary["BackupCreationDateTime"]
    size = summary.get("BackupSizeBytes", table.get("TableSizeBytes"))
    estimate = native_restore(size or 0)
    expires = summary.get("BackupExpiryDateTime")
    if kind is PointKind.SYSTEM and expires is None:
        expires = made + timedelta(days=SYSTEM_BACKUP_DAYS)
    return RecoveryPoint(
        kind=kind,
        id=summary["BackupArn"],
        time=made,
        item_count=table.get("ItemCount"),
        size_bytes=size,
        lacks=NATIVE_LACKS,
        seconds=estimate.seconds,
        dollars=None if size is None else estimate.dollars,
        expires=expires,
    )
