"""What AWS and the replica tell of a lost table that the vault cannot: asked once its alert is on its way.

system backup      DynamoDB's own of the moment of the deletion; shows 8 to 10 seconds later, if PITR was on
on-demand backups  DynamoDB's, and those of AWS Backup
replica            a backup that only the second vault has, or the vault's where it could not be read at first
the name           whether a table of that name was made anew: it is empty
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from recovery.definitions.reader import Reader
from recovery.definitions.readings import NotKnown, reading
from recovery.errors import DamagedObjectError, TableNotFoundError
from recovery.restores.gathering import gather
from recovery.restores.points import LostTable, PointKind
from recovery.restores.points import RecoveryPoint as KnownPoint
from recovery.restores.points_native import refuse_other_place, taken_before
from watcher.incidents.incident import RecoveryPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.clock import Sleep
    from recovery.restores.points import PointSource

# What incidents call the points of the vault, of the vault's replica, and DynamoDB's own of the deletion.
VAULT, REPLICA, SYSTEM = "s3-backup", "replica", PointKind.SYSTEM.value
# Of each kind: nobody goes back to the fourth.
SHOWN_OF_A_KIND = 3
# What a look that failed is told as: the kinds of recovery points, and the name.
NAME = "name"


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was found of one lost table.

    ``points`` are in the incident's words, newest first; of those that incidents know already, too. ``size_bytes`` by
    ``backup_id``, where it is known. ``read`` are the kinds of recovery points that were looked for, ``unread`` those that could
    not be (or ``name``), with the reason. ``taken_at``: when a table that has its name now was created, None for none.
    """

    points: tuple[RecoveryPoint, ...] = ()
    size_bytes: Mapping[str, int] = field(default_factory=dict)
    read: frozenset[str] = frozenset()
    unread: Mapping[str, str] = field(default_factory=dict)
    taken_at: datetime | None = None


class LostTableLook(Protocol):
    """Finds out what there is of a lost table."""

    def look(self, lost: LostTable, incarnation: str) -> Learnt:
        """All that can be found; ``incarnation`` is its TableId, "" if unknown. Never raises SafetyNetError."""
        ...


class PointsLook:
    """Asks the sources of recovery points, and DynamoDB whether the name is taken again.

    Name the vault before its replica, as ``gather`` has it. Points in time of a table that is being deleted are left
    out: they end with the table.
    """

    def __init__(self, aws: Aws, sources: Sequence[PointSource], sleep: Sleep = time.sleep) -> None:
        self._aws = aws
        self._sources = tuple(sources)
        self._sleep = sleep

    def look(self, lost: LostTable, incarnation: str) -> Learnt:
        """See LostTableLook.look."""
        found = gather(self._sources, lost)
        kept = [point for point in found.points if point.kind is not PointKind.PITR]
        unread = {kind.value: why for kind, why in found.unread.items() if kind is not PointKind.PITR}
        taken_at: list[datetime] = []
        name = reading("the table", lambda: taken_at.extend(self._taken(lost, incarnation)))
        if isinstance(name, NotKnown):
            unread[NAME] = name.reason
        asked = {kind.value for source in self._sources for kind in source.kinds}
        return Learnt(
            points=tuple(_in_short(kept, found.labels, lost)),
            size_bytes={point.id: point.size_bytes for point in kept if point.size_bytes is not None},
            read=frozenset(asked - unread.keys()),
            unread=unread,
            taken_at=next(iter(taken_at), None),
        )

    def _taken(self, lost: LostTable, incarnation: str) -> list[datetime]:
        """When the table that has the name now was created; nothing where it is the lost one, on its way out.

        Raises UsageError for a table of another place, and as DescribeTable does.
        """
        refuse_other_place(self._aws, lost)
        reader = Reader(lambda: self._aws.reader("dynamodb"), self._sleep)
        try:
            table = reader.ask("describe_table", TableName=lost.name)["Table"]
        except TableNotFoundError:
            return []
        created: datetime | None = table.get("CreationDateTime")
        if created is None or table.get("TableStatus") == "DELETING":
            return []
        known = bool(incarnation and table.get("TableId"))
        other = table.get("TableId") != incarnation if known else not taken_before(created, lost.deleted_at)
        return [created] if other else []


class NewestInVault:
    """The newest backups of one vault: see PointSource. Only as many manifests are read as it takes to find them.

    ``label`` names a vault that is not the main one.
    """

    kinds: tuple[PointKind, ...] = (PointKind.VAULT,)

    def __init__(self, catalog: Catalog, label: str = "") -> None:
        self._catalog = catalog
        self.label = label

    def find(self, lost: LostTable) -> list[KnownPoint]:
        """See PointSource.find. Raises DamagedObjectError where there are backups, and all of them are damaged."""
        listing = self._catalog.newest(
            lost.account, lost.region, lost.name, SHOWN_OF_A_KIND, before=_end_of(lost.deleted_at)
        )
        points: list[KnownPoint] = []
        damaged = list(listing.damaged)
        for backup in listing.backups:
            try:
                points.append(_point(backup, self._catalog.chain(backup)))
            except DamagedObjectError as error:
                damaged.append(error)
        if damaged and not points:
            raise damaged[0]
        return points


def _point(backup: Manifest, chain: Sequence[Manifest]) -> KnownPoint:
    return KnownPoint(
        kind=PointKind.VAULT,
        id=backup.backup_id,
        time=backup.time,
        item_count=sum(link.item_count for link in chain),
        size_bytes=sum(link.data_bytes for link in chain),
    )


def _end_of(deleted_at: datetime | None) -> datetime | None:
    """CloudTrail cuts times to whole seconds: what was taken in that very second was taken before the deletion."""
    if deleted_at is None or deleted_at.microsecond:
        return deleted_at
    return deleted_at + timedelta(seconds=1)


def _in_short(
    points: Iterable[KnownPoint], labels: Mapping[str, str], lost: LostTable
) -> Iterable[RecoveryPoint]:
    counts: dict[str, int] = {}
    for point in points:
        source = point.kind.value
        if point.kind is PointKind.VAULT:
            source = REPLICA if point.id in labels else VAULT
        counts[source] = counts.get(source, 0) + 1
        if counts[source] <= SHOWN_OF_A_KIND:
            yield RecoveryPoint(
                source=source,
                backup_id=point.id,
                time=point.time,
                item_count=point.item_count,
                loss_seconds=point.loss_seconds(lost.deleted_at) or 0.0,
            )
