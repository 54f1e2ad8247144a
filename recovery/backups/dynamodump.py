"""Reading what dynamodump wrote, so that its users can come over.

A dump is ``<table>/schema.json``, the answer of DescribeTable, and ``<table>/data/0001.json`` and so on, each the
answer of a Scan; in a folder, or in a zip or tar archive of one. Its last page must be the last one of the
scan: dynamodump calls a dump completed that it broke off when it was throttled.
"""

from __future__ import annotations

import json
import lzma
import re
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from recovery.errors import DamagedObjectError
from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = "schema.json"
_PAGE = re.compile(r"data/(\d+)\.json")


class _Page(msgspec.Struct):
    Items: list[msgspec.Raw]
    LastEvaluatedKey: msgspec.Raw = msgspec.Raw(b"")


_PAGES = msgspec.json.Decoder(_Page)


class _Files(Protocol):
    """The files of a dump, wherever they are."""

    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class DumpedTable:
    """One table of a dump; ``description`` is DescribeTable's ``Table``."""

    name: str
    description: dict[str, Any]
    _files: _Files
    _pages: tuple[str, ...]

    def pages(self) -> Iterator[list[msgspec.Raw]]:
        """The items, a file at a time. Raises DamagedObjectError for a dump that is not whole."""
        for number, name in enumerate(self._pages, 1):
            try:
                page = _PAGES.decode(self._files.read(name))
            except msgspec.DecodeError as error:
                # The parser's message may quote an item.
                raise DamagedObjectError(name, "is no page of a scan") from error
            last = number == len(self._pages)
            if last and page.LastEvaluatedKey:
                raise DamagedObjectError(
                    name,
                    "is not the last page of the scan: the dump was broken off",
                    hint="Nothing can bring the missing items back from this dump. Make a new one.",
                )
            if not last and not page.LastEvaluatedKey:
                raise DamagedObjectError(
                    name, "ends the scan, and yet pages follow: they are of another dump"
                )
            yield page.Items


@contextmanager
def open_dump(path: Path) -> Iterator[dict[str, DumpedTable]]:
    """The tables of a dump by name. Raises UsageError for what is no dump, DamagedObjectError."""
    with _opened(path) as files:
        names = files.names()
        roots = sorted(name.removesuffix(SCHEMA) for name in names if name.rpartition("/")[2] == SCHEMA)
        if not roots:
            raise UsageError(f"{path}: no {SCHEMA} in it, so it is no dump of dynamodump")
        tables = [_table(files, root, names) for root in roots]
        yield {table.name: table for table in tables}


def _table(files: _Files, root: str, names: list[str]) -> DumpedTable:
    try:
        description = json.loads(files.read(root + SCHEMA))["Table"]
        name = str(description["TableName"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedObjectError(root + SCHEMA, "is no answer of DescribeTable") from error
    pages = sorted(
        (int(match[1]), file)
        for file in names
        if file.startswith(root) and (match := _PAGE.fullmatch(file.removeprefix(root)))
    )
    numbers = [number for number, _ in pages]
    if not numbers:
        raise DamagedObjectError(f"{root}data/", "has no page of a scan: the dump was broken off")
    if numbers != list(range(1, len(numbers) + 1)):
        raise DamagedObjectError(f"{root}data/", "a page is missing in it")
    return DumpedTable(name, description, files, tuple(file for _, file in pages))


@contextmanager
def _opened(path: Path) -> Iterator[_Files]:
    try:
        if path.is_dir():
            yield _Folder(path)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield _Zip(archive)
        elif path.is_file() and tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                yield _Tar(tar)
        else:
            raise UsageError(f"{path}: neither a folder nor a zip or tar archive")
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error


class _Folder:
    def __init__(self, path: Path) -> None:
        # The folder of one table is a dump of that table.
        self._path = path.parent if (path / SCHEMA).is_file() else path
        self._inside = path

    def names(self) -> list[str]:
        return [file.relative_to(self._path).as_posix() for file in self._inside.rglob("*.json")]

    def read(self, name: str) -> bytes:
        return (self._path / name).read_bytes()


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> list[str]:
        return self._archive.namelist()

    def read(self, name: str) -> bytes:
        return self._archive.read(name)


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        archive.getmembers()
        # gzip has its checksum at the very end, which nobody would come to.
        while archive.fileobj.read(1 << 20):
            pass

    def names(self) -> list[str]:
        return [member.name for member in self._archive.getmembers() if member.isfile()]

    def read(self, name: str) -> bytes:
        stream = self._archive.extractfile(name)
        if stream is None:
            raise DamagedObjectError(name, "is no file")
        with stream:
            return stream.read()
