"""What crashed backups leave behind: folders without a manifest, and uploads that nobody completed.

Invisible, but they cost money. They are swept when the same table is backed up again, by whoever holds the
table's lease, once they are too old for any backup to go on with them.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from recovery.backups.backup_runs import CONTINUED_WITHIN, unfinished_backup
from recovery.backups.manifest import MANIFEST
from recovery.errors import DamagedObjectError, ObjectNotFoundError
from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from recovery.backups.manifest import Manifest, TableIdentity
    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

# Twice as long as a backup may be gone on with.
SWEPT_AFTER = 2 * CONTINUED_WITHIN
# A table is backed up every night or so, and every time it is swept: no need to look at all its folders again.
SWEPT_UNTIL = timedelta(days=14)
_OUR_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_ID_TIME = "%Y%m%dT%H%M%SZ"


def sweep_leftovers(vault: Vault, table: TableIdentity, now: datetime) -> int:
    """Remove the leftovers of a table's backups; how many objects and uploads went.

    The caller holds the table's lease. Only objects in folders that are old by their id, have no manifest and
    belong to no run are touched. Never raises: it is no part of the backup, and the next one sweeps again.
    """
    try:
        return _sweep(vault, table, now)
    except SafetyNetError as error:
        log.warning("leftovers of %s were not swept: %s", table.name, error)
        return 0


def tidy_folder(vault: Vault, backup: Manifest) -> None:
    """Before its manifest is written: what an interrupted attempt left in the folder and no checkpoint knew, goes.

    Whoever reads the folder as a whole, as ImportTable does, must find each item once.
    """
    known = {entry.key for entry in backup.objects}
    for upload in list(vault.uploads(backup.folder)):
        vault.abort_upload(upload.key, upload.upload_id)
    for info in list(vault.list(backup.folder)):
        if info.key.removeprefix(backup.folder) not in known:
            vault.delete(info.key)


def _sweep(vault: Vault, table: TableIdentity, now: datetime) -> int:
    swept = 0
    for name in list(vault.folders(table.folder)):
        if _is_leftover(vault, table, name, now):
            folder = f"{table.folder}{name}/"
            for upload in list(vault.uploads(folder)):
                vault.abort_upload(upload.key, upload.upload_id)
                swept += 1
            for info in list(vault.list(folder)):
                vault.delete(info.key)
                swept += 1
            log.info("swept what a crashed backup left in %s", folder)
    # An upload may be all that a crash left: then there is no folder to be seen.
    for upload in list(vault.uploads(table.folder)):
        if _is_leftover(vault, table, upload.key.removeprefix(table.folder).partition("/")[0], now):
            vault.abort_upload(upload.key, upload.upload_id)
            swept += 1
    return swept


def _is_leftover(vault: Vault, table: TableIdentity, backup_id: str, now: datetime) -> bool:
    begun = _time_of(backup_id)
    if begun is None or not SWEPT_AFTER <= now - begun <= SWEPT_UNTIL:
        return False
    try:
        vault.get(f"{table.folder}{backup_id}/{MANIFEST}")
    except ObjectNotFoundError:
        pass
    else:
        return False
    try:
        run = unfinished_backup(vault, table)
    except DamagedObjectError:
        return False
    return run is None or run.record.backup_id != backup_id


def _time_of(backup_id: str) -> datetime | None:
    """When a backup was begun, by its id; None for what is no id of ours: that is never touched."""
    if not _OUR_ID.fullmatch(backup_id):
        return None
    try:
        return datetime.strptime(backup_id.partition("-")[0], _ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
