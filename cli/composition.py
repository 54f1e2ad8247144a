"""The composition root: the one place where settings become objects. Each is made when first asked for.

What only some commands need is imported there as well, so that `backup run` does not wait for the watcher.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from cli.settings import Settings, load_settings
from recovery.aws import Aws, AwsSettings
from recovery.backups.backup import BackupOptions, Backups
from recovery.backups.catalog import Catalog
from recovery.backups.engine import EngineName
from recovery.backups.engine_auto import AutoEngine
from recovery.backups.engine_export import ExportEngine
from recovery.backups.engine_scan import MAX_SEGMENTS, ScanEngine, ScanOptions
from recovery.clock import utc_now
from recovery.definitions.definition import capture_definition
from recovery.definitions.surroundings_alarms import AlarmListing
from recovery.intents import IntentStore
from recovery.vault.s3 import S3Vault, StorageOptions, parse_location
from recovery.wire import RawTables
from rules.errors import UsageError
from rules.net import NetParts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.settings import BackupSettings
    from cli.watching import Watching
    from recovery.backups.engine import BackupEngine
    from recovery.clock import Clock, Sleep
    from recovery.progress import Progress
    from recovery.restores.planner import Planner
    from recovery.restores.restore import Recovery
    from recovery.vault.vault import Vault
    from rules.rulefile import LoadedRules
    from watcher.alerts.notifier import Notifier
    from watcher.alerts.outbox import Outbox
    from watcher.archives.archive import Archive
    from watcher.archives.archive_s3 import TrailFilter
    from watcher.archives.athena_query import AthenaTable
    from watcher.incidents.incident_store import IncidentStore
    from watcher.watch_settings import SourceName


@dataclass(frozen=True, slots=True)
class BackupWish:
    """What the command line asks of a backup; what it leaves out is as the settings have it."""

    engine: EngineName | None = None
    incremental: bool = False
    parallel: int | None = None
    segments: int | None = None
    read_percent: float | None = None
    max_rcu: float | None = None


class VaultChoice(StrEnum):
    """Which copy of the vault a command works with. ``auto``: the replica where it is asked for the replica's region."""

    AUTO = "auto"
    MAIN = "main"
    REPLICA = "replica"


@dataclass
class Net:
    """All objects of one command, made from the settings."""

    settings: Settings
    aws: Aws
    clock: Clock = utc_now
    sleep: Sleep = time.sleep
    poll_seconds: int = 20
    extra_notifiers: tuple[Notifier, ...] = field(default=())
    on_replica: bool = False

    @cached_property
    def vault(self) -> Vault:
        """The vault, or its second copy: then nothing of the first is touched. Raises UsageError where none is set."""
        if self.on_replica:
            if self.replica is None:
                raise UsageError("no replica of the vault is set", hint="Set backup.replica.vault.")
            return self.replica
        if not self.settings.vault:
            raise UsageError(
                "no vault is set",
                hint="Set `vault: s3://BUCKET/PREFIX` in safetynet.yaml or SAFETYNET_VAULT.",
            )
        bucket, prefix = parse_location(self.settings.vault)
        return S3Vault(self.aws.s3(), bucket, prefix, storage_of(self.settings.backup), self.clock)

    @cached_property
    def replica(self) -> Vault | None:
        """The second vault, if one is set; with credentials of its own where a profile is named."""
        wanted = self.settings.backup.replica
        if wanted is None:
            return None
        bucket, prefix = parse_location(wanted.vault)
        elsewhere = wanted.profile or wanted.region
        aws = self.aws.elsewhere(wanted.profile, wanted.region) if elsewhere else self.aws
        # The key and the lock are those of the first bucket; the second one has its own defaults.
        return S3Vault(aws.s3(), bucket, prefix, clock=self.clock)

    @cached_property
    def catalog(self) -> Catalog:
        """The backups."""
        return Catalog(self.vault)

    @cached_property
    def intents(self) -> IntentStore:
        """The declared intents."""
        return IntentStore(self.vault, self.clock, self.settings.intents.longest)

    @cached_property
    def incidents(self) -> IncidentStore:
        """The incidents."""
        from watcher.incidents.incident_store import IncidentStore

        return IncidentStore(self.vault)

    @cached_property
    def rules(self) -> LoadedRules:
        """The rule files of the settings, with the default pack."""
        from rules.rulefile import load_rules

        return load_rules(self.settings.rules, default_pack=self.settings.default_rules)

    @cached_property
    def raw_tables(self) -> RawTables:
        """Tables, on raw bytes."""
        return RawTables(self.aws)

    def backups(self, progress: Progress, wish: BackupWish | None = None) -> Backups:
        """What backs tables up, as the settings and the command line have it."""
        settings = self.settings.backup
        wish = wish or BackupWish()
        options = ScanOptions(
            segments=wish.segments or settings.segments,
            consistent=settings.consistent_reads,
            max_units=wish.max_rcu or settings.max_rcu,
            read_percent=wish.read_percent or settings.read_percent,
        )
        # All tables that are read side by side share the memory of one.
        at_most = max(1, 2 * MAX_SEGMENTS // (wish.parallel or settings.parallel))
        scan = ScanEngine(self.raw_tables, self.vault, self.clock, self.sleep, options, at_most)
        export = ExportEngine(
            self.aws,
            self.catalog,
            self.clock,
            self.sleep,
            settings.kms_key,
            incremental=wish.incremental or settings.incremental,
        )
        engines: dict[EngineName, BackupEngine] = {
            EngineName.SCAN: scan,
            EngineName.EXPORT: export,
            EngineName.AUTO: AutoEngine(scan, export),
        }
        return Backups(
            aws=self.aws,
            vault=self.vault,
            engine=engines[wish.engine or settings.engine],
            clock=self.clock,
            progress=progress,
            options=BackupOptions(settings.compression, settings.shrink_percent),
            capture=partial(capture_definition, self.aws, alarms=AlarmListing(), sleep=self.sleep),
        )

    @cached_property
    def notifiers(self) -> tuple[Notifier, ...]:
        """The ways to tell people. Raises UsageError for settings that do not go together."""
        from cli.watching import notifiers_of

        return (*self.extra_notifiers, *notifiers_of(self))

    @cached_property
    def outbox(self) -> Outbox:
        """What is owed, with the notifiers there are."""
        from cli.watching import outbox_of

        return outbox_of(self)

    @cached_property
    def planner(self) -> Planner:
        """What makes recovery plans."""
        from cli.recovery_parts import planner_of

        return planner_of(self)

    def recovery(self, progress: Progress) -> Recovery:
        """What applies recovery plans."""
        from cli.recovery_parts import recovery_of

        return recovery_of(self, progress)

    def watcher(self, sources: Sequence[SourceName] = ()) -> Watching:
        """The watcher, on the sources of the settings or these. Raises UsageError where none or no notifier is set."""
        from cli.watching import sources_of, watching_of

        return watching_of(self, sources_of(self, sources))

    def archive(self, location: str, wanted: TrailFilter, table: AthenaTable | None) -> Archive:
        """The archive behind ``s3://...`` or ``lookup:``, narrowed by Athena if a table is given."""
        if location.startswith("lookup:"):
            if location != "lookup:":
                raise UsageError(f"not an archive: {location}", hint="Write lookup: and pass --region.")
            from watcher.archives.archive_lookup import LookupArchive

            return LookupArchive(
                self.aws.cloudtrail(), self.aws.region, wanted.period, self.clock, self.sleep
            )
        from watcher.archives.archive_s3 import S3Archive

        trail = S3Archive(self.aws.s3(), location, wanted, self.sleep)
        if table is None:
            return trail
        from watcher.archives.archive_athena import AthenaArchive

        return AthenaArchive(self.aws.athena(), trail, table, wanted, self.sleep, net_parts_of(self.settings))


def build(
    config: Path | None, profile: str = "", region: str = "", vault: VaultChoice = VaultChoice.MAIN
) -> Net:
    """The objects for a command line. Raises UsageError, FileFaultsError, CredentialsError."""
    settings = load_settings(config)
    replica = settings.backup.replica
    named = bool(region) and replica is not None and replica.region == region
    # botocore itself reads AWS_DEFAULT_REGION only; AWS_REGION is what every other AWS tool reads.
    region = region or os.environ.get("AWS_REGION", "")
    on_replica = vault is VaultChoice.REPLICA or (vault is VaultChoice.AUTO and named)
    return Net(settings, Aws(AwsSettings(profile=profile, region=region)), on_replica=on_replica)


def storage_of(settings: BackupSettings) -> StorageOptions:
    """How objects of the vault are to be kept."""
    lock = settings.object_lock
    return StorageOptions(
        kms_key=settings.kms_key,
        storage_class=settings.storage_class,
        lock_mode=lock.mode if lock else "",
        lock_days=lock.days if lock else 0,
    )


def net_parts_of(settings: Settings) -> NetParts:
    """The net's own parts, as the settings name them."""
    net = settings.net
    bucket, prefix = parse_location(settings.vault) if settings.vault else ("", "")
    queue = settings.queue_url.rstrip("/").rpartition("/")[2]
    return NetParts(
        vault_bucket=bucket,
        vault_prefix=prefix,
        keys=net.keys,
        trails=net.trails,
        event_rules=net.event_rules,
        queues=(*net.queues, *([escape(queue)] if queue else [])),
        functions=net.functions,
        backup_vaults=net.backup_vaults,
    )


def archives_of(
    locations: Sequence[str],
    wanted: TrailFilter,
    table: AthenaTable | None,
    config: Path | None,
    profile: str = "",
    region: str = "",
) -> list[Archive]:
    """The archives that were named; AWS is set up only if one of them is there. Raises as ``build``."""
    from watcher.archives.archive_files import FileArchive

    local = [not location.startswith(("s3://", "lookup:")) for location in locations]
    if table is not None and not all(location.startswith("s3://") for location in locations):
        raise UsageError("Athena can narrow S3 trails only", hint="Give s3://BUCKET/PREFIX with --athena.")
    if all(local):
        return [FileArchive(Path(location), wanted.period) for location in locations]
    net = build(config, profile, region)
    return [
        FileArchive(Path(location), wanted.period) if is_local else net.archive(location, wanted, table)
        for location, is_local in zip(locations, local, strict=True)
    ]
