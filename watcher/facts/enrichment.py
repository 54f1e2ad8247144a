"""What is known around a change event: read from the catalog and the declared intents.

A deleted table cannot be asked any more, so its tags, size and items come from the definition and manifest
of its newest backup. What cannot be read is unknown, with the reason; it never stops an alert.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from recovery.definitions.definition import Known
from rules.errors import NotFoundError, SafetyNetError
from rules.facts import STACK_TAG, Facts, TableFacts, Unknown, facts_of
from rules.intents import change_of
from rules.resources import stack_name
from watcher.facts.intent_ledger import Coverage, IntentLedger
from watcher.facts.live_tables import NoLook
from watcher.facts.recent_changes import recent_facts
from watcher.incidents.incident import RecoveryPoint, Subject, incident_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.clock import Clock
    from recovery.definitions.readings import Setting
    from recovery.intents import IntentStore
    from rules.events import ChangeEvent
    from rules.intents import Intent
    from watcher.facts.live_tables import LiveTables
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

SHOWN_RECOVERY_POINTS = 3
# CloudTrail cuts times to whole seconds: the change came up to a second later.
EVENT_TIME_STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts for the rules, and what the message tells about the subject.

    ``origin_stack`` is the name of the stack that the table belonged to, "" where it was none's or nobody knows;
    ``intents`` are the ids of the intents that cover the event, ``notes`` say why one that nearly did does not.
    """

    facts: Facts
    subject: Subject
    recovery_points: tuple[RecoveryPoint, ...] = ()
    recovery_unknown: str = ""
    origin_stack: str = ""
    intents: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class FactsSource(Protocol):
    """Finds out what is around an event."""

    def look_around(self, event: ChangeEvent) -> Surroundings:
        """Never raises for what cannot be read: that is unknown."""
        ...

    def stored(self, incident: Incident) -> None:
        """An incident was stored: the next event's facts may tell of it."""
        ...


@dataclass(frozen=True, slots=True)
class _Table:
    """What the backups tell of the table that an event is about; ``facts`` None: it is about no table."""

    facts: TableFacts | None
    subject: Subject
    recovery_points: tuple[RecoveryPoint, ...] = ()
    recovery_unknown: str = ""


class VaultFacts:
    """Facts from the vault: backups, intents and what those have covered, and what happened shortly before."""

    def __init__(
        self,
        catalog: Catalog,
        intents: IntentStore,
        incidents: IncidentStore,
        live: LiveTables | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._catalog = catalog
        self._intents = intents
        self._ledger = IntentLedger(incidents, clock)
        self._live = live or NoLook()

    def look_around(self, event: ChangeEvent) -> Surroundings:
        """See FactsSource.look_around."""
        declared, unread = self._declared()
        table = self._table(event)
        stack = table.subject.tags.get(STACK_TAG, "") or stack_name(event.resource.stack)
        incident = incident_id(event)
        recent = recent_facts(self._ledger, event, stack, incident)
        coverage = Coverage()
        if not isinstance(declared, Unknown):
            coverage = self._ledger.coverage(change_of(event, stack), declared, incident)
        intents = declared if isinstance(declared, Unknown) else coverage.intents
        return Surroundings(
            facts=facts_of(event, table.facts, intents, recent),
            subject=table.subject,
            recovery_points=table.recovery_points,
            recovery_unknown=table.recovery_unknown,
            origin_stack=stack,
            intents=coverage.intents,
            notes=(*coverage.notes, *unread),
        )

    def stored(self, incident: Incident) -> None:
        """See FactsSource.stored."""
        self._ledger.note(incident)

    def _table(self, event: ChangeEvent) -> _Table:
        subject = Subject(
            type=event.resource.type,
            name=event.resource.name,
            arn=event.resource.arn,
            incarnation=event.resource.incarnation,
        )
        if event.resource.type != "table":
            return _Table(None, subject)
        backups = self._backups(event)
        facts = replace(_table_facts(backups), recreated=self._live.recreated(event))
        if isinstance(backups, Unknown):
            return _Table(facts, subject, (), backups.reason)
        if not backups:
            return _Table(facts, subject)
        facts, around = self._defined(backups[0], facts)
        described = subject.model_copy(
            update={"item_count": backups[0].item_count, "size_bytes": backups[0].data_bytes, **around}
        )
        points = tuple(_point(backup, event) for backup in backups[:SHOWN_RECOVERY_POINTS])
        return _Table(facts, described, points)

    def _declared(self) -> tuple[Sequence[Intent] | Unknown, tuple[str, ...]]:
        """The declared intents, with a note for each that cannot be read: that one covers nothing, the others do."""
        try:
            listing = self._intents.recent()
        except SafetyNetError as error:
            log.warning("intents cannot be read: %s", error)
            return Unknown(str(error)), ()
        for damaged in listing.damaged:
            log.warning("an intent is damaged: %s", damaged)
        notes = tuple(f"A declared intent is damaged and covers nothing: {one}" for one in listing.damaged)
        return listing.intents, notes

    def _backups(self, event: ChangeEvent) -> Sequence[Manifest] | Unknown:
        """The newest whole backups from before the event."""
        try:
            listing = self._catalog.newest(
                event.account,
                event.region,
                event.resource.name,
                SHOWN_RECOVERY_POINTS,
                before=event.time + EVENT_TIME_STEP,
            )
        except SafetyNetError as error:
            log.warning("the catalog cannot be read: %s", error)
            return Unknown(str(error))
        for damaged in listing.damaged:
            log.warning("a backup is damaged: %s", damaged)
        return listing.backups

    def _defined(self, backup: Manifest, table: TableFacts) -> tuple[TableFacts, dict[str, Any]]:
        """The facts and the subject with what the definition in the newest backup says."""
        try:
            definition = self._catalog.definition(backup)
        except (NotFoundError, SafetyNetError) as error:
            log.warning("the definition of the newest backup cannot be read: %s", error)
            return table, {}
        protection = definition.settings.deletion_protection
        if isinstance(protection, Known):
            table = replace(table, deletion_protection=bool(protection.value))
        around: dict[str, Any] = {
            "tags": definition.tags,
            "replicas": _named(definition.surroundings.replicas, "RegionName"),
            "consumers": _named(definition.surroundings.stream_consumers, "FunctionName"),
        }
        if "tags" not in definition.unknown:
            table = replace(table, tags=definition.tags)
        return table, around


def _named(setting: Setting, key: str) -> tuple[str, ...]:
    """What the replicas or consumers of a table are called; nothing where nobody knows."""
    value = setting.value if isinstance(setting, Known) else None
    entries = value.get("Replicas") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        return ()
    return tuple(str(entry[key]) for entry in entries if isinstance(entry, dict) and entry.get(key))


def _table_facts(backups: Sequence[Manifest] | Unknown) -> TableFacts:
    if isinstance(backups, Unknown):
        return TableFacts(backups, backups, backups, backups, backups)
    if not backups:
        nothing = Unknown("there is no backup to look into")
        return TableFacts(nothing, nothing, nothing, None, nothing)
    newest = backups[0]
    no_tags = Unknown("the tags of the newest backup could not be read")
    return TableFacts(no_tags, newest.item_count, newest.data_bytes, newest.time)


def _point(backup: Manifest, event: ChangeEvent) -> RecoveryPoint:
    return RecoveryPoint(
        source="s3-backup",
        backup_id=backup.backup_id,
        time=backup.time,
        item_count=backup.item_count,
        loss_seconds=max(0.0, (event.time - backup.time).total_seconds()),
    )
