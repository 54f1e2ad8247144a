"""Adopting backups that others made: exports of DynamoDB where they lie, and dumps of dynamodump.

An export holds no table setting, so the definition comes from a file, from the table while it lives, or from
an earlier backup of it. Its data stays where it is: whoever deletes it there deletes the backup.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recovery.backups.backup import tool_version
from recovery.backups.backup_runs import take_backup_lease
from recovery.backups.data_files import DataFileWriter, FileOptions
from recovery.backups.export_layout import ExportTimes, new_export_id, write_export_manifests
from recovery.backups.manifest import (
    MANIFEST,
    TABLE_DEFINITION,
    BackupObject,
    Consistency,
    DataLocation,
    Increment,
    Manifest,
    TableIdentity,
    definition_entry,
    new_backup_id,
)
from recovery.backups.native_export import read_export
from recovery.definitions.definition import (
    NotKnown,
    Settings,
    TableDefinition,
    capture_definition,
    create_request,
)
from recovery.errors import BackupNotFoundError, TableNotFoundError
from recovery.vault.leases import holding
from recovery.vault.vault import body_of
from rules.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.backups.dynamodump import DumpedTable
    from recovery.backups.native_export import NativeExport
    from recovery.clock import Clock
    from recovery.progress import Progress

# How far apart the end of one export and the beginning of the next may lie to be a chain.
LINK_SECONDS = 120


class Adoption:
    """Puts what others made into the catalog."""

    def __init__(self, aws: Aws, catalog: Catalog, clock: Clock, progress: Progress) -> None:
        self._aws = aws
        self._catalog = catalog
        self._vault = catalog.vault
        self._clock = clock
        self._progress = progress

    def adopt_export(
        self, bucket: str, prefix: str, root: str, description: dict[str, Any] | None = None
    ) -> Manifest:
        """Adopt the export ``s3://bucket/prefix/root`` in its place; one that was adopted before is returned.

        ``description``: DescribeTable's ``Table``, where neither the table nor a backup of it is there. Raises
        DamagedObjectError, ObjectNotFoundError, UsageError where no definition is to be had, AccessDeniedError
        where it cannot be known whether the table is there.
        """
        place = self._vault.at(bucket, prefix)
        export = read_export(place, root)
        identity = _identity(export.summary.table_arn, export.summary.table_id)
        before = self._adopted(identity, export.export_id)
        if before is not None:
            return before
        until = export.summary.until
        if until is None:
            raise UsageError("the export does not say of which time it is")
        definition = self._definition(identity, description)
        manifest = self._manifest(
            definition,
            engine="export",
            consistency=Consistency(kind="point-in-time", started=until, ended=until),
            objects=export.objects,
            item_count=export.summary.item_count,
            data_bytes=export.summary.billed_size_bytes,
            export_id=export.export_id,
        )
        manifest = manifest.model_copy(
            update={
                "data": DataLocation(bucket=bucket, prefix=prefix.strip("/")),
                "increment": self._increment(identity, export),
            }
        )
        return self._store(manifest, definition)

    def adopt_dump(self, dump: DumpedTable, identity: TableIdentity, taken: datetime) -> Manifest:
        """Copy a table of a dynamodump dump into the vault. ``taken``: when the dump was made.

        Raises DamagedObjectError for a dump that is not whole; then nothing is visible.
        """
        # Its id may be as old as what crashed backups leave: a backup of the table would sweep it.
        with holding(take_backup_lease(self._vault, self._clock, identity, "an adoption")):
            return self._adopt_dump(dump, identity, taken)

    def _adopt_dump(self, dump: DumpedTable, identity: TableIdentity, taken: datetime) -> Manifest:
        definition = _described(identity, dump.description, taken)
        manifest = self._manifest(
            definition,
            engine="dynamodump",
            consistency=Consistency(kind="per-item", started=taken, ended=taken),
            objects=(),
            item_count=0,
            data_bytes=0,
            export_id=new_export_id(taken),
        )
        writer = DataFileWriter(self._vault, manifest.folder, manifest.export_id, FileOptions())
        self._progress.start(dump.name, f"adopt {dump.name}", None)
        for items in dump.pages():
            self._progress.advance(dump.name, len(items), writer.write(items))
        writer.finish_file()
        manifests = write_export_manifests(
            self._vault,
            folder=manifest.folder,
            export_id=manifest.export_id,
            table=identity,
            files=writer.written,
            times=ExportTimes(taken, taken),
            raw_bytes=writer.raw_bytes,
        )
        self._progress.finish(dump.name)
        whole = manifest.model_copy(
            update={
                "item_count": sum(file.items or 0 for file in writer.written),
                "data_bytes": writer.raw_bytes,
                "objects": tuple(written.entry for written in (*writer.written, *manifests)),
            }
        )
        return self._store(whole, definition)

    def _store(self, manifest: Manifest, definition: TableDefinition) -> Manifest:
        body = body_of(definition)
        objects = (definition_entry(body), *manifest.objects)
        whole = manifest.model_copy(update={"objects": objects}).sealed()
        self._vault.put_new(whole.folder + TABLE_DEFINITION, body)
        self._vault.put_new(whole.folder + MANIFEST, body_of(whole))
        return whole

    def _manifest(
        self,
        definition: TableDefinition,
        *,
        engine: str,
        consistency: Consistency,
        objects: tuple[BackupObject, ...],
        item_count: int,
        data_bytes: int,
        export_id: str,
    ) -> Manifest:
        return Manifest(
            backup_id=new_backup_id(consistency.started),
            table=definition.table,
            engine=engine,
            consistency=consistency,
            item_count=item_count,
            data_bytes=data_bytes,
            consumed_read_units=0.0,
            export_id=export_id,
            objects=objects,
            tool_version=tool_version(),
        )

    def _adopted(self, table: TableIdentity, export_id: str) -> Manifest | None:
        listing = self._catalog.backups(table.account, table.region, table.name)
        return next((one for one in listing.backups if one.export_id == export_id), None)

    def _increment(self, table: TableIdentity, export: NativeExport) -> Increment | None:
        """What an incremental export continues. Raises UsageError where that is not in the catalog."""
        summary = export.summary
        if summary.export_type == "FULL_EXPORT":
            return None
        since, until = summary.export_from_time, summary.export_to_time
        if since is None or until is None:
            raise UsageError("the export is incremental and does not say of which window")
        for backup in self._catalog.backups(table.account, table.region, table.name).backups:
            apart = abs((backup.consistency.ended - since).total_seconds())
            if backup.engine == "export" and apart <= LINK_SECONDS:
                return Increment(base_id=backup.backup_id, changed_from=since, changed_to=until)
        raise UsageError(
            f"no backup of {table.name} ends at {since:%Y-%m-%d %H:%M:%S} UTC, where this export begins",
            hint="Adopt the export that it continues first.",
        )

    def _definition(self, identity: TableIdentity, description: dict[str, Any] | None) -> TableDefinition:
        if description is not None:
            return _described(identity, description, self._clock())
        try:
            earlier = self._catalog.latest(identity.account, identity.region, identity.name)
            return self._catalog.definition(earlier)
        except BackupNotFoundError:
            pass
        live = self._live(identity)
        if live is None:
            raise UsageError(
                f"an export holds no table definition, and neither table {identity.name} nor a backup of it is here",
                hint="Give one with --definition: the JSON of `aws dynamodb describe-table`.",
            )
        return live

    def _live(self, identity: TableIdentity) -> TableDefinition | None:
        """The definition of the table itself, if it is still the one that was exported."""
        if (self._aws.account, self._aws.region) != (identity.account, identity.region):
            return None
        try:
            found = capture_definition(self._aws, identity.name, self._clock())
        except TableNotFoundError:
            return None
        return found if identity.table_id in ("", found.table.table_id) else None


def read_description(text: bytes, path: str) -> dict[str, Any]:
    """DescribeTable's ``Table`` from what the AWS CLI prints. Raises UsageError."""
    try:
        document = json.loads(text)
        table: dict[str, Any] = document.get("Table", document)
        _ = table["TableName"], table["KeySchema"], table["AttributeDefinitions"]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{path}: not a table description", hint="Save the JSON of `aws dynamodb describe-table`."
        ) from error
    return table


def _identity(arn: str, table_id: str) -> TableIdentity:
    """Whose table it is, by its ARN. Raises UsageError."""
    parts = arn.split(":", 5)
    try:
        return TableIdentity(
            account=parts[4],
            region=parts[3],
            name=parts[5].removeprefix("table/"),
            arn=arn,
            table_id=table_id,
        )
    except (IndexError, ValueError) as error:
        raise UsageError(f"not the ARN of a table: {arn!r}") from error


def _described(identity: TableIdentity, description: dict[str, Any], now: datetime) -> TableDefinition:
    """A definition from a description alone: what that does not tell is unknown."""
    reason = NotKnown(reason="not in the description that the backup was adopted with")
    stream = description.get("StreamSpecification") or {}
    settings: dict[str, Any] = dict.fromkeys(Settings.model_fields, reason)
    if stream.get("StreamEnabled"):
        settings["stream"] = {"state": "known", "value": stream}
    if "DeletionProtectionEnabled" in description:
        settings["deletion_protection"] = {
            "state": "known",
            "value": description["DeletionProtectionEnabled"],
        }
    return TableDefinition(
        table=identity,
        created=None,
        captured=now,
        item_count_estimate=int(description.get("ItemCount", 0)),
        size_bytes_estimate=int(description.get("TableSizeBytes", 0)),
        create_table=create_request({**description, "TableName": identity.name}),
        settings=Settings.model_validate(settings),
    )
