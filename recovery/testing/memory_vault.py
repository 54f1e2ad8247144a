"""A vault in memory, with the same promises as the one in S3."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import threading
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from recovery.errors import ConflictError, ObjectNotFoundError, UploadGoneError
from recovery.vault.vault import ObjectInfo, PendingUpload, StoredObject, UploadedPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryVault:
    """All objects in a dictionary. ``writes`` names every key that was written or deleted, in order."""

    def __init__(self, prefix: str = "net", bucket: str = "vault") -> None:
        self._bucket = bucket
        self._uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        # By bucket, and in it by the key from the bucket's root.
        self._buckets: dict[str, dict[str, bytes]] = {bucket: {}}
        self._lock = threading.Lock()
        self.writes: list[str] = []

    @property
    def location(self) -> str:
        """``memory://vault/prefix``."""
        return f"memory://{self.bucket}/{self._prefix}".rstrip("/")

    @property
    def bucket(self) -> str:
        """A name for the bucket that is not there."""
        return self._bucket

    def full_key(self, key: str) -> str:
        """The key from the bucket's root."""
        return self._prefix + key

    def get(self, key: str) -> StoredObject:
        """See Vault.get."""
        with self._lock:
            body = self._objects.get(self.full_key(key))
        if body is None:
            raise ObjectNotFoundError(f"{self.location}/{key} does not exist")
        return StoredObject(key, body, _etag(body))

    def open(self, key: str) -> BinaryIO:
        """See Vault.open."""
        return io.BytesIO(self.get(key).body)

    def put_new(self, key: str, body: bytes) -> str:
        """See Vault.put_new."""
        with self._lock:
            if self._objects.get(self.full_key(key), body) != body:
                raise ConflictError(f"{key} was changed by another writer")
            return self._store(key, body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """See Vault.replace."""
        with self._lock:
            old = self._objects.get(self.full_key(key))
            if old != body and (old is None or _etag(old) != etag):
                raise ConflictError(f"{key} was changed by another writer")
            return self._store(key, body)

    def put(self, key: str, body: bytes | bytearray) -> None:
        """See Vault.put."""
        with self._lock:
            self._store(key, bytes(body))

    def start_upload(self, key: str) -> str:
        """See Vault.start_upload."""
        with self._lock:
            upload_id = f"upload-{secrets.token_hex(8)}"
            self._uploads[upload_id] = (key, {})
            return upload_id

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes | bytearray) -> UploadedPart:
        """See Vault.upload_part."""
        with self._lock:
            self._parts(key, upload_id)[number] = bytes(body)
        return UploadedPart(number, _etag(body), base64.b64encode(hashlib.sha256(body).digest()).decode())

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """See Vault.complete_upload."""
        with self._lock:
            stored = self._parts(key, upload_id)
            if [_etag(stored[part.number]) for part in parts] != [part.etag for part in parts]:
                raise ConflictError(f"{key}: a part is not the one that was uploaded")
            self._store(key, b"".join(stored[part.number] for part in parts))
            del self._uploads[upload_id]

    def abort_upload(self, key: str, upload_id: str) -> None:
        """See Vault.abort_upload."""
        with suppress(UploadGoneError), self._lock:
            self._parts(key, upload_id)
            del self._uploads[upload_id]

    def uploads(self, prefix: str) -> Iterator[PendingUpload]:
        """See Vault.uploads."""
        with self._lock:
            found = [(key, upload_id) for upload_id, (key, _) in self._uploads.items()]
        for key, upload_id in sorted(found):
            if key.startswith(prefix):
                yield PendingUpload(key, upload_id, WRITTEN)

    def at(self, bucket: str, prefix: str) -> MemoryVault:
        """See Vault.at; all buckets of one memory are neighbours."""
        place = copy(self)
        place._bucket, place._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""  # noqa: SLF001 - of this very class
        self._buckets.setdefault(bucket, {})
        return place

    @property
    def _objects(self) -> dict[str, bytes]:
        return self._buckets[self._bucket]

    def _parts(self, key: str, upload_id: str) -> dict[int, bytes]:
        found = self._uploads.get(upload_id)
        if found is None or found[0] != key:
            raise UploadGoneError(f"the upload of {key} is gone")
        return found[1]

    def delete(self, key: str) -> None:
        """See Vault.delete."""
        with self._lock:
            self._objects.pop(self.full_key(key), None)
            self.writes.append(key)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Vault.list."""
        with self._lock:
            found = sorted(
                (full.removeprefix(self._prefix), body)
                for full, body in self._objects.items()
                if full.startswith(self._prefix + prefix) and full > self._prefix + after
            )
        for key, body in found:
            yield ObjectInfo(key, len(body), WRITTEN, _etag(body))

    def folders(self, prefix: str) -> Iterator[str]:
        """See Vault.folders."""
        names = {info.key.removeprefix(prefix) for info in self.list(prefix)}
        yield from sorted({name.split("/", 1)[0] for name in names if "/" in name})

    def _store(self, key: str, body: bytes) -> str:
        self._objects[self.full_key(key)] = body
        self.writes.append(key)
        return _etag(body)


def _etag(body: bytes | bytearray) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
