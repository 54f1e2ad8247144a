"""Events of sources that have no queue: which were handed out, and which of them nobody has acknowledged yet."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from watcher.sources.source import Delivery
from watcher.sources.visibility import LONGEST_WORK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from recovery.clock import Clock
    from watcher.sources.dead_letters import DeadLetters

log = logging.getLogger(__name__)

# As often as SQS does by default before it gives a message up.
MOST_RECEIVES = 10


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """One event that a source found. ``id`` is made from its content where it has none; ``time`` may be unknown."""

    id: str
    time: datetime | None
    body: bytes
    fault: str = ""


class _Record(msgspec.Struct):
    """A CloudTrail record, or the envelope around one."""

    event_id: str = msgspec.field(name="eventID", default="")
    event_time: datetime | None = msgspec.field(name="eventTime", default=None)
    id: str = ""
    time: datetime | None = None
    detail: _Record | None = None


_RECORD = msgspec.json.Decoder(_Record)
_LONGEST_ID = 200
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def found_event(body: bytes) -> FoundEvent:
    """The event in a record's raw JSON; what cannot be read has an id all the same."""
    try:
        record = _RECORD.decode(body)
    except (msgspec.DecodeError, RecursionError):
        record = _Record()
    inner = record.detail or record
    name = inner.event_id or record.id
    time = inner.event_time or record.time
    if time is not None:
        # CloudTrail's times are UTC by definition.
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    if not 0 < len(name) <= _LONGEST_ID:
        name = hashlib.sha256(body).hexdigest()[:32]
    return FoundEvent(name, time, body)


@dataclass(frozen=True, slots=True)
class _Outstanding:
    """``since``: when it was handed out; None once it was released."""

    event: FoundEvent
    receives: int
    since: datetime | None


class HandedOut:
    """The events of one source that were handed out and not acknowledged. Any thread may acknowledge and release.

    ``done`` is told of each that is over: acknowledged, or given up after ``MOST_RECEIVES``, when it goes to the dead
    letters. Until it has returned the event counts as handed out.
    """

    def __init__(
        self,
        source: str,
        dead_letters: DeadLetters,
        clock: Clock,
        done: Callable[[FoundEvent], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._dead_letters = dead_letters
        self._clock = clock
        self._done = done
        self._lock = threading.Lock()
        self._outstanding: dict[str, _Outstanding] = {}

    def __len__(self) -> int:
        return len(self._outstanding)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._outstanding

    @property
    def oldest(self) -> datetime | None:
        """The time of the oldest that is not over; one whose time nobody knows is the oldest there can be."""
        with self._lock:
            times = [one.event.time or _EARLIEST for one in self._outstanding.values()]
        return min(times, default=None)

    def hand_out(self, events: Iterable[FoundEvent]) -> list[Delivery]:
        """As deliveries, the oldest first."""
        ordered = sorted(events, key=lambda event: (event.time or _EARLIEST, event.id))
        return [self._delivery(event, 1) for event in ordered]

    def again(self) -> list[Delivery]:
        """Those that were released, or forgotten, once more. Raises as the vault does where one is to be given up."""
        forgotten = self._clock() - LONGEST_WORK
        with self._lock:
            back = [one for one in self._outstanding.values() if one.since is None or one.since < forgotten]
        deliveries: list[Delivery] = []
        for one in back:
            if one.receives < MOST_RECEIVES:
                deliveries.append(self._delivery(one.event, one.receives + 1))
                continue
            key = self._dead_letters.put(self._source, one.event.body)
            log.error("event %s is given up after %d attempts: see %s", one.event.id, one.receives, key)
            self._over(one.event.id)
        return deliveries

    def acknowledge(self, delivery: Delivery) -> None:
        """It is over. One that is over already is no error."""
        self._over(delivery.receipt)

    def release(self, delivery: Delivery) -> None:
        """It is to come again."""
        with self._lock:
            one = self._outstanding.get(delivery.receipt)
            if one is not None:
                self._outstanding[delivery.receipt] = replace(one, since=None)

    def _over(self, event_id: str) -> None:
        with self._lock:
            one = self._outstanding.get(event_id)
        if one is not None:
            self._done(one.event)
            with self._lock:
                self._outstanding.pop(event_id, None)

    def _delivery(self, event: FoundEvent, receives: int) -> Delivery:
        with self._lock:
            self._outstanding[event.id] = _Outstanding(event, receives, self._clock())
        return Delivery(event.id, event.body, event.id, receives, fault=event.fault)
