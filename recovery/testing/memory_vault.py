"""A vault in memory, with the same promises as the one in S3."""

from __future__ import annotations

import hashlib
import io
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from recovery.errors import ConflictError, ObjectNotFoundError
from recovery.vault import ObjectInfo, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class MemoryVault:
    """All objects in a dictionary. ``writes`` names every key that was written or deleted, in order."""

    def __init__(self, prefix: str = "net") -> None:
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self.writes: list[str] = []

    @property
    def location(self) -> str:
        """``memory://vault/prefix``."""
        return f"memory://{self.bucket}/{self._prefix}".rstrip("/")

    @property
    def bucket(self) -> str:
        """A name for the bucket that is not there."""
        return "vault"

    def full_key(self, key: str) -> str:
        """The key from the bucket's root."""
        return self._prefix + key

    def get(self, key: str) -> StoredObject:
        """See Vault.get."""
        with self._lock:
            if key not in self._objects:
                raise ObjectNotFoundError(f"{self.location}/{key} does not exist")
            body = self._objects[key]
        return StoredObject(key, body, _etag(body))

    def open(self, key: str) -> BinaryIO:
        """See Vault.open."""
        return io.BytesIO(self.get(key).body)

    def put_new(self, key: str, body: bytes) -> str:
        """See Vault.put_new."""
        with self._lock:
            if self._objects.get(key, body) != body:
                raise ConflictError(f"{key} was changed by another writer")
            return self._store(key, body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """See Vault.replace."""
        with self._lock:
            old = self._objects.get(key)
            if old != body and (old is None or _etag(old) != etag):
                raise ConflictError(f"{key} was changed by another writer")
            return self._store(key, body)

    def put_file(self, key: str, path: Path, sha256: bytes) -> None:
        """See Vault.put_file."""
        body = path.read_bytes()
        if hashlib.sha256(body).digest() != sha256:
            raise ConflictError(f"{key}: the file changed while it was uploaded")
        with self._lock:
            self._store(key, body)

    def delete(self, key: str) -> None:
        """See Vault.delete."""
        with self._lock:
            self._objects.pop(key, None)
            self.writes.append(key)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Vault.list."""
        with self._lock:
            found = sorted(
                (key, body) for key, body in self._objects.items() if key.startswith(prefix) and key > after
            )
        for key, body in found:
            yield ObjectInfo(key, len(body), datetime(2026, 1, 1, tzinfo=UTC), _etag(body))

    def folders(self, prefix: str) -> Iterator[str]:
        """See Vault.folders."""
        names = {info.key.removeprefix(prefix) for info in self.list(prefix)}
        yield from sorted({name.split("/", 1)[0] for name in names if "/" in name})

    def _store(self, key: str, body: bytes) -> str:
        self._objects[key] = body
        self.writes.append(key)
        return _etag(body)


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
