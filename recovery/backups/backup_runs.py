"""How far a backup has come, so that the same command continues it after a crash.

``runs/backup.<account>.<region>.<table>.json`` says that a backup of a table is under way and which; whoever
works on it holds the table's lease. Each segment of a scan keeps a checkpoint beside it: what is whole, what
is uploaded of the file at hand, and the key after which reading goes on. Once the manifest is there, both go.

    read pages -> part uploaded -> checkpoint -> read pages -> ...  -> manifest -> records removed
                  ^ a crash here: the part is dropped and read again
                                   ^ a crash here: reading goes on after the last page of the part
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from recovery.backups.compression import Compression
from recovery.backups.data_files import OpenFile
from recovery.backups.export_layout import WrittenObject
from recovery.backups.manifest import BackupId, RelativeKey, TableIdentity, UtcTime
from recovery.errors import ObjectNotFoundError
from recovery.vault.leases import take_lease
from recovery.vault.vault import body_of, document

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.vault.leases import Lease
    from recovery.vault.vault import Vault

RUNS = "runs/backup."
# A backup that was begun long ago would be of too many times at once: better a new one.
CONTINUED_WITHIN = timedelta(hours=12)
# A crash just after the manifest: running the command again means that backup, not one more.
ENDED_WITHIN = timedelta(minutes=15)


class BackupRunRecord(BaseModel):
    """The record of a backup under way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    backup_id: BackupId
    table: TableIdentity
    created: UtcTime | None
    engine: str = ""
    export_id: RelativeKey
    export_arn: str = ""
    base_id: str = ""
    segments: int = 0
    compression: Compression = Compression.GZIP
    started_at: UtcTime
    started_by: str = ""

    @property
    def folder(self) -> str:
        """The folder of the backup to be."""
        return f"{self.table.folder}{self.backup_id}/"


class SegmentCheckpoint(BaseModel):
    """How far one segment is. ``after`` is the LastEvaluatedKey, as JSON, of the last page that is in S3."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    after: str = ""
    done: bool = False
    files: tuple[WrittenObject, ...] = ()
    file_after: str = ""
    open_file: OpenFile | None = None
    raw_bytes: int = 0
    read_units: float = 0.0


class BackupRun:
    """A backup under way. The holder of the table's lease alone writes here."""

    def __init__(self, vault: Vault, record: BackupRunRecord, etag: str, *, resumed: bool) -> None:
        self.vault = vault
        self.record = record
        self.resumed = resumed
        self._etag = etag
        self._etags: dict[int, str] = {}

    def note(self, **changes: object) -> None:
        """Store changed fields. Raises ConflictError where another runner wrote meanwhile."""
        record = self.record.model_copy(update=changes)
        self._etag = self.vault.replace(_key(record.table), body_of(record), self._etag)
        self.record = record

    def checkpoint(self, segment: int) -> SegmentCheckpoint:
        """Where a segment goes on; at its start if it has not come to a checkpoint."""
        if not self.resumed:
            return SegmentCheckpoint()
        try:
            stored = self.vault.get(self._segment_key(segment))
        except ObjectNotFoundError:
            return SegmentCheckpoint()
        self._etags[segment] = stored.etag
        return document(SegmentCheckpoint, stored)

    def save(self, segment: int, checkpoint: SegmentCheckpoint) -> None:
        """Store a checkpoint. Raises ConflictError where another runner wrote meanwhile."""
        key, body = self._segment_key(segment), body_of(checkpoint)
        etag = self._etags.get(segment)
        self._etags[segment] = (
            self.vault.put_new(key, body) if etag is None else self.vault.replace(key, body, etag)
        )

    def remove(self) -> None:
        """The backup is visible, or given up: nothing is left to continue."""
        for segment in range(self.record.segments):
            # Most tables are through before any checkpoint was due.
            if self.resumed or segment in self._etags:
                self.vault.delete(self._segment_key(segment))
        self.vault.delete(_key(self.record.table))

    def _segment_key(self, segment: int) -> str:
        record = self.record
        return f"{_key(record.table).removesuffix('.json')}/{record.backup_id}.{segment}.json"


def take_backup_lease(vault: Vault, clock: Clock, table: TableIdentity, owner: str) -> Lease:
    """The lease of whoever writes backups of a table, or sweeps what they left. Raises LeaseHeldError."""
    return take_lease(vault, clock, f"backup-{table.account}-{table.region}-{table.name}", owner)


def start_backup_run(vault: Vault, record: BackupRunRecord) -> BackupRun:
    """Store the record of a new backup, in the place of an earlier one's. The caller holds the table's lease."""
    key, body = _key(record.table), body_of(record)
    with suppress(ObjectNotFoundError):
        return BackupRun(vault, record, vault.replace(key, body, vault.get(key).etag), resumed=False)
    return BackupRun(vault, record, vault.put_new(key, body), resumed=False)


def unfinished_backup(vault: Vault, table: TableIdentity) -> BackupRun | None:
    """The backup of a table that was begun and not ended, if there is one. Raises DamagedObjectError."""
    try:
        stored = vault.get(_key(table))
    except ObjectNotFoundError:
        return None
    return BackupRun(vault, document(BackupRunRecord, stored), stored.etag, resumed=True)


def may_continue(run: BackupRun, table: TableIdentity, created: datetime | None, now: datetime) -> bool:
    """Whether a backup that was begun is still of this very table, and not too old to be gone on with."""
    record = run.record
    same = (record.table.table_id, record.created) == (table.table_id, created)
    return same and now - record.started_at < CONTINUED_WITHIN


def _key(table: TableIdentity) -> str:
    return f"{RUNS}{table.account}.{table.region}.{table.name}.json"
