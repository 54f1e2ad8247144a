"""The vault: where backups, incidents, intents, runs and leases live.

A port in the product's own words; ``vault_s3`` is the adapter, ``testing.memory_vault`` the shipped fake.
Keys are relative to the vault's prefix. Two writers may meet anywhere, so documents are only ever created
(``put_new``) or replaced by who has seen the latest version (``replace``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from recovery.errors import DamagedObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

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

    def put_file(self, key: str, path: Path, sha256: bytes) -> None:
        """Upload a file; S3 checks the SHA-256. An object of that key is overwritten: keys carry a random part."""
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
