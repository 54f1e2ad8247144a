"""How many writers there are: as many as bring something, and fewer for a table that pushes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recovery.restores.write_pace import FIRST_WRITERS, WINDOWS_UNTIL_TRIED_AGAIN, WritePace

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 18_000


class Table:
    """Batches a second, by how many write; time passes as the batches take it."""

    def __init__(self, batches_a_second: Callable[[int], float], most: int = 32) -> None:
        self._batches_a_second = batches_a_second
        self._now = 0.0
        self.pace = WritePace(most, monotonic=lambda: self._now)
        self.seen: list[int] = []

    def run(self, seconds: float, *, pushed_back: bool = False) -> int:
        """Write for so long; how many writers there are in the end."""
        until = self._now + seconds
        while self._now < until:
            self._now += 1 / self._batches_a_second(self.pace.writers)
            self.pace.done(SIZE, pushed_back=pushed_back)
            self.seen.append(self.pace.writers)
        return self.pace.writers


@pytest.mark.parametrize(("good_for", "least", "most"), [(1, 4, 4), (10, 7, 17), (30, 26, 32), (500, 32, 32)])
def test_there_are_as_many_writers_as_bring_something(good_for: int, least: int, most: int) -> None:
    """A far table gets many connections, a busy machine no more than it began with."""
    table = Table(lambda writers: 10.0 * min(writers, good_for))
    assert least <= table.run(20) <= most
    assert max(table.seen) <= 32


def test_a_table_that_pushes_back_gets_fewer_writers_but_always_one() -> None:
    """Every writer that is refused only waits and asks again."""
    table = Table(lambda writers: 10.0 * writers)
    before = table.run(20)
    assert table.run(3, pushed_back=True) < before
    assert table.run(60, pushed_back=True) == 1
    assert min(table.seen) == 1


def test_a_refusal_now_and_then_changes_nothing() -> None:
    """One batch in twenty that comes back in part is what any busy table does."""
    table = Table(lambda writers: 10.0 * writers)
    for number in range(4_000):
        table.run(0.001, pushed_back=number % 20 == 0)
    assert table.pace.writers == 32


def test_what_was_found_is_tried_again_after_a_while() -> None:
    """A table whose partitions have split takes more than it did."""
    good_for = 1
    table = Table(lambda writers: 10.0 * min(writers, good_for))
    assert table.run(20) == FIRST_WRITERS
    good_for = 100
    assert table.run(5 * WINDOWS_UNTIL_TRIED_AGAIN) > 2 * FIRST_WRITERS


def test_there_are_never_more_writers_than_allowed() -> None:
    """``workers`` of the engine is a bound, from the first batch on."""
    table = Table(lambda writers: 10.0 * writers, most=2)
    assert table.pace.writers == table.run(30) == max(table.seen) == 2
