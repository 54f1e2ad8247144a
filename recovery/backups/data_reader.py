"""Reading data files: items as raw bytes, the file's hash and count compared when its end is reached."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import msgspec

from recovery.aws import aws_errors
from recovery.backups.compression import unpacked
from recovery.backups.data_files import base64_of
from recovery.errors import DamagedObjectError, ObjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.backups.manifest import BackupObject, Manifest
    from recovery.vault.vault import Vault

READ_BUFFER = 256 * 1024
_OPENING_BRACE = ord("{")
LineT = TypeVar("LineT", bound=msgspec.Struct)


class ItemLine(msgspec.Struct):
    """A line of a full export: the item as it is."""

    Item: msgspec.Raw


class Change(msgspec.Struct):
    """A line of an incremental export: ``NewImage`` is missing where the item was deleted."""

    class _Metadata(msgspec.Struct):
        WriteTimestampMicros: dict[str, str]

    Keys: msgspec.Raw
    Metadata: _Metadata
    NewImage: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    @property
    def written(self) -> int:
        """When, in microseconds since 1970. Raises ValueError for no number."""
        return int(self.Metadata.WriteTimestampMicros.get("N", ""))


_ITEMS = msgspec.json.Decoder(ItemLine)
_CHANGES = msgspec.json.Decoder(Change)


def read_items(stream: BinaryIO, key: str) -> Iterator[list[msgspec.Raw]]:
    """The items of one data file as raw JSON, some at a time; ``key`` says by its end how it is packed.

    Raises ValueError for a line of another form and for a cut or broken stream.
    """
    for lines in _decoded_lines(stream, key, _ITEMS, '{"Item": {...}}'):
        yield [line.Item for line in lines]


def read_changes(stream: BinaryIO, key: str) -> Iterator[list[Change]]:
    """The changes of one data file of an incremental export. Raises as ``read_items``."""
    yield from _decoded_lines(stream, key, _CHANGES, '{"Metadata": ..., "Keys": {...}}')


def checked_items(vault: Vault, backup: Manifest, entry: BackupObject) -> Iterator[list[msgspec.Raw]]:
    """The items of one file of a backup; where it ends, its hash and count are compared.

    Raises DamagedObjectError naming it; what was yielded before then must not be trusted.
    """
    with CheckedObject(vault, backup, entry) as checked:
        checked.count = 0
        for items in read_items(checked.stream, entry.key):
            checked.count += len(items)
            yield items


def checked_changes(vault: Vault, backup: Manifest, entry: BackupObject) -> Iterator[list[Change]]:
    """The changes of one file of an incremental backup. Raises as ``checked_items``."""
    with CheckedObject(vault, backup, entry) as checked:
        checked.count = 0
        for changes in read_changes(checked.stream, entry.key):
            checked.count += len(changes)
            yield changes


class CheckedObject:
    """One object of a backup while it is read; at the end of the ``with`` all of it must have been.

    ``count`` is for its reader to keep, None for an object that is no data file. Raises DamagedObjectError.
    """

    def __init__(self, vault: Vault, backup: Manifest, entry: BackupObject) -> None:
        self._entry = entry
        place, key = backup.place_of(vault, entry)
        self.key = key
        self._vault = place
        self.count: int | None = None

    def __enter__(self) -> CheckedObject:  # noqa: PYI034 - never subclassed
        """Open it."""
        try:
            self._body = self._vault.open(self.key)
        except ObjectNotFoundError as error:
            raise DamagedObjectError(self.key, "is missing") from error
        self._hashing = HashingReader(
            self._body, sha256=self._entry.sha256 is not None, md5=self._entry.md5 is not None
        )
        self.stream: BinaryIO = io.BufferedReader(self._hashing, READ_BUFFER)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Compare; what went wrong while it was read is told as damage."""
        with self._body:
            if isinstance(error, ValueError):
                raise DamagedObjectError(self.key, str(error)) from error
            if isinstance(error, Exception):
                with aws_errors(f"read {self.key}"):
                    raise error
            if error is not None:
                return
            with aws_errors(f"read {self.key}"):
                while self.stream.read(READ_BUFFER):
                    pass
            self._compare()

    def _compare(self) -> None:
        entry, found = self._entry, self._hashing
        if found.size != entry.size:
            raise DamagedObjectError(self.key, f"holds {found.size} bytes, the manifest says {entry.size}")
        if found.sha256 is not None and found.sha256.hexdigest() != entry.sha256:
            raise DamagedObjectError(self.key, "its SHA-256 is not the one in the manifest")
        if found.md5 is not None and base64_of(found.md5.digest()) != entry.md5:
            raise DamagedObjectError(self.key, "its MD5 is not the one in the manifest")
        if self.count is not None and self.count != entry.items:
            raise DamagedObjectError(self.key, f"holds {self.count} items, the manifest says {entry.items}")


class HashingReader(io.RawIOBase):
    """Passes a stream on, and hashes and counts what went through."""

    def __init__(self, stream: BinaryIO, *, sha256: bool = True, md5: bool = False) -> None:
        super().__init__()
        self._stream = stream
        self.sha256 = hashlib.sha256() if sha256 else None
        self.md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self.size = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is 3.12's
        """Fill the buffer from the stream."""
        block = self._stream.read(len(buffer))
        for digest in (self.sha256, self.md5):
            if digest is not None:
                digest.update(block)
        self.size += len(block)
        buffer[: len(block)] = block
        return len(block)


def _decoded_lines(
    stream: BinaryIO, key: str, decoder: msgspec.json.Decoder[LineT], form: str
) -> Iterator[list[LineT]]:
    count, rest = 0, b""
    for block in unpacked(stream, key):
        lines, newline, rest = (rest + block).rpartition(b"\n")
        if newline:
            decoded = _decoded(decoder, lines, count, form)
            count += len(decoded)
            yield decoded
    if rest.strip():
        yield _decoded(decoder, rest, count, form)


def _decoded(decoder: msgspec.json.Decoder[LineT], lines: bytes, before: int, form: str) -> list[LineT]:
    try:
        decoded = decoder.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The parser's message may quote the line, and that is item content.
        raise ValueError(f"line {before + _first_bad(decoder, lines)} is not of the form {form}") from error
    for number, line in enumerate(decoded, before + 1):
        raw = getattr(line, "Item", None)
        if raw is not None and memoryview(raw)[0] != _OPENING_BRACE:
            raise ValueError(f"line {number} is not of the form {form}")
    return decoded


def _first_bad(decoder: msgspec.json.Decoder[LineT], lines: bytes) -> int:
    for number, line in enumerate(lines.split(b"\n"), 1):
        try:
            decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return number
    return 1
