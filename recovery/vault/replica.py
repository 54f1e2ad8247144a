"""A second copy of a backup, in another vault: another region, another account.

Everything goes through this machine, so any two vaults will do. Each object is compared with the manifest on
the way; the manifest is written last there, too, so a copy that was broken off is invisible and is gone on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.backups.data_files import PART_BYTES
from recovery.backups.data_reader import CheckedObject
from recovery.backups.manifest import MANIFEST
from recovery.errors import ObjectNotFoundError
from recovery.vault.vault import body_of
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from typing import BinaryIO

    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import BackupObject, Manifest
    from recovery.vault.vault import UploadedPart, Vault

PARTS_OF = 2 * PART_BYTES


def copy_backup(catalog: Catalog, backup: Manifest, replica: Vault) -> int:
    """Copy a backup, and first those that it continues; how many bytes went over. One that is there costs nothing.

    Raises DamagedObjectError naming an object that is not what the manifest says, and as both vaults do.
    """
    if replica.location == catalog.vault.location:
        raise UnsafeError(
            "the replica is the vault itself", hint="Set backup.replica.vault to another bucket."
        )
    return sum(_copy(catalog.vault, link, replica) for link in catalog.chain(backup))


def _copy(vault: Vault, backup: Manifest, replica: Vault) -> int:
    try:
        replica.get(backup.folder + MANIFEST)
    except ObjectNotFoundError:
        pass
    else:
        return 0
    there = {info.key: info.size for info in replica.list(backup.folder)}
    copied = 0
    for entry in backup.objects:
        key = backup.folder + entry.key
        if there.get(key) != entry.size:
            _copy_object(vault, backup, entry, replica, key)
            copied += entry.size
    if backup.data is None:
        # As it was written: an earlier version knew fewer fields, and the seal is over those.
        body = vault.get(backup.folder + MANIFEST).body
    else:
        # Adopted data is at its own place in the first vault; here it lies with the rest.
        body = body_of(backup.model_copy(update={"data": None}).sealed())
    replica.put_new(backup.folder + MANIFEST, body)
    return copied


def _copy_object(vault: Vault, backup: Manifest, entry: BackupObject, replica: Vault, key: str) -> None:
    """What is read is only known to be right at its end; nothing is visible before."""
    if entry.size <= PARTS_OF:
        with CheckedObject(vault, backup, entry) as checked:
            body = checked.stream.read()
        replica.put(key, body)
        return
    upload_id = replica.start_upload(key)
    try:
        with CheckedObject(vault, backup, entry) as checked:
            parts = _send(checked.stream, replica, key, upload_id)
        replica.complete_upload(key, upload_id, parts)
    except BaseException:
        replica.abort_upload(key, upload_id)
        raise


def _send(stream: BinaryIO, replica: Vault, key: str, upload_id: str) -> list[UploadedPart]:
    parts: list[UploadedPart] = []
    while block := stream.read(PART_BYTES):
        parts.append(replica.upload_part(key, upload_id, len(parts) + 1, block))
    return parts
