"""Reading an export that DynamoDB itself wrote: its manifests, checked, and its data files.

Source: DynamoDB developer guide, 'DynamoDB table export output format'. The document calls the checksum
objects ``.checksum``, real exports have ``.md5``: either is read. An incremental export keeps its data in a
folder that it shares with others; the manifest names its files.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from recovery.backups.export_layout import EXPORT_ROOT
from recovery.backups.manifest import BackupObject, UtcTime
from recovery.errors import DamagedObjectError, ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from recovery.vault.vault import Vault

SUMMARY, FILES, STARTED = "manifest-summary.json", "manifest-files.json", "_started"
CHECKSUMS = (".md5", ".checksum")


class ExportSummary(BaseModel):
    """``manifest-summary.json``; what is not needed is left unread."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)

    version: Literal["2020-06-30", "2023-08-01"]
    table_arn: str
    table_id: str = ""
    export_time: UtcTime | None = None
    s3_bucket: str
    s3_prefix: str | None = None
    manifest_files_s3_key: str
    billed_size_bytes: Annotated[int, Field(ge=0)] = 0
    item_count: Annotated[int, Field(ge=0)]
    output_format: Literal["DYNAMODB_JSON"]
    export_type: Literal["FULL_EXPORT", "INCREMENTAL_EXPORT"] = "FULL_EXPORT"
    export_from_time: UtcTime | None = None
    export_to_time: UtcTime | None = None

    @property
    def until(self) -> datetime | None:
        """The time up to which the data goes."""
        return self.export_to_time if self.export_type == "INCREMENTAL_EXPORT" else self.export_time


class _FileLine(BaseModel):
    """A line of ``manifest-files.json``."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)

    item_count: Annotated[int, Field(ge=0)]
    md5_checksum: str
    data_file_s3_key: str


_LINES = TypeAdapter(_FileLine)


@dataclass(frozen=True, slots=True)
class NativeExport:
    """An export as it lies there. Keys of ``objects`` are relative to the place that was read."""

    export_id: str
    summary: ExportSummary
    objects: tuple[BackupObject, ...]


def read_export(place: Vault, root: str) -> NativeExport:
    """The export under ``root`` (``AWSDynamoDB/<export id>/``, relative to ``place``).

    The manifests' checksums and the counts are compared; the data files must all be there, but are not read.
    Raises DamagedObjectError, ObjectNotFoundError where there is no export.
    """
    root = root.rstrip("/") + "/"
    summary_objects, body = _checked(place, root + SUMMARY)
    summary = _summary(root + SUMMARY, body)
    # Told from the bucket's root as it was when the export was written; it may have been moved since.
    origin = f"{summary.s3_prefix.strip('/')}/" if summary.s3_prefix and summary.s3_prefix.strip("/") else ""
    files_key = _moved(root + SUMMARY, summary.manifest_files_s3_key, origin)
    files_objects, files_body = _checked(place, files_key)
    files = [
        (_moved(files_key, line.data_file_s3_key, origin), line) for line in _lines(files_key, files_body)
    ]
    sizes = _sizes(place, [key for key, _ in files])
    data = [
        BackupObject(key=key, size=sizes[key], md5=line.md5_checksum, items=line.item_count)
        for key, line in files
    ]
    counted = sum(entry.items or 0 for entry in data)
    if counted != summary.item_count:
        raise DamagedObjectError(root + SUMMARY, f"counts {summary.item_count} items, its files {counted}")
    started = [found[0]] if (found := _object(place, root + STARTED)) else []
    return NativeExport(
        root.rstrip("/").rpartition("/")[2], summary, (*data, *summary_objects, *files_objects, *started)
    )


def export_roots(place: Vault) -> list[str]:
    """The exports right under a place, by their roots, oldest first (their ids begin with a time)."""
    return [f"{EXPORT_ROOT}{name}/" for name in place.folders(EXPORT_ROOT) if name != "data"]


def _checked(place: Vault, key: str) -> tuple[list[BackupObject], bytes]:
    """A manifest whose checksum object fits, and both as objects of the backup."""
    found = _object(place, key)
    if found is None:
        raise ObjectNotFoundError(f"{place.location}/{key} does not exist", hint="Is there an export?")
    entry, body = found
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
    for suffix in CHECKSUMS:
        told = _object(place, key.removesuffix(".json") + suffix)
        if told is None:
            continue
        if told[1].strip() != md5:
            raise DamagedObjectError(key, "its MD5 is not the one in its checksum object")
        return [entry, told[0]], body
    return [entry], body


def _object(place: Vault, key: str) -> tuple[BackupObject, bytes] | None:
    """A small object of the export, if it is there."""
    try:
        body = place.get(key).body
    except ObjectNotFoundError:
        return None
    return BackupObject(key=key, size=len(body), sha256=hashlib.sha256(body).hexdigest()), body


def _summary(key: str, body: bytes) -> ExportSummary:
    try:
        return ExportSummary.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DamagedObjectError(
            key, f"is no summary of an export that can be read: {field}: {first['msg']}"
        ) from error


def _lines(key: str, body: bytes) -> Iterator[_FileLine]:
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield _LINES.validate_json(line)
        except ValidationError as error:
            raise DamagedObjectError(key, f"line {number} names no data file") from error


def _moved(key: str, told: str, origin: str) -> str:
    """A key as told from the bucket's root, relative to where the export is now."""
    if not told.startswith(origin):
        raise DamagedObjectError(key, f"names {told}, which is not under the export's prefix {origin}")
    return told.removeprefix(origin)


def _sizes(place: Vault, keys: list[str]) -> dict[str, int]:
    """The sizes of the data files. Raises DamagedObjectError naming one that is missing."""
    folders = {key.rpartition("/")[0] + "/" for key in keys}
    found = {info.key: info.size for folder in sorted(folders) for info in place.list(folder)}
    for key in keys:
        if key not in found:
            raise DamagedObjectError(key, "is missing")
    return found
