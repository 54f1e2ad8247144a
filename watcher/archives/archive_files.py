"""Archives on this machine: files, and folders of them such as ``aws s3 sync`` makes of a trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.errors import NotFoundError
from watcher.archives.archive import (
    MAX_CONTENT_BYTES,
    SUFFIXES,
    ArchiveError,
    Piece,
    Stored,
    StoredBytes,
    StoredFile,
    holds_records,
    trail_day,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from threading import Event

    from rules.backtest import Period


class FileArchive:
    """A file, whatever its name, or a folder searched for ``*.json``, ``*.jsonl`` and both with ``.gz``."""

    def __init__(self, path: Path, period: Period, limit: int = MAX_CONTENT_BYTES) -> None:
        self._path = path
        self._period = period
        self._limit = limit

    @property
    def location(self) -> str:
        """The path."""
        return str(self._path)

    def pieces(self) -> Iterator[Piece]:
        """See Archive.pieces. Of folders in a trail's layout only the days that matter are taken."""
        if self._path.is_dir():
            yield from self._in_folder()
        elif self._path.is_file():
            yield self._piece(self._path)
        elif self._path.exists():
            yield self._stream()
        else:
            raise NotFoundError(f"no such file or folder: {self._path}")

    def _in_folder(self) -> Iterator[Piece]:
        found = False
        for path in sorted(self._path.rglob("*")):
            if not holds_records(path.as_posix()) or not path.is_file():
                continue
            found = True
            day = trail_day(path.as_posix())
            if day is None or self._period.may_hold(day, day):
                yield self._piece(path)
        if not found:
            raise NotFoundError(
                f"no archive files in {self._path}",
                hint=f"Looked for {', '.join('*' + s for s in SUFFIXES)}.",
            )

    def _piece(self, path: Path) -> Piece:
        def fetch(_: Event) -> Stored:
            return StoredFile(path, self._limit)

        return Piece(str(path), path.stat().st_size, fetch)

    def _stream(self) -> Piece:
        """A pipe, as the shell's ``<(...)`` makes one: read here, since a worker process cannot open it."""
        try:
            with self._path.open("rb") as file:
                content = file.read(self._limit + 1)
        except OSError as error:
            raise ArchiveError(f"{self._path} cannot be read: {error.strerror or error}") from error
        return Piece(str(self._path), len(content), lambda _: StoredBytes(content, self._limit))
