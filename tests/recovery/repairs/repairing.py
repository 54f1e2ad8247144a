"""What the tests of repairs share: a table that was backed up and then written to badly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.progress import NoProgress
from recovery.repairs.differences import compare
from recovery.repairs.repair import Repairs, RepairWish
from recovery.repairs.sides import BackupSide, TableSide
from tests.recovery.recovering import WHO, Item, Process, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from recovery.repairs.differences import Difference
    from recovery.repairs.reports import RepairReport

HOW = ("killed before", "killed after", "answer lost", "throttled")
BROKEN: Item = {"pk": {"S": "item-0001"}, "n": {"N": "-1"}}
ADDED: Item = {"pk": {"S": "new"}, "n": {"N": "7"}}


@dataclass(frozen=True, slots=True)
class BadWrites:
    """Five items, backed up; then one was changed, one removed, one added."""

    net: Process
    plain: DynamoDBClient
    table: str
    backup: Manifest

    def repair(self, **wish: Any) -> RepairReport:
        """Plan and apply, as the command does."""
        repairs = repairs_of(self.net)
        with repairs.prepare(RepairWish(self.backup, **wish)) as prepared:
            return repairs.apply(prepared, WHO)

    def item(self, key: str) -> Any:
        """An item of the table, None where there is none."""
        return self.plain.get_item(TableName=self.table, Key={"pk": {"S": key}}).get("Item")

    def put(self, item: Item) -> None:
        """Somebody else writes."""
        self.plain.put_item(TableName=self.table, Item=item)


def bad_writes(net: Process, plain: DynamoDBClient, table: str, count: int = 5) -> BadWrites:
    """Such a table."""
    make_table(plain, table, some_items(count))
    backup = net.back_up(table)
    break_again(plain, table)
    net.faults.reset()
    return BadWrites(net, plain, table, backup)


def break_again(plain: DynamoDBClient, table: str) -> None:
    """The bad writes."""
    plain.put_item(TableName=table, Item=BROKEN)
    plain.delete_item(TableName=table, Key={"pk": {"S": "item-0002"}})
    plain.put_item(TableName=table, Item=ADDED)


def repairs_of(net: Process) -> Repairs:
    """What plans and applies repairs."""
    return Repairs(
        aws=net.aws,
        catalog=net.catalog,
        tables=net.tables,
        clock=net.clock,
        sleep=net.sleep,
        progress=NoProgress(),
    )


def differences_of(net: Process, backup: Manifest, newer: str | Manifest, **options: Any) -> list[Difference]:
    """What differs between a backup and a table, or a newer backup."""
    side = (
        TableSide(net.aws, net.tables, newer, net.sleep, NoProgress())
        if isinstance(newer, str)
        else BackupSide(net.catalog, newer, NoProgress())
    )
    with compare(BackupSide(net.catalog, backup, NoProgress()), side, **options) as found:
        return list(found.all())


def break_at(net: Process, how: str, nth: int) -> None:
    """Something goes wrong at the n-th call, to AWS or the vault."""
    if how == "answer lost":
        net.faults.lose_answer("", nth=nth)
    elif how == "throttled":
        net.faults.fail("", nth=nth)
    else:
        net.faults.crash(nth=nth, after=how == "killed after")
