"""The recovery points of a vault: its whole backups of a table."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from recovery.errors import DamagedObjectError
from recovery.restores.estimates import vault_write
from recovery.restores.points import PointKind, RecoveryPoint
from recovery.restores.points_native import taken_before
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.restores.points import LostTable

log = logging.getLogger(__name__)

READERS = 8


def _warn(error: DamagedObjectError) -> None:
    log.warning("no recovery point: %s", error)


class VaultPoints:
    """See PointSource. One source for each vault; ``label`` names one that is not the main one: a replica.

    A backup in a replica has the id that it has in the vault. ``damaged`` is told of each backup that is there
    and cannot be used. ``items_per_second``: what the engine that would load them was measured at.
    """

    kinds: tuple[PointKind, ...] = (PointKind.VAULT,)

    def __init__(
        self,
        catalog: Catalog,
        *,
        label: str = "",
        damaged: Callable[[DamagedObjectError], None] = _warn,
        items_per_second: float | None = None,
    ) -> None:
        self.label = label
        self._catalog = catalog
        self._damaged = damaged
        self._items_per_second = items_per_second

    def find(self, lost: LostTable) -> list[RecoveryPoint]:
        """See PointSource.find. Raises DamagedObjectError where there are backups, and all of them are damaged."""
        listing = self._catalog.backups(lost.account, lost.region, lost.name)
        backups = [backup for backup in listing.backups if taken_before(backup.time, lost.deleted_at)]
        found = self._points(backups)
        damaged = [*listing.damaged, *(error for error in found if isinstance(error, DamagedObjectError))]
        points = [point for point in found if isinstance(point, RecoveryPoint)]
        if damaged and not points:
            raise damaged[0]
        for error in damaged:
            self._damaged(error)
        return points

    def _points(self, backups: Sequence[Manifest]) -> list[RecoveryPoint | DamagedObjectError]:
        """In the order of the backups; side by side, for each takes a read of its definition."""
        if not backups:
            return []
        readers = min(READERS, len(backups))

        def some(reader: int, stop: Event) -> list[RecoveryPoint | DamagedObjectError]:
            mine = backups[reader::readers]
            return [self._point(backup) for backup in mine if not stop.is_set()]

        parts = side_by_side(readers, some, "points")
        return [parts[number % readers][number // readers] for number in range(len(backups))]

    def _point(self, backup: Manifest) -> RecoveryPoint | DamagedObjectError:
        try:
            definition = self._catalog.definition(backup)
            chain = self._catalog.chain(backup)
        except DamagedObjectError as error:
            return error
        items = sum(link.item_count for link in chain)
        data_bytes = sum(link.data_bytes for link in chain)
        estimate = vault_write(
            items, data_bytes, definition.create_table, items_per_second=self._items_per_second
        )
        return RecoveryPoint(
            kind=PointKind.VAULT,
            id=backup.backup_id,
            time=backup.time,
            item_count=items,
            size_bytes=data_bytes,
            lacks=tuple(name.replace("_", " ") for name in definition.unknown),
            seconds=estimate.seconds,
            dollars=estimate.dollars,
        )
