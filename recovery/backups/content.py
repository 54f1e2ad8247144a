"""The content of a backup in parts, however it was made: what is checked, digested and loaded.

A full backup has a part for each of its data files. An incremental one is a chain: the files of the full
backup it started from, without the items that were changed since, and then the newest image of each changed
item. Which keys changed is kept in a temporary SQLite file, so memory stays flat however many there are.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from recovery.backups.data_reader import CheckedObject, checked_changes, checked_items
from recovery.backups.digest import Content, ContentDigest, canonical_number
from recovery.backups.fingerprint import Fingerprint, raw_hashes
from recovery.errors import DamagedObjectError
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import BackupObject, Manifest
    from recovery.definitions.definition import TableDefinition
    from recovery.vault.vault import Vault

RawItem = bytes | msgspec.Raw
SumT = TypeVar("SumT")
CHANGES_PART = "changes"
READERS = 4
_DECODE = msgspec.json.Decoder(dict[str, Any]).decode
_ENCODE = msgspec.json.Encoder(order="sorted").encode
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the content that is loaded, and noted as loaded, as a whole.

    ``path`` names it in the vault. ``items`` is None where only reading tells. ``read()`` gives the items, some
    at a time; at its end, and not before, they are known to be what the manifest says. It raises
    DamagedObjectError.
    """

    key: str
    path: str
    items: int | None
    read: Callable[[], Iterator[Sequence[RawItem]]]


@contextmanager
def open_content(catalog: Catalog, backup: Manifest) -> Iterator[list[Part]]:
    """The parts of a backup, while the block runs. Raises DamagedObjectError."""
    chain = catalog.chain(backup)
    base = chain[0]
    if len(chain) == 1:
        yield [_file_part(catalog.vault, base, entry) for entry in base.data_objects]
        return
    key_names = _key_names(catalog.definition(base))
    with tempfile.TemporaryDirectory(prefix="safetynet-") as folder:
        changes = _Changes(Path(folder) / "changes.sqlite", key_names)
        try:
            for link in chain[1:]:
                for entry in link.data_objects:
                    changes.take(checked_changes(catalog.vault, link, entry))
            parts = [_unchanged_part(catalog.vault, base, entry, changes) for entry in base.data_objects]
            yield [*parts, Part(CHANGES_PART, backup.folder, None, changes.images)]
        finally:
            changes.close()


def check_objects(catalog: Catalog, backup: Manifest) -> None:
    """Read every object of a backup, and of those that it continues, and compare size and hash.

    Raises DamagedObjectError naming the first object that is missing, cut or changed.
    """
    for link in catalog.chain(backup):
        for entry in link.objects:
            check_object(catalog.vault, link, entry)


def check_object(vault: Vault, backup: Manifest, entry: BackupObject) -> None:
    """One object of ``check_objects``."""
    with CheckedObject(vault, backup, entry):
        pass


def check_content(catalog: Catalog, backup: Manifest) -> Content:
    """Check every object, and count and digest the items on the way: one reading of everything.

    Raises DamagedObjectError naming the first bad object.
    """
    _check_without_items(catalog, backup)
    with open_content(catalog, backup) as parts:
        return digest_parts(parts)


def check_letters(catalog: Catalog, backup: Manifest) -> Fingerprint:
    """Check every object as ``check_content`` does, and take the fingerprint of the items, which is ten times as fast.

    What an item is made of is not looked at. Raises as ``check_content``.
    """
    _check_without_items(catalog, backup)
    total = Fingerprint()
    with open_content(catalog, backup) as parts:
        for found in _read_all(parts, Fingerprint, lambda part, items, _: part.add(raw_hashes(items))):
            total.merge(found)
    return total


def digest_parts(parts: Sequence[Part]) -> Content:
    """Count and digest all items of the parts. Raises DamagedObjectError."""
    total = ContentDigest()
    for digest in _read_all(parts, ContentDigest, add_to):
        total.merge(digest)
    return total.content


def _read_all(
    parts: Sequence[Part],
    new: Callable[[], SumT],
    add: Callable[[SumT, Sequence[RawItem], str], None],
) -> list[SumT]:
    """Read all parts, several side by side; ``add(sum, items, path)`` takes items into the sum of their reader."""

    def some(reader: int, stop: Event) -> SumT:
        found = new()
        for part in parts[reader::READERS]:
            for items in part.read():
                if stop.is_set():
                    return found
                add(found, items, part.path)
        return found

    return side_by_side(min(READERS, len(parts)), some, "check") if parts else []


def _check_without_items(catalog: Catalog, backup: Manifest) -> None:
    """Check the objects that are no data files."""
    for link in catalog.chain(backup):
        for entry in link.objects:
            if entry.items is None:
                check_object(catalog.vault, link, entry)


def add_to(digest: ContentDigest, items: Sequence[RawItem], path: str) -> None:
    """Digest items that were read from ``path``. Raises DamagedObjectError for what is no item."""
    try:
        digest.add_all(items)
    except (ValueError, ArithmeticError, AttributeError, TypeError) as error:
        # What the parser says may quote an item.
        raise DamagedObjectError(path, "holds what is no item in DynamoDB JSON") from error


def _file_part(vault: Vault, backup: Manifest, entry: BackupObject) -> Part:
    return Part(
        entry.key, backup.place_of(vault, entry)[1], entry.items, lambda: checked_items(vault, backup, entry)
    )


def _unchanged_part(vault: Vault, backup: Manifest, entry: BackupObject, changes: _Changes) -> Part:
    def read() -> Iterator[Sequence[RawItem]]:
        for items in checked_items(vault, backup, entry):
            yield changes.unchanged(items)

    return Part(entry.key, backup.place_of(vault, entry)[1], None, read)


def _key_names(definition: TableDefinition) -> list[str]:
    return [str(element["AttributeName"]) for element in definition.create_table["KeySchema"]]


class _Changes:
    """The newest change of each key, on disk. Reading is safe from several threads."""

    def __init__(self, path: Path, key_names: list[str]) -> None:
        self._path = path
        self._key_names = key_names
        self._connection = self._connect()
        self._connection.execute(
            "CREATE TABLE changes (key BLOB PRIMARY KEY, written INTEGER, image BLOB) WITHOUT ROWID"
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path)
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def take(self, changes: Iterator[list[Any]]) -> None:
        """Take changes in; of several of the same key the last one written counts."""
        for some in changes:
            self._connection.executemany(
                "INSERT INTO changes VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
                " SET written = excluded.written, image = excluded.image"
                " WHERE excluded.written >= changes.written",
                [
                    (
                        self._key(change.Keys),
                        change.written,
                        None if change.NewImage is msgspec.UNSET else bytes(change.NewImage),
                    )
                    for change in some
                ],
            )
        self._connection.commit()

    def unchanged(self, items: Sequence[RawItem]) -> list[RawItem]:
        """Those of the items whose keys have no change."""
        connection = self._connect()
        try:
            return [
                item
                for item in items
                if not connection.execute(
                    "SELECT 1 FROM changes WHERE key = ?", (self._key(item),)
                ).fetchone()
            ]
        finally:
            connection.close()

    def images(self) -> Iterator[list[RawItem]]:
        """The newest image of every changed item that is still there."""
        connection = self._connect()
        try:
            cursor = connection.execute("SELECT image FROM changes WHERE image IS NOT NULL")
            while rows := cursor.fetchmany(_BATCH):
                yield [row[0] for row in rows]
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _key(self, item: RawItem) -> bytes:
        """An item's key in one spelling."""
        attributes = _DECODE(item)
        key = {name: attributes[name] for name in self._key_names}
        for attribute in key.values():
            if "N" in attribute:
                attribute["N"] = canonical_number(attribute["N"])
        return _ENCODE(key)
