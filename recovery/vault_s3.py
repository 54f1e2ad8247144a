"""The vault in S3, on conditional writes (S3 user guide, 'Conditional requests')."""

from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict, cast

from recovery.aws import aws_errors
from recovery.errors import AwsError, ConflictError, ObjectNotFoundError
from recovery.vault import ObjectInfo, StoredObject
from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

# 412: the condition does not hold; 409: two conditional writes met, S3 asks to try again.
CONFLICT_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
MISSING_CODES = frozenset({"NoSuchKey", "404", "NotFound"})
_LOCATION = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")


def parse_location(location: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``. Raises UsageError."""
    match = _LOCATION.fullmatch(location)
    if match is None:
        raise UsageError(f"not a vault location: {location!r}", hint="Write it as s3://BUCKET/PREFIX.")
    return match["bucket"], (match["prefix"] or "").strip("/")


class _Condition(TypedDict, total=False):
    IfNoneMatch: str
    IfMatch: str


class S3Vault:
    """A bucket and prefix as a vault."""

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @property
    def location(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def full_key(self, key: str) -> str:
        """The key from the bucket's root."""
        return self._prefix + key

    def get(self, key: str) -> StoredObject:
        """See Vault.get."""
        with self._errors(key, "read"):
            answer = self._client.get_object(Bucket=self._bucket, Key=self.full_key(key))
            return StoredObject(key, answer["Body"].read(), answer["ETag"])

    def open(self, key: str) -> BinaryIO:
        """See Vault.open."""
        with self._errors(key, "read"):
            answer = self._client.get_object(Bucket=self._bucket, Key=self.full_key(key))
            return cast("BinaryIO", answer["Body"])

    def put_new(self, key: str, body: bytes) -> str:
        """See Vault.put_new."""
        return self._put_if(key, body, {"IfNoneMatch": "*"})

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """See Vault.replace."""
        try:
            return self._put_if(key, body, {"IfMatch": etag})
        except ObjectNotFoundError as error:
            # S3 answers 404 to If-Match on a key that is not there: it was deleted since.
            raise ConflictError(f"{key} was changed by another writer") from error

    def _put_if(self, key: str, body: bytes, condition: _Condition) -> str:
        try:
            with self._errors(key, "write"):
                answer = self._client.put_object(
                    Bucket=self._bucket,
                    Key=self.full_key(key),
                    Body=body,
                    ContentType="application/json",
                    ChecksumAlgorithm="SHA256",
                    **condition,
                )
            return answer["ETag"]
        except ConflictError:
            # A write whose answer got lost is retried by botocore and then refused by our own object.
            stored = self._get_or_none(key)
            if stored is not None and stored.body == body:
                return stored.etag
            raise

    def _get_or_none(self, key: str) -> StoredObject | None:
        try:
            return self.get(key)
        except ObjectNotFoundError:
            return None

    def put_file(self, key: str, path: Path, sha256: bytes) -> None:
        """See Vault.put_file."""
        with self._errors(key, "write"), path.open("rb") as stream:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self.full_key(key),
                Body=stream,
                ChecksumSHA256=base64.b64encode(sha256).decode(),
            )

    def delete(self, key: str) -> None:
        """See Vault.delete."""
        with self._errors(key, "delete"):
            self._client.delete_object(Bucket=self._bucket, Key=self.full_key(key))

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Vault.list."""
        start: Any = {"StartAfter": self.full_key(after)} if after else {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self.full_key(prefix), **start
        )
        with self._errors(prefix, "list"):
            for page in pages:
                for entry in page.get("Contents", []):
                    key = entry["Key"].removeprefix(self._prefix)
                    yield ObjectInfo(key, entry["Size"], entry["LastModified"], entry["ETag"])

    def folders(self, prefix: str) -> Iterator[str]:
        """See Vault.folders."""
        full = self.full_key(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=full, Delimiter="/"
        )
        with self._errors(prefix, "list"):
            for page in pages:
                for entry in page.get("CommonPrefixes", []):
                    yield entry["Prefix"].removeprefix(full).rstrip("/")

    @contextmanager
    def _errors(self, key: str, verb: str) -> Iterator[None]:
        doing = f"{verb} {self.location}/{key}"
        try:
            with aws_errors(doing):
                yield
        except AwsError as error:
            if error.code in CONFLICT_CODES:
                raise ConflictError(f"{key} was changed by another writer") from error
            if error.code in MISSING_CODES:
                raise ObjectNotFoundError(f"{self.location}/{key} does not exist") from error
            raise
