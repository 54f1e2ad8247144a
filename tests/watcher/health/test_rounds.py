"""What is done beside the loop: each part on its own, and none of them can stop the watcher."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rules.errors import NotFoundError, UnavailableError
from tests.watcher.watching import NOON
from watcher.health.canary import Canaries
from watcher.health.health_reading import HealthReader
from watcher.health.heartbeat import Heart
from watcher.health.metrics_emf import EmfMetrics
from watcher.health.rounds import Rounds
from watcher.testing.recording_canary import RecordingCanarySender, RecordingDeadMan

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork, Parts


class Side:
    """The rounds of one watcher."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.sender = RecordingCanarySender()
        self.dead_man = RecordingDeadMan()
        self.lines: list[str] = []
        self.metrics = EmfMetrics(self.lines.append, parts.clock, "safetynet", {"Watcher": "one"})
        self.canaries = Canaries(parts.vault, parts.clock, self.sender, "one", timedelta(minutes=5))
        self.rounds = Rounds(
            parts.clock,
            HealthReader(parts.vault, parts.incidents, parts.clock),
            canaries=self.canaries,
            dead_man=self.dead_man,
            metrics=self.metrics,
        )

    def canary_arrives(self) -> None:
        """The next one is sent, and comes back."""
        self.parts.clock.now += timedelta(minutes=5)
        self.rounds.once()
        self.parts.clock.sleep(3)
        assert self.canaries.arrived(self.sender.sent[-1])

    def beat(self) -> None:
        """The watcher is alive."""
        Heart(self.parts.vault, self.parts.clock, "one", version="1", source="memory").beat()


@pytest.fixture
def side(parts: Parts) -> Side:
    """All of it in memory."""
    return Side(parts)


def test_an_arrival_calls_the_switch_once(side: Side) -> None:
    """No arrival, no call: that is what the switch is for."""
    side.beat()
    side.rounds.once()
    assert (len(side.sender.sent), side.dead_man.calls) == (1, [])
    side.canary_arrives()
    side.beat()
    side.rounds.once()
    side.rounds.once()
    assert side.dead_man.calls == [""]


def test_bad_health_is_told_to_the_switch(side: Side) -> None:
    """The canary arrives, but something else is wrong: the call says what."""
    side.canary_arrives()
    side.rounds.once()
    assert side.dead_man.calls == ["watcher: no watcher has ever run"]


def test_a_switch_out_of_reach_is_called_again(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    """At the next round, until it hears."""
    side.beat()
    side.canary_arrives()
    side.beat()
    side.dead_man.failures = [UnavailableError("no answer"), UnavailableError("no answer")]
    for _ in range(3):
        side.rounds.once()
    assert side.dead_man.calls == [""]
    assert caplog.text.count("no answer") == 2


def test_a_switch_that_refuses_is_not_called_over_and_over(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    """Once an arrival: the log says what to set."""
    side.beat()
    side.canary_arrives()
    side.dead_man.failures = [NotFoundError("no such check", hint="Set it.")]
    for _ in range(3):
        side.rounds.once()
    assert side.dead_man.calls == []
    assert caplog.text.count("no such check. Set it.") == 1


def test_no_part_holds_the_others_up(
    side: Side, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage of the vault, and a defect of ours: logged, and the round goes on."""
    side.beat()
    side.canary_arrives()
    side.beat()

    def defect() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(side.canaries, "send_due", defect)
    side.rounds.once()
    assert side.dead_man.calls == [""]
    assert "the canary: could not be seen to" in caplog.text

    def down(_: str) -> None:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(side.parts.vault, "get", down)
    side.rounds.once()
    assert "the dead man's switch: S3 is down" in caplog.text


def test_what_is_not_set_up_is_not_done(parts: Parts) -> None:
    """No canary, no regions, no switch: a round of nothing writes nothing."""
    Rounds(parts.clock, HealthReader(parts.vault, parts.incidents, parts.clock)).once()
    assert parts.vault.writes == []


def test_the_canarys_way_is_measured(side: Side) -> None:
    """With the alerts that are owed by then."""
    side.canary_arrives()
    side.rounds.once()
    side.metrics.flush()
    (line,) = side.lines
    assert '"CanarySeconds": 3.0' in line
    assert '"AlertsUnsent": 0' in line


def test_it_runs_until_it_is_told_to_stop(side: Side, clock: Clockwork) -> None:
    """In a thread of its own."""
    stop = threading.Event()
    once = side.rounds.once
    turns: list[int] = []

    def counted() -> None:
        once()
        turns.append(1)
        if len(turns) == 3:
            stop.set()

    side.rounds.once = counted  # type: ignore[method-assign]
    side.rounds.run(stop, seconds=0)
    assert len(turns) == 3
    assert clock.now == NOON
