"""The write engine: nothing is lost on a table that pushes back, batches fit, and memory stays flat."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest

from recovery.backups.content import Part
from recovery.backups.data_reader import checked_items
from recovery.backups.manifest import BackupObject
from recovery.errors import DamagedObjectError
from recovery.progress import NoProgress
from recovery.restores.engine import Load
from recovery.restores.engine_write import PARTS_AT_ONCE, WriteEngine, batches, put_until_done
from recovery.restores.runs import start_run
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.leases import take_lease
from rules.errors import UnavailableError
from tests.recovery.recovering import WHO, make_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.runs import Run
    from recovery.wire import RawTables
    from tests.recovery.recovering import Process


def test_the_load_keeps_memory_flat(net: Process, plain: DynamoDBClient, table: str) -> None:
    """However large a file is, only a bounded number of batches is under way."""
    make_table(plain, table)
    backup = net.back_up(table)
    plan = net.plan(table)
    item = b'{"pk":{"S":"same"},"x":{"S":"%b"}}' % (b"x" * 100_000)
    most = 0

    class _Tables:
        """Takes batches, and looks at the memory."""

        def put_batch(self, name: str, items: Any) -> list[bytes]:
            nonlocal most
            time.sleep(0.02)  # reading is faster than writing: that is when batches would pile up
            most = max(most, tracemalloc.get_traced_memory()[0])
            return []

    big = BigVault(item, 600)
    engine = WriteEngine(cast("RawTables", _Tables()), net.sleep, workers=2)
    run = start_run(net.vault, net.clock, plan, WHO)
    lease = take_lease(net.vault, net.clock, "flat", WHO)
    entry = BackupObject(key="data/big.json.gz", size=big.size, sha256=big.sha256, items=600)
    part = Part(entry.key, entry.key, 600, lambda: checked_items(big, backup, entry))
    tracemalloc.start()
    try:
        engine.load_parts([part], Load(net.catalog, backup, run, lease, NoProgress()))
    finally:
        tracemalloc.stop()
    assert 0 < most < 25 * 1024 * 1024  # of 60 MB


class BigVault(MemoryVault):
    """A vault with one large file that compresses to nearly nothing."""

    def __init__(self, item: bytes, count: int) -> None:
        super().__init__()
        self._body = gzip.compress(b'{"Item":%b}\n' % item, 1) * count
        self.size = len(self._body)
        self.sha256 = hashlib.sha256(self._body).hexdigest()

    def open(self, key: str) -> BinaryIO:
        """The same body whatever the key."""
        return io.BytesIO(self._body)


def test_items_larger_than_a_batch_go_alone() -> None:
    """Batches stay under their size even where one item nearly fills one; none is empty."""
    sizes = [len(b"".join(batch)) for batch in batches_of([2_500_000, 2_500_000, 10, 4_300_000, 10, 10])]
    assert sizes == [2_500_000, 2_500_010, 4_300_000, 20]
    assert [len(batch) for batch in batches_of([1] * 51)] == [25, 25, 1]


def batches_of(sizes: list[int]) -> list[list[bytes]]:
    """How items of these sizes are put together."""
    return list(batches(b"x" * size for size in sizes))


class Tables:
    """Takes batches as DynamoDB does. ``moody``: throttles, and leaves items over, by the dice."""

    def __init__(self, *, moody: bool = False) -> None:
        self.put: list[bytes] = []
        self.asked = 0
        self._dice = random.Random(7) if moody else None
        self._lock = threading.Lock()

    def put_batch(self, name: str, items: Sequence[bytes]) -> list[bytes]:
        """See RawTables.put_batch."""
        with self._lock:
            self.asked += 1
            assert 0 < len(items) <= 25
            left = 0
            if self._dice is not None:
                if self._dice.random() < 0.2:
                    raise UnavailableError("throttled")
                left = self._dice.choice([0, 0, 0, 1, len(items) - 1, len(items)])
            taken = len(items) - left
            self.put += map(bytes, items[:taken])
            return list(items[taken:])


def item(part: int, number: int) -> bytes:
    """An item that tells where it is from."""
    return b'{"pk":{"S":"%d-%d"}}' % (part, number)


def part_of(number: int, count: int, block: int = 60) -> Part:
    """A part whose items come in blocks."""

    def read() -> Iterator[list[bytes]]:
        for start in range(0, count, block):
            yield [item(number, one) for one in range(start, min(count, start + block))]

    return Part(f"part-{number}", f"part-{number}", count, read)


@pytest.fixture
def load(net: Process, plain: DynamoDBClient, table: str) -> Load:
    """A load into a table, in a run that was just started."""
    make_table(plain, table)
    backup = net.back_up(table)
    run = start_run(net.vault, net.clock, net.plan(table), WHO)
    return Load(net.catalog, backup, run, take_lease(net.vault, net.clock, "load", WHO), NoProgress())


def engine_on(tables: Any, net: Process, workers: int = 32) -> WriteEngine:
    """The engine on a table of ours."""
    return WriteEngine(cast("RawTables", tables), net.sleep, workers)


def test_nothing_is_lost_and_nothing_doubled_on_a_table_that_pushes_back(net: Process, load: Load) -> None:
    """Throttled and half done batches, in several files at once: in the end every item was taken once."""
    sizes = [1, 0, 24, 25, 26, 330, 500, 61]
    tables = Tables(moody=True)
    engine_on(tables, net).load_parts([part_of(number, size) for number, size in enumerate(sizes)], load)
    wanted = [item(number, one) for number, size in enumerate(sizes) for one in range(size)]
    assert sorted(tables.put) == sorted(wanted)
    assert set(load.run.record.loaded_files) == {f"part-{number}" for number in range(len(sizes))}


def test_full_batches_are_sent(net: Process, load: Load) -> None:
    """Items are put together across the blocks that a file is read in: only its last batch is not full."""
    tables = Tables()
    engine_on(tables, net).load_parts([part_of(0, 1_010, block=7)], load)
    assert (tables.asked, len(tables.put)) == (41, 1_010)


def test_what_was_noted_is_not_loaded_again(net: Process, load: Load) -> None:
    """A rerun sends the files that are missing, and no others."""
    load.run.note(loaded_files=("part-1", "part-2"))
    tables = Tables()
    engine_on(tables, net).load_parts([part_of(number, 30) for number in range(4)], load)
    assert sorted(tables.put) == sorted(item(number, one) for number in (0, 3) for one in range(30))
    assert sorted(load.run.record.loaded_files) == ["part-0", "part-1", "part-2", "part-3"]


def test_a_file_is_noted_when_all_of_it_is_in_the_table(net: Process, load: Load) -> None:
    """Files are written side by side, and at no moment is one noted of which an item is still under way."""
    tables = Tables(moody=True)
    sizes = [200, 30, 75, 10, 400, 80]
    seen: list[tuple[str, ...]] = []

    class _Run:
        """Compares whenever something is noted."""

        record = load.run.record

        def note(self, *, loaded_files: tuple[str, ...]) -> None:
            put = set(tables.put)
            for key in loaded_files:
                number = int(key.removeprefix("part-"))
                assert {item(number, one) for one in range(sizes[number])} <= put
            self.record = self.record.model_copy(update={"loaded_files": loaded_files})
            seen.append(loaded_files)

    watched = Load(load.catalog, load.backup, cast("Run", _Run()), load.lease, load.progress)
    parts = [part_of(number, size) for number, size in enumerate(sizes)]
    engine_on(tables, net).load_parts(parts, watched)
    assert len(seen) > 1
    assert len(seen[-1]) == len(sizes)


def test_files_are_written_side_by_side_and_only_so_many(net: Process, load: Load) -> None:
    """Neighbours in a file are neighbours in the table: several files in turns spread the writes over its partitions."""
    begun: list[int] = []

    def opened(number: int) -> Part:
        whole = part_of(number, 300)

        def read() -> Iterator[Sequence[Any]]:
            begun.append(number)
            assert len(begun) - len(load.run.record.loaded_files) <= PARTS_AT_ONCE
            yield from whole.read()

        return Part(whole.key, whole.path, whole.items, read)

    tables = Tables()
    engine_on(tables, net).load_parts([opened(number) for number in range(9)], load)
    first = {int(one.split(b'"')[5].split(b"-")[0]) for one in tables.put[:300]}
    assert len(first) == PARTS_AT_ONCE
    assert len(tables.put) == 9 * 300


def test_a_connection_to_the_vault_that_breaks_is_made_anew(net: Process, load: Load) -> None:
    """A file that breaks off in the middle is read again from its start, but no item of it is sent twice."""
    tries = 0
    whole = part_of(0, 310)

    def read() -> Iterator[Sequence[Any]]:
        nonlocal tries
        tries += 1
        for number, block in enumerate(whole.read()):
            if number == tries:
                raise UnavailableError("the connection was reset")
            # Another reading may cut the blocks differently.
            yield block[: 10 * tries]
            yield block[10 * tries :]

    tables = Tables()
    engine_on(tables, net).load_parts([Part("part-0", "part-0", 310, read)], load)
    assert tries > 3
    assert sorted(tables.put) == sorted(item(0, one) for one in range(310))


def test_a_file_that_turns_out_to_be_damaged_is_not_noted(net: Process, load: Load) -> None:
    """Its hash is known at its end only, when its items are written; the load fails, and it counts as not loaded."""

    def read() -> Iterator[Sequence[Any]]:
        yield from part_of(1, 100).read()
        raise DamagedObjectError("part-1", "its SHA-256 is not the one in the manifest")

    with pytest.raises(DamagedObjectError, match="part-1"):
        engine_on(Tables(), net).load_parts([part_of(0, 10), Part("part-1", "part-1", 100, read)], load)
    assert "part-1" not in load.run.record.loaded_files


def test_a_table_that_takes_no_more_ends_the_load(net: Process, load: Load) -> None:
    """Nobody tries for ever: after thirty rounds without a single item it is told, and no thread goes on."""

    class _Full:
        """Takes nothing."""

        def put_batch(self, name: str, items: Sequence[bytes]) -> list[bytes]:
            return list(items)

    before = threading.active_count()
    with pytest.raises(UnavailableError, match="takes no more writes"):
        engine_on(_Full(), net).load_parts([part_of(0, 1_000)], load)
    assert threading.active_count() <= before
    assert load.run.record.loaded_files == ()


def test_after_a_stop_nothing_more_is_sent(net: Process) -> None:
    """A writer that wakes up after the load has failed does not write: another runner may have the lease by now."""
    tables, stop = Tables(), threading.Event()
    stop.set()
    with pytest.raises(UnavailableError, match="stopped"):
        put_until_done(cast("RawTables", tables), "orders", [item(0, 0)], net.sleep, stop)
    assert tables.asked == 0


def test_the_requests_say_who_sends_them(net: Process, plain: DynamoDBClient, table: str) -> None:
    """CloudTrail and the account's owner see botocore and safetynet, each once, as with every other call."""
    make_table(plain, table)
    seen: list[str] = []

    def look(request: Any, **_: object) -> None:
        seen.append(request.headers["User-Agent"].decode())

    events = net.tables._client.meta.events  # noqa: SLF001 - batches are written by this client
    events.register_first("before-send.dynamodb.BatchWriteItem", look)
    try:
        assert net.tables.put_batch(table, [b'{"pk":{"S":"a"}}']) == []
    finally:
        events.unregister("before-send.dynamodb.BatchWriteItem", look)
    (name,) = seen
    assert name.count("safetynet") == name.count("Botocore/") == 1
