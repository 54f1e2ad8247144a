"""All recovery points of a table, whoever keeps them: the sources are asked side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from recovery.definitions.readings import NotKnown, reading
from recovery.restores.points import PointKind
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.restores.points import LostTable, PointSource, RecoveryPoint

_ORDER = list(PointKind)


@runtime_checkable
class Labelled(Protocol):
    """A source whose points are to be told from those of another one of its kind: a replica of the vault."""

    label: str


@dataclass(frozen=True, slots=True)
class FoundPoints:
    """What all sources together have.

    ``points``: newest first, those of one time in the order of PointKind. ``unread``: the kinds of which there may
    be more than were found, with the reason. ``labels``: by id, the points that only a labelled source has.
    """

    points: tuple[RecoveryPoint, ...]
    unread: dict[PointKind, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def of(self, kind: PointKind) -> list[RecoveryPoint]:
        """Those of one kind, newest first."""
        return [point for point in self.points if point.kind is kind]


def gather(sources: Sequence[PointSource], lost: LostTable) -> FoundPoints:
    """What all sources find. One that fails is noted as unread, and never counts as one that found nothing.

    Of two points with one id the one of the earlier source is kept: name the vault before its replica, and AWS
    Backup, which tells more of its own, before DynamoDB's backups.
    """
    if not sources:
        return FoundPoints(())
    points: dict[str, RecoveryPoint] = {}
    unread: dict[PointKind, str] = {}
    labels: dict[str, str] = {}
    answers = side_by_side(len(sources), lambda number, _: _find(sources[number], lost), "points")
    for source, found in zip(sources, answers, strict=True):
        label = source.label if isinstance(source, Labelled) else ""
        if isinstance(found, str):
            reason = f"{label}: {found}" if label else found
            for kind in source.kinds:
                unread[kind] = f"{unread[kind]}; {reason}" if kind in unread else reason
            continue
        new = {point.id: point for point in found if point.id not in points}
        points.update(new)
        labels.update(dict.fromkeys(new, label) if label else {})
    ordered = sorted(points.values(), key=lambda point: _ORDER.index(point.kind))
    ordered.sort(key=lambda point: point.time, reverse=True)
    return FoundPoints(tuple(ordered), unread, labels)


def _find(source: PointSource, lost: LostTable) -> list[RecoveryPoint] | str:
    """The points of a source, or in one line why they could not be looked at."""
    found: list[RecoveryPoint] = []
    told = reading("recovery points", lambda: found.extend(source.find(lost)))
    return told.reason if isinstance(told, NotKnown) else found
