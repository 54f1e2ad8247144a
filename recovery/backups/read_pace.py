"""How fast a table may be read: within a number of read units a second, and slower when DynamoDB throttles.

A page's price is known only afterwards (``ReturnConsumedCapacity``), so the pace is a debt that is paid off by
waiting: after a page of 128 units at 64 units a second nobody reads for two seconds. All segments of a table
share one pace.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recovery.clock import Clock, Sleep

SLOWER = 0.7
FASTER = 1.05
LOWEST_UNITS = 1.0
UNIT_BYTES = 4096  # one read unit: 4 KB, strongly consistent (developer guide, 'Read consistency')
LONGEST_WAIT_SECONDS = 5.0
WINDOW_SECONDS = 1.0


class ReadPace:
    """The pace of one table. ``max_units``: read units a second, None as many as there are."""

    def __init__(self, clock: Clock, sleep: Sleep, max_units: float | None = None) -> None:
        self._clock = clock
        self._sleep = sleep
        self._ceiling = max_units
        self._rate = max_units
        self._debt = 0.0
        self._paid = clock()
        self._throttled = self._window = self._paid
        self._window_units = self._seen_rate = 0.0
        self._lock = threading.Lock()

    @property
    def rate(self) -> float | None:
        """Read units a second at present; None: not limited."""
        return self._rate

    def page_items(self, item_bytes: float) -> int | None:
        """How many items a page may have, so that one page is not many seconds' worth of a low rate."""
        rate = self._rate
        if rate is None or not item_bytes:
            return None
        return max(1, int(rate * UNIT_BYTES / item_bytes))

    def wait(self) -> None:
        """Wait until the debt is paid."""
        seconds = self._seconds_to_wait()
        while seconds > 0:
            self._sleep(min(seconds, LONGEST_WAIT_SECONDS))
            seconds -= LONGEST_WAIT_SECONDS

    def read(self, units: float, *, throttled: bool) -> None:
        """A page was read, for so many units; ``throttled``: not at the first try."""
        with self._lock:
            self._pay()
            self._debt += units
            self._observe(units)
            if throttled:
                self._slow_down()
            elif self._rate is not None and self._rate != self._ceiling:
                self._speed_up()

    def _seconds_to_wait(self) -> float:
        with self._lock:
            self._pay()
            return self._debt / self._rate if self._rate and self._debt > 0 else 0.0

    def _pay(self) -> None:
        now = self._clock()
        if self._rate is None:
            self._debt = 0.0
        else:
            self._debt = max(0.0, self._debt - (now - self._paid).total_seconds() * self._rate)
        self._paid = now

    def _observe(self, units: float) -> None:
        """What is really read a second: the rate from which to slow down where none was set."""
        self._window_units += units
        seconds = (self._paid - self._window).total_seconds()
        if seconds >= WINDOW_SECONDS:
            self._seen_rate = self._window_units / seconds
            self._window, self._window_units = self._paid, 0.0

    def _slow_down(self) -> None:
        # One step a second: all segments hear of the same throttling.
        if (self._paid - self._throttled).total_seconds() < WINDOW_SECONDS and self._rate != self._ceiling:
            return
        self._throttled = self._paid
        rate = self._rate or self._seen_rate or self._window_units
        lowest = LOWEST_UNITS if self._ceiling is None else min(LOWEST_UNITS, self._ceiling)
        self._rate = max(lowest, rate * SLOWER)

    def _speed_up(self) -> None:
        if (self._paid - self._throttled).total_seconds() < WINDOW_SECONDS or self._rate is None:
            return
        self._throttled = self._paid
        faster = self._rate * FASTER
        self._rate = faster if self._ceiling is None else min(faster, self._ceiling)
