"""Heartbeats: what a watcher does is stored, seldom, and survives it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recovery.testing.memory_vault import MemoryVault
from rules.errors import UnavailableError
from tests.watcher.watching import NOON
from watcher.health.heartbeat import HEARTBEATS, Heart, Heartbeat, heartbeats, new_watcher_id

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork


def heart(vault: MemoryVault, clock: Clockwork, watcher: str = "one") -> Heart:
    """A watcher's heart."""
    return Heart(vault, clock, watcher, version="1.2.3", source="https://sqs/queue")


def stored(vault: MemoryVault) -> list[Heartbeat]:
    """What the vault says."""
    return [beat for beat in heartbeats(vault) if isinstance(beat, Heartbeat)]


def test_what_a_watcher_does_is_stored(clock: Clockwork) -> None:
    """Who, since when, from where, the last event with its lag, the last error."""
    vault = MemoryVault()
    beating = heart(vault, clock)
    clock.sleep(40)
    beating.received(NOON - timedelta(seconds=20))
    beating.failed(UnavailableError("SQS is down"))
    beating.beat()
    (beat,) = stored(vault)
    assert beat == Heartbeat(
        watcher="one",
        version="1.2.3",
        source="https://sqs/queue",
        started=NOON,
        beat_at=clock.now,
        last_event_at=NOON - timedelta(seconds=20),
        last_received_at=clock.now,
        lag_seconds=60,
        last_error="SQS is down",
        last_error_at=clock.now,
    )


def test_it_is_stored_every_thirty_seconds_at_most(clock: Clockwork) -> None:
    """However often the loop turns."""
    vault = MemoryVault()
    beating = heart(vault, clock)
    for _ in range(61):
        beating.beat()
        clock.sleep(1)
    assert len(vault.writes) == 3


def test_events_out_of_order_keep_the_newest(clock: Clockwork) -> None:
    """The last event is the one that happened last, not the one that came last; its lag is that of the last."""
    vault = MemoryVault()
    beating = heart(vault, clock)
    beating.received(NOON - timedelta(seconds=5))
    beating.received(NOON - timedelta(seconds=90))
    beating.received(None)
    beating.beat()
    (beat,) = stored(vault)
    assert (beat.last_event_at, beat.lag_seconds) == (NOON - timedelta(seconds=5), 90)


def test_a_restart_forgets_nothing(clock: Clockwork) -> None:
    """Health is told from what is stored, so what the process before has seen stays."""
    vault = MemoryVault()
    before = heart(vault, clock)
    before.received(NOON - timedelta(seconds=5))
    before.failed(UnavailableError("SQS is down"))
    before.stop()
    clock.sleep(3600)
    heart(vault, clock).beat()
    (beat,) = stored(vault)
    assert (beat.last_event_at, beat.last_error) == (NOON - timedelta(seconds=5), "SQS is down")
    assert (beat.started, beat.beat_at, beat.stopped_at) == (clock.now, clock.now, None)


def test_two_of_one_name_do_not_undo_each_other(clock: Clockwork) -> None:
    """As several containers of one Lambda function are: what either has seen is there."""
    vault = MemoryVault()
    one, other = heart(vault, clock), heart(vault, clock)
    one.received(NOON - timedelta(seconds=1))
    one.beat()
    clock.sleep(31)
    other.beat()
    (beat,) = stored(vault)
    assert beat.last_event_at == NOON - timedelta(seconds=1)


def test_a_vault_out_of_reach_stops_nothing(
    clock: Clockwork, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, not tried again at once, and the next beat gets through."""
    vault = MemoryVault()
    beating = heart(vault, clock)

    def down(*_: object) -> None:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(vault, "put_new", down)
    beating.beat()
    beating.beat()
    assert caplog.text.count("S3 is down") == 1
    monkeypatch.undo()
    clock.sleep(30)
    beating.beat()
    assert len(stored(vault)) == 1


def test_a_stop_is_stored_at_once(clock: Clockwork) -> None:
    """A watcher that was told to stop is not missed."""
    vault = MemoryVault()
    beating = heart(vault, clock)
    beating.beat()
    beating.stop()
    assert stored(vault)[0].stopped_at == clock.now


def test_heartbeats_of_a_week_ago_are_forgotten(clock: Clockwork) -> None:
    """They would pile up: a watcher without a name of its own has a new one at each start."""
    vault = MemoryVault()
    heart(vault, clock, "old").beat()
    clock.now += timedelta(days=6)
    heart(vault, clock, "recent").beat()
    clock.now += timedelta(days=2)
    heart(vault, clock, "new").beat()
    assert [beat.watcher for beat in stored(vault)] == ["new", "recent"]


def test_a_name_that_is_none_is_refused(clock: Clockwork) -> None:
    """It becomes a key in the vault: no way out of the folder. A made one fits, and is never the same."""
    with pytest.raises(ValueError, match="watcher"):
        heart(MemoryVault(), clock, "../incidents/x")
    assert new_watcher_id() != new_watcher_id()
    vault = MemoryVault()
    heart(vault, clock, new_watcher_id()).beat()
    assert vault.writes[0].startswith(f"{HEARTBEATS}watcher-")
