"""The port through which archived trails are read: one adapter per file (``archive_files``, ``archive_s3``, ...).

Reading is split where the work changes: ``Piece.fetch`` waits for disks and networks, in threads of the parent;
what it returns is picklable, and its ``read`` costs CPU, in a worker process that needs no AWS client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol, cast

from isal import igzip_lib

from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from threading import Event

# CloudTrail's files are some MB at most; what unpacks to more than this was made to fill a memory.
MAX_CONTENT_BYTES = 1 << 30
SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
# isal's stub says that this is an instance.
_DAMAGED = cast("type[Exception]", igzip_lib.IsalError)
_GZIP_MAGIC = b"\x1f\x8b"
_NO_RECORDS = ("CloudTrail-Digest", "CloudTrail-Insight")
_DAY = re.compile(r"/CloudTrail/[a-z0-9-]+/(\d{4})/(\d\d)/(\d\d)/")


class ArchiveError(UsageError):
    """A piece of an archive that cannot be read. The rest of the archive is read all the same."""


class Stored(Protocol):
    """Where the content of a piece is; picklable."""

    def read(self) -> bytes:
        """The content as JSON text, decompressed. Raises ArchiveError."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of an archive, or what stands for one.

    ``size_bytes`` is its size as it is stored, None where nobody knows. ``fetch`` brings it within reach, unless
    the event is set meanwhile; it raises UnavailableError, AccessDeniedError, NotFoundError, ArchiveError.
    """

    label: str
    size_bytes: int | None
    fetch: Callable[[Event], Stored]


class Archive(Protocol):
    """Change events of the past, in files."""

    @property
    def location(self) -> str:
        """For people: which folder, bucket or trail."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """All its pieces, in no particular order.

        Raises NotFoundError where there are none, UsageError, AccessDeniedError, UnavailableError.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Content that is in memory already, gzip or plain."""

    content: bytes
    limit: int = MAX_CONTENT_BYTES

    def read(self) -> bytes:
        """See Stored.read."""
        return inflated(self.content, self.limit)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A regular file, gzip or plain."""

    path: Path
    limit: int = MAX_CONTENT_BYTES

    def read(self) -> bytes:
        """See Stored.read."""
        try:
            with self.path.open("rb") as file:
                return inflated(file.read(self.limit + 1), self.limit)
        except OSError as error:
            raise ArchiveError(f"cannot be read: {error.strerror or error}") from error


def inflated(content: bytes, limit: int) -> bytes:
    """Content without its gzip compression, if it has any: its first bytes tell, not its name.

    Several gzip members are one text (RFC 1952). Raises ArchiveError for a file that is cut short or damaged, and
    for one that holds more than ``limit`` bytes; never much more than that is held in memory.
    """
    parts: list[bytes] = []
    size, rest = 0, content
    try:
        while rest[:2] == _GZIP_MAGIC:
            member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            parts.append(member.decompress(rest, limit - size + 1))
            size += len(parts[-1])
            if size > limit:
                raise ArchiveError(f"unpacks to more than {limit:,} bytes")
            if not member.eof:
                raise ArchiveError("gzip: the file is cut short")
            rest = member.unused_data
    except _DAMAGED as error:
        raise ArchiveError(f"gzip: {error}") from error
    if not parts:
        if len(content) > limit:
            raise ArchiveError(f"holds more than {limit:,} bytes")
        return content
    # Padding with zeros is allowed; anything else behind the last member is no gzip.
    if rest.strip(b"\0"):
        raise ArchiveError("gzip: there is something else behind its end")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def holds_records(path: str) -> bool:
    """Whether a file of a trail holds records: not its digests, and not Insights events, which are no calls."""
    return path.endswith(SUFFIXES) and not any(f"/{part}/" in f"/{path}" for part in _NO_RECORDS)


def trail_day(path: str) -> date | None:
    """The day (UTC) on which CloudTrail delivered a file, None where the path is not in a trail's layout.

    CloudTrail guide, 'Finding your CloudTrail log files':
    ``AWSLogs/<account>/CloudTrail/<region>/<yyyy>/<mm>/<dd>/<file>``.
    """
    match = _DAY.search(path)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
