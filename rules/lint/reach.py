"""Lint of rules that can never match or count: only what can be decided without doubt is said."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from rules.actions import Weight
from rules.lint.actions import CALLED, JUDGED, TABLE_FACTS, certain_texts, known_texts, possible_actions
from rules.lint.findings import Finding, Level, Subject, shown
from rules.lint.implies import accepts, implies
from rules.verdicts import VerdictKind
from rules.watched import ACTIONS_BY_CALL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rules.patterns.structure import Combination
    from rules.windows import Window

_COUNTS = frozenset({"facts.table.itemCount", "facts.table.sizeBytes", "facts.recent.deletions"})
_NOT_NEGATIVE = _COUNTS | {"facts.backup.ageHours"}
_YEARS_AHEAD = 10
_MOST_STARTS = 5_000
_NEVER = "never-matches"
_AWS, _SERVICE = "aws.", ".amazonaws.com"
_CLOSE = 0.7


def reach_findings(subject: Subject, windows: Mapping[str, Window], at: datetime) -> Iterator[Finding]:
    """Findings on one rule."""
    dead = [(one, _why_dead(one)) for one in subject.combinations]
    alive = [one for one, why in dead if why is None]
    reasons = list(dict.fromkeys(why for _, why in dead if why is not None))
    for path, why in reasons:
        level = Level.WARNING if alive else Level.ERROR
        what = "one alternative of its $or can never match" if alive else "can never match"
        yield subject.finding(level, _NEVER, f"{what}: {why}", *subject.steps_of(path))
    yield from _values_that_no_event_has(subject, {path for path, _ in reasons})
    if alive:
        yield from _never_counts(subject, alive)
    yield from _never_in_force(subject, windows, at)


def living(combinations: Sequence[Combination]) -> list[Combination]:
    """Those of the combinations that an event could satisfy, as far as can be told."""
    return [one for one in combinations if _why_dead(one) is None]


def _why_dead(combination: Combination) -> tuple[str, str] | None:
    """The path to name, and why no event that is judged satisfies a combination; None where one might."""
    for path, condition in combination.items():
        if path in _NOT_NEGATIVE and all(_is_empty(path, value) for value in condition.written):
            kind = "a whole number of at least 0" if path in _COUNTS else "at least 0"
            return path, f"{path} is {kind}, and {shown(list(condition.written))} holds none"
    if possible_actions(combination):
        return None
    return _which_contradict(combination)


def _which_contradict(combination: Combination) -> tuple[str, str]:
    """The fewest of the paths that tell actions apart that leave no action, in words."""
    telling = [
        path for path in combination if path in certain_texts(JUDGED[:1]) or path.startswith(TABLE_FACTS)
    ]
    needed = list(telling)
    for path in telling:
        fewer = [one for one in needed if one != path]
        if not possible_actions({one: combination[one] for one in fewer}):
            needed = fewer
    if len(needed) == 1:
        return needed[0], _of_no_action(needed[0], list(combination[needed[0]].written))
    asked = " and ".join(f"{path} {shown(list(combination[path].written))}" for path in needed)
    return needed[-1], f"no watched change has {asked} together"


def _of_no_action(path: str, written: list[Any]) -> str:
    values = [value for value in written if isinstance(value, str)]
    if path == "detail.eventName" and any(name == value for _, name in ACTIONS_BY_CALL for value in values):
        return f"{path} {shown(written)} only explains other changes, and is not judged by itself"
    meant = _meant(path, values[0]) if len(values) == 1 else ""
    return f"nothing that is watched has {path} {shown(written)}, so that the watcher judges no such event{meant}"


def _meant(path: str, value: str) -> str:
    """What was probably meant; what all services have in common makes none of them like another."""
    known = {text.removeprefix(_AWS).removesuffix(_SERVICE): text for text in sorted(known_texts(path))}
    close = get_close_matches(value.removeprefix(_AWS).removesuffix(_SERVICE), known, n=1, cutoff=_CLOSE)
    return f"; did you mean {known[close[0]]!r}?" if close else ""


def _is_empty(path: str, value: Any) -> bool:
    """Whether a condition on a number of at least 0, for counts a whole one, holds none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value < 0 or (path in _COUNTS and value != int(value))
    if not isinstance(value, dict) or "numeric" not in value:
        return False
    terms = value["numeric"]
    bounds = dict(zip(terms[::2], terms[1::2], strict=True))
    high = min((bounds[sign] for sign in ("<", "<=", "=") if sign in bounds), default=None)
    if high is not None and (high < 0 or (high == 0 and "<" in bounds)):
        return True
    if path not in _COUNTS or high is None:
        return False
    low = int(max((0, *(bounds[sign] for sign in (">", ">=", "=") if sign in bounds))))
    return not any(accepts([value], number) for number in (low - 1, low, low + 1, low + 2) if number >= 0)


def _values_that_no_event_has(subject: Subject, reported: set[str]) -> Iterator[Finding]:
    """Single names among others that the watcher judges no event for: often a slip of the pen."""
    for asked in subject.everything_asked:
        if asked.path not in CALLED or asked.path in reported:
            continue
        known = known_texts(asked.path)
        for value, index in zip(asked.values, asked.index_of, strict=True):
            if isinstance(value, str) and value not in known:
                message = f"no watched change has {asked.path} {value!r}{_meant(asked.path, value)}"
                yield subject.finding(Level.WARNING, "not-watched", message, *asked.steps, index)


def _never_counts(subject: Subject, alive: list[Combination]) -> Iterator[Finding]:
    actions = [possible_actions(one) for one in alive]
    if subject.rule.verdict is VerdictKind.INTENTIONAL and all(
        action.weight is Weight.TAMPERING for some in actions for action in some
    ):
        message = (
            "never counts: it matches tampering with the safety net only, which no rule can make intentional"
        )
        yield subject.finding(Level.ERROR, "tampering", message)
    certain = [certain_texts(some) for some in actions]
    if subject.excluding and implies(alive, subject.excluding, certain):
        message = "never counts: unless matches whatever match does"
        yield subject.finding(Level.ERROR, "always-excluded", message, "unless")


def _never_in_force(subject: Subject, windows: Mapping[str, Window], at: datetime) -> Iterator[Finding]:
    during = [name for name in subject.rule.during if name in windows]
    if during and not any(ever_in_force(windows[name], at) for name in during):
        windows_are = f"window {during[0]} is" if len(during) == 1 else f"windows {' and '.join(during)} are"
        message = f"never counts: {windows_are} in force on no day of the next ten years"
        yield subject.finding(Level.ERROR, "never-in-force", message, "during")


def ever_in_force(window: Window, at: datetime) -> bool:
    """Whether a window will be in force within ten years; in doubt it will."""
    if not window.except_:
        return True
    if window.in_force(at):
        return True
    local = at.astimezone(ZoneInfo(window.timezone))
    excepted = [(days.first, days.last) for days in window.except_]
    if window.cron is not None:
        return _cron_begins(window.cron, local, excepted)
    weekdays = {day for weekly in window.weekly for day in weekly.days}
    days = (local.date() + timedelta(days=ahead) for ahead in range(366 * _YEARS_AHEAD))
    return any(
        day.weekday() in weekdays and not any(first <= day <= last for first, last in excepted)
        for day in days
    )


def _cron_begins(cron: str, local: datetime, excepted: list[tuple[Any, Any]]) -> bool:
    """Whether a time of a cron expression is on no excepted day; every excepted span is passed in one step."""
    moment, end = local, local.year + _YEARS_AHEAD
    for _ in range(_MOST_STARTS):
        start = next(CronSim(cron, moment), None)
        if start is None or start.year > end:
            return False
        last = max((last for first, last in excepted if first <= start.date() <= last), default=None)
        if last is None:
            return True
        if last.year > end:
            return False
        moment = datetime.combine(last, time(23, 59), local.tzinfo)
    return True
