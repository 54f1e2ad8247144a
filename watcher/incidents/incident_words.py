"""What people call an incident: one line that says what happened, in the order in which it did. Pure.

    Table deleted: orders
    2 tables deleted: carts, orders
    Stack shop deleted, with 3 tables
    Protection switched off, 2 backups deleted, then table orders deleted

The words hold foreign text as it came: who shows them cleans and escapes it (``watcher.alerts.slack_parts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.incidents.blast_radius import blast_radius

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from watcher.incidents.blast_radius import BlastRadius, Change, Touched
    from watcher.incidents.incident import Incident

MOST_NAMES, LONGEST_NAMES = 3, 60
MOST_CLAUSES, LONGEST_LINE = 4, 110
_ATTEMPT = "Attempt to "

# What one change of that kind is called, and many: of so many tables, or so many times.
_OF_TABLES = {
    "protection-off": ("protection switched off", "protection of {} tables switched off"),
    "pitr-off": ("point-in-time recovery switched off", "point-in-time recovery of {} tables switched off"),
    "stream-off": ("stream switched off", "stream of {} tables switched off"),
    "ttl-on": ("time to live switched on", "time to live of {} tables switched on"),
}
_TIMES = {
    "backup-deleted": ("backup deleted", "{} backups deleted"),
    "index-removed": ("index removed", "{} indexes removed"),
    "replica-removed": ("replica removed", "{} replicas removed"),
}


@dataclass(frozen=True, slots=True)
class _Clause:
    """A part of the line: how it reads among others, and how if it is the only one."""

    time: datetime
    text: str
    alone: str
    is_loss: bool = False


def headline(incident: Incident) -> str:
    """What happened, on one line. A single change is told by its title and what it happened to."""
    if not incident.members:
        return _titled(incident.title, incident.subject.name)
    radius = blast_radius(incident)
    if radius.only_tried:
        return _attempts(radius.attempts)
    clauses = sorted(_clauses(radius), key=lambda clause: clause.time)
    if len(clauses) == 1:
        return _capital(clauses[0].alone)
    line = _joined(clauses)
    if len(clauses) > MOST_CLAUSES or len(line) > LONGEST_LINE:
        line = _joined(sorted(_shorter(radius), key=lambda clause: clause.time))
    if not radius.tables and not radius.stacks:
        line += _after_colon(one.subject.name for one in (*radius.weakened, *radius.others))
    return _capital(line) or _titled(incident.title, incident.subject.name)


def called(incident: Incident) -> str:
    """What the incident is about, in a few words: ``orders``, ``12 tables``, ``stack shop and 3 tables``."""
    if not incident.members:
        return incident.subject.name or incident.title
    radius = blast_radius(incident)
    parts = [*_kind("stack", radius.stacks), *_kind("table", radius.tables)]
    if len(parts) == 1 and len(radius.tables) == 1:
        return radius.tables[0].name
    return " and ".join(parts) or _names(one.subject.name for one in radius.changes) or incident.title


def _titled(title: str, name: str) -> str:
    return title if not name or name in title else f"{title}: {name}"


def _clauses(radius: BlastRadius) -> list[_Clause]:
    loss = _loss(radius)
    return [*([loss] if loss else []), *_grouped(radius.others), *_grouped(radius.weakened)]


def _shorter(radius: BlastRadius) -> list[_Clause]:
    """The same with the protections only counted: that something is lost must never be cut off."""
    loss, weakened = _loss(radius), radius.weakened
    clauses = [loss] if loss else _grouped(radius.others)
    if weakened:
        count = len(weakened)
        text = f"{count} protection{'' if count == 1 else 's'} taken away"
        clauses.append(_Clause(weakened[0].time, text, text))
    return clauses


def _joined(clauses: Sequence[_Clause]) -> str:
    line = ""
    for number, clause in enumerate(clauses):
        then = number > 0 and (clause.is_loss or clauses[number - 1].is_loss)
        line += f"{', ' if number else ''}{'then ' if then else ''}{clause.text}"
    return line


def _loss(radius: BlastRadius) -> _Clause | None:
    tables, stacks = radius.tables, radius.stacks
    if not tables and not stacks:
        return None
    time = min(one.time for one in (*tables, *stacks))
    if stacks:
        (what,) = _kind("stack", stacks)
        also = "".join(f", with {words}" for words in _kind("table", tables))
        alone = f"stack deleted: {stacks[0].name}" if len(stacks) == 1 and not also else ""
        return _Clause(time, f"{what} deleted{also}", alone or f"{what} deleted{also}", is_loss=True)
    (what,) = _kind("table", tables)
    if len(tables) == 1:
        return _Clause(time, f"{what} deleted", f"table deleted: {tables[0].name}", is_loss=True)
    named = _after_colon(table.name for table in tables)
    return _Clause(time, f"{what} deleted", f"{what} deleted{named}", is_loss=True)


def _kind(noun: str, touched: Sequence[Touched]) -> list[str]:
    """``table orders``, ``12 tables``, or nothing."""
    if not touched:
        return []
    return [f"{noun} {touched[0].name}" if len(touched) == 1 else f"{len(touched):,} {noun}s"]


def _grouped(changes: Sequence[Change]) -> list[_Clause]:
    """A clause for each kind of change."""
    kinds: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        # Kinds without words of their own are told by their titles.
        known = change.change in _OF_TABLES or change.change in _TIMES
        kinds.setdefault((change.change, "" if known else change.title), []).append(change)
    return [_group(kind, some) for (kind, _), some in kinds.items()]


def _group(kind: str, changes: Sequence[Change]) -> _Clause:
    names = tuple(dict.fromkeys(change.subject.name for change in changes))
    title = changes[0].title
    lowered = title[:1].lower() + title[1:]
    one, many = _OF_TABLES.get(kind) or _TIMES.get(kind) or (lowered, f"{lowered} ({{}} times)")
    count = len(names) if kind in _OF_TABLES else len(changes)
    text = one if count == 1 else many.replace("{}", f"{count:,}")
    alone = _titled(title, names[0]) if count == 1 else text + _after_colon(names)
    return _Clause(changes[0].time, text, alone)


def _attempts(attempts: Sequence[Change]) -> str:
    titles = list(dict.fromkeys(one.title for one in attempts))
    count = sum(one.tries for one in attempts)
    named = _after_colon((one.subject.name for one in attempts), cut=True)
    if len(titles) == 1 and count == 1:
        return titles[0] + named
    tried = [title.removeprefix(_ATTEMPT) for title in titles if title.startswith(_ATTEMPT)]
    if len(tried) == len(titles):
        return f"{count:,} attempts to {', to '.join(tried)}{named}"
    return f"{', '.join(titles)} ({count:,} times){named}"


def _after_colon(names: Iterable[str], *, cut: bool = False) -> str:
    """``: carts, orders`` where they are few and short, else nothing; with ``cut`` the first of them."""
    each = [name for name in dict.fromkeys(names) if name]
    few = len(each) <= MOST_NAMES and len(", ".join(each)) <= LONGEST_NAMES
    return f": {_names(each)}" if each and (few or cut or len(each) == 1) else ""


def _names(names: Iterable[str]) -> str:
    """``carts, orders``, ``a, b, c and 9 more``."""
    each = [name for name in dict.fromkeys(names) if name]
    more = len(each) - MOST_NAMES
    return ", ".join(each[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]
