"""Reading archives: the same result however many processes, and an end that is clean, whatever goes wrong."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from cli.backtesting import FETCHERS, FEW_PIECES, ReplayOptions, WorkerDiedError, replay
from recovery.errors import CredentialsError
from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError
from tests.cli.archived import Deadly, Pieces, Told, broken, piece
from tests.rules.backtesting import deletion, description, trail_file
from watcher.archives.archive import Piece

if TYPE_CHECKING:
    from threading import Event

    from watcher.archives.archive import Stored

MANY = 3 * FEW_PIECES


def content(number: int) -> bytes:
    """A compressed trail file with one deletion of its own, and one that is in every file."""
    return gzip.compress(trail_file(deletion(number), description(99), deletion(0)))


def archive(count: int, *more: Piece) -> Pieces:
    """An archive of some good pieces and others."""
    return Pieces([*(piece(str(number), content(number)) for number in range(1, count + 1)), *more])


@pytest.mark.parametrize("processes", [1, 2])
def test_the_result_does_not_depend_on_the_processes(processes: int) -> None:
    """Every change once, in the order of time, and every piece told to the bar."""
    told = Told()
    found = replay([archive(MANY), archive(2)], ReplayOptions(processes), told)
    assert [int(change.id[-3:]) for change in found.changes] == list(range(MANY + 1))
    assert (found.pieces, found.records) == (MANY + 2, 3 * (MANY + 2))
    assert (told.listed, len(told.done)) == (MANY + 2, MANY + 2)


@pytest.mark.parametrize("processes", [1, 2])
def test_what_cannot_be_read_does_not_stop_the_rest(processes: int) -> None:
    """A damaged file and one that may not be fetched: both are named, all others are read."""
    found = replay(
        [
            archive(
                MANY,
                piece("cut", content(1)[:-5]),
                piece("text", b"no json"),
                broken("locked", AccessDeniedError("denied by a key policy")),
            )
        ],
        ReplayOptions(processes),
        Told(),
    )
    assert (len(found.changes), found.unreadable) == (MANY + 1, 3)
    whys = {one.piece: one.why for one in found.complaints}
    assert set(whys) == {"cut", "text", "locked"}
    assert "cut short" in whys["cut"]
    assert "denied by a key policy" in whys["locked"]


@pytest.mark.parametrize("error", [CredentialsError("expired"), UnavailableError("no network")])
@pytest.mark.parametrize("processes", [1, 2])
def test_what_stops_everything_is_told_at_once(error: SafetyNetError, processes: int) -> None:
    """No credentials, no network: nobody wants ten thousand lines that say so."""
    told = Told()
    with pytest.raises(type(error), match=str(error)):
        replay(
            [Pieces([broken("first", error), *archive(20 * FETCHERS).listed])], ReplayOptions(processes), told
        )
    assert len(told.done) < 20 * FETCHERS


def test_a_worker_that_dies_is_told() -> None:
    """With what helps: it is nearly always the memory."""
    deadly = Piece("deadly", 1, lambda _: Deadly())
    with pytest.raises(WorkerDiedError) as error:
        replay([archive(MANY, deadly)], ReplayOptions(2), Told())
    assert "--processes" in error.value.hint


def interrupt() -> None:
    """A person presses Ctrl-C."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_ends_the_reading(processes: int) -> None:
    """What is under way is finished, nothing new is begun, and no thread or process is left to wait for."""
    told = Told(interrupt)
    with pytest.raises(KeyboardInterrupt):
        replay([archive(20 * FETCHERS)], ReplayOptions(processes), told)
    assert len(told.done) == 1


def test_few_pieces_are_in_memory_at_once() -> None:
    """However long the archive: as many as are read at once."""
    fetched: list[str] = []
    told = Told()
    too_many: list[int] = []

    def counted(one: Piece) -> Piece:
        def fetch(stop: Event) -> Stored:
            fetched.append(one.label)
            held = len(fetched) - len(told.done)
            if held > FETCHERS:
                too_many.append(held)
            return one.fetch(stop)

        return Piece(one.label, one.size_bytes, fetch)

    replay([Pieces([counted(one) for one in archive(10 * FETCHERS).listed])], ReplayOptions(1), told)
    assert (len(fetched), too_many) == (10 * FETCHERS, [])
