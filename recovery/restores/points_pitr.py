"""Point-in-time recovery of a table that is there: any second of its window (DescribeContinuousBackups)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from recovery.definitions.reader import Reader
from recovery.errors import TableNotFoundError
from recovery.restores.estimates import native_restore
from recovery.restores.points import PointKind, RecoveryPoint
from recovery.restores.points_native import NATIVE_LACKS, refuse_other_place, taken_before

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.restores.points import LostTable


class PitrPoints:
    """See PointSource. One point at most: its ``earliest`` and ``time`` are the ends of the window."""

    kinds: tuple[PointKind, ...] = (PointKind.PITR,)

    def __init__(self, aws: Aws, sleep: Sleep = time.sleep) -> None:
        self._aws = aws
        self._sleep = sleep

    def find(self, lost: LostTable) -> list[RecoveryPoint]:
        """See PointSource.find. A deleted table has none: DynamoDB makes a system backup of it instead.

        A table that took the place of the deleted one begins after the deletion, and so does its window.
        """
        refuse_other_place(self._aws, lost)
        reader = Reader(lambda: self._aws.reader("dynamodb"), self._sleep)
        try:
            backups = reader.ask("describe_continuous_backups", TableName=lost.name)
            table = reader.ask("describe_table", TableName=lost.name)["Table"]
        except TableNotFoundError:
            return []
        window = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if window.get("PointInTimeRecoveryStatus") != "ENABLED" or "LatestRestorableDateTime" not in window:
            return []
        earliest, latest = window["EarliestRestorableDateTime"], window["LatestRestorableDateTime"]
        if not taken_before(earliest, lost.deleted_at):
            return []
        size = table.get("TableSizeBytes", 0)
        estimate = native_restore(size)
        return [
            RecoveryPoint(
                kind=PointKind.PITR,
                id=table["TableArn"],
                time=latest,
                earliest=earliest,
                item_count=table.get("ItemCount"),
                size_bytes=size,
                lacks=NATIVE_LACKS,
                seconds=estimate.seconds,
                dollars=estimate.dollars,
            )
        ]
