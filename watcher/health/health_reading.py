"""Reads what ``health`` tells from: the stored state of the watcher, the incidents, the queue, the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from recovery.errors import DamagedObjectError
from recovery.threads import side_by_side
from rules.errors import SafetyNetError
from watcher.availability.region_watch import availabilities
from watcher.health.canary import canary_state
from watcher.health.health import IncidentsNow, Observed, TableBackup, UnsentAlert
from watcher.health.heartbeat import heartbeats
from watcher.incidents.incident import IncidentState
from watcher.sources.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Event

    from recovery.backups.catalog import Catalog
    from recovery.clock import Clock
    from recovery.vault.vault import Vault
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore
    from watcher.sources.queue_depth import QueueDepths

ReadT = TypeVar("ReadT")
READERS = 8
_OPEN = frozenset({IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.RECOVERING})


class HealthReader:
    """Reads all of it. What cannot be read is noted, and keeps nothing else from being read.

    The same reader may read again and again: of the incidents it then reads only what has changed. ``queue`` None:
    there is no queue; ``catalog`` None: backups are not looked at.
    """

    def __init__(
        self,
        vault: Vault,
        incidents: IncidentStore,
        clock: Clock,
        queue: Callable[[], QueueDepths] | None = None,
        catalog: Catalog | None = None,
        backup_hours: float = 26,
    ) -> None:
        self._vault = vault
        self._glance = IncidentGlance(incidents)
        self._clock = clock
        self._queue = queue
        self._catalog = catalog
        self._backup_hours = backup_hours

    def observe(self) -> Observed:
        """What is stored now. Never raises for what cannot be read: that is in ``unreadable``."""
        unreadable: dict[str, str] = {}

        def read(name: str, look: Callable[[], ReadT], nothing: ReadT) -> ReadT:
            try:
                return look()
            except SafetyNetError as error:
                unreadable[name] = str(error)
                return nothing

        positions = Positions(self._vault, self._clock)
        return Observed(
            heartbeats=read("watcher", lambda: _whole(heartbeats(self._vault)), ()),
            canary=read("canary", lambda: canary_state(self._vault), None),
            positions=read("sources", lambda: _whole(positions.all()), ()),
            queue=read("queue", self._queue, None) if self._queue is not None else None,
            incidents=read("alerts", self._glance.now, IncidentsNow()),
            availability=read("regions", lambda: _whole(availabilities(self._vault)), ()),
            backups=read("backups", self._backups, None),
            backup_hours=self._backup_hours,
            unreadable=unreadable,
        )

    def _backups(self) -> tuple[TableBackup, ...] | None:
        catalog = self._catalog
        if catalog is None:
            return None
        tables = list(catalog.tables())
        if not tables:
            return ()
        readers = min(READERS, len(tables))

        def some(reader: int, stop: Event) -> list[TableBackup]:
            found: list[TableBackup] = []
            for account, region, table in tables[reader::readers]:
                if stop.is_set():
                    break
                newest = catalog.newest(account, region, table, 1).backups
                found.append(TableBackup(account, region, table, newest[0].time if newest else None))
            return found

        return tuple(one for part in side_by_side(readers, some, "health") for one in part)


class IncidentGlance:
    """What the incidents say, remembered: only those that have changed are read again."""

    def __init__(self, incidents: IncidentStore) -> None:
        self._incidents = incidents
        self._seen: dict[str, str] = {}
        self._open: dict[str, str] = {}
        self._unsent: dict[str, tuple[UnsentAlert, ...]] = {}
        self._damaged: dict[str, str] = {}

    def now(self) -> IncidentsNow:
        """What they say now. Raises as the vault does."""
        for key, found in self._incidents.changed(self._seen):
            for noted in (self._open, self._unsent, self._damaged):
                noted.pop(key, None)
            if isinstance(found, DamagedObjectError):
                self._damaged[key] = str(found)
                continue
            if found.state in _OPEN and not found.part_of:
                self._open[key] = found.id
            if found.unsent:
                self._unsent[key] = _unsent(found)
        return IncidentsNow(
            open=tuple(self._open[key] for key in sorted(self._open, reverse=True)),
            unsent=tuple(alert for key in sorted(self._unsent) for alert in self._unsent[key]),
            damaged=tuple(self._damaged[key] for key in sorted(self._damaged)),
        )


def _unsent(incident: Incident) -> tuple[UnsentAlert, ...]:
    return tuple(
        UnsentAlert(
            incident=incident.id,
            notifier=entry.notifier,
            kind=entry.kind.value,
            since=entry.created_at,
            attempts=entry.attempts,
            error=entry.last_error,
        )
        for entry in incident.unsent
    )


def _whole(found: Iterable[ReadT | DamagedObjectError]) -> tuple[ReadT, ...]:
    """The documents. Raises the first that cannot be read: a check that lacks one would not be the truth."""
    whole: list[ReadT] = []
    for one in found:
        if isinstance(one, DamagedObjectError):
            raise one
        whole.append(one)
    return tuple(whole)
