"""The write engine: BatchWriteItem on raw bytes, side by side, until no unprocessed item is left."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
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
from recovery.wire import MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import msgspec

    from recovery.backups.content import Part
    from recovery.clock import Sleep
    from recovery.progress import Progress
    from recovery.restores.engine import Load
    from recovery.vault.leases import Lease
    from recovery.wire import RawTables

DEFAULT_WORKERS = 8


class WriteEngine:
    """Loads with BatchWriteItem. Puts are idempotent, so a file that was half loaded is loaded again."""

    name = RestoreEngineName.WRITE

    def __init__(self, tables: RawTables, sleep: Sleep, workers: int = DEFAULT_WORKERS) -> None:
        self._tables = tables
        self._sleep = sleep
        self._workers = workers

    def load(self, load: Load) -> None:
        """See LoadEngine.load."""
        with open_content(load.catalog, load.backup) as parts:
            self.load_parts(parts, load)

    def load_parts(self, parts: Sequence[Part], load: Load) -> None:
        """Load the parts that are not noted as loaded, and note each that is."""
        run, table = load.run, load.table
        with ThreadPoolExecutor(self._workers, thread_name_prefix="write") as pool:
            for part in parts:
                if part.key in run.record.loaded_files:
                    load.progress.advance(table, part.items or 0, 0)
                    continue
                self._load_part(part, table, pool, load.lease, load.progress)
                run.note(loaded_files=(*run.record.loaded_files, part.key))

    def _load_part(
        self, part: Part, table: str, pool: ThreadPoolExecutor, lease: Lease, progress: Progress
    ) -> None:
        running: set[Future[None]] = set()
        stop = Event()
        try:
            for batch in batches(item for items in part.read() for item in items):
                lease.check()
                running.add(pool.submit(self._put, table, batch, progress, stop))
                # A bounded number of batches under way keeps memory flat, whatever the file's size.
                if len(running) >= 2 * self._workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    _raise_first(done)
        except BaseException:
            # What is under way may be waiting for a throttled table; nobody needs it any more.
            stop.set()
            raise
        finally:
            done, _ = wait(running)
        _raise_first(done)

    def _put(self, table: str, batch: list[bytes], progress: Progress, stop: Event) -> None:
        size = sum(map(len, batch))
        put_until_done(self._tables, table, batch, self._sleep, stop)
        progress.advance(table, len(batch), size)


def batches(items: Iterable[bytes | msgspec.Raw]) -> Iterator[list[bytes | msgspec.Raw]]:
    """Items put together for BatchWriteItem: at most 25, and no more bytes than fit, in order."""
    batch: list[bytes | msgspec.Raw] = []
    size = 0
    for item in items:
        item_bytes = len(memoryview(item))
        if batch and (len(batch) == MAX_BATCH_ITEMS or size + item_bytes > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item_bytes
    if batch:
        yield batch


def put_until_done(
    tables: RawTables, table: str, batch: Sequence[bytes | msgspec.Raw], sleep: Sleep, stop: Event
) -> None:
    """Put a batch, and what comes back unprocessed again and again with growing waits, until nothing does.

    Raises UnavailableError when thirty rounds in a row have not moved a single item, or when ``stop`` is set.
    """
    pending: list[bytes | msgspec.Raw] = list(batch)

    def put_once() -> bool:
        """Whether this round moved nothing although something is left."""
        nonlocal pending
        before = len(pending)
        pending = patient(sleep, stop)(tables.put_batch, table, pending)
        return len(pending) == before

    while pending:
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
        if pending:
            sleep(0.05)


def _raise_first(done: Iterable[Future[None]]) -> None:
    for future in done:
        future.result()
