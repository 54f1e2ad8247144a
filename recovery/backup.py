"""Backing a table up: definition, data, and last of all the manifest that makes the backup visible."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from recovery.definition import RUN_TAG, capture_definition, describe_table
from recovery.digest import ALGORITHM
from recovery.manifest import (
    MANIFEST,
    TABLE_DEFINITION,
    BackupObject,
    Consistency,
    Manifest,
    TableIdentity,
    new_backup_id,
)
from recovery.vault import body_of
from rules.errors import UnavailableError, UnsafeError

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.backup_engine import BackupEngine, CopiedData
    from recovery.clock import Clock
    from recovery.definition import TableDefinition
    from recovery.progress import Progress
    from recovery.vault import Vault

DISTRIBUTION = "dynamodb-safetynet"


def back_up_table(
    aws: Aws, vault: Vault, engine: BackupEngine, table: str, clock: Clock, progress: Progress
) -> Manifest:
    """Back one table up and return its manifest.

    The backup exists once its manifest does; whatever fails before leaves only invisible objects.
    Raises TableNotFoundError, AccessDeniedError, UnavailableError, UnsafeError for a table that is being
    recovered.
    """
    now = clock()
    definition = capture_definition(aws, table, now)
    identity = definition.table
    backup_id = new_backup_id(now)
    folder = f"{identity.folder}{backup_id}/"
    _refuse_half_recovered(definition)
    progress.start(table, f"back up {table}", definition.item_count_estimate or None)
    body = body_of(definition)
    vault.put_new(folder + TABLE_DEFINITION, body)
    data = engine.copy(identity, folder, definition.size_bytes_estimate, progress)
    _refuse_replaced(aws, definition)
    manifest = _manifest(backup_id, definition, body, engine, data)
    vault.put_new(folder + MANIFEST, body_of(manifest))
    progress.finish(table)
    return manifest


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


def _manifest(
    backup_id: str,
    definition: TableDefinition,
    definition_body: bytes,
    engine: BackupEngine,
    data: CopiedData,
) -> Manifest:
    table = BackupObject(
        key=TABLE_DEFINITION,
        size=len(definition_body),
        sha256=hashlib.sha256(definition_body).hexdigest(),
    )
    objects = [
        BackupObject(key=entry.key, size=entry.size, sha256=entry.sha256, items=entry.items)
        for entry in data.objects
    ]
    return Manifest(
        backup_id=backup_id,
        table=TableIdentity.model_validate(definition.table),
        engine=engine.name,
        consistency=Consistency(
            kind=engine.consistency,
            started=data.started,
            ended=data.ended,
        ),
        item_count=data.item_count,
        data_bytes=data.raw_bytes,
        content_digest=data.content_digest,
        digest_algorithm=ALGORITHM,
        consumed_read_units=data.read_units,
        export_id=data.export_id,
        objects=(table, *objects),
        tool_version=tool_version(),
    )


def tool_version() -> str:
    """The version of this distribution."""
    return version(DISTRIBUTION)
