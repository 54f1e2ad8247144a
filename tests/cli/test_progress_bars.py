"""The bars of long work: nothing of it is lost, however seldom it is drawn."""

from __future__ import annotations

import io

from rich.console import Console

from cli.progress_bars import ProgressBars


def drawn(width: int, advances: int, step: float, total: int | None = None) -> str:
    """What is left on the screen of work that told ``advances`` times, ``step`` seconds apart."""
    now = 0.0

    def time() -> float:
        nonlocal now
        now += step
        return now

    out = io.StringIO()
    with ProgressBars(Console(file=out, width=width, force_terminal=True), time) as bars:
        bars.start("orders", "back up orders", total)
        for _ in range(advances):
            bars.advance("orders", 7, 1_000)
        bars.finish("orders")
    return out.getvalue()


def test_what_was_not_drawn_yet_is_drawn_at_the_end() -> None:
    """A thousand pages within a moment: all of their items and bytes are in the last line."""
    assert "7,000 items, 1.0 MB" in drawn(120, 1_000, 0.0001)
    assert "14 items, 2.0 KB" in drawn(120, 2, 10)


def test_a_table_that_holds_more_than_it_says() -> None:
    """DescribeTable's count is hours old: the bar goes on beyond it."""
    assert "70 items" in drawn(120, 10, 1, total=20)


def test_a_narrow_terminal_has_room_for_all_of_it() -> None:
    """At 80 columns no line is longer than the terminal."""
    lines = drawn(80, 10, 1, total=70).replace("\x1b[2K", "").splitlines()
    assert any("70 items, 10.0 KB" in line for line in lines)


def test_what_nobody_started_is_not_drawn() -> None:
    """Progress must not raise, whoever tells it."""
    out = io.StringIO()
    bars = ProgressBars(Console(file=out, width=80))
    bars.advance("unknown", 1, 1)
    bars.finish("unknown")
    assert out.getvalue() == ""
