"""A watcher that was away tells of what it missed, late and not never; and trouble with the past never stops it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.errors import AwsError
from recovery.testing.memory_vault import MemoryVault
from rules.errors import AccessDeniedError, UnavailableError, UsageError
from tests.rules.backtesting import deletion, trail_file
from tests.watcher.sources.test_source_archive import Files
from tests.watcher.watching import NOON, by, delete_table
from watcher.sources.catching_up import MISSED_TURN, RETRY_AFTER, CatchingUpSource
from watcher.sources.dead_letters import DeadLetters
from watcher.sources.positions import Positions
from watcher.sources.source_lookup import earliest_lookup
from watcher.sources.source_settings import SourceSettings
from watcher.testing.memory_source import MemorySource
from watcher.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rules.backtest import Period
    from tests.watcher.watching import Clockwork, Parts
    from watcher.archives.archive import Archive
    from watcher.sources.source import Delivery

NAME = "sqs-events"
SETTINGS = SourceSettings()


@dataclass
class Desk:
    """A queue, a past, and a vault with a position."""

    clock: Clockwork
    vault: MemoryVault = field(default_factory=MemoryVault)
    queue: MemorySource = field(default_factory=MemorySource)
    past: list[bytes] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    slow: timedelta = timedelta()

    @property
    def positions(self) -> Positions:
        """Those of the vault, as a new process sees them."""
        return Positions(self.vault, self.clock)

    @property
    def position(self) -> datetime | None:
        """Up to when the queue is taken in."""
        found = self.positions.get(NAME)
        return found.time if found else None

    def started(self, earliest: Callable[[datetime], datetime] | None = None) -> CatchingUpSource:
        """A watcher's source, just started."""
        return CatchingUpSource(
            self.queue,
            NAME,
            positions=self.positions,
            archives=self._archives,
            dead_letters=DeadLetters(self.vault),
            clock=self.clock,
            settings=SETTINGS,
            earliest=earliest,
        )

    def _archives(self, period: Period) -> Sequence[Archive]:
        self.periods.append(period)
        if self.failures:
            raise self.failures.pop(0)
        return [Files(self.past, self.clock, slow=self.slow)]


@pytest.fixture
def desk(clock: Clockwork) -> Desk:
    """A desk that was left at noon, and is taken up three hours later."""
    found = Desk(clock)
    found.positions.advance(NAME, NOON)
    clock.now = NOON + timedelta(hours=3)
    return found


def missed(number: int, table: str = "orders", **changes: Any) -> bytes:
    """A trail file with one deletion, some minutes after noon."""
    time = (NOON + timedelta(minutes=number)).isoformat()
    return trail_file({**deletion(number, table), "eventTime": time, **changes})


def ids(deliveries: Sequence[Delivery]) -> list[str]:
    """The last figures of the missed events' ids; those of the queue are ``m1`` and so on."""
    return [one.id[-2:] for one in deliveries]


def test_what_was_missed_comes_first(desk: Desk) -> None:
    """From the position on, and a while before it for what came late; then what is new."""
    desk.past = [missed(1), missed(2)]
    desk.queue.put(b"new")
    source = desk.started()
    got = [source.receive(), source.receive(), source.receive()]
    assert [ids(one) for one in got] == [["01"], ["02"], ["m1"]]


def test_a_watcher_that_was_away_alerts_late(desk: Desk, parts: Parts) -> None:
    """The whole way: the deletion nobody saw becomes an incident and a message; acknowledged, it is not told again."""
    desk.past = [missed(1, "orders"), missed(2, "carts", **by("somebody-else"))]
    for _ in range(2):
        source = desk.started()
        watcher = Watcher([source], parts.pipeline, parts.outbox, desk.clock, desk.clock.sleep)
        watcher.drain()
        assert source.caught_up
        assert sorted(notice.incident.subject.name for notice in parts.notifier.sent) == ["carts", "orders"]
        desk.clock.now += timedelta(hours=1)
    periods = [(period.start, period.end) for period in desk.periods]
    assert periods == [
        (NOON - SETTINGS.overlap, NOON + timedelta(hours=3)),
        (NOON + timedelta(hours=3) - SETTINGS.overlap, NOON + timedelta(hours=4)),
    ]


def test_who_was_away_for_a_moment_looks_nothing_up(desk: Desk) -> None:
    """A restart costs no round through CloudTrail: the queue kept what came."""
    desk.clock.now = NOON + SETTINGS.catch_up_after
    source = desk.started()
    source.receive()
    assert source.caught_up
    assert desk.periods == []


def test_the_first_start_looks_back_an_hour(clock: Clockwork) -> None:
    """And remembers that at once: one that dies before it is through does not look back an hour from then."""
    desk = Desk(clock)
    desk.started().receive()
    clock.now += timedelta(hours=5)
    desk.started().receive()
    first, second = [period.start for period in desk.periods]
    assert first == NOON - SETTINGS.look_back - SETTINGS.overlap
    assert second is not None
    assert second <= NOON


def test_the_position_follows_what_is_received(desk: Desk) -> None:
    """An empty queue is taken in up to now; one that is not, up to its oldest message that came."""
    source = desk.started()
    source.receive()
    source.receive()
    assert desk.position == desk.clock()
    desk.clock.now += timedelta(minutes=30)
    desk.queue.put(b"late", desk.clock() - timedelta(minutes=20))
    desk.queue.put(b"new", desk.clock())
    source.receive()
    assert desk.position == desk.clock() - timedelta(minutes=20)


def test_the_position_waits_for_the_past(desk: Desk) -> None:
    """Killed while catching up: the next watcher finds the same position, and everything again."""
    desk.past = [missed(1), missed(2)]
    dying = desk.started()
    dying.acknowledge_all(dying.receive())
    dying.receive()
    desk.clock.now += MISSED_TURN
    dying.receive()  # the queue's turn
    assert desk.position == NOON
    again = desk.started()
    got = [*again.receive(), *again.receive()]
    assert ids(got) == ["01", "02"]
    again.release(got[0])
    again.acknowledge(got[1])
    again.receive()
    assert desk.position == NOON
    again.acknowledge_all(got[:1])
    again.receive()
    assert desk.position == desk.clock()


def test_what_is_new_does_not_wait_for_a_long_past(desk: Desk) -> None:
    """While thousands of files are read, a deletion of this minute gets its turn."""
    desk.past = [missed(number % 60) for number in range(60)]
    desk.slow = timedelta(seconds=10)
    desk.queue.put(b"new")
    source = desk.started()
    began, found, seen_new = desk.clock(), 0, False
    while not source.caught_up:
        deliveries = source.receive()
        source.acknowledge_all([one for one in deliveries if one.body != b"new"])
        found += sum(one.body != b"new" for one in deliveries)
        seen_new = seen_new or (len(deliveries) == 1 and deliveries[0].body == b"new")
        assert seen_new or desk.clock() - began <= MISSED_TURN + desk.slow
    assert found == 60


def test_each_message_is_acknowledged_where_it_came_from(desk: Desk) -> None:
    """The queue hears nothing of what was missed, and the past nothing of the queue."""
    desk.past = [missed(1)]
    desk.queue.put(b"new")
    source = desk.started()
    (old,) = source.receive()
    source.release(old)
    assert desk.queue.released == []
    source.acknowledge(old)
    (new,) = source.receive()
    source.release(new)
    assert desk.queue.released == ["m1"]
    assert source.acknowledge_all([old, new]) == []
    assert desk.queue.waiting == []


def test_an_outage_of_the_past_is_waited_out(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The queue is watched meanwhile, and the position does not move before the past is looked up."""
    desk.past = [missed(1)]
    desk.failures = [UnavailableError("CloudTrail is down")]
    desk.queue.put(b"new")
    source = desk.started()
    assert ids(source.receive()) == ["m1"]
    assert ids(source.receive()) == ["m1"]
    assert "cannot be looked up yet: CloudTrail is down" in caplog.text
    assert len(desk.periods) == 1
    desk.clock.now += RETRY_AFTER
    assert ids(source.receive()) == ["01"]
    assert desk.position == NOON


@pytest.mark.parametrize(
    "error", [AccessDeniedError("cloudtrail:LookupEvents"), AwsError("odd"), UsageError("no region")]
)
def test_a_past_that_cannot_be_looked_up_does_not_stop_the_watcher(
    desk: Desk, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told of; the position stays, so the next start tries again."""
    desk.failures = [error]
    desk.queue.put(b"new")
    source = desk.started()
    for _ in range(2):
        assert ids(source.receive()) == ["m1"]
        desk.clock.now += RETRY_AFTER
    assert source.caught_up
    assert str(error) in caplog.text
    assert desk.position == NOON
    desk.past = [missed(1)]
    assert ids(desk.started().receive()) == ["01"]


def test_a_vault_out_of_reach_does_not_stop_the_queue(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether anything can be stored is the pipeline's question; here it is only logged, and tried again."""
    source = desk.started()
    source.receive()

    def down(*_: object) -> str:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(desk.vault, "replace", down)
    desk.clock.now += timedelta(hours=1)
    desk.queue.put(b"new")
    assert ids(source.receive()) == ["m1"]
    assert "could not be noted: S3 is down" in caplog.text
    monkeypatch.undo()
    source.receive()
    assert desk.position == desk.clock()


def test_more_than_90_days_are_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """What the event history does not reach is said; a trail has no such end."""
    desk.clock.now = NOON + timedelta(days=100)
    desk.past = [missed(50 * 24 * 60)]
    desk.started(earliest_lookup).receive()
    desk.started().receive()
    starts = [period.start for period in desk.periods]
    assert starts == [earliest_lookup(desk.clock()), NOON - SETTINGS.overlap]
    assert caplog.text.count("are out of reach") == 1


def test_known_events_of_the_past_change_nothing(desk: Desk, parts: Parts) -> None:
    """Taken in from the queue before, found again in the overlap: one incident, one message."""
    event = delete_table("orders", eventTime=NOON.isoformat())
    desk.past = [trail_file(json.loads(event)["detail"])]
    desk.queue.put(event)
    source = desk.started()
    Watcher([source], parts.pipeline, parts.outbox, desk.clock, desk.clock.sleep).drain()
    assert source.caught_up
    assert desk.queue.waiting == []
    assert len(parts.notifier.sent) == len(list(parts.incidents.all())) == 1
