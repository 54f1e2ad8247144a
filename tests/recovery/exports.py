"""Exports as DynamoDB itself writes them, made by hand: no emulator writes a real one.

After the developer guide, 'DynamoDB table export output format', and the checksum objects of real exports.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recovery.testing.embedded_aws import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.vault.vault import Vault

EXPORT_ID = "01693685827463-2d8752fd"
EXPORTED = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def md5(body: bytes) -> str:
    """Base64, as DynamoDB writes it."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def stamp(moment: datetime) -> str:
    """A time as DynamoDB writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass
class HandMadeExport:
    """An export under ``prefix`` of a bucket; ``lines`` a data file each."""

    table: str
    lines: Sequence[Sequence[dict[str, Any]]]
    prefix: str = "old/exports"
    export_id: str = EXPORT_ID
    exported: datetime = EXPORTED
    table_id: str = ""
    window: tuple[datetime, datetime] | None = None
    checksum_suffix: str = ".md5"
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """``AWSDynamoDB/<export id>/``."""
        return f"AWSDynamoDB/{self.export_id}/"

    def write(self, place: Vault) -> None:
        """Put it there; ``place`` is the bucket with the export's prefix."""
        data = "AWSDynamoDB/data/" if self.window else f"{self.root}data/"
        files = []
        for number, lines in enumerate(self.lines):
            body = gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines), mtime=0)
            key = f"{data}{self.export_id[-4:]}{number:022}.json.gz"
            place.put(key, body)
            files.append(
                {
                    "itemCount": len(lines),
                    "md5Checksum": md5(body),
                    "etag": hashlib.md5(body, usedforsecurity=False).hexdigest(),
                    "dataFileS3Key": f"{self.prefix}/{key}",
                }
            )
        place.put(f"{self.root}_started", b"")
        self._put(place, "manifest-files", b"".join(json.dumps(one).encode() + b"\n" for one in files))
        self._put(place, "manifest-summary", json.dumps({**self.summary(), **self.changes}).encode())

    def summary(self) -> dict[str, Any]:
        """``manifest-summary.json``."""
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.table}"
        found = {
            "version": "2020-06-30",
            "exportArn": f"{arn}/export/{self.export_id}",
            "startTime": stamp(self.exported),
            "endTime": stamp(self.exported),
            "tableArn": arn,
            "tableId": self.table_id,
            "exportTime": stamp(self.exported),
            "s3Bucket": "exports",
            "s3Prefix": self.prefix,
            "s3SseAlgorithm": "AES256",
            "s3SseKmsKeyId": None,
            "manifestFilesS3Key": f"{self.prefix}/{self.root}manifest-files.json",
            "billedSizeBytes": 1000,
            "itemCount": sum(len(lines) for lines in self.lines),
            "outputFormat": "DYNAMODB_JSON",
        }
        if self.window:
            found |= {
                "exportType": "INCREMENTAL_EXPORT",
                "exportFromTime": stamp(self.window[0]),
                "exportToTime": stamp(self.window[1]),
                "outputView": "NEW_IMAGE",
                "exportTime": None,
            }
        return found

    def _put(self, place: Vault, name: str, body: bytes) -> None:
        place.put(f"{self.root}{name}.json", body)
        place.put(f"{self.root}{name}{self.checksum_suffix}", md5(body).encode())


def item(number: int, **more: Any) -> dict[str, Any]:
    """The line of an item."""
    return {"Item": {"pk": {"S": f"item-{number:04}"}, "n": {"N": str(number)}, **more}}


def change(number: int, at: datetime, new: dict[str, Any] | None) -> dict[str, Any]:
    """The line of a change; ``new`` None: it was deleted."""
    line: dict[str, Any] = {
        "Metadata": {"WriteTimestampMicros": {"N": str(int(at.timestamp() * 1_000_000))}},
        "Keys": {"pk": {"S": f"item-{number:04}"}},
    }
    return line if new is None else {**line, "NewImage": {**line["Keys"], **new}}
