"""Backing a table up: definition, data, and last of all the manifest that makes the backup visible."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from recovery.backups.backup_runs import (
    ENDED_WITHIN,
    BackupRunRecord,
    may_continue,
    start_backup_run,
    take_backup_lease,
    unfinished_backup,
)
from recovery.backups.catalog import Catalog
from recovery.backups.compression import Compression
from recovery.backups.export_layout import new_export_id
from recovery.backups.leftovers import sweep_leftovers, tidy_folder
from recovery.backups.manifest import (
    MANIFEST,
    TABLE_DEFINITION,
    Consistency,
    Manifest,
    TableIdentity,
    definition_entry,
    new_backup_id,
)
from recovery.backups.shrinkage import Freeze, freeze_retention, shrinkage
from recovery.definitions.definition import (
    RUN_TAG,
    Settings,
    TableDefinition,
    capture_definition,
    describe_table,
)
from recovery.definitions.surroundings_alarms import AlarmListing
from recovery.errors import BackupNotFoundError, DamagedObjectError, ObjectNotFoundError
from recovery.vault.leases import holding
from recovery.vault.vault import body_of, document
from rules.errors import UnavailableError, UnsafeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.backups.backup_runs import BackupRun
    from recovery.backups.engine import BackupEngine, CopiedData
    from recovery.clock import Clock
    from recovery.progress import Progress
    from recovery.vault.leases import Lease
    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

DISTRIBUTION = "dynamodb-safetynet"
SHRINK_PERCENT = 50.0


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """``shrink_percent``: a backup with more than so many per cent fewer items than the one before is a finding."""

    compression: Compression = Compression.GZIP
    shrink_percent: float = SHRINK_PERCENT


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup came to. ``resumed``: it went on where an interrupted one had stopped."""

    manifest: Manifest
    definition: TableDefinition
    resumed: bool
    started_at: datetime
    ended_at: datetime

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be read: a line for each setting, one for all that surrounds the table."""
        settings, around = [], []
        for name, why in self.definition.unknown.items():
            if name in Settings.model_fields:
                settings.append(f"not in the backup: {name} ({why})")
            else:
                around.append(name.replace("_", " "))
        told = [f"not in the backup, see `safetynet backup show`: {', '.join(around)}"] if around else []
        return (*settings, *told)


class Backups:
    """Backs tables up with one engine into one vault; several threads may share it.

    ``capture(table, now)`` reads a table's definition: all of it, if left out.
    """

    def __init__(
        self,
        *,
        aws: Aws,
        vault: Vault,
        engine: BackupEngine,
        clock: Clock,
        progress: Progress,
        options: BackupOptions | None = None,
        started_by: str = "",
        capture: Callable[[str, datetime], TableDefinition] | None = None,
    ) -> None:
        self._aws = aws
        self._vault = vault
        self._catalog = Catalog(vault)
        self._engine = engine
        self._clock = clock
        self._progress = progress
        self._options = options or BackupOptions()
        self._started_by = started_by
        self._held: set[Lease] = set()
        self._capture = capture or partial(capture_definition, aws, alarms=AlarmListing())

    def back_up(self, table: str) -> BackupReport:
        """Back one table up, or finish what an interrupted backup of it began.

        The backup exists once its manifest does; whatever fails before leaves only invisible objects.
        Raises TableNotFoundError, AccessDeniedError, UnavailableError, LeaseHeldError while somebody else is
        at it, UnsafeError for a table that is being recovered.
        """
        now = self._clock()
        definition = self._capture(table, now)
        _refuse_half_recovered(definition)
        identity = definition.table
        lease = take_backup_lease(self._vault, self._clock, identity, self._started_by or "a backup")
        self._held.add(lease)
        try:
            with holding(lease):
                report = self._back_up(definition, now, lease)
                sweep_leftovers(self._vault, identity, self._clock())
        finally:
            self._held.discard(lease)
        return report

    def stop(self) -> None:
        """Stop what is under way in other threads, between two pages: it raises CancelledError, and can be gone on with."""
        for lease in tuple(self._held):
            lease.give_up()

    def _back_up(self, definition: TableDefinition, now: datetime, lease: Lease) -> BackupReport:
        run = self._unfinished(definition, now)
        if run is not None and (ended := self._ended(run)) is not None:
            run.remove()
            if now - ended.consistency.ended < ENDED_WITHIN:
                definition = self._catalog.definition(ended)
                return BackupReport(ended, definition, True, run.record.started_at, now)
            run = None
        resumed = run is not None
        if run is None:
            run = self._start(definition, now)
        else:
            log.info("going on with backup %s of %s", run.record.backup_id, definition.table.name)
        table = definition.table.name
        self._progress.start(table, f"back up {table}", definition.item_count_estimate or None)
        definition, body = self._definition_of(run, definition)
        data = self._engine.copy(run, definition, lease, self._progress)
        _refuse_replaced(self._aws, definition)
        lease.check()
        manifest = self._manifest(run, definition.table, body, data).sealed()
        if resumed or (run.record.export_arn and data.engine == "scan"):
            # An earlier attempt, or an export that failed, may have left something in the folder.
            tidy_folder(self._vault, manifest)
        self._vault.put_new(manifest.folder + MANIFEST, body_of(manifest))
        run.remove()
        self._progress.finish(table)
        return BackupReport(manifest, definition, resumed, run.record.started_at, self._clock())

    def _unfinished(self, definition: TableDefinition, now: datetime) -> BackupRun | None:
        """An interrupted backup of this very table that is worth going on with."""
        try:
            run = unfinished_backup(self._vault, definition.table)
        except DamagedObjectError as error:
            log.warning("the interrupted backup is not gone on with: %s", error)
            return None
        if run is None or may_continue(run, definition.table, definition.created, now):
            return run
        log.info("the interrupted backup %s is too old or of another table", run.record.backup_id)
        run.remove()
        return None

    def _ended(self, run: BackupRun) -> Manifest | None:
        """The manifest of a run whose record alone was left behind; None where it is not that far."""
        table = run.record.table
        try:
            return self._catalog.get(table.account, table.region, table.name, run.record.backup_id)
        except BackupNotFoundError:
            return None

    def _start(self, definition: TableDefinition, now: datetime) -> BackupRun:
        record = BackupRunRecord(
            backup_id=new_backup_id(now),
            table=definition.table,
            created=definition.created,
            export_id=new_export_id(now),
            compression=self._options.compression,
            started_at=now,
            started_by=self._started_by,
        )
        return start_backup_run(self._vault, record)

    def _definition_of(self, run: BackupRun, found: TableDefinition) -> tuple[TableDefinition, bytes]:
        """The definition as the run stored it when it began, and its bytes."""
        key = run.record.folder + TABLE_DEFINITION
        if run.resumed:
            with suppress(ObjectNotFoundError):
                stored = self._vault.get(key)
                return document(TableDefinition, stored), stored.body
        body = body_of(found)
        self._vault.put_new(key, body)
        return found, body

    def _manifest(
        self, run: BackupRun, table: TableIdentity, definition_body: bytes, data: CopiedData
    ) -> Manifest:
        manifest = Manifest(
            backup_id=run.record.backup_id,
            table=table,
            engine=data.engine,
            consistency=Consistency(kind=data.consistency, started=data.started, ended=data.ended),
            item_count=data.item_count,
            data_bytes=data.raw_bytes,
            consumed_read_units=data.read_units,
            export_id=data.export_id,
            objects=(definition_entry(definition_body), *data.objects),
            increment=data.increment,
            tool_version=tool_version(),
        )
        finding = shrinkage(self._catalog, manifest, self._options.shrink_percent)
        if finding is None:
            return manifest
        # Before the manifest: a backup that shrank is never seen without its freeze.
        freeze_retention(self._vault, Freeze.of(manifest, finding, self._clock()))
        return manifest.model_copy(update={"findings": (finding,)})


def _refuse_half_recovered(definition: TableDefinition) -> None:
    """A half loaded table must not become the newest backup, from which the next recovery would start."""
    run_id = definition.tags.get(RUN_TAG)
    if run_id is not None:
        raise UnsafeError(
            f"table {definition.table.name} is being recovered (run {run_id}), a backup would not be whole",
            hint="Finish the recovery first: run `safetynet recover` again.",
        )


def _refuse_replaced(aws: Aws, before: TableDefinition) -> None:
    """A table that was deleted and created again meanwhile is another one: definition and data do not match."""
    after = describe_table(aws.dynamodb(), before.table.name)
    created = after.get("CreationDateTime")
    if after.get("TableId", "") != before.table.table_id or (created and created != before.created):
        raise UnavailableError(
            f"table {before.table.name} was replaced while it was backed up", hint="Run the command again."
        )


def tool_version() -> str:
    """The version of this distribution."""
    return version(DISTRIBUTION)
