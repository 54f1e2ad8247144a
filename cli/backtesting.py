"""Reading archives with several processes: threads fetch, processes decompress and look, the parent gathers.

This module is imported by every worker process, so it imports neither AWS nor the terminal.
"""

from __future__ import annotations

import signal
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from threading import Event
from typing import TYPE_CHECKING, Protocol

from recovery.errors import CredentialsError
from rules.backtest import ALL_TIME, Replay, changes_in, unreadable_piece
from rules.errors import SafetyNetError, UnavailableError
from rules.net import ANY_NET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from rules.backtest import Period, PieceResult
    from rules.net import NetParts
    from watcher.archives.archive import Archive, Piece, Stored

    Look = Callable[[str, Stored, NetParts], PieceResult]

# Enough to keep the processes busy over a network, and a bound on what is in memory at once.
FETCHERS = 16
# Starting processes takes half a second; this much is read faster without.
FEW_PIECES, FEW_BYTES = 16, 16_000_000


class WorkerDiedError(SafetyNetError):
    """A worker process ended without an answer."""

    default_hint = "It may have run out of memory: try fewer with --processes."


class ReplayProgress(Protocol):
    """Told how far the reading is; by one thread only."""

    def found(self, piece: Piece) -> None:
        """One more piece is in the archive."""
        ...

    def read(self, piece: Piece) -> None:
        """A piece is done."""
        ...


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to read. ``processes`` 1: all in this process."""

    processes: int
    period: Period = ALL_TIME
    net: NetParts = ANY_NET


def replay(archives: Sequence[Archive], options: ReplayOptions, progress: ReplayProgress) -> Replay:
    """The changes in some archives. A piece that cannot be read is counted, and the others are read.

    Raises NotFoundError, UsageError, AccessDeniedError where an archive as a whole cannot be listed;
    CredentialsError, UnavailableError, for then no other piece could be had; WorkerDiedError.
    """
    pieces: list[Piece] = []
    for archive in archives:
        for piece in archive.pieces():
            pieces.append(piece)
            progress.found(piece)
    gathered = Replay(options.period)

    def done(piece: Piece, result: PieceResult) -> None:
        gathered.add(result)
        progress.read(piece)

    # Left from the inside out: first the processes give up what waits for them, then no thread waits any more.
    with (
        ThreadPoolExecutor(FETCHERS, "archive", _leave_ctrl_c_to_the_main_thread) as threads,
        _lookers(pieces, options.processes) as look,
    ):
        _read_all(threads, pieces, lambda label, stored: look(label, stored, options.net), done)
    return gathered


def look_into(label: str, stored: Stored, net: NetParts) -> PieceResult:
    """What a worker does with a piece: decompress it, and find the watched changes in it."""
    try:
        return changes_in(label, stored.read(), net)
    except SafetyNetError as error:
        return unreadable_piece(label, str(error))


def _lookers(pieces: Sequence[Piece], processes: int) -> AbstractContextManager[Look]:
    small = len(pieces) <= FEW_PIECES and sum(piece.size_bytes or 0 for piece in pieces) <= FEW_BYTES
    if processes == 1 or small:
        return nullcontext(look_into)
    return _in_processes(min(processes, len(pieces)))


@contextmanager
def _in_processes(processes: int) -> Iterator[Look]:
    """Workers that are spawned, not forked: forking while threads run can lock up (Python's multiprocessing guide)."""
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_leave_ctrl_c_to_the_parent)
    try:
        yield lambda label, stored, net: pool.submit(look_into, label, stored, net).result()
    except BrokenProcessPool as error:
        raise WorkerDiedError("a process that read the archive ended unexpectedly") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _read_all(
    threads: ThreadPoolExecutor,
    pieces: Sequence[Piece],
    look: Callable[[str, Stored], PieceResult],
    done: Callable[[Piece, PieceResult], None],
) -> None:
    """Every piece, ``FETCHERS`` at a time. The first fault that stops all, or Ctrl-C, calls the others off."""
    stop = Event()
    todo = iter(pieces)
    waiting: dict[Future[PieceResult], Piece] = {}

    def read(piece: Piece) -> PieceResult:
        try:
            stored = piece.fetch(stop)
        except (CredentialsError, UnavailableError):
            raise
        except SafetyNetError as error:
            return unreadable_piece(piece.label, str(error))
        return look(piece.label, stored)

    try:
        while True:
            for piece in islice(todo, FETCHERS - len(waiting)):
                waiting[threads.submit(read, piece)] = piece
            if not waiting:
                return
            for job in wait(waiting, return_when=FIRST_COMPLETED).done:
                done(waiting.pop(job), job.result())
    except BaseException:
        stop.set()
        threads.shutdown(wait=False, cancel_futures=True)
        raise


def _leave_ctrl_c_to_the_parent() -> None:
    """A terminal sends Ctrl-C to all its processes; a worker's own traceback would tell nobody anything."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave_ctrl_c_to_the_main_thread() -> None:
    """Processes inherit what is blocked in the thread that starts them: so they are deaf from their first moment."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
