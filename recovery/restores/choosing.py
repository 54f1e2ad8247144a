"""Choosing one recovery point out of all, and saying which others would lose less.

Without a wish it is the latest backup of the vault: it brings back the settings too, and is checked byte by byte.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from recovery.errors import BackupNotFoundError
from recovery.restores.points import PointKind
from rules.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.restores.gathering import FoundPoints
    from recovery.restores.points import RecoveryPoint

Auto = Literal["auto"]
_VAULT_FIRST = list(PointKind)


@dataclass(frozen=True, slots=True)
class PointWish:
    """What the flags ask for: ``--source``, ``--at``, ``--backup``, ``--max-minutes``.

    ``source`` None: the vault. ``backup_id``: a backup of the vault by its id, any other point by its ARN.
    ``max_minutes`` bounds ``auto`` alone. ``deleted_at`` None: the table is there, or nobody knows.
    """

    source: PointKind | Auto | None = None
    at: datetime | None = None
    backup_id: str = ""
    max_minutes: float | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Better:
    """A point that would lose ``seconds_less`` less than the chosen one; ``flags`` ask for it, ready to type."""

    point: RecoveryPoint
    seconds_less: float
    flags: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The point and the moment ``at`` to which it brings the table back; ``why`` in plain words.

    A point with a window for which one moment was asked has that as its ``time`` and no ``earliest`` any more:
    that very moment. With ``earliest`` it is the latest moment there is when the restore begins. ``loss_seconds``
    counts to the deletion, or to now where the table is not known to be deleted. ``better``: most is gained first.
    """

    point: RecoveryPoint
    at: datetime
    why: str
    loss_seconds: float
    better: tuple[Better, ...]


def choose(found: FoundPoints, ask: PointWish, now: datetime) -> Choice:
    """Choose. Raises BackupNotFoundError whose hint names what there is instead, UsageError for flags that clash."""
    _refuse_clash(ask)
    points = _as_of(found, ask.at)
    if ask.backup_id:
        point, why = _by_id(found, points, ask), "asked for with --backup"
    elif ask.source == "auto":
        point, why = _least_loss(found, points, ask)
    else:
        kind = ask.source or PointKind.VAULT
        point = _latest(found, points, kind, ask)
        when = f" at or before {_utc(ask.at)}" if ask.at else ""
        what = "backup of the vault" if kind is PointKind.VAULT else f"{kind.value} recovery point"
        why = f"the latest {what}{when}"
        if point.kind is PointKind.PITR:
            why = f"point-in-time recovery, as of {_utc(point.time)}"
    end = ask.deleted_at or now
    return Choice(
        point=point,
        at=point.time,
        why=why,
        loss_seconds=_loss(point, end),
        better=_better(points, point, ask, end),
    )


def _refuse_clash(ask: PointWish) -> None:
    if ask.max_minutes is not None and ask.source != "auto":
        raise UsageError("--max-minutes is for --source auto", hint="Add --source auto.")
    if ask.backup_id and ask.source == "auto":
        raise UsageError("--backup names one point, --source auto looks for one", hint="Give one of them.")


def _as_of(found: FoundPoints, at: datetime | None) -> list[RecoveryPoint]:
    """What the points can give at or before a moment, best first; one with a window gives that very moment."""
    if at is None:
        return list(found.points)
    # RestoreDateTime is told in whole seconds (API reference, 'RestoreTableToPointInTime').
    second = at.replace(microsecond=0)
    given: list[RecoveryPoint] = []
    for point in found.points:
        if point.earliest is None:
            given.extend([point] if point.time <= at else [])
        elif point.earliest <= second <= point.time:
            given.append(point.model_copy(update={"time": second, "earliest": None}))
    given.sort(key=lambda point: _VAULT_FIRST.index(point.kind))
    return sorted(given, key=lambda point: point.time, reverse=True)


def _by_id(found: FoundPoints, points: list[RecoveryPoint], ask: PointWish) -> RecoveryPoint:
    there = next((point for point in found.points if point.id == ask.backup_id), None)
    if there is None:
        raise _none(found, f"no recovery point {ask.backup_id}")
    if ask.source not in (None, there.kind):
        raise UsageError(
            f"{ask.backup_id} is of --source {there.kind.value}, not {ask.source}", hint="Leave --source out."
        )
    point = next((point for point in points if point.id == ask.backup_id), None)
    if point is None:
        raise _not_at(there, ask.at)
    return point


def _latest(
    found: FoundPoints, points: list[RecoveryPoint], kind: PointKind, ask: PointWish
) -> RecoveryPoint:
    point = next((point for point in points if point.kind is kind), None)
    if point is not None:
        return point
    of_kind = found.of(kind)
    if of_kind and of_kind[0].earliest is not None:
        raise _not_at(of_kind[0], ask.at)
    what = "backup in the vault" if kind is PointKind.VAULT else f"{kind.value} recovery point"
    raise _none(found, f"no {what}{f' at or before {_utc(ask.at)}' if ask.at else ''}", kind)


def _least_loss(found: FoundPoints, points: list[RecoveryPoint], ask: PointWish) -> tuple[RecoveryPoint, str]:
    """The point that loses least of those that are quick enough; at equal loss the vault's."""
    if not points:
        raise _none(found, f"no recovery point{f' at or before {_utc(ask.at)}' if ask.at else ''}")
    limit = ask.max_minutes
    # Where nobody can tell how long it takes, nobody can promise that it is in time.
    in_time = [
        point
        for point in points
        if limit is None or (point.seconds is not None and point.seconds <= limit * 60)
    ]
    if not in_time:
        quickest = min(points, key=lambda point: point.seconds or float("inf"))
        told = f", about {quickest.seconds / 60:.0f} minutes" if quickest.seconds is not None else ""
        raise BackupNotFoundError(
            f"no recovery point brings the table back within {limit:g} minutes",
            hint=f"The quickest is {_what(quickest)}{told}: {_flags(quickest, points, ask)}",
        )
    end = ask.deleted_at
    best = min(
        in_time,
        key=lambda point: (
            _loss(point, end) if end else -point.time.timestamp(),
            _VAULT_FIRST.index(point.kind),
        ),
    )
    within = f" within {limit:g} minutes" if limit is not None else ""
    return best, f"loses least of {len(points)} recovery points{within}"


def _better(
    points: list[RecoveryPoint], chosen: RecoveryPoint, ask: PointWish, end: datetime
) -> tuple[Better, ...]:
    """Of each kind the one that loses least, where that is less than with the chosen one."""
    best: dict[PointKind, Better] = {}
    for point in points:
        gain = _loss(chosen, end) - _loss(point, end)
        if gain > 0 and (point.kind not in best or gain > best[point.kind].seconds_less):
            best[point.kind] = Better(point, gain, _flags(point, points, ask))
    return tuple(sorted(best.values(), key=lambda better: better.seconds_less, reverse=True))


def _flags(point: RecoveryPoint, points: list[RecoveryPoint], ask: PointWish) -> str:
    """What to type for it: the kind alone where that chooses it, the id else."""
    words = ["--source", point.kind.value]
    if next((other for other in points if other.kind is point.kind), point).id != point.id:
        words = ["--backup", point.id]
    if ask.at is not None:
        words += ["--at", _utc(ask.at)]
    return shlex.join(words)


def _loss(point: RecoveryPoint, end: datetime) -> float:
    return max(0.0, (end - point.time).total_seconds())


def _not_at(point: RecoveryPoint, at: datetime | None) -> BackupNotFoundError:
    if point.earliest is None:
        return BackupNotFoundError(
            f"{_what(point)} is of {_utc(point.time)}, which is after --at", hint="Leave --at out."
        )
    asked = f", not {_utc(at)}" if at else ""
    return BackupNotFoundError(
        f"point-in-time recovery gives {_utc(point.earliest)} to {_utc(point.time)}{asked}",
        hint="Choose a moment in between with --at.",
    )


def _none(found: FoundPoints, message: str, kind: PointKind | None = None) -> BackupNotFoundError:
    """What was asked for is not there, or could not be looked at; the hint says what is there."""
    if kind in found.unread:
        message = f"{message} could be read: {found.unread[kind]}"
    newest: dict[PointKind, RecoveryPoint] = {}
    for point in found.points:
        newest.setdefault(point.kind, point)
    hints = [
        f"there is {_what(point)} of {_utc(point.time)}: {shlex.join(['--source', point.kind.value])}"
        for point in newest.values()
    ]
    hints += [
        f"{other.value} could not be read: {reason}"
        for other, reason in found.unread.items()
        if other != kind
    ]
    text = "; ".join(hints)
    return BackupNotFoundError(
        message, hint=f"{text[0].upper()}{text[1:]}." if text else "There is no recovery point of any kind."
    )


def _what(point: RecoveryPoint) -> str:
    return "the vault's backup" if point.kind is PointKind.VAULT else f"the {point.kind.value} recovery point"


def _utc(moment: datetime | None) -> str:
    """As ``--at`` takes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
