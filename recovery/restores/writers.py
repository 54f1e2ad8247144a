"""Threads that write batches, as many as the pace says; what waits for them is bounded in number and in bytes."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    import msgspec

    from recovery.restores.write_pace import WritePace

# What was handed over and is not in the table yet. Sending takes as much again, for a request is one text.
MOST_BYTES = 16 * 1024 * 1024
WAITING_A_WRITER = 4
# How often somebody looks whether the work is still wanted while no writer has room.
LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Source:
    """Where batches come from; ``under_way`` of them are not in the table yet, and ``read``: no more will come."""

    key: str
    under_way: int = 0
    read: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Items for one BatchWriteItem, as raw JSON, and their bytes."""

    items: Sequence[bytes | msgspec.Raw]
    size: int
    source: Source


class Writers:
    """Write batches while the ``with`` block runs; at its end all of them are in the table.

    ``write(batch, stop)`` is called by several threads at once, and says whether the table pushed back. The first
    thing that one of them raises comes out of whatever the owner calls next; then, and where the block raises,
    ``stop`` is set, and what still waits is dropped. ``check`` is called now and then by the owner's thread, and
    raises where the work is not wanted any more.
    """

    def __init__(
        self,
        write: Callable[[Batch, threading.Event], bool],
        pace: WritePace,
        check: Callable[[], None],
    ) -> None:
        self._write = write
        self._pace = pace
        self._check = check
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._waiting: deque[Batch] = deque()
        self._finished: list[str] = []
        self._failure: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._writing = 0  # threads that have not ended
        self._under_way = 0
        self._bytes = 0
        self._ending = False

    def __enter__(self) -> Writers:  # noqa: PYI034 - never subclassed
        """Threads come with the work."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all batches, or after a failure only for those that are being sent."""
        try:
            if error is None:
                self.wait()
        except BaseException:
            self._stop.set()
            raise
        finally:
            if error is not None:
                self._stop.set()
            with self._lock:
                self._ending = True
                self._work.notify_all()
            for thread in self._threads:
                thread.join()

    def hand_over(self, batch: Batch) -> None:
        """Have a batch written. Waits while too many wait already. Raises what a writer or ``check`` raised."""
        self._check()
        with self._lock:
            self._raise_failure()
            if not self._has_room(batch.size, WAITING_A_WRITER):
                # One wake-up for several batches: there is room again when but few are left.
                while not self._has_room(batch.size, 1):
                    self._pause()
            self._waiting.append(batch)
            batch.source.under_way += 1
            self._under_way += 1
            self._bytes += batch.size
            while self._writing < self._pace.writers:
                self._start()
            self._work.notify()

    def end_of(self, source: Source) -> None:
        """No more batches will come from there."""
        with self._lock:
            source.read = True
            self._finish_if_done(source)

    def finished(self, *, wait: bool = False) -> list[str]:
        """The keys of the sources all of whose batches are in the table, each told once.

        ``wait``: until there is one. Raises as ``hand_over``.
        """
        with self._lock:
            while wait and not self._finished:
                self._pause()
            self._raise_failure()
            finished, self._finished = self._finished, []
        return finished

    def wait(self) -> None:
        """Until everything that was handed over is in the table. Raises as ``hand_over``."""
        with self._lock:
            while self._under_way:
                self._pause()
            self._raise_failure()

    def _pause(self) -> None:
        """Wait for news of the writers."""
        self._raise_failure()
        self._room.wait(LOOK_SECONDS)
        self._check()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _has_room(self, size: int, waiting_a_writer: int) -> bool:
        if self._bytes and self._bytes + size > MOST_BYTES:
            return False
        return len(self._waiting) < waiting_a_writer * self._pace.writers

    def _start(self) -> None:
        self._writing += 1
        thread = threading.Thread(target=self._run, name=f"write-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        done: Batch | None = None
        try:
            while (batch := self._next(done)) is not None:
                pushed_back = self._write(batch, self._stop)
                self._pace.done(batch.size, pushed_back=pushed_back)
                done = batch
        except BaseException as error:  # noqa: BLE001 - raised again by the owner's thread
            with self._lock:
                self._failure = self._failure or error
                self._writing -= 1
                self._room.notify_all()
            self._stop.set()

    def _next(self, done: Batch | None) -> Batch | None:
        """Note what is done, and take the next; None: this thread is not needed any more."""
        with self._lock:
            if done is not None:
                self._note(done)
            while not self._stop.is_set() and self._writing <= self._pace.writers:
                if self._waiting:
                    batch = self._waiting.popleft()
                    if len(self._waiting) < self._pace.writers:
                        self._room.notify()
                    return batch
                if self._ending:
                    break
                self._work.wait()
            self._writing -= 1
            # Another one may have to see what this one was woken for.
            self._work.notify()
            return None

    def _note(self, done: Batch) -> None:
        self._under_way -= 1
        self._bytes -= done.size
        done.source.under_way -= 1
        self._finish_if_done(done.source)

    def _finish_if_done(self, source: Source) -> None:
        if source.read and not source.under_way:
            self._finished.append(source.key)
        if self._finished or not self._under_way:
            self._room.notify()
