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
import tempfile
from dataclasses import dataclass
from datetime import UTC
from gzip import BadGzipFile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

import msgspec
from isal.igzip import open as untyped_gzip_open
from isal.igzip_lib import IsalError as UntypedIsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

    from recovery.manifest import TableIdentity
    from recovery.vault import Vault

# isal ships types that leave this function out and do not know that its error is one.
gzip_open: Callable[..., Any] = untyped_gzip_open
IsalError = cast("type[Exception]", UntypedIsalError)

FILE_RAW_BYTES = 128 * 1024 * 1024
EXPORT_ROOT = "AWSDynamoDB/"
LINE_START, LINE_END = b'{"Item":', b"}\n"


class _Line(msgspec.Struct):
    Item: msgspec.Raw


_LINE_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """One object that was uploaded. ``key`` is relative to the backup's folder; hashes are of its bytes."""

    key: str
    size: int
    sha256: str
    md5: str
    items: int | None = None


@dataclass(frozen=True, slots=True)
class ExportTimes:
    """When reading began and ended, for the summary."""

    started: datetime
    ended: datetime


def new_export_id(now: datetime) -> str:
    """``01795170000000-1a2b3c4d``: the form of DynamoDB's own ids (milliseconds, then eight hex digits)."""
    return f"0{int(now.timestamp() * 1000)}-{secrets.token_hex(4)}"


class DataFileWriter:
    """Writes items into data files of at most ``file_raw_bytes`` before compression, and uploads each.

    One writer belongs to one thread. What is not uploaded yet is in a temporary file, so memory stays flat.
    """

    def __init__(
        self, vault: Vault, folder: str, export_id: str, file_raw_bytes: int = FILE_RAW_BYTES
    ) -> None:
        self._vault = vault
        self._folder = folder
        self._data = f"{EXPORT_ROOT}{export_id}/data/"
        self._limit = file_raw_bytes
        self._directory = tempfile.TemporaryDirectory(prefix="safetynet-")
        self._path = Path(self._directory.name) / "data.json.gz"
        self._file: BinaryIO | None = None
        self._items = self._raw_bytes = 0
        self.raw_bytes = 0
        self.written: list[WrittenObject] = []

    def __enter__(self) -> Self:
        """Use it in a ``with``: the temporary file goes away at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Throws away what was not uploaded, on success nothing."""
        if self._file is not None:
            self._file.close()
        self._directory.cleanup()

    def write(self, items: Sequence[bytes | msgspec.Raw]) -> int:
        """Append items as lines; returns their bytes. Raises what the vault raises when a file is full."""
        if not items:
            return 0
        lines = b"".join([b"%b%b%b" % (LINE_START, bytes(item), LINE_END) for item in items])
        if lines.count(b"\n") != len(items):
            # JSON may hold line ends between its tokens; DynamoDB writes none, but the format depends on it.
            lines = b"".join([b"%b%b%b" % (LINE_START, _one_line(item), LINE_END) for item in items])
        if self._file is None:
            self._file = cast("BinaryIO", gzip_open(self._path, "wb", compresslevel=1))
        self._file.write(lines)
        self._items += len(items)
        self._raw_bytes += len(lines)
        self.raw_bytes += len(lines)
        if self._raw_bytes >= self._limit:
            self.flush()
        return len(lines)

    def flush(self) -> None:
        """Close and upload the current file, if it holds anything."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        key = f"{self._data}{secrets.token_hex(13)}.json.gz"
        self.written.append(_upload(self._vault, self._folder, key, self._path, self._items))
        self._items = self._raw_bytes = 0


def _upload(vault: Vault, folder: str, key: str, path: Path, items: int) -> WrittenObject:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
            md5.update(block)
    vault.put_file(folder + key, path, sha256.digest())
    return WrittenObject(key, path.stat().st_size, sha256.hexdigest(), _base64(md5.digest()), items)


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
    """Write ``_started``, the two manifests and their ``.md5``; returns what was written."""
    root = f"{EXPORT_ROOT}{export_id}/"
    lines = [
        {
            "itemCount": file.items,
            "md5Checksum": file.md5,
            "etag": base64.b64decode(file.md5).hex(),
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
    written = []
    for name, body in bodies.items():
        written.append(_put(vault, folder, root + name, body))
        if name != "_started":
            checksum = _base64(hashlib.md5(body, usedforsecurity=False).digest()).encode()
            written.append(_put(vault, folder, f"{root}{name.removesuffix('.json')}.md5", checksum))
    return written


def _put(vault: Vault, folder: str, key: str, body: bytes) -> WrittenObject:
    vault.put_new(folder + key, body)
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    return WrittenObject(key, len(body), hashlib.sha256(body).hexdigest(), _base64(md5))


def read_items(stream: BinaryIO) -> Iterator[bytes]:
    """The items of one data file, as raw JSON.

    Raises ValueError for a line of another form and for a cut or broken gzip stream.
    """
    for number, line in enumerate(_lines(stream), 1):
        try:
            item = bytes(_LINE_DECODER.decode(line).Item)
        except msgspec.DecodeError as error:
            # The message of the parser may quote the line, and that is item content.
            raise ValueError(f'line {number} is not of the form {{"Item": ...}}') from error
        if not item.startswith(b"{"):
            raise ValueError(f'line {number} is not of the form {{"Item": {{...}}}}')
        yield item


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    try:
        with gzip_open(stream, "rb") as lines:
            yield from lines
    except (BadGzipFile, EOFError, IsalError) as error:
        raise ValueError(f"is no whole gzip file: {error}") from error


def _one_line(item: bytes | msgspec.Raw) -> bytes:
    return msgspec.json.format(bytes(item), indent=-1)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _time(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
