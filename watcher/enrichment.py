"""What is known around a change event: read from the catalog and the declared intents.

A deleted table cannot be asked any more, so its tags, size and items come from the definition and manifest
of its newest backup. What cannot be read is unknown, with the reason; it never stops an alert.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from rules.errors import NotFoundError, SafetyNetError
from rules.facts import Facts, TableFacts, Unknown, facts_of
from watcher.incidents import RecoveryPoint, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.catalog import Catalog
    from recovery.intents import IntentStore
    from recovery.manifest import Manifest
    from rules.events import ChangeEvent
    from rules.intents import Intent

log = logging.getLogger(__name__)

SHOWN_RECOVERY_POINTS = 3
# CloudTrail cuts times to whole seconds: the change came up to a second later.
EVENT_TIME_STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts for the rules, and what the message tells about the subject."""

    facts: Facts
    subject: Subject
    recovery_points: tuple[RecoveryPoint, ...]
    recovery_unknown: str = ""


class FactsSource(Protocol):
    """Finds out what is around an event."""

    def look_around(self, event: ChangeEvent) -> Surroundings:
        """Never raises for what cannot be read: that is unknown."""
        ...


class VaultFacts:
    """Facts from the vault: backups and intents."""

    def __init__(self, catalog: Catalog, intents: IntentStore) -> None:
        self._catalog = catalog
        self._intents = intents

    def look_around(self, event: ChangeEvent) -> Surroundings:
        """See FactsSource.look_around."""
        intents = self._declared()
        subject = Subject(
            type=event.resource.type,
            name=event.resource.name,
            arn=event.resource.arn,
            incarnation=event.resource.incarnation,
        )
        if event.resource.type != "table":
            return Surroundings(facts_of(event, None, intents), subject, ())
        backups = self._backups(event)
        table = _table_facts(backups)
        if isinstance(backups, Unknown):
            return Surroundings(facts_of(event, table, intents), subject, (), backups.reason)
        if not backups:
            return Surroundings(facts_of(event, table, intents), subject, ())
        table, tags = self._tags(backups[0], table)
        described = subject.model_copy(
            update={"item_count": backups[0].item_count, "size_bytes": backups[0].data_bytes, "tags": tags}
        )
        points = tuple(_point(backup, event) for backup in backups[:SHOWN_RECOVERY_POINTS])
        return Surroundings(facts_of(event, table, intents), described, points)

    def _declared(self) -> Sequence[Intent] | Unknown:
        try:
            return self._intents.recent()
        except SafetyNetError as error:
            log.warning("intents cannot be read: %s", error)
            return Unknown(str(error))

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

    def _tags(self, backup: Manifest, table: TableFacts) -> tuple[TableFacts, dict[str, str]]:
        try:
            definition = self._catalog.definition(backup)
        except (NotFoundError, SafetyNetError) as error:
            log.warning("the definition of the newest backup cannot be read: %s", error)
            return table, {}
        if "tags" in definition.unknown:
            return table, {}
        tags = definition.tags
        return TableFacts(tags, table.item_count, table.size_bytes, table.newest_backup), tags


def _table_facts(backups: Sequence[Manifest] | Unknown) -> TableFacts:
    if isinstance(backups, Unknown):
        return TableFacts(backups, backups, backups, backups)
    if not backups:
        nothing = Unknown("the table is gone and has no backup to look into")
        return TableFacts(nothing, nothing, nothing, None)
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
