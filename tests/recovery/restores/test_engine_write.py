"""The write engine: batches that fit, and memory that stays flat."""

from __future__ import annotations

import gzip
import hashlib
import io
import time
import tracemalloc
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from recovery.backups.content import Part
from recovery.backups.data_reader import checked_items
from recovery.backups.manifest import BackupObject
from recovery.progress import NoProgress
from recovery.restores.engine import Load
from recovery.restores.engine_write import WriteEngine, batches
from recovery.restores.runs import start_run
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.leases import take_lease
from tests.recovery.recovering import WHO, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
