"""What the tests of the managed loads share: lost tables to load, and a world in which nothing was recovered yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recovery.backups.backup import BackupOptions
from recovery.backups.compression import Compression
from recovery.backups.data_files import FileOptions
from recovery.backups.engine_scan import ScanOptions
from recovery.progress import NoProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from recovery.restores.engine import RestoreEngineName
    from recovery.restores.plans import RecoveryPlan
    from recovery.testing.managed_loads import ManagedLoads
    from tests.recovery.recovering import Item, Process

BATCH = 25


@dataclass
class Told(NoProgress):
    """Remembers every advance: items, bytes."""

    advances: list[tuple[int, int]] = field(default_factory=list)

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """See Progress."""
        self.advances.append((items, size_bytes))


def fill(plain: DynamoDBClient, table: str, items: Sequence[Item]) -> None:
    """Put items, many at a time."""
    for start in range(0, len(items), BATCH):
        puts: Any = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
        plain.batch_write_item(RequestItems={table: puts})


def lost(
    net: Process,
    plain: DynamoDBClient,
    table: str,
    engine: RestoreEngineName,
    compression: Compression = Compression.GZIP,
    file_items: int = 10,
) -> RecoveryPlan:
    """The plan to bring a table back that is lost now, from several data files; the record of calls is empty again.

    ``file_items``: how many of ``some_items`` come into one file.
    """
    net.faults.page_items = file_items
    scan = ScanOptions(segments=1, files=FileOptions(raw_bytes=40 * file_items))
    net.backups(scan, BackupOptions(compression=compression)).back_up(table)
    plain.delete_table(TableName=table)
    plan = net.plan(table).model_copy(update={"engine": engine})
    net.faults.reset()
    return plan


def backup_of(net: Process, plan: RecoveryPlan) -> Manifest:
    """The backup of a plan."""
    return net.catalog.get(plan.source.account, plan.source.region, plan.source.name, plan.backup_id)


def forget(net: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan) -> None:
    """As if nothing had been recovered yet."""
    plain.delete_table(TableName=plan.target.name)
    for place in ("runs/", "leases/"):
        for info in list(net.store.list(place)):
            net.store.delete(info.key)
    net.again()
    loads.reset(net.store)
