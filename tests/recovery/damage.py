"""What may happen to a backup in the vault: objects that are gone, cut, changed or swapped, and forged manifests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recovery.backups.manifest import MANIFEST, Manifest, seal_of
from recovery.vault.vault import body_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.testing.memory_vault import MemoryVault


def rewrite(store: MemoryVault, key: str, body: bytes) -> None:
    """What nobody may do: change an object of a backup."""
    store.delete(key)
    store.put_new(key, body)


def forge(
    store: MemoryVault, backup: Manifest, change: Callable[[dict[str, Any]], None], *, seal: bool = True
) -> None:
    """Change a manifest, and seal it anew as a careful forger would."""
    document = json.loads(body_of(backup))
    change(document)
    if seal:
        document["seal"] = seal_of(document)
    rewrite(store, backup.folder + MANIFEST, json.dumps(document).encode())


def data_key(number: int = 0) -> Callable[[Manifest], str]:
    """The key of a data file."""
    return lambda backup: backup.folder + backup.data_objects[number].key


def table_key(backup: Manifest) -> str:
    """The key of the definition."""
    return backup.folder + "table.json"


def export_key(backup: Manifest) -> str:
    """The key of an export manifest."""
    return next(backup.folder + entry.key for entry in backup.objects if "manifest-files.json" in entry.key)


def delete(store: MemoryVault, key: str, backup: Manifest) -> None:
    """Gone."""
    store.delete(key)


def truncate(store: MemoryVault, key: str, backup: Manifest) -> None:
    """One byte short."""
    rewrite(store, key, store.get(key).body[:-1])


def empty(store: MemoryVault, key: str, backup: Manifest) -> None:
    """Nothing left of it."""
    rewrite(store, key, b"")


def append(store: MemoryVault, key: str, backup: Manifest) -> None:
    """One byte more."""
    rewrite(store, key, store.get(key).body + b"\x00")


def flip(store: MemoryVault, key: str, backup: Manifest) -> None:
    """One bit in the middle."""
    body = bytearray(store.get(key).body)
    body[len(body) // 2] ^= 1
    rewrite(store, key, bytes(body))


def swap(store: MemoryVault, key: str, backup: Manifest) -> None:
    """Two objects change places."""
    other = data_key(1)(backup) if key != data_key(1)(backup) else data_key(0)(backup)
    mine, theirs = store.get(key).body, store.get(other).body
    rewrite(store, key, theirs)
    rewrite(store, other, mine)
