"""Change windows: in force when people would say so, in any time zone, on the days of a clock change, too."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rules.windows import Window, parse_duration


def window(**keys: Any) -> Window:
    """A window of these keys, as a rule file has them."""
    return Window.model_validate(keys)


def in_force(one: Window, text: str) -> bool:
    """Whether it is in force at a time."""
    return one.in_force(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("ranges", "at", "inside"),
    [
        (["mon-fri 09:00-17:00"], "2026-11-23T09:00:00+00:00", True),
        (["mon-fri 09:00-17:00"], "2026-11-23T08:59:59+00:00", False),
        (["mon-fri 09:00-17:00"], "2026-11-23T16:59:59+00:00", True),
        (["mon-fri 09:00-17:00"], "2026-11-23T17:00:00+00:00", False),
        (["mon-fri 09:00-17:00"], "2026-11-22T12:00:00+00:00", False),
        (["sat,sun"], "2026-11-22T23:59:59+00:00", True),
        (["sat,sun"], "2026-11-23T00:00:00+00:00", False),
        (["fri 22:00-02:00"], "2026-11-28T01:59:00+00:00", True),
        (["fri 22:00-02:00"], "2026-11-27T01:59:00+00:00", False),
        (["fri 22:00-02:00"], "2026-11-28T02:00:00+00:00", False),
        (["fri-mon 10:00-11:00"], "2026-11-23T10:30:00+00:00", True),
        (["fri-mon 10:00-11:00"], "2026-11-24T10:30:00+00:00", False),
        (["mon 00:00-24:00"], "2026-11-23T23:59:59+00:00", True),
        (["mon 10:00-11:00", "mon 12:00-13:00"], "2026-11-23T12:30:00+00:00", True),
        (["mon 10:00-11:00", "mon 12:00-13:00"], "2026-11-23T11:30:00+00:00", False),
        (["mon 10:00-11:00"], "2026-11-23T02:30:00-08:00", True),
    ],
)
def test_weekly(ranges: list[str], at: str, inside: bool) -> None:
    """From the start, inclusive, to the end, exclusive; over midnight, over the weekend, from any offset."""
    assert in_force(window(weekly=ranges), at) is inside


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-11-23T08:30:00+00:00", True),  # 09:30 in Berlin in winter
        ("2026-07-20T08:30:00+00:00", True),  # 10:30 in summer
        ("2026-07-20T07:00:00+00:00", True),  # 09:00 in summer
        ("2026-11-23T07:00:00+00:00", False),  # 08:00 in winter
    ],
)
def test_the_clock_on_the_wall_counts(at: str, inside: bool) -> None:
    """Nine o'clock is nine o'clock where the people are, summer and winter."""
    berlin = window(timezone="Europe/Berlin", weekly=["mon-fri 09:00-17:00"])
    assert in_force(berlin, at) is inside


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-11-27T18:00:00+00:00", True),
        ("2026-11-27T17:59:59+00:00", False),
        ("2026-11-27T19:59:59+00:00", True),
        ("2026-11-27T20:00:00+00:00", False),
        ("2026-11-26T18:30:00+00:00", False),
    ],
)
def test_cron(at: str, inside: bool) -> None:
    """From each time of the expression on, for as long as it lasts."""
    assert in_force(window(cron="0 18 * * 5", lasts="2h"), at) is inside


def test_cron_over_several_days() -> None:
    """A window may outlast its day; one that begins again meanwhile goes on."""
    weekend = window(cron="0 18 * * 5", lasts="2d")
    assert in_force(weekend, "2026-11-29T17:59:00+00:00")
    assert not in_force(weekend, "2026-11-29T18:00:00+00:00")
    assert in_force(window(cron="0 * * * *", lasts="1h"), "2026-11-29T18:59:59+00:00")


@pytest.mark.parametrize(
    ("cron", "lasts", "minutes"),
    [
        ("30 1 * * *", "2h", [("2026-03-29T00:30", 120), ("2026-10-24T23:30", 120)]),
        ("30 2 * * *", "30m", [("2026-03-29T01:00", 30), ("2026-10-25T00:30", 30)]),
        ("30 2 * * *", "2h", [("2026-03-29T01:00", 120), ("2026-10-25T00:30", 120)]),
        ("0 3 * * *", "1h", [("2026-03-29T01:00", 60), ("2026-10-25T02:00", 60)]),
    ],
)
def test_cron_lasts_what_it_says(cron: str, lasts: str, minutes: list[tuple[str, int]]) -> None:
    """Where the clock is changed, too: it comes once, and is as long."""
    berlin = window(timezone="Europe/Berlin", cron=cron, lasts=lasts)
    for start, length in minutes:
        began = datetime.fromisoformat(start).replace(tzinfo=UTC)
        before = [began - timedelta(minutes=ago) for ago in range(1, 61)]
        during = [began + timedelta(minutes=after) for after in range(length)]
        after = [began + timedelta(minutes=length + after) for after in range(180)]
        assert all(map(berlin.in_force, during))
        assert not any(map(berlin.in_force, [*before, *after]))


@pytest.mark.parametrize(
    ("zone", "cron"),
    [("Europe/Berlin", "30 1 * * *"), ("Europe/Berlin", "*/20 2 * * *"), ("America/Sao_Paulo", "0 0 * * *"),
     ("Australia/Lord_Howe", "45 1 * * *"), ("Africa/Cairo", "15 0,23 * * *")],
)  # fmt: skip
@given(minutes=st.integers(0, 11 * 366 * 24 * 60))
def test_cron_windows_are_their_times(zone: str, cron: str, minutes: int) -> None:
    """A window is in force exactly where a time of its expression is less than its length ago, in any zone."""
    at = datetime(2016, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    one = window(timezone=zone, cron=cron, lasts="3h")
    starts = CronSim(cron, (at - timedelta(days=2)).astimezone(ZoneInfo(zone)))
    times = [began for began in (next(starts).astimezone(UTC) for _ in range(20)) if began <= at]
    assert one.in_force(at) is (at - max(times) < timedelta(hours=3))


def test_excepted_days_are_passed_at_once() -> None:
    """One judgement is quick, however often the expression would come on the days that are left out."""
    began = time.perf_counter()
    days = {"except": ["2000-01-01..2099-12-31", "2026-11-20"]}
    assert not in_force(window(cron="* * * * *", lasts="7d", **days), "2026-11-23T12:00:00+00:00")
    single = {"except": [f"2026-11-{day}" for day in range(10, 24)]}
    assert not in_force(window(cron="* * * * *", lasts="7d", **single), "2026-11-23T12:00:00+00:00")
    single = {"except": [f"2026-11-{day}" for day in range(18, 24)]}
    assert in_force(window(cron="* * * * *", lasts="7d", **single), "2026-11-23T12:00:00+00:00")
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("keys", "at", "inside"),
    [
        ({"weekly": ["thu,fri"]}, "2026-12-24T12:00:00+01:00", False),
        ({"weekly": ["thu,fri"]}, "2026-12-25T12:00:00+01:00", False),
        ({"weekly": ["thu,fri"]}, "2026-12-31T12:00:00+01:00", True),
        ({"weekly": ["wed 22:00-02:00"]}, "2026-12-24T01:00:00+01:00", True),
        ({"weekly": ["thu 22:00-02:00"]}, "2026-12-26T01:00:00+01:00", False),
        ({"cron": "0 12 * * *", "lasts": "1h"}, "2026-12-24T12:30:00+01:00", False),
        ({"cron": "0 12 * * *", "lasts": "2d"}, "2026-12-24T12:30:00+01:00", True),
    ],
)
def test_exceptions(keys: dict[str, Any], at: str, inside: bool) -> None:
    """On those days it does not begin, by its own calendar; what began before them goes on."""
    assert (
        in_force(window(timezone="Europe/Berlin", **{"except": ["2026-12-24..2026-12-25"]}, **keys), at)
        is inside
    )


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]),
)
def test_always_and_never(at: datetime, zone: str) -> None:
    """All days of the week are always, at any time there is, the first and the last, too."""
    near_an_end = not 1 < at.year < 9999
    assert window(timezone=zone, weekly=["mon-sun"]).in_force(at) or near_an_end
    assert not window(timezone=zone, weekly=["mon-sun"], **{"except": ["0001-01-01..9999-12-31"]}).in_force(
        at
    )


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "either weekly or cron"),
        ({"weekly": ["mon"], "cron": "0 0 * * *", "lasts": "1h"}, "either weekly or cron"),
        ({"cron": "0 0 * * *"}, "cron and lasts go together"),
        ({"weekly": ["mon"], "lasts": "1h"}, "cron and lasts go together"),
        ({"cron": "0 0 30 2 *", "lasts": "1h"}, "cron"),
        ({"cron": "every day", "lasts": "1h"}, "not a cron expression: it has five fields"),
        ({"cron": "0 30 1 * * *", "lasts": "1h"}, "five fields.*and not 6"),
        ({"cron": "", "lasts": "1h"}, "five fields.*and not 0"),
        ({"cron": "0 0 * * *", "lasts": "8d"}, "at most 7 days"),
        ({"cron": "0 0 * * *", "lasts": 60}, "a duration like 2h"),
        ({"weekly": ["monday"]}, "not a day of the week: 'monday'"),
        ({"weekly": ["mon 9-17"]}, "days and hours like"),
        ({"weekly": ["mon 09:00-25:00"]}, "not a time of day"),
        ({"weekly": ["mon 09:60-10:00"]}, "not a time of day"),
        ({"weekly": ["mon 24:00-01:00"]}, "cannot begin at 24:00"),
        ({"weekly": [7]}, "days and hours like"),
        ({"weekly": ["mon"], "timezone": "Europe/Bonn"}, "not an IANA time zone"),
        ({"weekly": ["mon"], "timezone": "../../etc/passwd"}, "not an IANA time zone"),
        ({"weekly": ["mon"], "except": ["tomorrow"]}, "a day like 2026-12-24"),
        ({"weekly": ["mon"], "except": ["2026-12-25..2026-12-24"]}, "a day like 2026-12-24"),
        ({"weekly": ["mon"], "until": "x"}, "until"),
    ],
)  # fmt: skip
def test_faults(keys: dict[str, Any], why: str) -> None:
    """What is no window is refused for what is wrong with it."""
    with pytest.raises(ValidationError, match=why):
        window(**keys)


@pytest.mark.parametrize(
    ("text", "length"),
    [("30m", timedelta(minutes=30)), ("2h", timedelta(hours=2)), ("1d", timedelta(days=1))],
)
def test_durations(text: str, length: timedelta) -> None:
    """Minutes, hours and days."""
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", ["", "0h", "2", "h", "-1h", "1w", "1h30m", "999999h"])
def test_what_is_no_duration(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)
