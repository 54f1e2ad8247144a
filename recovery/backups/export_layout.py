"""The layout of DynamoDB's own S3 export: our data is written in it, and read from it.

Source: DynamoDB developer guide, 'DynamoDB table export output format'. Under
``AWSDynamoDB/<export id>/`` there are ``_started``, ``manifest-summary.json``, ``manifest-files.json``, a
``.md5`` object for each of the two, and ``data/<name>.json.gz`` with one ``{"Item": ...}`` a line.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from recovery.backups.manifest import BackupObject
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recovery.backups.manifest import TableIdentity
    from recovery.vault.vault import Vault

EXPORT_ROOT = "AWSDynamoDB/"


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """One object that was uploaded. ``key`` is relative to the backup's folder; hashes are of its bytes.

    ``etag`` is S3's where it is not the MD5 itself: a multipart upload has another.
    """

    key: str
    size: int
    sha256: str
    md5: str
    items: int | None = None
    etag: str = ""

    @property
    def entry(self) -> BackupObject:
        """What the manifest says of it."""
        return BackupObject(key=self.key, size=self.size, sha256=self.sha256, items=self.items)


@dataclass(frozen=True, slots=True)
class ExportTimes:
    """When reading began and ended, for the summary."""

    started: datetime
    ended: datetime


def new_export_id(now: datetime) -> str:
    """``01795170000000-1a2b3c4d``: the form of DynamoDB's own ids (milliseconds, then eight hex digits)."""
    return f"0{int(now.timestamp() * 1000)}-{secrets.token_hex(4)}"


def write_export_manifests(
    vault: Vault,
    *,
    folder: str,
    export_id: str,
    table: TableIdentity,
    files: Sequence[WrittenObject],
    times: ExportTimes,
    raw_bytes: int,
) -> list[WrittenObject]:
    """Write ``_started``, the two manifests and their ``.md5``; returns what was written.

    An interrupted backup writes them again, with a later end: nobody has seen them yet.
    """
    root = f"{EXPORT_ROOT}{export_id}/"
    lines = [
        {
            "itemCount": file.items,
            "md5Checksum": file.md5,
            "etag": file.etag or base64.b64decode(file.md5).hex(),
            "dataFileS3Key": vault.full_key(folder + file.key),
        }
        for file in files
    ]
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{table.arn}/export/{export_id}",
        "startTime": _time(times.started),
        "endTime": _time(times.ended),
        "tableArn": table.arn,
        "tableId": table.table_id,
        "exportTime": _time(times.started),
        "s3Bucket": vault.bucket,
        "s3Prefix": vault.full_key(folder).rstrip("/"),
        "s3SseAlgorithm": None,
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": vault.full_key(f"{folder}{root}manifest-files.json"),
        "billedSizeBytes": raw_bytes,
        "itemCount": sum(file.items or 0 for file in files),
        "outputFormat": "DYNAMODB_JSON",
    }
    bodies = {
        "_started": b"",
        "manifest-files.json": b"".join(json.dumps(line).encode() + b"\n" for line in lines),
        "manifest-summary.json": json.dumps(summary).encode(),
    }
    for name in ("manifest-files", "manifest-summary"):
        md5 = hashlib.md5(bodies[f"{name}.json"], usedforsecurity=False).digest()
        bodies[f"{name}.md5"] = _base64(md5).encode()
    each = list(bodies.items())
    return side_by_side(
        len(each), lambda number, _: _put(vault, folder, root + each[number][0], each[number][1]), "manifests"
    )


def _put(vault: Vault, folder: str, key: str, body: bytes) -> WrittenObject:
    vault.put(folder + key, body)
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    return WrittenObject(key, len(body), hashlib.sha256(body).hexdigest(), _base64(md5))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _time(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
