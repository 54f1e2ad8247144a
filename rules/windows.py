"""Change windows: times at which changes are expected, by weekday or by cron, in a time zone, with exceptions.

    windows:
      release:
        timezone: Europe/Berlin
        weekly: [mon-thu 09:00-17:00, fri 09:00-12:00]
        except: [2026-12-24..2027-01-02]
      nightly:
        cron: "30 1 * * *"
        lasts: 2h

A window is in force from its start, inclusive, to its end, exclusive. Weekly ranges go by the clock on the wall, so
that they are an hour longer or shorter on the two days a year on which the clock is changed; a range that ends at
or before its start ends on the next day. A cron window begins by the clock on the wall, once where an hour comes twice,
and lasts what it says. Cron expressions are read by cronsim, as Debian's cron reads them.
Nothing here looks at a clock: the time is handed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST = timedelta(days=7)
_WHOLE_DAY = 24 * 60
_RANGE = re.compile(r"(?P<days>[a-z,-]+)(?:\s+(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d))?")
_DURATION = re.compile(r"([1-9]\d{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_CRON_FIELDS = 5


def parse_duration(text: str) -> timedelta:
    """``30m``, ``2h``, ``1d``. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a duration: {text!r}; write 30m, 2h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def checked_cron(expression: str) -> str:
    """A cron expression as it is. Raises ValueError for what cronsim cannot read, and for one that never comes."""
    if len(expression.split()) != _CRON_FIELDS:  # cronsim takes a sixth, of seconds, in front
        raise ValueError(
            "not a cron expression: it has five fields, which are minute, hour, day of the month, month and"
            f" day of the week, and not {len(expression.split())}"
        )
    try:
        next(CronSim(expression, datetime(2026, 1, 1)))  # noqa: DTZ001 - only to see whether it parses
    except CronSimError as error:
        raise ValueError(f"not a cron expression: {error}") from error
    except StopIteration as error:
        raise ValueError("a cron expression whose time never comes") from error
    return expression


def checked_zone(name: str) -> str:
    """An IANA time zone as it is. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"not an IANA time zone: {name!r}") from error
    return name


CronExpression = Annotated[str, AfterValidator(checked_cron)]
ZoneName = Annotated[str, AfterValidator(checked_zone)]


@dataclass(frozen=True, slots=True)
class WeeklyRange:
    """Days of the week (0 is Monday), and minutes since midnight from and to; ``to`` may be on the next day."""

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DayRange:
    """Days on which a window does not start, both ends included."""

    first: date
    last: date


def parse_weekly(text: object) -> WeeklyRange:
    """``mon-fri 09:00-17:00``, ``sat,sun``, ``fri 22:00-02:00``. Raises ValueError."""
    match = _RANGE.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if match is None:
        raise ValueError("days and hours like 'mon-fri 09:00-17:00' or 'sat,sun' are needed")
    days = frozenset(day for part in match["days"].split(",") for day in _days_in(part))
    if match["from"] is None:
        return WeeklyRange(days, 0, _WHOLE_DAY)
    start, end = _minutes(match["from"]), _minutes(match["to"])
    if start == _WHOLE_DAY:
        raise ValueError("a range cannot begin at 24:00")
    return WeeklyRange(days, start, end if end > start else end + _WHOLE_DAY)


def _days_in(part: str) -> list[int]:
    first, _, last = part.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise ValueError(f"not a day of the week: {part!r}; known: {', '.join(DAYS)}")
    start, end = DAYS.index(first), DAYS.index(last or first)
    return [day % len(DAYS) for day in range(start, end + 1 if end >= start else end + len(DAYS) + 1)]


def _minutes(clock: str) -> int:
    hours, minutes = int(clock[:2]), int(clock[3:])
    if minutes > 59 or hours * 60 + minutes > _WHOLE_DAY:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"not a time of day: {clock}")
    return hours * 60 + minutes


def parse_days(text: object) -> DayRange:
    """``2026-12-24`` or ``2026-12-24..2027-01-02``. Raises ValueError."""
    if isinstance(text, str):
        first, _, last = text.partition("..")
        try:
            days = DayRange(date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip()))
        except ValueError:
            pass
        else:
            if days.first <= days.last:
                return days
    raise ValueError("a day like 2026-12-24 or days like 2026-12-24..2027-01-02 are needed")


def _lasting(text: object) -> timedelta:
    lasts = parse_duration(text) if isinstance(text, str) else timedelta()
    if not timedelta() < lasts <= LONGEST:
        raise ValueError("a duration like 2h, of at most 7 days, is needed")
    return lasts


WeeklyText = Annotated[Any, AfterValidator(parse_weekly), WithJsonSchema({"type": "string"})]
DaysText = Annotated[Any, AfterValidator(parse_days), WithJsonSchema({"type": "string"})]
DurationText = Annotated[timedelta, BeforeValidator(_lasting), WithJsonSchema({"type": "string"})]


class Window(BaseModel):
    """One entry under ``windows:``: either ``weekly``, or ``cron`` with ``lasts``.

    ``except`` are days on which it does not begin, by the calendar of its own time zone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(default="", description="For people.")
    timezone: ZoneName = Field(default="UTC", description="An IANA time zone, such as `Europe/Berlin`.")
    weekly: list[WeeklyText] = Field(
        default=[], description="Days and hours, such as `mon-fri 09:00-17:00` or `sat,sun`."
    )
    cron: CronExpression | None = Field(
        default=None, description="Five cron fields that say when it begins, such as `30 1 * * *`."
    )
    lasts: DurationText | None = Field(
        default=None, description="How long it lasts from each time of `cron`, such as `2h`; at most 7 days."
    )
    except_: list[DaysText] = Field(
        default=[],
        alias="except",
        description="Days on which it does not begin, such as `2026-12-24..2027-01-02`.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Window:
        if bool(self.weekly) == (self.cron is not None):
            raise ValueError("a window has either weekly or cron")
        if (self.cron is None) != (self.lasts is None):
            raise ValueError("cron and lasts go together")
        return self

    def in_force(self, at: datetime) -> bool:
        """Whether a time (aware) is inside the window."""
        try:
            if self.cron is not None and self.lasts is not None:
                return self._begun_by_cron(at.astimezone(UTC), self.cron, self.lasts)
            local = at.astimezone(ZoneInfo(self.timezone))
            return any(self._in_range(local.replace(tzinfo=None), weekly) for weekly in self.weekly)
        except OverflowError:  # the first or last day there is
            return False

    def _in_range(self, local: datetime, weekly: WeeklyRange) -> bool:
        for began in (local.date(), local.date() - timedelta(days=1)):
            if began.weekday() in weekly.days and not self._excepted(began):
                midnight = datetime(began.year, began.month, began.day)  # noqa: DTZ001 - the clock on the wall
                minutes = (local - midnight) / timedelta(minutes=1)
                if weekly.start <= minutes < weekly.end:
                    return True
        return False

    def _begun_by_cron(self, at: datetime, cron: str, lasts: timedelta) -> bool:
        """Whether it began within ``lasts`` before a time in UTC: two times of one zone compare by the clock on the wall."""
        zone = ZoneInfo(self.timezone)
        earliest = at - lasts
        moment = _latest_on_the_wall(at.astimezone(zone))
        while moment.astimezone(UTC) > earliest:
            for start in CronSim(cron, moment, reverse=True):
                began = start.astimezone(UTC)
                if began > at:
                    continue
                if began <= earliest:
                    return False
                excepted = [days.first for days in self.except_ if days.first <= start.date() <= days.last]
                if not excepted:
                    return True
                # All those days at once: an expression may come every minute of them.
                moment = datetime.combine(min(excepted), time.min, zone)
                break
            else:
                return False
        return False

    def _excepted(self, day: date) -> bool:
        return any(days.first <= day <= days.last for days in self.except_)


def _latest_on_the_wall(local: datetime) -> datetime:
    """A time behind all that the clock on the wall has shown by then.

    A minute later, since a window that begins at this very moment is in force; and where the clock was put back and
    shows an hour again, by as much later.
    """
    put_back = timedelta()
    if local.fold:
        before, since = local.replace(fold=0).utcoffset(), local.utcoffset()
        put_back = (before or timedelta()) - (since or timedelta())
    return local + timedelta(minutes=1) + put_back
