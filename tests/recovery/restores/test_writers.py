"""Writers: everything that is handed over is written once, in bounded memory, and the first failure stops all."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from recovery.errors import LeaseHeldError
from recovery.restores.write_pace import WritePace
from recovery.restores.writers import MOST_BYTES, WAITING_A_WRITER, Batch, Source, Writers
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event


def batch(source: Source, number: int = 0, size: int = 10) -> Batch:
    """One batch, told by its number."""
    return Batch([b"%d" % number], size, source)


def wanted() -> None:
    """The work is wanted, always."""


def writers(
    write: Callable[[Batch, Event], bool], count: int = 4, check: Callable[[], None] = wanted
) -> Writers:
    """A fixed number of them."""
    return Writers(write, WritePace(count, count), check)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_every_batch_is_written_once() -> None:
    """Whatever the number of writers does in between."""
    written: list[bytes] = []
    pace = WritePace(8, 8)

    def write(one: Batch, stop: Event) -> bool:
        pace.writers = 1 + len(written) % 8
        written.append(bytes(one.items[0]))
        return False

    source = Source("file")
    with Writers(write, pace, wanted) as some:
        for number in range(2_000):
            some.hand_over(batch(source, number))
    assert sorted(written, key=int) == [b"%d" % number for number in range(2_000)]


def test_a_source_is_finished_when_all_of_it_is_written_and_not_before() -> None:
    """A file counts as loaded only when no batch of it is under way any more and none will come."""
    held = threading.Event()

    def write(one: Batch, stop: Event) -> bool:
        if one.items == [b"1"]:
            held.wait(10)
        return False

    slow, fast = Source("slow"), Source("fast")
    with writers(write) as some:
        some.hand_over(batch(slow, 1))
        some.hand_over(batch(slow, 2))
        some.end_of(slow)
        some.hand_over(batch(fast, 3))
        assert some.finished() == []
        some.end_of(fast)
        assert some.finished(wait=True) == ["fast"]
        assert some.finished() == []
        held.set()
        assert some.finished(wait=True) == ["slow"]


def test_a_source_without_items_is_finished_at_once() -> None:
    """An export has empty files."""
    with writers(lambda one, stop: False) as some:
        empty = Source("empty")
        some.end_of(empty)
        assert some.finished(wait=True) == ["empty"]


def test_the_first_failure_comes_out_and_the_rest_is_dropped() -> None:
    """Nobody goes on writing for a load that has failed; no thread is left behind."""
    before = threading.active_count()
    written = 0

    def write(one: Batch, stop: Event) -> bool:
        nonlocal written
        if one.items == [b"5"]:
            raise UnavailableError("no more")
        written += 1
        time.sleep(0.001)
        return False

    def hand_over_all() -> None:
        with writers(write, 2) as some:
            for number in range(1_000):
                some.hand_over(batch(Source("file"), number))

    with pytest.raises(UnavailableError, match="no more"):
        hand_over_all()
    assert written < 5 + 3 * (WAITING_A_WRITER + 1)
    assert threading.active_count() == before


def test_those_who_wait_are_told_to_stop() -> None:
    """A writer that waits for a throttled table hears of it when the owner gives up."""
    begun, stopped = threading.Event(), threading.Event()

    def write(one: Batch, stop: Event) -> bool:
        begun.set()
        assert stop.wait(10)
        stopped.set()
        return True

    def give_up() -> None:
        with writers(write) as some:
            some.hand_over(batch(Source("file")))
            assert begun.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert stopped.is_set()


def test_a_lost_lease_stops_a_load_that_has_no_room() -> None:
    """It is looked at also while nothing can be handed over."""
    lost = threading.Event()

    def check() -> None:
        if lost.is_set():
            raise LeaseHeldError("lost")

    def write(one: Batch, stop: Event) -> bool:
        lost.set()
        stop.wait(10)
        return True

    def hand_over_all() -> None:
        with writers(write, 1, check) as some:
            for number in range(100):
                some.hand_over(batch(Source("file"), number))

    with pytest.raises(LeaseHeldError):
        hand_over_all()


def test_what_waits_is_bounded_in_bytes() -> None:
    """However many writers there are: what was handed over and not written never exceeds the bound."""
    lock, under_way, most = threading.Lock(), 0, 0

    def write(one: Batch, stop: Event) -> bool:
        nonlocal under_way
        time.sleep(0.001)
        with lock:
            under_way -= one.size
        return False

    source = Source("file")
    with writers(write, 16) as some:
        for number in range(40):
            one = batch(source, number, MOST_BYTES // 3)
            some.hand_over(one)
            with lock:
                under_way += one.size
                most = max(most, under_way)
    assert MOST_BYTES // 3 < most <= MOST_BYTES


def test_a_batch_over_the_bound_goes_alone() -> None:
    """Rather than never."""
    written: list[int] = []

    def write(one: Batch, stop: Event) -> bool:
        written.append(one.size)
        return False

    with writers(write) as some:
        for _ in range(3):
            some.hand_over(batch(Source("file"), size=2 * MOST_BYTES))
        eventually(lambda: len(written) == 3)
