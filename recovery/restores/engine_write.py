"""The write engine: BatchWriteItem on raw bytes, side by side, until no unprocessed item is left.

One thread reads: several files in turns, for a file holds neighbours, and a table takes more where its partitions are
written to side by side. Others send, as many as the table and the machine are good for (``write_pace``).
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from tenacity import (
    Retrying,
    retry_if_result,
    stop_after_attempt,
    stop_when_event_set,
    wait_random_exponential,
)

from recovery.backups.content import open_content
from recovery.pacing import LONGEST_WAIT_SECONDS, PATIENT_ATTEMPTS, patient
from recovery.restores.engine import RestoreEngineName
from recovery.restores.write_pace import MOST_WRITERS, WritePace
from recovery.restores.writers import Batch, Source, Writers
from recovery.wire import MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from threading import Event

    import msgspec

    from recovery.backups.content import Part
    from recovery.clock import Sleep
    from recovery.restores.engine import Load
    from recovery.wire import RawTables

# Each takes a connection and a few MB.
PARTS_AT_ONCE = 4
WORKERS_A_PART = MOST_WRITERS // PARTS_AT_ONCE


class WriteEngine:
    """Loads with BatchWriteItem, ``workers`` requests at once at most.

    Puts are idempotent, so a file that was half loaded is loaded again.
    """

    name = RestoreEngineName.WRITE

    def __init__(self, tables: RawTables, sleep: Sleep, workers: int = MOST_WRITERS) -> None:
        self._tables = tables
        self._sleep = sleep
        self._workers = workers
        self._parts_at_once = max(1, min(PARTS_AT_ONCE, workers // WORKERS_A_PART))

    def load(self, load: Load) -> None:
        """See LoadEngine.load."""
        with open_content(load.catalog, load.backup) as parts:
            self.load_parts(parts, load)

    def load_parts(self, parts: Sequence[Part], load: Load) -> None:
        """Load the parts that are not noted as loaded, and note each that is."""
        run, table = load.run, load.table

        def write(batch: Batch, stop: Event) -> bool:
            pushed_back = put_until_done(self._tables, table, batch.items, self._sleep, stop)
            load.progress.advance(table, len(batch.items), batch.size)
            return pushed_back

        coming = []
        for part in parts:
            if part.key in run.record.loaded_files:
                load.progress.advance(table, part.items or 0, 0)
            else:
                coming.append(part)
        with Writers(write, WritePace(self._workers), load.lease.check) as writers:
            for finished in _written(coming, self._parts_at_once, writers, self._sleep):
                run.note(loaded_files=(*run.record.loaded_files, *finished))


def _written(parts: Sequence[Part], at_once: int, writers: Writers, sleep: Sleep) -> Iterator[list[str]]:
    """Have all parts written, a block of one after a block of another; gives the keys of those that are in the table.

    Never are more than ``at_once`` begun and not given: so much is loaded twice where the load is interrupted.
    """
    coming, begun = iter(parts), 0
    readings: deque[_Reading] = deque()
    while True:
        some = [_Reading(part, sleep) for part in islice(coming, at_once - begun)]
        begun += len(some)
        readings.extend(some)
        if not begun:
            return
        if readings:
            reading = readings.popleft()
            block = reading.next_block()
            for batch in reading.batches(block):
                writers.hand_over(batch)
            if block is None:
                writers.end_of(reading.source)
            else:
                readings.append(reading)
        if finished := writers.finished(wait=not readings):
            begun -= len(finished)
            yield finished


class _Reading:
    """One part while it is read."""

    def __init__(self, part: Part, sleep: Sleep) -> None:
        self.source = Source(part.key)
        self._part = part
        self._sleep = sleep
        self._blocks: Iterator[Sequence[bytes | msgspec.Raw]] | None = None
        self._read = 0
        self._rest: list[bytes | msgspec.Raw] = []

    def next_block(self) -> Sequence[bytes | msgspec.Raw] | None:
        """Some more items, None at the end.

        A connection that breaks is made anew: the part is read again, without the items that were given already. All
        of it counts for the hash that is compared at the end. Raises DamagedObjectError, UnavailableError.
        """
        return patient(self._sleep)(self._next)

    def _next(self) -> Sequence[bytes | msgspec.Raw] | None:
        again = self._read if self._blocks is None else 0
        blocks = self._blocks = self._blocks or self._part.read()
        try:
            for block in blocks:
                if again >= len(block):
                    again -= len(block)
                    continue
                new, again = block[again:] if again else block, 0
                self._read += len(new)
                return new
        except UnavailableError:
            self._blocks = None
            raise
        return None

    def batches(self, block: Sequence[bytes | msgspec.Raw] | None) -> Iterator[Batch]:
        """A block in batches. What does not fill one is kept for the next block, if there is one."""
        items = [*self._rest, *(block or ())]
        whole = len(items) - len(items) % MAX_BATCH_ITEMS if block is not None else len(items)
        self._rest = items[whole:]
        for start in range(0, whole, MAX_BATCH_ITEMS):
            yield from self._cut(items[start : start + MAX_BATCH_ITEMS])

    def _cut(self, items: list[bytes | msgspec.Raw]) -> Iterator[Batch]:
        size = sum(map(len, items))
        if size <= MAX_BATCH_BYTES:
            yield Batch(items, size, self.source)
        else:
            for some in batches(items):
                yield Batch(some, sum(map(len, some)), self.source)


def batches(items: Iterable[bytes | msgspec.Raw]) -> Iterator[list[bytes | msgspec.Raw]]:
    """Items put together for BatchWriteItem: at most 25, and no more bytes than fit, in order."""
    batch: list[bytes | msgspec.Raw] = []
    size = 0
    for item in items:
        if batch and (len(batch) == MAX_BATCH_ITEMS or size + len(item) > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item)
    if batch:
        yield batch


def put_until_done(
    tables: RawTables, table: str, batch: Sequence[bytes | msgspec.Raw], sleep: Sleep, stop: Event
) -> bool:
    """Put a batch, and what comes back unprocessed again and again with growing waits, until nothing does.

    Returns whether the table pushed back, that is, did not take all of it at once. Raises UnavailableError when
    thirty rounds in a row have not moved a single item, or when ``stop`` is set.
    """
    pending = batch

    def put_once() -> bool:
        """Whether this round moved nothing although something is left."""
        nonlocal pending
        before = len(pending)
        pending = patient(sleep, stop)(_put, tables, table, pending, stop)
        return len(pending) == before

    try:
        pending = _put(tables, table, batch, stop)
    except UnavailableError:
        if stop.is_set():
            raise
    else:
        if not pending:
            return False
    while pending:
        sleep(0.05)
        stuck = Retrying(
            retry=retry_if_result(bool),
            wait=wait_random_exponential(multiplier=0.1, max=LONGEST_WAIT_SECONDS),
            stop=stop_after_attempt(PATIENT_ATTEMPTS) | stop_when_event_set(stop),
            sleep=sleep,
            retry_error_callback=lambda _: True,
        )(put_once)
        if stuck:
            raise UnavailableError(
                f"table {table} takes no more writes", hint="Raise its capacity and run the command again."
            )
    return True


def _put(
    tables: RawTables, table: str, items: Sequence[bytes | msgspec.Raw], stop: Event
) -> list[bytes | msgspec.Raw]:
    """One try; the items that are left. Raises UnavailableError when ``stop`` is set: nobody waits for this any more."""
    if stop.is_set():
        raise UnavailableError(f"cannot write to table {table}: the load was stopped")
    return tables.put_batch(table, items)
