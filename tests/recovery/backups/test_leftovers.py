"""Leftovers: what crashed backups leave is swept in time, and nothing else ever is."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recovery.backups.adoption import Adoption
from recovery.backups.backup_runs import BackupRunRecord, start_backup_run, unfinished_backup
from recovery.backups.content import check_objects
from recovery.backups.data_files import FileOptions
from recovery.backups.dynamodump import open_dump
from recovery.backups.engine_scan import ScanOptions
from recovery.backups.leftovers import SWEPT_AFTER, sweep_leftovers
from recovery.backups.manifest import MANIFEST, Manifest, TableIdentity, new_backup_id
from recovery.errors import LeaseHeldError
from recovery.progress import NoProgress
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.faults import Crash
from tests.recovery.backups.test_dynamodump import dump_files, in_folder
from tests.recovery.recovering import START, make_table, some_items

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.testing.memory_vault import MemoryVault
    from tests.recovery.recovering import Process

DAY = 24 * 3600
ORDERS = TableIdentity(
    account=ACCOUNT, region=REGION, name="orders", arn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
)


def named(name: str) -> TableIdentity:
    """Another table of the same account and region."""
    return ORDERS.model_copy(update={"name": name, "arn": ORDERS.arn.replace("orders", name)})


def left(store: MemoryVault, table: TableIdentity, begun: datetime, *, upload: bool = True) -> str:
    """What a backup that crashed leaves; the folder."""
    folder = f"{table.folder}{new_backup_id(begun)}/"
    store.put_new(f"{folder}table.json", b"{}")
    store.put_new(f"{folder}AWSDynamoDB/01-ab/data/a.json.gz", b"data")
    if upload:
        store.start_upload(f"{folder}AWSDynamoDB/01-ab/data/b.json.gz")
    return folder


def there(store: MemoryVault, folder: str) -> int:
    """How many objects and uploads are in a folder."""
    return len([*store.list(folder), *store.uploads(folder)])


def test_a_crashed_backup_is_swept_after_a_day(net: Process) -> None:
    """Folder and uploads go 24 hours after it was begun, and not a second before."""
    assert timedelta(hours=24) == SWEPT_AFTER
    folder = left(net.store, ORDERS, START)
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(seconds=DAY - 1)) == 0
    assert there(net.store, folder) == 3
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(seconds=DAY)) == 3
    assert there(net.store, folder) == 0
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(seconds=DAY)) == 0


def test_an_upload_alone_is_swept_too(net: Process) -> None:
    """A crash at the first part of the first file leaves no object, and its parts cost money all the same."""
    folder = f"{ORDERS.folder}{new_backup_id(START)}/"
    net.store.start_upload(f"{folder}AWSDynamoDB/01-ab/data/b.json.gz")
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(seconds=DAY - 1)) == 0
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(seconds=DAY)) == 1
    assert there(net.store, folder) == 0


def test_a_backup_is_never_swept(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A folder with a manifest stays as it is, at any age, even if the manifest is damaged."""
    make_table(plain, table, some_items(3))
    whole, damaged = net.back_up(table), net.back_up(table)
    net.store.put(damaged.folder + MANIFEST, b"damaged")
    for backup in (whole, damaged):
        net.store.start_upload(f"{backup.folder}AWSDynamoDB/a.json.gz")
    before = [there(net.store, backup.folder) for backup in (whole, damaged)]
    for hours in (1, 24, 30, 24 * 10, 24 * 400):
        assert sweep_leftovers(net.vault, whole.table, net.clock.now + timedelta(hours=hours)) == 0
    assert [there(net.store, backup.folder) for backup in (whole, damaged)] == before


def test_a_backup_that_may_be_gone_on_with_is_never_swept(net: Process) -> None:
    """As long as there is a record of the run, what it left is its own; when it is gone, it is nobody's."""
    folder = left(net.store, ORDERS, START)
    run = start_backup_run(
        net.vault,
        BackupRunRecord(
            backup_id=folder.split("/")[-2],
            table=ORDERS,
            created=None,
            export_id="01-ab",
            started_at=START,
        ),
    )
    later = START + timedelta(days=2)
    assert sweep_leftovers(net.vault, ORDERS, later) == 0
    assert there(net.store, folder) == 3
    other = left(net.store, ORDERS, START)
    assert sweep_leftovers(net.vault, ORDERS, later) == 3
    assert (there(net.store, folder), there(net.store, other)) == (3, 0)
    run.remove()
    assert sweep_leftovers(net.vault, ORDERS, later) == 3


def test_a_run_that_cannot_be_read_keeps_everything(net: Process) -> None:
    """Nobody knows which backup it is of, so none is touched."""
    folder = left(net.store, ORDERS, START)
    net.store.put_new(f"runs/backup.{ACCOUNT}.{REGION}.orders.json", b"damaged")
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(days=2)) == 0
    assert there(net.store, folder) == 3


@pytest.mark.parametrize(
    "name",
    [
        "20261123T030000Z",
        "20261123T030000Z-",
        "20261123T030000Z-0123456",
        "20261123T030000Z-012345678",
        "20261123T030000Z-archived",
        "20261123T030000Z-0123ABCD",
        "20261123T03000Z-01234567",
        "2026-11-23-01234567",
        "by-hand",
        "old",
    ],
)
def test_foreign_names_are_never_touched(net: Process, name: str) -> None:
    """Whatever a person put beside the backups stays: only what has the id of a backup can be one's leftovers."""
    for key in (f"{ORDERS.folder}{name}/notes.txt", f"{ORDERS.folder}{name}/table.json"):
        net.store.put_new(key, b"mine")
    net.store.start_upload(f"{ORDERS.folder}{name}/more.txt")
    net.store.start_upload(f"{ORDERS.folder}{name}")
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(days=2)) == 0
    assert there(net.store, f"{ORDERS.folder}{name}") == 4


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("orders", "orders-archive"),
        ("a.b", "a.bc"),
        ("abc", "abc.def"),
        ("abc.def", "abc"),
        ("orders", "orde"),
    ],
)
def test_another_tables_leftovers_are_its_own(net: Process, mine: str, other: str) -> None:
    """However alike the names: only the table whose lease is held is swept, and only its own run protects it."""
    swept, kept = left(net.store, named(mine), START), left(net.store, named(other), START)
    record = BackupRunRecord(
        backup_id=swept.split("/")[-2],
        table=named(other),
        created=None,
        export_id="01-ab",
        started_at=START,
    )
    start_backup_run(net.vault, record)
    assert sweep_leftovers(net.vault, named(mine), START + timedelta(days=2)) == 3
    assert (there(net.store, swept), there(net.store, kept)) == (0, 3)


@pytest.mark.parametrize("place", [{"account": "9" * 12}, {"region": "us-east-1"}], ids=["account", "region"])
def test_a_table_of_that_name_elsewhere_is_another_one(net: Process, place: dict[str, str]) -> None:
    """The same name in another account or region shares nothing."""
    kept = left(net.store, ORDERS.model_copy(update=place), START)
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(days=2)) == 0
    assert there(net.store, kept) == 3


@pytest.mark.parametrize(
    "operation",
    ["vault.folders", "vault.list", "vault.uploads", "vault.delete", "vault.abort_upload", "vault.get"],
)
def test_an_error_while_sweeping_is_no_failure(net: Process, operation: str) -> None:
    """The sweep is no part of the backup: it stops, and the next one ends it."""
    folder = left(net.store, ORDERS, START)
    net.faults.fail(operation, times=1000)
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(days=2)) == 0
    net.faults.reset()
    assert sweep_leftovers(net.vault, ORDERS, START + timedelta(days=2)) > 0
    assert there(net.store, folder) == 0


PARTS = ScanOptions(files=FileOptions(part_bytes=50_000))


def interrupt(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A backup of twelve items that hardly pack, which dies at its third part."""
    rng = random.Random(7)
    make_table(plain, table, [{"pk": {"S": str(n)}, "b": {"B": rng.randbytes(40_000)}} for n in range(12)])
    net.faults.page_items = 1
    net.faults.crash("vault.upload_part", nth=3)
    with pytest.raises(Crash):
        net.backups(PARTS).back_up(table)
    net.again()


def test_a_backup_sweeps_what_an_earlier_one_left(net: Process, plain: DynamoDBClient, table: str) -> None:
    """A real crash in mid-upload, given up the next day: the new backup leaves nothing of it."""
    interrupt(net, plain, table)
    assert len(list(net.store.uploads(""))) == 1
    net.clock.advance(DAY)
    backup = net.back_up(table)
    assert backup.item_count == 12
    assert list(net.store.uploads("")) == []
    (folder,) = net.store.folders(backup.table.folder)
    assert folder == backup.backup_id
    check_objects(net.catalog, backup)


def test_a_backup_succeeds_though_the_sweep_fails(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Without the right to delete, the backup is taken and reported like any other."""
    make_table(plain, table, some_items(3))
    first = net.back_up(table)
    folder = left(net.store, first.table, START)
    net.clock.advance(DAY)
    net.faults.fail("vault.uploads", times=1000)
    backup = net.back_up(table)
    assert net.catalog.latest(ACCOUNT, REGION, table) == backup
    assert there(net.store, folder) == 3


def test_a_backup_gone_on_with_is_not_swept_by_itself(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Interrupted, and finished within its time: all of its parts are in the backup."""
    interrupt(net, plain, table)
    net.clock.advance(DAY / 2 - 300)
    report = net.backups(PARTS).back_up(table)
    assert report.resumed
    assert report.manifest.item_count == 12
    assert unfinished_backup(net.vault, report.manifest.table) is None
    check_objects(net.catalog, report.manifest)


def test_a_dump_that_is_being_adopted_is_not_swept(
    net: Process, plain: DynamoDBClient, table: str, tmp_path: Path
) -> None:
    """Its backup has the id of the day the dump was made, and yet a backup of the table meanwhile takes nothing."""
    make_table(plain, table, some_items(3))
    first = net.back_up(table)

    class Meanwhile(NoProgress):
        """The nightly backup of the same table begins when the data of the dump is in the vault."""

        def finish(self, task: str) -> None:
            """See Progress."""
            try:
                net.backups().back_up(table)
            except LeaseHeldError:
                interrupted.append(task)

    interrupted: list[str] = []
    dump = in_folder(tmp_path, dump_files(table, [some_items(3)]))
    with open_dump(dump) as tables:
        adoption = Adoption(net.aws, net.catalog, net.clock, Meanwhile())
        adopted: Manifest = adoption.adopt_dump(tables[table], first.table, net.clock.now - timedelta(days=2))
    check_objects(net.catalog, adopted)
