"""Events of the past, from archives: to make up for an outage, or to go over a range of dates. It has an end."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

from rules.errors import EventError
from rules.screen import candidates
from watcher.archives.archive import ArchiveError
from watcher.sources.handed_out import FoundEvent, HandedOut, found_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recovery.clock import Clock
    from rules.backtest import Period
    from watcher.archives.archive import Archive, Piece
    from watcher.sources.dead_letters import DeadLetters
    from watcher.sources.source import Delivery

log = logging.getLogger(__name__)

BATCH_SIZE = 50
# Archives are mostly of what nobody watches; so often the loop can do what else it has to.
LONGEST_LOOK = timedelta(seconds=15)
# A trail repeats one event in five. Which those are is remembered so far back; to take one in twice is safe.
MOST_SEEN = 100_000


class ArchiveSource:
    """Hands out every event of the period that may be watched, once. One thread receives, any may acknowledge.

    Archives are read one after the other, in whatever order their pieces come. An event that is not acknowledged
    comes again at the end; ``exhausted`` once all are. A piece that cannot be read is handed out with its ``fault``.
    """

    def __init__(
        self, archives: Sequence[Archive], period: Period, name: str, dead_letters: DeadLetters, clock: Clock
    ) -> None:
        self._archives = archives
        self._period = period
        self._clock = clock
        self._pieces: Iterator[Piece] | None = None
        self._read_all = False
        self._waiting: deque[FoundEvent] = deque()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._handed_out = HandedOut(name, dead_letters, clock)

    @property
    def location(self) -> str:
        """Those of the archives."""
        return ", ".join(archive.location for archive in self._archives)

    @property
    def exhausted(self) -> bool:
        """Whether everything was handed out and is acknowledged, or given up."""
        return self._read_all and not self._waiting and not self._handed_out

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive. Nothing does not mean that it is ``exhausted``.

        Raises UsageError, too, for a period that the archive does not reach. What was read before an error is not
        handed out again.
        """
        if not self._waiting and not self._read_all:
            self._look()
        if self._waiting:
            count = min(len(self._waiting), BATCH_SIZE)
            return self._handed_out.hand_out([self._waiting.popleft() for _ in range(count)])
        return self._handed_out.again() if self._read_all else []

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        self._handed_out.acknowledge(delivery)

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See EventSource.acknowledge_all."""
        for delivery in deliveries:
            self.acknowledge(delivery)
        return []

    def release(self, delivery: Delivery) -> None:
        """See EventSource.release: it comes again at the end, and after ten is given up (``dead_letters``)."""
        self._handed_out.release(delivery)

    def _look(self) -> None:
        """Read on until something is found, or for a while."""
        until = self._clock() + LONGEST_LOOK
        if self._pieces is None:
            self._pieces = (piece for archive in self._archives for piece in archive.pieces())
        try:
            for piece in self._pieces:
                for event in self._events_in(piece):
                    self._wait_for(event)
                if self._waiting or self._clock() >= until:
                    return
        except BaseException:
            # A generator that has raised has ended: the next look begins with the first piece.
            self._pieces = None
            raise
        self._read_all = True

    def _events_in(self, piece: Piece) -> Iterator[FoundEvent]:
        try:
            yield from map(found_event, candidates(piece.fetch(Event()).read()))
        except (ArchiveError, EventError) as error:
            yield FoundEvent(piece.label, None, piece.label.encode(), f"{piece.label}: {error}")

    def _wait_for(self, event: FoundEvent) -> None:
        if event.id in self._seen or (event.time is not None and not self._period.holds(event.time)):
            return
        self._seen[event.id] = None
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
        self._waiting.append(event)
