"""How many batches to have under way: more while that brings more, fewer where the table pushes back.

Nobody can tell beforehand: it depends on how far the region is away, how large the items are, what the table's capacity
is, and on this machine. So it is tried out, a window at a time: as long as more writers move clearly more bytes a second,
there are more; a step that brings nothing is taken back; and a table that leaves items over gets fewer, for each of them
only waits and asks again.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_WRITERS = 4
MOST_WRITERS = 32  # as many connections botocore's pool keeps
WINDOW_SECONDS = 0.5
WINDOW_BATCHES_A_WRITER = 4
# A step up has to bring this much more, a tenth of the batches pushed back is too much.
WORTHWHILE = 1.1
PUSHED_BACK = 0.1
GROWTH = 1.5
# What was found stays right for a while: a table's partitions split, neighbours come and go.
WINDOWS_UNTIL_TRIED_AGAIN = 20


class WritePace:
    """Told of every batch by the writers; ``writers`` is how many there should be now. Safe for threads."""

    def __init__(
        self,
        most: int = MOST_WRITERS,
        first: int = FIRST_WRITERS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.writers = min(first, most)
        self._most = most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._before: tuple[int, float] | None = None  # writers and bytes a second, before the last step up
        self._resting = 0
        self._begin()

    def done(self, size_bytes: int, *, pushed_back: bool) -> None:
        """A batch is in the table. ``pushed_back``: not at the first try."""
        with self._lock:
            self._batches += 1
            self._bytes += size_bytes
            self._pushed_back += pushed_back
            if self._batches < WINDOW_BATCHES_A_WRITER * self.writers:
                return
            seconds = self._monotonic() - self._began
            if seconds >= WINDOW_SECONDS:
                self._judge(self._bytes / seconds)
                self._begin()

    def _begin(self) -> None:
        self._began = self._monotonic()
        self._batches = self._bytes = self._pushed_back = 0

    def _judge(self, rate: float) -> None:
        """The end of a window in which so many bytes a second went through."""
        if self._pushed_back > PUSHED_BACK * self._batches:
            self.writers = max(1, self.writers // 2)
            self._before, self._resting = None, WINDOWS_UNTIL_TRIED_AGAIN
            return
        if self._before is not None:
            fewer, rate_of_fewer = self._before
            self._before = None
            if rate < rate_of_fewer * WORTHWHILE:
                self.writers, self._resting = fewer, WINDOWS_UNTIL_TRIED_AGAIN
                return
        if self._resting:
            self._resting -= 1
            return
        if self.writers < self._most:
            self._before = (self.writers, rate)
            self.writers = min(self._most, int(self.writers * GROWTH) + 1)
