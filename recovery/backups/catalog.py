"""The catalog: which backups there are. It is the vault itself, listed; there is no index to go stale."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.backups.manifest import BACKUPS, MANIFEST, TABLE_DEFINITION, Manifest, seal_of
from recovery.definitions.definition import TableDefinition
from recovery.errors import BackupNotFoundError, DamagedObjectError, ObjectNotFoundError
from recovery.vault.vault import document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from recovery.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Listing:
    """Whole backups, newest first, and what is wrong with those that cannot be read."""

    backups: tuple[Manifest, ...]
    damaged: tuple[DamagedObjectError, ...]


class Catalog:
    """Finds, reads and checks backups."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    def tables(self, account: str = "", region: str = "") -> Iterator[tuple[str, str, str]]:
        """(account, region, table) of every table that has a folder; narrowed where given."""
        for an_account in [account] if account else list(self.vault.folders(BACKUPS)):
            place = f"{BACKUPS}{an_account}/"
            for a_region in [region] if region else list(self.vault.folders(place)):
                for table in self.vault.folders(f"{place}{a_region}/"):
                    yield an_account, a_region, table

    def backups(self, account: str, region: str, table: str) -> Listing:
        """All backups of one table, newest first. A folder without a manifest is no backup."""
        folder = f"{BACKUPS}{account}/{region}/{table}/"
        found: list[Manifest] = []
        damaged: list[DamagedObjectError] = []
        for backup_id in self.vault.folders(folder):
            try:
                found.append(self._manifest(folder, backup_id))
            except ObjectNotFoundError:
                continue  # begun but not finished: invisible
            except DamagedObjectError as error:
                damaged.append(error)
        found.sort(key=lambda manifest: manifest.time, reverse=True)
        return Listing(tuple(found), tuple(damaged))

    def newest(
        self, account: str, region: str, table: str, count: int, before: datetime | None = None
    ) -> Listing:
        """The newest ``count`` whole backups, of those taken before a time if one is given.

        Backup ids sort by time, so only as many manifests are read as it takes to find them; ``damaged``
        names those that were met on the way.
        """
        folder = f"{BACKUPS}{account}/{region}/{table}/"
        found: list[Manifest] = []
        damaged: list[DamagedObjectError] = []
        for backup_id in sorted(self.vault.folders(folder), reverse=True):
            if len(found) == count:
                break
            try:
                backup = self._manifest(folder, backup_id)
            except ObjectNotFoundError:
                continue  # begun but not finished: invisible
            except DamagedObjectError as error:
                damaged.append(error)
                continue
            if before is None or backup.time < before:
                found.append(backup)
        return Listing(tuple(found), tuple(damaged))

    def latest(self, account: str, region: str, table: str, before: datetime | None = None) -> Manifest:
        """The newest whole backup of a table, of those taken before a time if one is given.

        Raises BackupNotFoundError, DamagedObjectError if there are only such.
        """
        listing = self.newest(account, region, table, 1, before)
        if listing.backups:
            return listing.backups[0]
        if listing.damaged:
            raise listing.damaged[0]
        place = f"in {account}/{region} in {self.vault.location}"
        if before is not None and self.newest(account, region, table, 1).backups:
            raise BackupNotFoundError(
                f"all backups of table {table} {place} were taken after {before:%Y-%m-%d %H:%M:%S} UTC",
                hint="They are of a table that took its place. See `safetynet backup list`, choose with --backup.",
            )
        raise BackupNotFoundError(f"no backup of table {table} {place}")

    def get(self, account: str, region: str, table: str, backup_id: str) -> Manifest:
        """One backup by its id. Raises BackupNotFoundError, DamagedObjectError."""
        try:
            return self._manifest(f"{BACKUPS}{account}/{region}/{table}/", backup_id)
        except ObjectNotFoundError as error:
            raise BackupNotFoundError(
                f"no backup {backup_id} of table {table} in {account}/{region}"
            ) from error

    def chain(self, backup: Manifest) -> tuple[Manifest, ...]:
        """A backup with all that it continues, the full one first; just itself where it is full.

        Raises DamagedObjectError where a link is missing or does not fit.
        """
        links = [backup]
        table = backup.table
        while (increment := links[0].increment) is not None:
            try:
                base = self.get(table.account, table.region, table.name, increment.base_id)
            except BackupNotFoundError as error:
                raise DamagedObjectError(
                    links[0].folder + MANIFEST, f"continues backup {increment.base_id}, which is not there"
                ) from error
            if base.backup_id >= links[0].backup_id or base.table != table:
                raise DamagedObjectError(
                    links[0].folder + MANIFEST, f"cannot continue backup {base.backup_id}"
                )
            links.insert(0, base)
        return tuple(links)

    def definition(self, backup: Manifest) -> TableDefinition:
        """The table definition of a backup, its checksum compared. Raises DamagedObjectError."""
        entry = next((entry for entry in backup.objects if entry.key == TABLE_DEFINITION), None)
        key = backup.folder + TABLE_DEFINITION
        if entry is None:
            raise DamagedObjectError(key, "is not in the manifest")
        try:
            stored = self.vault.get(key)
        except ObjectNotFoundError as error:
            raise DamagedObjectError(key, "is missing") from error
        if hashlib.sha256(stored.body).hexdigest() != entry.sha256:
            raise DamagedObjectError(key, "its SHA-256 is not the one in the manifest")
        definition = document(TableDefinition, stored)
        if definition.table != backup.table:
            raise DamagedObjectError(key, "belongs to another table than the manifest")
        return definition

    def _manifest(self, folder: str, backup_id: str) -> Manifest:
        stored = self.vault.get(f"{folder}{backup_id}/{MANIFEST}")
        manifest = document(Manifest, stored)
        if manifest.seal != seal_of(json.loads(stored.body)):
            raise DamagedObjectError(stored.key, "was changed after it was written: its seal does not fit")
        if manifest.folder != f"{folder}{backup_id}/":
            raise DamagedObjectError(stored.key, f"says that it is {manifest.folder}")
        counted = sum(entry.items or 0 for entry in manifest.objects)
        if counted != manifest.item_count:
            raise DamagedObjectError(stored.key, f"counts {manifest.item_count} items, its files {counted}")
        if len({entry.key for entry in manifest.objects}) != len(manifest.objects):
            raise DamagedObjectError(stored.key, "names an object twice")
        return manifest
