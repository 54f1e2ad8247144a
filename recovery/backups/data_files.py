"""Writing data files: items as lines, packed and uploaded part by part while they come in.

What a writer holds is one part, so memory stays flat whatever the table's size. Every part ends with a
whole compressed stream; after each the writer is *durable*: all that was written is in S3, and an
interrupted backup can go on from there (``resumed_file``).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from recovery.aws import aws_errors
from recovery.backups.compression import Compression, compressor
from recovery.backups.export_layout import EXPORT_ROOT, WrittenObject
from recovery.errors import ConflictError, ObjectNotFoundError, UploadGoneError
from recovery.vault.vault import UploadedPart  # noqa: TC001 - pydantic reads what OpenFile is made of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.vault.vault import Vault

FILE_RAW_BYTES = 128 * 1024 * 1024
# S3 takes no part under 5 MiB but the last one ('Amazon S3 multipart upload limits').
PART_BYTES = 5 * 1024 * 1024
LINE_START, LINE_END = b'{"Item":', b"}\n"
BETWEEN_LINES = LINE_END + LINE_START
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How data files are cut: full at ``raw_bytes`` before packing, uploaded in parts of ``part_bytes``."""

    raw_bytes: int = FILE_RAW_BYTES
    part_bytes: int = PART_BYTES
    compression: Compression = Compression.GZIP


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A data file whose upload has begun; what a checkpoint notes. ``key`` is relative to the backup's folder."""

    key: str
    upload_id: str
    parts: tuple[UploadedPart, ...]
    size: int
    items: int
    raw_bytes: int


@dataclass(slots=True)
class _Current:
    """The file at hand."""

    key: str
    upload_id: str = ""
    parts: list[UploadedPart] = field(default_factory=list)
    size: int = 0
    items: int = 0
    raw_bytes: int = 0
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    md5: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))


class DataFileWriter:
    """Writes items into data files of a backup; one writer belongs to one thread.

    ``raw_bytes`` are those of all lines before packing, ``written`` the files that are whole.
    """

    def __init__(self, vault: Vault, folder: str, export_id: str, options: FileOptions) -> None:
        self._vault = vault
        self._folder = folder
        self._data = f"{EXPORT_ROOT}{export_id}/data/"
        self._options = options
        self._file: _Current | None = None
        self._compressor = compressor(options.compression)
        self._packed = bytearray()
        self._pending = False
        self.raw_bytes = 0
        self.written: list[WrittenObject] = []

    @property
    def is_durable(self) -> bool:
        """Whether everything that was written is in S3."""
        return not self._pending

    @property
    def open_file(self) -> OpenFile | None:
        """The file at hand, as far as S3 has it; None between two files."""
        file = self._file
        if file is None or not file.parts:
            return None
        return OpenFile(file.key, file.upload_id, tuple(file.parts), file.size, file.items, file.raw_bytes)

    def write(self, items: Sequence[bytes | msgspec.Raw], *, compact: bool = False) -> int:
        """Append items as lines; returns their bytes. Raises what the vault raises where a part is full.

        ``compact``: it is known that no item has a line end in it.
        """
        if not items:
            return 0
        lines = lines_of(items, compact=compact)
        file = self._file = self._file or _Current(
            f"{self._data}{secrets.token_hex(13)}{self._options.compression.suffix}"
        )
        self._pack(self._compressor.compress(lines))
        self._pending = True
        file.items += len(items)
        file.raw_bytes += len(lines)
        self.raw_bytes += len(lines)
        if file.raw_bytes >= self._options.raw_bytes:
            self.finish_file()
        elif len(self._packed) >= self._options.part_bytes:
            self._send_part(file)
        return len(lines)

    def finish_file(self) -> None:
        """Make the current file whole, if it holds anything."""
        file, self._file = self._file, None
        if file is None:
            return
        if file.upload_id:
            if self._pending:
                self._send_part(file)
            complete_upload(self._vault, self._folder + file.key, file.upload_id, file.parts, file.size)
        else:
            body = self._end_stream(file)
            self._vault.put(self._folder + file.key, body)
        self._pending = False
        self.written.append(
            WrittenObject(
                file.key,
                file.size,
                file.sha256.hexdigest(),
                base64_of(file.md5.digest()),
                file.items,
                multipart_etag(file.parts),
            )
        )

    def _pack(self, packed: bytes) -> None:
        self._packed += packed

    def _end_stream(self, file: _Current) -> bytearray:
        """The packed bytes at hand, ended with a whole stream."""
        self._pack(self._compressor.flush())
        body, self._packed = self._packed, bytearray()
        self._compressor = compressor(self._options.compression)
        file.sha256.update(body)
        file.md5.update(body)
        file.size += len(body)
        return body

    def _send_part(self, file: _Current) -> None:
        body = self._end_stream(file)
        key = self._folder + file.key
        if not file.upload_id:
            file.upload_id = self._vault.start_upload(key)
        file.parts.append(self._vault.upload_part(key, file.upload_id, len(file.parts) + 1, body))
        self._pending = False


def lines_of(items: Sequence[bytes | msgspec.Raw], *, compact: bool = False) -> bytes:
    """Items as the lines of a data file, each with its end. ``compact`` as in ``DataFileWriter.write``."""
    # A join takes the raw items as they are: no copy of each, and none of the whole for its ends.
    ends = [*items]
    ends[0] = LINE_START + bytes(ends[0])
    ends[-1] = bytes(ends[-1]) + LINE_END
    lines = BETWEEN_LINES.join(ends)
    if not compact and lines.count(b"\n") != len(items):
        # JSON may hold line ends between its tokens; DynamoDB writes none, but the format depends on it.
        lines = b"".join([b"%b%b%b" % (LINE_START, _one_line(item), LINE_END) for item in items])
    return lines


def complete_upload(vault: Vault, key: str, upload_id: str, parts: Sequence[UploadedPart], size: int) -> None:
    """Complete an upload of ours; one that succeeded and lost its answer is known by its size.

    Raises UploadGoneError where there is no such object.
    """
    try:
        vault.complete_upload(key, upload_id, parts)
    except UploadGoneError:
        found = next(vault.list(key), None)
        if found is None or (found.key, found.size) != (key, size):
            raise


def resumed_file(vault: Vault, folder: str, file: OpenFile) -> WrittenObject | None:
    """Make the parts that a checkpoint knows a whole file, read back for its hashes; None if they are gone.

    What else is there under its key is removed: nobody knows what it holds.
    """
    key = folder + file.key
    try:
        if file.upload_id in {upload.upload_id for upload in vault.uploads(key)}:
            complete_upload(vault, key, file.upload_id, file.parts, file.size)
        stream = vault.open(key)
    except (UploadGoneError, ObjectNotFoundError, ConflictError):
        vault.abort_upload(key, file.upload_id)
        vault.delete(key)
        return None
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with stream, aws_errors(f"read {key}"):
        while block := stream.read(READ_BYTES):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    if size != file.size:
        vault.delete(key)
        return None
    return WrittenObject(
        file.key,
        size,
        sha256.hexdigest(),
        base64_of(md5.digest()),
        file.items,
        multipart_etag(file.parts),
    )


def multipart_etag(parts: Sequence[UploadedPart]) -> str:
    """The ETag that S3 gives an object of parts, "" for none ('Checking object integrity', user guide)."""
    if not parts:
        return ""
    etags = "".join(part.etag.strip('"') for part in parts)
    try:
        whole = hashlib.md5(bytes.fromhex(etags), usedforsecurity=False).hexdigest()
    except ValueError:
        return ""
    return f"{whole}-{len(parts)}"


def base64_of(value: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(value).decode()


def _one_line(item: bytes | msgspec.Raw) -> bytes:
    return msgspec.json.format(bytes(item), indent=-1)
