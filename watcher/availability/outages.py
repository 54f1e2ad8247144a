"""The incident of a region's outage: which tables are there, what they can be recovered from, and by which command."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.threads import side_by_side
from rules.errors import NotFoundError, SafetyNetError
from rules.verdicts import Severity, VerdictKind
from watcher.incidents.incident import (
    Incident,
    IncidentState,
    NoticeKind,
    Person,
    RecoveryPoint,
    Subject,
)
from watcher.incidents.owing import owed, owed_first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event

    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.clock import Clock
    from watcher.availability.availability import Outage
    from watcher.incidents.correlation import Router
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

PROBES, AWS_HEALTH = "probes", "AWS Health"
NOBODY = Person(label="AWS", kind="service")
READERS = 8
SHOWN_POINTS = 50
SHOWN_TABLES = 20
# Slack shows 600 characters of a command; one that does not fit is no command.
LONGEST_COMMAND = 500


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is left when a region is gone. ``catalog``: of the replica where there is one, else of the vault.

    ``region``: where to recover, "" where the settings say nothing of another region.
    """

    catalog: Catalog
    replica: bool
    region: str


@dataclass(frozen=True, slots=True)
class _Loss:
    """The tables of a region: (account, name) of each, the newest backup of those that have one."""

    tables: Sequence[tuple[str, str]]
    newest: Sequence[Manifest]
    unknown: str = ""


class OutageIncidents:
    """Brings an outage's incident up to date with what is stored of the outage; to do it again changes nothing."""

    def __init__(self, incidents: IncidentStore, clock: Clock, router: Router, elsewhere: Elsewhere) -> None:
        self._incidents = incidents
        self._clock = clock
        self._router = router
        self._elsewhere = elsewhere

    def settle(self, region: str, outage: Outage) -> Incident:
        """Store the incident, or what is new in it; what it owes is delivered by whoever has an outbox.

        Raises as the vault does. A catalog that cannot be read does not keep the incident from being stored.
        """
        try:
            incident = self._incidents.get(outage.incident)
        except NotFoundError:
            incident, _ = self._incidents.create(self._opened(region, outage))
        return self._incidents.update(incident.id, self._told(region, outage))

    def _opened(self, region: str, outage: Outage) -> Incident:
        now = self._clock()
        loss = self._loss(region)
        account = max((account for account, _ in loss.tables), default="", key=_counted(loss.tables))
        mine = [one for one in loss.newest if one.table.account == account]
        incident = Incident(
            id=outage.incident,
            state=IncidentState.OPEN,
            title=_title(region, outage),
            # Nobody did it, and nobody meant it.
            verdict=VerdictKind.ACCIDENTAL,
            severity=_severity(outage),
            reasons=(*_noticed(outage), *self._reasons(region, loss, account)),
            account=account,
            region=region,
            subject=Subject(type="region", name=region),
            actor=NOBODY,
            events=(),
            opened_at=outage.started,
            recovery_points=tuple(self._point(one, outage) for one in mine[:SHOWN_POINTS]),
            recovery_unknown=loss.unknown,
            recover_command=self._command([one.table.name for one in mine], account, region),
        )
        first = AWS_HEALTH if outage.by == "health" else PROBES
        incident = incident.with_moment(outage.started, first, incident.title)
        return owed_first(incident, self._router(incident), now)

    def _told(self, region: str, outage: Outage) -> Callable[[Incident], Incident]:
        """What happened since, each told once: its time and its words say whether it was."""

        def change(incident: Incident) -> Incident:
            if outage.down_at is not None and outage.by == "health":
                text = f"Our probes cannot reach it either: {'; '.join(outage.signals)}"
                worse = incident.revised(title=_title(region, outage), severity=Severity.CRITICAL)
                incident = self._noted(worse, incident, outage.down_at, PROBES, text, NoticeKind.WORSE)
            if outage.health is not None and outage.by == "probes":
                health = outage.health
                text = f"AWS Health confirms it: {health.code} since {_clock_time(health.started)}"
                learnt = incident.revised(reasons=(*incident.reasons, text))
                incident = self._noted(learnt, incident, health.started, AWS_HEALTH, text, NoticeKind.LEARNT)
            if outage.health is not None and outage.health.closed_at is not None and outage.ended is None:
                text = "AWS Health says that it is over; our probes do not yet"
                closed = outage.health.closed_at
                incident = self._noted(incident, incident, closed, AWS_HEALTH, text, NoticeKind.LEARNT)
            if outage.ended is not None:
                minutes = max(1, round((outage.ended - outage.started).total_seconds() / 60))
                what = "reachable again" if outage.down_at is not None else "over, as AWS Health says,"
                text = f"{what} since {_clock_time(outage.ended)} ({minutes} min)"
                over = incident.revised(state=_state_after(incident.state))
                who = PROBES if outage.by == "probes" else AWS_HEALTH
                incident = self._noted(over, incident, outage.ended, who, text, NoticeKind.RECOVERED)
            return incident

        return change

    def _noted(
        self, changed: Incident, incident: Incident, time: datetime, who: str, text: str, kind: NoticeKind
    ) -> Incident:
        if any((line.time, line.what) == (time, text) for line in incident.timeline):
            return incident
        noted = changed.with_moment(time, who, text)
        if incident.state is IncidentState.DISMISSED:
            return noted
        notifiers = [entry.notifier for entry in incident.outbox if entry.kind is NoticeKind.OPENED]
        return owed(noted, notifiers, kind, time, text)

    def _loss(self, region: str) -> _Loss:
        catalog = self._elsewhere.catalog
        try:
            tables = [(account, name) for account, _, name in _tables(catalog, region)]
            found = _newest(catalog, region, tables)
        except SafetyNetError as error:
            log.warning("the tables of %s could not be listed: %s", region, error)
            return _Loss((), (), str(error)[:500])
        return _Loss(tables, found)

    def _reasons(self, region: str, loss: _Loss, account: str) -> tuple[str, ...]:
        if loss.unknown:
            return (f"Which tables are there is unknown: {loss.unknown}",)
        if not loss.tables:
            return (f"No table of {region} has a backup here.",)
        names = [name for _, name in loss.tables]
        more = f" and {len(names) - SHOWN_TABLES} more" if len(names) > SHOWN_TABLES else ""
        reasons = [f"Tables there ({len(names)}): {', '.join(names[:SHOWN_TABLES])}{more}"]
        without = len(loss.tables) - len(loss.newest)
        if without:
            reasons.append(f"{without} of them have no whole backup to recover from.")
        if not self._elsewhere.region:
            reasons.append("No other region is set: set backup.replica.region or watch.probes.recover_to.")
        elif not self._elsewhere.replica:
            reasons.append(
                f"No replica of the vault is set: recovery reads {self._elsewhere.catalog.vault.location}."
            )
        others = len({one for one, _ in loss.tables} - {account})
        if others:
            reasons.append(f"Tables of {others} more accounts are there: see `safetynet backup list`.")
        return tuple(reasons)

    def _point(self, backup: Manifest, outage: Outage) -> RecoveryPoint:
        place = "replica" if self._elsewhere.replica else "backup"
        return RecoveryPoint(
            source=f"{place} of {backup.table.name}",
            backup_id=backup.backup_id,
            time=backup.time,
            item_count=backup.item_count,
            loss_seconds=max(0.0, (outage.started - backup.time).total_seconds()),
        )

    def _command(self, tables: Sequence[str], account: str, region: str) -> str:
        """``safetynet recover orders carts --region eu-central-1 --from 123456789012/eu-west-1``.

        Where not all tables fit, it names the first ones: it can be run as it is, and then again with the others.
        """
        if not tables or not self._elsewhere.region or self._elsewhere.region == region:
            return ""
        ending = f" --region {self._elsewhere.region} --from {account}/{region}"
        command = "safetynet recover"
        for table in tables:
            if len(command) + len(table) + len(ending) + 1 > LONGEST_COMMAND:
                break
            command += f" {table}"
        return command + ending


def _tables(catalog: Catalog, region: str) -> Sequence[tuple[str, str, str]]:
    return list(catalog.tables(region=region))


def _newest(catalog: Catalog, region: str, tables: Sequence[tuple[str, str]]) -> list[Manifest]:
    """The newest whole backup of each, in the order of the tables; side by side, for there may be hundreds."""
    if not tables:
        return []
    readers = min(READERS, len(tables))

    def some(reader: int, stop: Event) -> list[tuple[int, Manifest]]:
        found: list[tuple[int, Manifest]] = []
        for number in range(reader, len(tables), readers):
            if stop.is_set():
                break
            account, name = tables[number]
            found += [(number, one) for one in catalog.newest(account, region, name, 1).backups]
        return found

    parts = side_by_side(readers, some, "outage")
    return [backup for _, backup in sorted((one for part in parts for one in part), key=lambda one: one[0])]


def _counted(tables: Sequence[tuple[str, str]]) -> Callable[[str], int]:
    return lambda account: sum(one == account for one, _ in tables)


def _title(region: str, outage: Outage) -> str:
    if outage.down_at is None:
        return f"AWS Health: DynamoDB has an issue in {region} since {_clock_time(outage.started)}"
    return f"DynamoDB unreachable in {region} since {_clock_time(outage.down_at)}"


def _severity(outage: Outage) -> Severity:
    return Severity.CRITICAL if outage.down_at is not None else Severity.HIGH


def _noticed(outage: Outage) -> tuple[str, ...]:
    if outage.by == "health" and outage.health is not None:
        return (f"AWS Health: {outage.health.code}, {outage.health.arn}", *outage.signals)
    return (*outage.signals, "Other endpoints answer: it is not our own network.")


def _state_after(state: IncidentState) -> IncidentState:
    """Who recovers elsewhere goes on with it; what a person dismissed stays so."""
    open_still = state in {IncidentState.OPEN, IncidentState.ACKNOWLEDGED}
    return IncidentState.RECOVERED if open_still else state


def _clock_time(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"
