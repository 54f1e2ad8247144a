"""What a watcher missed while it was away, first; then what comes. A deletion is told of late, and not never.

The queue keeps what it got, for 14 days at most. What it never got (the event rule was off, the queue was purged or
not there, nobody ran for longer than it keeps things) is looked up in CloudTrail's event history or in a trail, from
the stored position on. Most of it is known already, and taking it in again changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rules.backtest import Period
from rules.errors import SafetyNetError, UnavailableError
from watcher.sources.source_archive import ArchiveSource
from watcher.sources.source_settings import DEFAULT_SOURCE_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from watcher.archives.archive import Archive
    from watcher.sources.dead_letters import DeadLetters
    from watcher.sources.positions import Positions
    from watcher.sources.source import Delivery, EventSource
    from watcher.sources.source_settings import SourceSettings

log = logging.getLogger(__name__)

# So long what was missed comes first; then what is new gets a turn.
MISSED_TURN = timedelta(minutes=1)
RETRY_AFTER = timedelta(minutes=1)
_MISSED = "missed:"


class CatchingUpSource:
    """Puts what was missed in front of a live source, and notes how far that is taken in.

    ``name`` is that of the position: watchers of one queue share it. ``archives`` gives those that hold a period;
    ``earliest`` says from when on they do at a given time (``source_lookup.earliest_lookup``), None: from ever.
    Where the past cannot be looked up the watcher goes on without it, says so, and tries again when it starts anew:
    the position stays where it is until then.
    """

    def __init__(
        self,
        live: EventSource,
        name: str,
        *,
        positions: Positions,
        archives: Callable[[Period], Sequence[Archive]],
        dead_letters: DeadLetters,
        clock: Clock,
        settings: SourceSettings = DEFAULT_SOURCE_SETTINGS,
        earliest: Callable[[datetime], datetime] | None = None,
    ) -> None:
        self._live = live
        self._name = name
        self._positions = positions
        self._archives = archives
        self._dead_letters = dead_letters
        self._clock = clock
        self._settings = settings
        self._earliest = earliest
        self._missed: ArchiveSource | None = None
        self._begun = self._caught_up = self._given_up = False
        self._live_turn = self._retry = clock()

    @property
    def location(self) -> str:
        """The live source's."""
        return self._live.location

    @property
    def caught_up(self) -> bool:
        """Whether everything that was missed is taken in, or given up as out of reach."""
        return self._caught_up or self._given_up

    @property
    def waits(self) -> bool:
        """Whether the past is out of reach for now, and looked up again later."""
        return not self.caught_up and self._clock() < self._retry

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive. Trouble with the past is logged, and never stands in the way of what is new."""
        if not self.caught_up:
            missed = self._receive_missed()
            if missed:
                return missed
        return self._receive_live()

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        owner, delivery = self._owner_of(delivery)
        owner.acknowledge(delivery)

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See EventSource.acknowledge_all."""
        live = [delivery for delivery in deliveries if not delivery.receipt.startswith(_MISSED)]
        for delivery in deliveries:
            if delivery.receipt.startswith(_MISSED):
                self.acknowledge(delivery)
        return self._live.acknowledge_all(live) if live else []

    def release(self, delivery: Delivery) -> None:
        """See EventSource.release."""
        owner, delivery = self._owner_of(delivery)
        owner.release(delivery)

    def _owner_of(self, delivery: Delivery) -> tuple[EventSource, Delivery]:
        if self._missed is None or not delivery.receipt.startswith(_MISSED):
            return self._live, delivery
        return self._missed, replace(delivery, receipt=delivery.receipt.removeprefix(_MISSED))

    def _receive_missed(self) -> Sequence[Delivery]:
        now = self._clock()
        if now < self._retry or (self._begun and now >= self._live_turn):
            return []
        try:
            if not self._begun:
                self._begin(now)
            return self._next_missed()
        except UnavailableError as error:
            log.warning("what was missed cannot be looked up yet: %s", error)
            self._retry = self._clock() + RETRY_AFTER
        except SafetyNetError as error:
            log.error(  # noqa: TRY400 - no traceback
                "what was missed cannot be looked up; it is tried again when the watcher is started anew: %s",
                error,
            )
            self._given_up = True
        return []

    def _begin(self, now: datetime) -> None:
        period = self._missed_period(now)
        if period is not None:
            log.info("%s: catching up from %s to %s", self.location, period.start, period.end)
            self._missed = ArchiveSource(
                self._archives(period), period, self._name, self._dead_letters, self._clock
            )
        self._begun = True
        self._live_turn = now + MISSED_TURN

    def _missed_period(self, now: datetime) -> Period | None:
        position = self._positions.get(self._name)
        if position is None:
            # Kept at once: a first watcher that dies before it is through is not the first one any more.
            position = self._positions.advance(self._name, now - self._settings.look_back)
        since = position.time
        if now - since <= self._settings.catch_up_after:
            return None
        earliest = self._earliest(now) if self._earliest is not None else None
        if earliest is not None and since < earliest:
            log.error("%s: events from %s to %s are out of reach", self.location, since, earliest)
        start = since - self._settings.overlap
        return Period(start if earliest is None else max(start, earliest), now)

    def _next_missed(self) -> Sequence[Delivery]:
        missed = self._missed
        if missed is not None:
            found = missed.receive()
            if found:
                return [replace(delivery, receipt=_MISSED + delivery.receipt) for delivery in found]
            if not missed.exhausted:
                return []
            log.info("%s: caught up", self.location)
        self._caught_up = True
        return []

    def _receive_live(self) -> Sequence[Delivery]:
        before = self._clock()
        deliveries = self._live.receive()
        self._live_turn = self._clock() + MISSED_TURN
        if self._caught_up:
            self._note(min((one.sent or before for one in deliveries), default=before))
        return deliveries

    def _note(self, time: datetime) -> None:
        """What came later than ``time`` may still wait in the queue."""
        try:
            self._positions.note(self._name, time)
        except SafetyNetError as error:
            log.warning("the position of %s could not be noted: %s", self._name, error)
