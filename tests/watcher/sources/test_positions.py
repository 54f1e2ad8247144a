"""Positions only move forward, whoever moves them, and one that cannot be believed is never a reason to miss anything."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recovery.errors import DamagedObjectError
from recovery.testing.memory_vault import MemoryVault
from rules.errors import UnavailableError
from tests.watcher.watching import NOON
from watcher.sources.positions import MOST_TAKEN, UNBELIEVED_LOOK_BACK, WRITE_EVERY, Positions

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork

KEY = "watch/positions/orders-queue.json"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def vault() -> MemoryVault:
    """An empty vault."""
    return MemoryVault()


@pytest.fixture
def positions(vault: MemoryVault, clock: Clockwork) -> Positions:
    """The positions in it."""
    return Positions(vault, clock)


def test_a_source_that_never_was_anywhere_has_none(positions: Positions) -> None:
    """Where to begin then is the source's own affair."""
    assert positions.get("orders-queue") is None


def test_a_position_is_stored_with_what_was_taken_in(
    positions: Positions, vault: MemoryVault, clock: Clockwork
) -> None:
    """A new process reads back what the old one wrote."""
    stored = positions.advance("orders-queue", NOON, {"event": NOON})
    assert Positions(vault, clock).get("orders-queue") == stored
    assert (stored.time, stored.taken, vault.writes) == (NOON, {"event": NOON}, [KEY])


def test_a_position_only_moves_forward(positions: Positions) -> None:
    """A slower watcher does not undo what a faster one reached; nothing new writes nothing."""
    positions.advance("orders-queue", NOON)
    assert positions.advance("orders-queue", NOON - MINUTE).time == NOON
    found = positions.get("orders-queue")
    assert found is not None
    assert found.time == NOON


def test_nothing_new_writes_nothing(positions: Positions, vault: MemoryVault) -> None:
    """Objects of the vault are versioned, and versions cost."""
    positions.advance("orders-queue", NOON, {"event": NOON})
    positions.advance("orders-queue", NOON, {"event": NOON})
    assert len(vault.writes) == 1


def test_another_watchers_events_are_kept(positions: Positions) -> None:
    """What was taken in is the union; what was so too long before the position is forgotten."""
    positions.advance("orders-queue", NOON, {"a": NOON - 9 * MINUTE, "b": NOON}, 10 * MINUTE)
    stored = positions.advance("orders-queue", NOON + 5 * MINUTE, {"c": NOON}, 10 * MINUTE)
    assert stored.taken == {"b": NOON, "c": NOON}


def test_of_too_many_events_the_oldest_are_left_out(positions: Positions) -> None:
    """A burst does not make the document grow without end."""
    taken = {f"event {number}": NOON + timedelta(seconds=number) for number in range(MOST_TAKEN + 1)}
    stored = positions.advance("orders-queue", NOON, taken)
    assert len(stored.taken) == MOST_TAKEN
    assert "event 0" not in stored.taken
    assert positions.get("orders-queue") == stored


def test_a_race_is_run_again_on_what_the_other_wrote(
    positions: Positions, vault: MemoryVault, clock: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another watcher writes between the look and the write: both are kept."""
    positions.advance("orders-queue", NOON, {"a": NOON})
    replace = vault.replace

    def raced(key: str, body: bytes, etag: str) -> str:
        monkeypatch.undo()
        Positions(vault, clock).advance("orders-queue", NOON + 3 * MINUTE, {"b": NOON}, 10 * MINUTE)
        return replace(key, body, etag)

    monkeypatch.setattr(vault, "replace", raced)
    clock.now += 3 * MINUTE
    stored = positions.advance("orders-queue", NOON + MINUTE, {"c": NOON}, 10 * MINUTE)
    assert (stored.time, set(stored.taken)) == (NOON + 3 * MINUTE, {"a", "b", "c"})


def test_a_position_is_noted_once_a_minute(
    positions: Positions, vault: MemoryVault, clock: Clockwork
) -> None:
    """However often a queue is asked."""
    for _ in range(3):
        positions.note("orders-queue", clock())
        clock.now += WRITE_EVERY / 2
    assert len(vault.writes) == 2


def test_a_note_that_failed_is_made_at_once_the_next_time(
    positions: Positions, vault: MemoryVault, clock: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute counts from what was written, not from what was tried."""

    def down(*_: object) -> str:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(vault, "put_new", down)
    with pytest.raises(UnavailableError):
        positions.note("orders-queue", clock())
    monkeypatch.undo()
    positions.note("orders-queue", clock())
    assert vault.writes == [KEY]


@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"format_version": 2}', b'{"source": "orders-queue", "time": 5}']
)
def test_a_damaged_position_makes_the_watcher_look_further_back(
    positions: Positions, vault: MemoryVault, clock: Clockwork, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told of, a day is looked at again, and the next write mends it."""
    vault.put(KEY, body)
    found = positions.get("orders-queue")
    assert found is not None
    assert found.time == NOON - UNBELIEVED_LOOK_BACK
    assert KEY in caplog.text
    positions.advance("orders-queue", NOON - MINUTE)
    mended = positions.get("orders-queue")
    assert mended is not None
    assert mended.time == NOON - MINUTE


def test_a_position_in_the_future_is_not_believed(
    positions: Positions, vault: MemoryVault, clock: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine whose clock was a year ahead must not make all others blind for a year."""
    clock.now += timedelta(days=365)
    positions.advance("orders-queue", clock())
    clock.now = NOON
    found = positions.get("orders-queue")
    assert found is not None
    assert found.time == NOON - UNBELIEVED_LOOK_BACK
    assert "in the future" in caplog.text
    assert positions.advance("orders-queue", NOON).time == NOON


def test_names_are_safe_in_keys(positions: Positions, vault: MemoryVault) -> None:
    """A source may be named by what other people named."""
    positions.advance("../leases/x y", NOON)
    assert vault.writes == ["watch/positions/.._leases_x_y.json"]


def test_all_positions_are_listed(positions: Positions, vault: MemoryVault) -> None:
    """For the status; a damaged one is the error that names it."""
    stored = positions.advance("orders-queue", NOON)
    vault.put("watch/positions/z.json", b"{")
    first, second = positions.all()
    assert first == stored
    assert isinstance(second, DamagedObjectError)
    assert "watch/positions/z.json" in str(second)
