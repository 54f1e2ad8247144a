"""Archives for the tests of back-tests; what goes to worker processes has to be in a module of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from watcher.archives.archive import Piece, StoredBytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from watcher.archives.archive import Stored


@dataclass(frozen=True, slots=True)
class Deadly:
    """Content whose reading kills the process, as the kernel does when memory is short."""

    def read(self) -> bytes:
        """End here."""
        os._exit(9)


def piece(label: str, content: bytes) -> Piece:
    """A piece that is there at once."""
    return Piece(label, len(content), lambda _: StoredBytes(content))


def broken(label: str, error: BaseException) -> Piece:
    """A piece that cannot be fetched."""

    def fetch(_: Event) -> Stored:
        raise error

    return Piece(label, 1, fetch)


@dataclass(frozen=True, slots=True)
class Pieces:
    """The Archive port over a list."""

    listed: Sequence[Piece]
    location: str = "memory"

    def pieces(self) -> Iterator[Piece]:
        """See Archive.pieces."""
        return iter(self.listed)


@dataclass(slots=True)
class Told:
    """The ReplayProgress port as a record; ``then`` is called for each piece that was read."""

    then: Callable[[], None] = lambda: None
    listed: int = 0
    done: list[str] = field(default_factory=list)

    def found(self, piece: Piece) -> None:
        """See ReplayProgress."""
        self.listed += 1

    def read(self, piece: Piece) -> None:
        """See ReplayProgress."""
        self.done.append(piece.label)
        self.then()
