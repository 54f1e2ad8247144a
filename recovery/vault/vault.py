"""The vault: where backups, incidents, intents, runs and leases live.

A port in the product's own words; ``s3`` is the adapter, ``testing.memory_vault`` the shipped fake.
Keys are relative to the vault's prefix. Two writers may meet anywhere, so documents are only ever created
(``put_new``) or replaced by who has seen the latest version (``replace``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from recovery.errors import DamagedObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

DocumentT = TypeVar("DocumentT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A small object, whole. ``etag`` is what ``replace`` wants back."""

    key: str
    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One line of a listing; ``size`` in bytes. An object has changed when its ``etag`` has."""

    key: str
    size: int
    modified: datetime
    etag: str


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """One part of a multipart upload that S3 has. ``number`` from 1; ``sha256`` in base64, as S3 wants it back."""

    number: int
    etag: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PendingUpload:
    """A multipart upload that was begun and neither completed nor aborted; its parts cost money."""

    key: str
    upload_id: str
    started: datetime


class Vault(Protocol):
    """The vault's operations. All raise AccessDeniedError, UnavailableError, VaultNotFoundError as fits."""

    @property
    def location(self) -> str:
        """For people: ``s3://bucket/prefix``."""
        ...

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ...

    def full_key(self, key: str) -> str:
        """The key from the bucket's root, prefix included (as DynamoDB's manifests want it)."""
        ...

    def get(self, key: str) -> StoredObject:
        """A small object. Raises ObjectNotFoundError."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A large object as a stream; the caller closes it. Raises ObjectNotFoundError."""
        ...

    def put_new(self, key: str, body: bytes) -> str:
        """Create an object that must not exist yet, and return its etag.

        Succeeds too when exactly this body is there already: then an earlier call lost its answer.
        Raises ConflictError where another body is there.
        """
        ...

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """Put a new body in the place of the version with ``etag``, and return the new etag.

        Succeeds too when exactly this body is there already. Raises ConflictError where it has changed since.
        """
        ...

    def put(self, key: str, body: bytes | bytearray) -> None:
        """Put an object whole; S3 checks its SHA-256. One of that key is overwritten: data keys carry a random part."""
        ...

    def start_upload(self, key: str) -> str:
        """Begin a multipart upload; its id. Nothing is visible before ``complete_upload``."""
        ...

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes | bytearray) -> UploadedPart:
        """Upload a part: at least 5 MiB, but for the last one. S3 checks its SHA-256.

        Raises UploadGoneError.
        """
        ...

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """Make an object of these parts, in order of their numbers; parts that are not named are dropped.

        Raises UploadGoneError where the upload was completed or aborted before, by whomever.
        """
        ...

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Throw an upload and its parts away; one that is gone already is no error."""
        ...

    def uploads(self, prefix: str) -> Iterator[PendingUpload]:
        """The uploads under a prefix that nobody completed or aborted."""
        ...

    def at(self, bucket: str, prefix: str) -> Vault:
        """Another bucket and prefix, seen with the same credentials: where adopted data lies."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """All objects under a prefix, in key order; only those with a key behind ``after`` if one is given."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """The names right under a prefix that ends with ``/``, in order, without slashes."""
        ...


def document(model: type[DocumentT], stored: StoredObject) -> DocumentT:
    """A vault document, validated. Raises DamagedObjectError naming the key: nothing read is trusted."""
    try:
        return model.model_validate_json(stored.body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise DamagedObjectError(
            stored.key, f"not a valid {model.__name__}: {place}: {first['msg']}"
        ) from error


def body_of(model: BaseModel) -> bytes:
    """The bytes of a vault document: JSON, indented, since people read the vault when all else fails."""
    return model.model_dump_json(indent=1).encode()
