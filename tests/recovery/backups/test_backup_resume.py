"""Backups that were interrupted: the same command goes on, and ends in one whole backup."""

from __future__ import annotations

import base64
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from recovery.backups.backup import BackupOptions
from recovery.backups.backup_runs import CONTINUED_WITHIN, ENDED_WITHIN, unfinished_backup
from recovery.backups.compression import Compression
from recovery.backups.content import check_content
from recovery.backups.data_files import FileOptions
from recovery.backups.data_reader import read_items
from recovery.backups.engine_scan import ScanOptions
from recovery.errors import LeaseHeldError
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.vault.leases import take_lease
from rules.errors import CancelledError
from tests.recovery.recovering import all_items, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from tests.recovery.recovering import Process

PART = 60_000
SMALL = FileOptions(raw_bytes=6 * PART, part_bytes=PART)
ITEMS = 160


@pytest.fixture
def big(plain: DynamoDBClient, table: str) -> str:
    """A table of items that hardly pack, so that a backup of it has many parts."""
    rng = random.Random(11)
    make_table(plain, table)
    for start in range(0, ITEMS, 20):
        puts: list[Any] = [
            {"PutRequest": {"Item": {"pk": {"S": f"{number:04}"}, "x": {"B": rng.randbytes(4000)}}}}
            for number in range(start, start + 20)
        ]
        plain.batch_write_item(RequestItems={table: puts})
    return table


def run(net: Process, table: str, segments: int = 2, **files: Any) -> Manifest:
    """One attempt."""
    net.clock.advance(60)
    net.faults.page_items = 4
    options = FileOptions(**{"raw_bytes": SMALL.raw_bytes, "part_bytes": SMALL.part_bytes, **files})
    return net.backups(ScanOptions(segments=segments, files=options)).back_up(table).manifest


def content(net: Process, backup: Manifest) -> list[str]:
    """All items in the files of a backup, comparable."""
    found = []
    for entry in backup.data_objects:
        with net.store.open(backup.folder + entry.key) as stream:
            found += [
                msgspec.json.decode(bytes(item)) for some in read_items(stream, entry.key) for item in some
            ]
    for item in found:
        item["x"]["B"] = base64.b64decode(item["x"]["B"])
    return comparable(found)


def the_backup(net: Process, table: str) -> Manifest:
    """The only one that is visible."""
    (backup,) = net.catalog.backups(ACCOUNT, REGION, table).backups
    return backup


def test_a_backup_of_many_parts(net: Process, plain: DynamoDBClient, big: str) -> None:
    """Several files of several parts each hold every item once; no record and no upload is left."""
    backup = run(net, big)
    assert len(backup.data_objects) >= 4
    assert net.faults.calls.count("vault.upload_part") > len(backup.data_objects)
    assert content(net, backup) == all_items(plain, big)
    assert list(net.store.list("runs/")) == []
    assert list(net.store.uploads("")) == []


def test_a_crash_at_any_call_is_completed_by_running_it_again(
    net: Process, plain: DynamoDBClient, big: str
) -> None:
    """Wherever it dies, before or after a call, the rerun ends in one whole backup of every item."""
    run(net, big)
    calls = len(net.faults.calls)
    expected = all_items(plain, big)
    rng = random.Random(5)
    for nth in sorted(rng.sample(range(1, calls + 1), 24)):
        net = net.renewed()
        net.faults.crash(nth=nth, after=nth % 2 == 0)
        try:
            run(net, big)
        except Crash:
            net.again()
        found = net.catalog.backups(ACCOUNT, REGION, big).backups
        if not found or unfinished_backup(net.vault, found[0].table):
            run(net, big)
        backup = the_backup(net, big)
        assert content(net, backup) == expected, f"crash at call {nth}"
        # Nothing else is in its folder: whoever reads that as a whole finds each item once.
        there = {info.key.removeprefix(backup.folder) for info in net.store.list(backup.folder)}
        assert there == {"manifest.json", *(entry.key for entry in backup.objects)}
        assert list(net.store.uploads("")) == []


def test_what_is_in_the_vault_is_not_read_again(net: Process, big: str) -> None:
    """The rerun reads only the pages behind the last checkpoint of each segment."""
    run(net, big)
    pages = net.faults.calls.count("Scan")
    net = net.renewed()
    net.faults.crash("Scan", nth=pages - 4)
    with pytest.raises(Crash):
        run(net, big)
    net.again()
    run(net, big)
    assert net.faults.calls.count("Scan") < pages / 2
    assert the_backup(net, big).item_count == ITEMS


def test_an_upload_that_was_swept_meanwhile_is_read_again(
    net: Process, plain: DynamoDBClient, big: str
) -> None:
    """A bucket's rule may abort uploads: then the file at hand is begun anew, and nothing is missing."""
    run(net, big)
    pages = net.faults.calls.count("Scan")
    net = net.renewed()
    net.faults.crash("Scan", nth=pages - 4)
    with pytest.raises(Crash):
        run(net, big)
    net.again()
    for upload in list(net.store.uploads("")):
        net.store.abort_upload(upload.key, upload.upload_id)
    assert content(net, run(net, big)) == all_items(plain, big)


def test_a_rerun_keeps_what_the_run_began_with(net: Process, plain: DynamoDBClient, big: str) -> None:
    """Segments, packing and definition are those of the first attempt, whatever the second one is asked for."""
    net.faults.page_items = 4
    net.faults.crash("Scan", nth=30)
    zstd = BackupOptions(compression=Compression.ZSTD)
    with pytest.raises(Crash):
        net.backups(ScanOptions(segments=3, files=SMALL), zstd).back_up(big)
    net.again()
    backup = run(net, big, segments=1)
    assert {entry.key.rpartition(".")[2] for entry in backup.data_objects} == {"zst"}
    assert len({entry.key for entry in backup.data_objects}) >= 3
    assert content(net, backup) == all_items(plain, big)
    assert check_content(net.catalog, backup).item_count == ITEMS


def interrupted(net: Process, table: str) -> None:
    """A backup that died in the middle."""
    net.faults.crash("Scan", nth=20)
    with pytest.raises(Crash):
        run(net, table)
    net.again()


def test_an_old_interrupted_backup_is_not_gone_on_with(net: Process, big: str) -> None:
    """Half a day later a new one is begun, for a backup of two days is of neither."""
    interrupted(net, big)
    begun = next(iter(net.store.folders(f"backups/{ACCOUNT}/{REGION}/{big}/")))
    net.clock.advance(CONTINUED_WITHIN.total_seconds())
    backup = run(net, big)
    assert backup.backup_id != begun
    assert backup.time == net.clock.now
    assert list(net.store.list("runs/")) == []


def test_an_interrupted_backup_of_a_table_that_was_replaced(
    net: Process, plain: DynamoDBClient, big: str
) -> None:
    """The new table of that name gets a backup of its own, with nothing of the old one's in it."""
    interrupted(net, big)
    plain.delete_table(TableName=big)
    make_table(plain, big, [{"pk": {"S": "new"}, "x": {"B": b"new"}}])
    assert content(net, run(net, big)) == all_items(plain, big)


def test_a_backup_whose_record_alone_was_left(net: Process, big: str) -> None:
    """Killed after the manifest: run again at once it is that backup; later it is a new one."""
    net.faults.crash("vault.delete", nth=1)
    with pytest.raises(Crash):
        run(net, big)
    net.again()
    first = the_backup(net, big)
    report = net.backups().back_up(big)
    assert (report.manifest, report.resumed) == (first, True)
    assert the_backup(net, big) == first
    net = net.renewed()
    net.faults.crash("vault.delete", nth=1)
    with pytest.raises(Crash):
        run(net, big)
    net.again()
    net.clock.advance((ENDED_WITHIN + timedelta(seconds=1)).total_seconds())
    assert run(net, big) != the_backup_before(net, big)


def the_backup_before(net: Process, table: str) -> Manifest:
    """The older of two."""
    newer, older = net.catalog.backups(ACCOUNT, REGION, table).backups
    assert newer.time > older.time
    return older


def test_a_damaged_record_does_not_stop_the_night(net: Process, big: str) -> None:
    """What cannot be read cannot be gone on with; the backup is made all the same."""
    interrupted(net, big)
    (record,) = (info.key for info in net.store.list("runs/") if info.key.endswith(f"{big}.json"))
    net.store.put(record, b"{}")
    assert run(net, big).item_count == ITEMS


def test_two_at_once_are_not_let(net: Process, big: str) -> None:
    """A second backup of the same table is told who is at it, and nothing is disturbed."""
    lease = take_lease(net.vault, net.clock, f"backup-{ACCOUNT}-{REGION}-{big}", "another runner")
    with pytest.raises(LeaseHeldError, match="another runner"):
        net.backups().back_up(big)
    lease.release()
    net.clock.advance(1)
    assert net.backups().back_up(big).manifest.item_count == ITEMS


def test_a_lost_lease_stops_the_reading(net: Process, big: str) -> None:
    """Once somebody else took over, not one page more is written and nothing becomes visible."""
    lease_key = f"leases/backup-{ACCOUNT}-{REGION}-{big}.json"

    def stolen(_: dict[str, Any]) -> None:
        net.clock.advance(120)
        net.store.put(lease_key, b'{"owner": "another"}')

    net.faults.change_answer("Scan", stolen, nth=5)
    with pytest.raises(LeaseHeldError):
        run(net, big)
    assert net.catalog.backups(ACCOUNT, REGION, big).backups == ()


def test_a_stopped_backup_ends_between_two_pages(net: Process, plain: DynamoDBClient, big: str) -> None:
    """Whoever presses Ctrl-C does not wait for hours; nothing is visible, and the rerun goes on."""
    options = ScanOptions(segments=2, files=SMALL)
    backups = net.backups(options)
    net.faults.page_items = 4
    net.faults.change_answer("Scan", lambda _: backups.stop(), nth=12)
    with pytest.raises(CancelledError, match="run the command again"):
        backups.back_up(big)
    assert net.faults.calls.count("Scan") < 20
    assert net.catalog.backups(ACCOUNT, REGION, big).backups == ()
    net.again()
    assert content(net, run(net, big)) == all_items(plain, big)
