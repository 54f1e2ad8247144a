"""The past as a source: each event of a period once, and an end that is only reached when all is acknowledged."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.memory_vault import MemoryVault
from rules.backtest import ALL_TIME, Period
from rules.errors import UnavailableError
from tests.rules.backtesting import deletion, description, trail_file
from watcher.archives.archive import Piece, StoredBytes
from watcher.sources.dead_letters import DeadLetters
from watcher.sources.handed_out import MOST_RECEIVES
from watcher.sources.source_archive import BATCH_SIZE, LONGEST_LOOK, ArchiveSource
from watcher.sources.visibility import LONGEST_WORK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from tests.watcher.watching import Clockwork
    from watcher.sources.source import Delivery

TWO = datetime(2026, 11, 23, 2, tzinfo=UTC)


@dataclass
class Files:
    """An archive in memory. ``failures``: errors that come with a piece, once each. ``slow``: what a piece takes."""

    contents: Sequence[bytes]
    clock: Clockwork
    failures: dict[int, Exception] = field(default_factory=dict)
    slow: timedelta = timedelta()
    fetched: list[int] = field(default_factory=list)

    @property
    def location(self) -> str:
        """``files``."""
        return "files"

    def pieces(self) -> Iterator[Piece]:
        """One a content."""
        for number in range(len(self.contents)):
            yield Piece(f"file {number}", None, partial(self._fetch, number))

    def _fetch(self, number: int, _: Event) -> StoredBytes:
        self.clock.now += self.slow
        self.fetched.append(number)
        if number in self.failures:
            raise self.failures.pop(number)
        return StoredBytes(self.contents[number])


def source(
    clock: Clockwork,
    *contents: bytes,
    period: Period = ALL_TIME,
    vault: MemoryVault | None = None,
    **options: Any,
) -> ArchiveSource:
    """A source over one archive."""
    return ArchiveSource(
        [Files(contents, clock, **options)], period, "past", DeadLetters(vault or MemoryVault()), clock
    )


def minutes(deliveries: Sequence[Delivery]) -> list[int]:
    """The minutes of the deletions."""
    return [datetime.fromisoformat(json.loads(one.body)["eventTime"]).minute for one in deliveries]


def drained(past: ArchiveSource) -> list[int]:
    """The minutes of all that is handed out until the end."""
    found: list[int] = []
    while not past.exhausted:
        deliveries = past.receive()
        found += minutes(deliveries)
        past.acknowledge_all(deliveries)
    return found


def test_every_event_is_handed_out_once(clock: Clockwork) -> None:
    """From all files, gzip or plain, the oldest of a file first; a trail repeats itself, this does not."""
    past = source(
        clock,
        trail_file(deletion(9), description(8), deletion(7)),
        gzip.compress(trail_file(deletion(7), deletion(3))),
        trail_file(),
    )
    assert drained(past) == [7, 9, 3]
    assert past.receive() == []
    assert past.location == "files"


def test_only_the_period_is_handed_out(clock: Clockwork) -> None:
    """A file of a day holds more than what was asked for; an event without a time may be of it."""
    period = Period(TWO + timedelta(minutes=3), TWO + timedelta(minutes=5))
    timeless = {**deletion(1), "eventTime": None, "eventID": "timeless"}
    past = source(clock, trail_file(*(deletion(number) for number in range(2, 8)), timeless), period=period)
    first, *others = past.receive()
    assert first.id == "timeless"
    assert minutes(others) == [3, 4]


def test_a_large_file_comes_in_batches(clock: Clockwork) -> None:
    """So that the loop can do other things between them."""
    past = source(clock, trail_file(*(deletion(number) for number in range(BATCH_SIZE + 5))))
    assert [len(past.receive()), len(past.receive())] == [BATCH_SIZE, 5]
    assert not past.exhausted


def test_a_long_search_comes_up_for_air(clock: Clockwork) -> None:
    """Files in which nothing is watched do not keep the loop from its other work; the search goes on where it was."""
    files = Files([trail_file()] * 9, clock, slow=LONGEST_LOOK / 3)
    past = ArchiveSource([files], ALL_TIME, "past", DeadLetters(MemoryVault()), clock)
    assert past.receive() == []
    assert not past.exhausted
    assert files.fetched == [0, 1, 2]
    assert drained(past) == []
    assert files.fetched == list(range(9))


def test_what_is_not_acknowledged_comes_again_at_the_end(clock: Clockwork) -> None:
    """Counted, and until it is acknowledged this is not exhausted."""
    past = source(clock, trail_file(deletion(1), deletion(2)))
    first, second = past.receive()
    past.release(first)
    past.acknowledge(second)
    (again,) = past.receive()
    assert (again.id, again.receive_count) == (first.id, 2)
    assert not past.exhausted
    past.acknowledge(again)
    assert past.exhausted


def test_what_is_still_worked_on_does_not_come_again(clock: Clockwork) -> None:
    """Workers take their time; only what was forgotten for half an hour is handed out once more."""
    past = source(clock, trail_file(deletion(1)))
    (slow,) = past.receive()
    assert past.receive() == []
    assert not past.exhausted
    clock.now += LONGEST_WORK + timedelta(seconds=1)
    (again,) = past.receive()
    assert again.receive_count == 2
    past.acknowledge(slow)
    assert past.exhausted


def test_a_poison_event_is_given_up_and_kept(clock: Clockwork) -> None:
    """It does not keep the past from ending, and is in the vault word for word."""
    vault = MemoryVault()
    past = source(clock, trail_file(deletion(1)), vault=vault)
    counts = []
    for _ in range(MOST_RECEIVES + 3):
        for delivery in past.receive():
            counts.append(delivery.receive_count)
            past.release(delivery)
    assert counts == list(range(1, MOST_RECEIVES + 1))
    assert past.exhausted
    (key,) = vault.writes
    assert key.startswith("watch/dead-letters/past/")
    assert json.loads(vault.get(key).body) == deletion(1)


@pytest.mark.parametrize(
    "content", [b"no json", gzip.compress(trail_file(deletion(1)))[:-9]], ids=["no events", "cut"]
)
def test_a_file_that_cannot_be_read_is_told_of(clock: Clockwork, content: bytes) -> None:
    """As a delivery with its fault; the other files are read all the same."""
    past = source(clock, content, trail_file(deletion(2)))
    (bad,) = past.receive()
    assert bad.fault.startswith("file 0: ")
    past.acknowledge(bad)
    assert drained(past) == [2]


def test_an_outage_in_the_middle_loses_nothing(clock: Clockwork) -> None:
    """The error comes out; then it is read again from the start, and what was handed out is not handed out again."""
    past = source(
        clock,
        *(trail_file(deletion(number)) for number in range(3)),
        failures={1: UnavailableError("S3 is down")},
    )
    first = past.receive()
    past.acknowledge_all(first)
    with pytest.raises(UnavailableError):
        past.receive()
    assert not past.exhausted
    assert minutes(first) + drained(past) == [0, 1, 2]
