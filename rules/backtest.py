"""Back-tests: what a rule set would have said of the changes in archived trails. Pure; others read the archives.

A worker finds the watched changes in each piece of an archive (``changes_in``); they are few. One ``Replay``
gathers them, once each, for trails repeat one event in five, byte for byte, in several files; and ``judge_all`` puts
them in the order of their times, for trails do not, and judges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from rules.errors import EventError
from rules.events import parse_archived
from rules.facts import unlooked_facts
from rules.history import RecentChanges
from rules.net import ANY_NET
from rules.screen import may_be_watched, records_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rules.events import ChangeEvent
    from rules.facts import Facts
    from rules.net import NetParts
    from rules.rule_set import RuleSet
    from rules.verdicts import Verdict

COMPLAINTS_A_PIECE = 3


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` up to but not including ``end``, in UTC; None: open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return (self.start is None or moment >= self.start) and (self.end is None or moment < self.end)

    def may_hold(self, first: date, last: date) -> bool:
        """Whether files that were delivered on some days may hold events of it.

        CloudTrail delivers some minutes later (its guide: five on average), which may be on the day after.
        """
        return (self.start is None or last >= self.start.date()) and (
            self.end is None or first <= self.end.date() + timedelta(days=1)
        )


ALL_TIME = Period()


def days(first: date | None, last: date | None) -> Period:
    """The period from the start of a day (UTC) to the end of another."""
    midnight = time(tzinfo=UTC)
    return Period(
        datetime.combine(first, midnight) if first else None,
        # The last day there is has no end that could be told.
        datetime.combine(last, midnight) + timedelta(days=1) if last and last < date.max else None,
    )


@dataclass(frozen=True, slots=True)
class FoundChange:
    """A watched change in a piece: what it takes to sort it and to tell it from others, and its raw record."""

    id: str
    time: datetime
    record: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A piece, or a record in one, that nobody could read, and why."""

    piece: str
    why: str


@dataclass(frozen=True, slots=True)
class PieceResult:
    """What a worker found in one piece. ``unreadable`` counts; ``complaints`` are the first few of them."""

    content_bytes: int = 0
    records: int = 0
    changes: tuple[FoundChange, ...] = ()
    unreadable: int = 0
    complaints: tuple[Unreadable, ...] = ()


def unreadable_piece(piece: str, why: str) -> PieceResult:
    """The result of a piece that could not be read at all."""
    return PieceResult(unreadable=1, complaints=(Unreadable(piece, why),))


def changes_in(piece: str, content: bytes, net: NetParts = ANY_NET) -> PieceResult:
    """The watched changes in the content of a piece. What cannot be read is counted, and the rest goes on."""
    changes: list[FoundChange] = []
    faults: list[str] = []
    records = 0
    try:
        for record in records_in(content):
            records += 1
            if may_be_watched(record):
                try:
                    event = parse_archived(record, net)
                except EventError as error:
                    faults.append(f"record {records}: {error}")
                    continue
                if event.watched:
                    changes.append(FoundChange(event.id, event.time, record))
    except EventError as error:
        faults.append(str(error))
    complaints = tuple(Unreadable(piece, why) for why in faults[:COMPLAINTS_A_PIECE])
    return PieceResult(len(content), records, tuple(changes), len(faults), complaints)


@dataclass(slots=True)
class Replay:
    """The changes of a whole archive, each once, and what was read to find them."""

    period: Period = field(default_factory=Period)
    pieces: int = 0
    content_bytes: int = 0
    records: int = 0
    duplicates: int = 0
    outside: int = 0
    unreadable: int = 0
    complaints: list[Unreadable] = field(default_factory=list)
    _changes: dict[str, FoundChange] = field(default_factory=dict)

    def add(self, result: PieceResult) -> None:
        """Take in one piece."""
        self.pieces += 1
        self.content_bytes += result.content_bytes
        self.records += result.records
        self.unreadable += result.unreadable
        self.complaints += result.complaints
        for change in result.changes:
            if not self.period.holds(change.time):
                self.outside += 1
            elif change.id in self._changes:
                self.duplicates += 1
            else:
                self._changes[change.id] = change

    @property
    def changes(self) -> list[FoundChange]:
        """All changes in the order of their times; those of one second by their ids, so that runs are equal."""
        return sorted(self._changes.values(), key=lambda change: (change.time, change.id))


@dataclass(frozen=True, slots=True)
class JudgedEvent:
    """An event that can alert, the facts that an archive gives, and the verdict of each rule set."""

    event: ChangeEvent
    facts: Facts
    verdicts: tuple[Verdict, ...]


def judge_all(
    changes: Sequence[FoundChange], rule_sets: Sequence[RuleSet], net: NetParts = ANY_NET
) -> Iterator[JudgedEvent]:
    """Every event that can alert, judged as of its own time; ``changes`` are in the order of their times.

    What happened shortly before is told from the changes themselves, those included that only explain others.
    All else around an event (tags, sizes, backups, intents) no archive tells: it is unknown.
    """
    recent = RecentChanges()
    for change in changes:
        event = parse_archived(change.record, net)
        facts = unlooked_facts(event, recent.take(event))
        if event.alerting:
            verdicts = tuple(rules.judge(event, facts, event.time) for rules in rule_sets)
            yield JudgedEvent(event, facts, verdicts)
