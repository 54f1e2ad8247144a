"""Events from CloudTrail's event history: watches any account and region with nothing deployed.

Round after round all watched calls are asked for by name (``archive_lookup``), from a while before the last round to
now, since events come to the history late and in no order:

    position         .----- overlap -----.
    round 1  --------|===================|--------------------|
    round 2                    |---------|===================|---------|   what is known already is passed over

The position moves when everything before it is acknowledged, so a watcher that dies loses nothing, and several side
by side hand out some events twice at worst. The history is one region's: calls of global services are in us-east-1.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

from rules.backtest import Period
from rules.errors import EventError
from rules.screen import candidates
from watcher.archives.archive_lookup import LONGEST_LOOK_BACK, LookupArchive
from watcher.sources.handed_out import FoundEvent, HandedOut, found_event
from watcher.sources.source_settings import DEFAULT_SOURCE_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from recovery.clock import Clock, Sleep
    from watcher.archives.archive import Piece
    from watcher.archives.archive_lookup import LookupClient
    from watcher.sources.dead_letters import DeadLetters
    from watcher.sources.positions import Positions
    from watcher.sources.source import Delivery
    from watcher.sources.source_settings import SourceSettings

log = logging.getLogger(__name__)

# No longer than this is waited in one go, so that the loop can do what else it has to.
LONGEST_WAIT_SECONDS = 5
# The history's far end moves on while the question is on its way.
MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Round:
    """``reached``: the position when it began; ``end``: where it is when all that the round finds is acknowledged."""

    reached: datetime
    end: datetime
    pieces: Iterator[Piece]


def earliest_lookup(now: datetime) -> datetime:
    """How far back the event history can be asked at that time."""
    return now - LONGEST_LOOK_BACK + MARGIN


class LookupSource:
    """One account and region. ``name`` is that of its position: watchers that share it share the work.

    One thread receives, any may acknowledge and release.
    """

    def __init__(
        self,
        client: LookupClient,
        region: str,
        name: str,
        *,
        positions: Positions,
        dead_letters: DeadLetters,
        clock: Clock,
        sleep: Sleep,
        settings: SourceSettings = DEFAULT_SOURCE_SETTINGS,
    ) -> None:
        self._client = client
        self._region = region
        self._name = name
        self._positions = positions
        self._clock = clock
        self._sleep = sleep
        self._settings = settings
        self._round: _Round | None = None
        self._next_round: datetime | None = None
        self._reached: datetime | None = None
        self._lock = threading.Lock()
        self._taken: dict[str, datetime] = {}
        self._handed_out = HandedOut(name, dead_letters, clock, self._take)

    @property
    def location(self) -> str:
        """``cloudtrail:eu-west-1``."""
        return f"cloudtrail:{self._region}"

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive. Raises what the vault raises, too; then the round is begun again."""
        try:
            if self._round is None:
                if not self._is_due():
                    return []
                again = self._begin()
                if again:
                    return again
            return self._go_on()
        except BaseException:
            # A generator that has raised has ended: it must not pass for one that is through.
            self._round = None
            raise

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge. The position follows at the end of the round."""
        self._handed_out.acknowledge(delivery)

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See EventSource.acknowledge_all."""
        for delivery in deliveries:
            self.acknowledge(delivery)
        return []

    def release(self, delivery: Delivery) -> None:
        """See EventSource.release: it comes again with the next round, and after ten is given up (``dead_letters``)."""
        self._handed_out.release(delivery)

    def _is_due(self) -> bool:
        if self._next_round is not None:
            left = (self._next_round - self._clock()).total_seconds()
            if left > 0:
                self._sleep(min(left, LONGEST_WAIT_SECONDS))
            return left <= LONGEST_WAIT_SECONDS
        return True

    def _begin(self) -> list[Delivery]:
        """Begin a round; what the last one left undone."""
        now = self._clock()
        # Set first: a round that fails is not tried again in the same breath.
        self._next_round = now + self._settings.poll
        self._reached = self._look_up_position(now)
        start = max(self._reached - self._settings.overlap, earliest_lookup(now))
        archive = LookupArchive(self._client, self._region, Period(start, now), self._clock, self._sleep)
        self._round = _Round(self._reached, now, archive.pieces())
        return self._handed_out.again()

    def _look_up_position(self, now: datetime) -> datetime:
        stored = self._positions.get(self._name)
        if stored is None:
            # Kept at once: a first watcher that dies in its first round is not the first one any more.
            stored = self._positions.advance(self._name, self._reached or now - self._settings.look_back)
        # What another watcher acknowledged is stored as well.
        with self._lock:
            self._taken = {**stored.taken, **self._taken}
        reached = min(max(self._reached or stored.time, stored.time), now)
        if self._reached is None:
            log.info("%s: events from %s on are looked up", self.location, reached)
        earliest = earliest_lookup(now)
        if reached < earliest:
            log.error(
                "%s: events from %s to %s are out of reach: CloudTrail's event history goes back 90 days",
                self.location, reached, earliest,
            )  # fmt: skip
        return reached

    def _go_on(self) -> Sequence[Delivery]:
        this = self._round
        if this is None:
            return []
        for piece in this.pieces:
            fresh = self._fresh(piece, this.end)
            if fresh:
                return self._handed_out.hand_out(fresh)
        self._round = None
        self._save(this)
        return []

    def _fresh(self, piece: Piece, end: datetime) -> list[FoundEvent]:
        content = piece.fetch(Event()).read()
        try:
            found = {one.id: one for one in map(found_event, candidates(content))}
        except EventError as error:
            # A whole answer that is no JSON: told of, but found as another one by each round, so nothing waits for it.
            whole = FoundEvent(found_event(content).id, end, content, str(error))
            found = {whole.id: whole}
        return [one for one in found.values() if one.id not in self._handed_out and one.id not in self._taken]

    def _save(self, this: _Round) -> None:
        """Move the position as far as everything before it is acknowledged; what is still worked on holds it."""
        undone = self._handed_out.oldest
        self._reached = this.end if undone is None else max(this.reached, min(this.end, undone))
        with self._lock:
            taken = dict(self._taken)
        stored = self._positions.advance(self._name, self._reached, taken, self._settings.overlap)
        since = stored.time - self._settings.overlap
        with self._lock:
            self._taken = {event: time for event, time in self._taken.items() if time >= since}

    def _take(self, event: FoundEvent) -> None:
        # When it was taken in and not when it happened: until then it may be found again.
        with self._lock:
            self._taken[event.id] = self._clock()
