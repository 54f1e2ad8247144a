"""The vault in S3, on conditional writes (S3 user guide, 'Conditional requests')."""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict, cast

from recovery.aws import aws_errors
from recovery.clock import utc_now
from recovery.errors import AwsError, ConflictError, ObjectNotFoundError, UploadGoneError
from recovery.vault.vault import ObjectInfo, PendingUpload, StoredObject, UploadedPart
from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from recovery.clock import Clock

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


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How objects are to be kept; "" and 0 leave it to the bucket's own defaults.

    Class and lock are for what is kept (``KEPT``); leases, runs and incidents change all the time.
    ``kms_key``: id or ARN for SSE-KMS. ``storage_class``: as S3 spells it. ``lock_mode`` GOVERNANCE or
    COMPLIANCE, for ``lock_days`` from the writing on (S3 user guide, 'Object Lock').
    """

    kms_key: str = ""
    storage_class: str = ""
    lock_mode: str = ""
    lock_days: int = 0

    def arguments(self, key: str, now: datetime) -> Any:
        """The arguments of PutObject and CreateMultipartUpload for a key of the vault."""
        arguments: dict[str, Any] = {}
        if self.kms_key:
            arguments |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}
        if not key.startswith(KEPT):
            return arguments
        if self.storage_class:
            arguments["StorageClass"] = self.storage_class
        if self.lock_mode:
            until = now + timedelta(days=self.lock_days)
            arguments |= {"ObjectLockMode": self.lock_mode, "ObjectLockRetainUntilDate": until}
        return arguments


PLAIN = StorageOptions()
KEPT = ("backups/", "stacks/")


def _sha256(body: bytes | bytearray) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


class _Condition(TypedDict, total=False):
    IfNoneMatch: str
    IfMatch: str


class S3Vault:
    """A bucket and prefix as a vault."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        storage: StorageOptions = PLAIN,
        clock: Clock = utc_now,
    ) -> None:
        self._client = client
        self._storage = storage
        self._clock = clock
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
                    **self._storage.arguments(key, self._clock()),
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

    def put(self, key: str, body: bytes | bytearray) -> None:
        """See Vault.put."""
        with self._errors(key, "write"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=self.full_key(key),
                Body=cast("bytes", body),
                # Named as well as given: S3 asks for it where the object is locked.
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_sha256(body),
                **self._storage.arguments(key, self._clock()),
            )

    def start_upload(self, key: str) -> str:
        """See Vault.start_upload."""
        with self._errors(key, "write"):
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=self.full_key(key),
                ChecksumAlgorithm="SHA256",
                **self._storage.arguments(key, self._clock()),
            )
            return answer["UploadId"]

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes | bytearray) -> UploadedPart:
        """See Vault.upload_part."""
        sha256 = _sha256(body)
        with self._errors(key, "write"):
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self.full_key(key),
                UploadId=upload_id,
                PartNumber=number,
                Body=cast("bytes", body),
                ChecksumSHA256=sha256,
            )
            return UploadedPart(number, answer["ETag"], sha256)

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """See Vault.complete_upload."""
        with self._errors(key, "write"):
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self.full_key(key),
                UploadId=upload_id,
                MultipartUpload={
                    "Parts": [
                        {"PartNumber": part.number, "ETag": part.etag, "ChecksumSHA256": part.sha256}
                        for part in parts
                    ]
                },
            )

    def abort_upload(self, key: str, upload_id: str) -> None:
        """See Vault.abort_upload."""
        with suppress(UploadGoneError), self._errors(key, "delete"):
            self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=self.full_key(key), UploadId=upload_id
            )

    def uploads(self, prefix: str) -> Iterator[PendingUpload]:
        """See Vault.uploads."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=self.full_key(prefix)
        )
        with self._errors(prefix, "list"):
            for page in pages:
                for entry in page.get("Uploads", []):
                    key = entry["Key"].removeprefix(self._prefix)
                    yield PendingUpload(key, entry["UploadId"], entry["Initiated"])

    def at(self, bucket: str, prefix: str) -> S3Vault:
        """See Vault.at."""
        return S3Vault(self._client, bucket, prefix, self._storage, self._clock)

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
            if error.code == "NoSuchUpload":
                raise UploadGoneError(f"the upload of {key} is gone") from error
            if error.code in MISSING_CODES:
                raise ObjectNotFoundError(f"{self.location}/{key} does not exist") from error
            raise
