"""Watching by CloudTrail's event history, on the stand-in for it: late events, crashes, several watchers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.faults import Faults, FaultyVault
from recovery.testing.memory_vault import MemoryVault
from rules.errors import AccessDeniedError, UnavailableError
from tests.rules.backtesting import deletion, description
from tests.watcher.archives.test_archive_lookup import History, Watch
from watcher.archives.archive_lookup import LOOKED_UP
from watcher.sources.dead_letters import DeadLetters
from watcher.sources.handed_out import MOST_RECEIVES
from watcher.sources.positions import Positions
from watcher.sources.source_lookup import LONGEST_WAIT_SECONDS, LookupSource
from watcher.sources.source_settings import SourceSettings

if TYPE_CHECKING:
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from recovery.vault.vault import Vault
    from watcher.sources.source import Delivery

START = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
NAME = "cloudtrail-111122223333-eu-west-1"
SETTINGS = SourceSettings()


@dataclass
class Region:
    """A region with its event history, a vault, and a clock that only waiting moves."""

    watch: Watch = field(default_factory=lambda: Watch(START))
    vault: Vault = field(default_factory=MemoryVault)

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        self.history = History(self.watch)

    def watcher(self) -> LookupSource:
        """A watcher that has just been started."""
        return LookupSource(
            self.history,
            "eu-west-1",
            NAME,
            positions=self.positions,
            dead_letters=DeadLetters(self.vault),
            clock=self.watch.clock,
            sleep=self.watch.sleep,
            settings=SETTINGS,
        )

    @property
    def positions(self) -> Positions:
        """What is stored of where watchers are."""
        return Positions(self.vault, self.watch.clock)

    @property
    def position(self) -> datetime:
        """Where the watchers are."""
        found = self.positions.get(NAME)
        assert found is not None
        return found.time

    def happen(self, *minutes: int, **changes: Any) -> None:
        """A table is deleted at a minute after two; its record is in the history from now on."""
        self.history.records += [deletion(minute, **changes) for minute in minutes]

    def windows(self) -> list[tuple[datetime, datetime]]:
        """What was looked at, one entry a round."""
        found = [(request["StartTime"], request["EndTime"]) for _, request in self.history.asked]
        return list(dict.fromkeys(found))


@pytest.fixture
def region() -> Region:
    """A region in which nothing has happened yet."""
    return Region()


def minutes(deliveries: list[Delivery]) -> list[int]:
    """The minutes of the deletions that were handed out."""
    return [datetime.fromisoformat(json.loads(one.body)["eventTime"]).minute for one in deliveries]


def a_round(region: Region, source: LookupSource, *, acknowledged: bool = True) -> list[Delivery]:
    """All that a round hands out; then time passes until the next one is due."""
    got: list[Delivery] = []
    while more := source.receive():
        got += more
        for delivery in more:
            (source.acknowledge if acknowledged else source.release)(delivery)
    region.watch.now += SETTINGS.poll
    return got


def test_the_first_start_looks_back_an_hour(region: Region) -> None:
    """And a while more for events that come late; what nobody watches is not handed out."""
    region.history.records += [deletion(3), description(4), deletion(5)]
    (first, second) = a_round(region, region.watcher())
    assert minutes([first, second]) == [3, 5]
    assert json.loads(first.body) == deletion(3)
    assert first.receive_count == 1
    assert region.windows() == [(START - SETTINGS.look_back - SETTINGS.overlap, START)]
    assert region.position == START


def test_each_event_is_handed_out_once(region: Region) -> None:
    """Though the windows overlap, and every round finds it again."""
    source = region.watcher()
    region.happen(5)
    assert minutes(a_round(region, source)) == [5]
    region.happen(11)
    assert minutes(a_round(region, source)) == [11]
    assert a_round(region, source) == []
    starts = [start for start, _ in region.windows()]
    ends = [end for _, end in region.windows()]
    assert starts[1:] == [end - SETTINGS.overlap for end in ends[:-1]]


def test_an_event_that_comes_late_is_found(region: Region) -> None:
    """It was not in the history when the round after it looked; ten minutes later it is."""
    source = region.watcher()
    for _ in range(4):
        a_round(region, source)
    region.happen(9)
    assert region.position > START + timedelta(minutes=5)
    assert minutes(a_round(region, source)) == [9]


def test_what_is_not_acknowledged_comes_again(region: Region) -> None:
    """With the next round, counted; and until then the position stays before it, also for a new process."""
    source = region.watcher()
    region.happen(5, 8)
    while got := source.receive():
        source.acknowledge(got[1])
        source.release(got[0])
    assert region.position == START.replace(minute=5)
    region.watch.now += SETTINGS.poll
    (again,) = a_round(region, source)
    assert (minutes([again]), again.receive_count) == ([5], 2)
    a_round(region, source)
    assert region.position > START


def test_a_poison_event_is_given_up_and_kept(region: Region, caplog: pytest.LogCaptureFixture) -> None:
    """After ten rounds it goes to the dead letters, word for word, and the position moves on."""
    source = region.watcher()
    region.happen(5)
    for number in range(1, MOST_RECEIVES + 1):
        (delivery,) = a_round(region, source, acknowledged=False)
        assert delivery.receive_count == number
        assert region.position == START.replace(minute=5)
    assert a_round(region, source) == []
    assert region.position > START
    assert DeadLetters(region.vault).count() == 1
    (info,) = region.vault.list("watch/dead-letters/")
    assert json.loads(region.vault.get(info.key).body) == deletion(5)
    assert info.key in caplog.text


class Timeless(History):
    """Records that do not say when."""

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        """See History."""
        answer = super().lookup_events(**request)
        broken = [{**event, "CloudTrailEvent": '{"eventName": "DeleteTable"}'} for event in answer["Events"]]
        return {"Events": broken}


def test_an_event_without_a_time_holds_the_position(region: Region) -> None:
    """Nobody knows what lies before it; it is told of, and once it is over the position moves."""
    region.history = Timeless(region.watch)
    region.happen(5)
    source = region.watcher()
    a_round(region, source, acknowledged=False)
    assert region.position == START - SETTINGS.look_back
    a_round(region, source)
    assert region.position > START
    assert a_round(region, source) == []


def test_a_position_that_was_deleted_is_written_again(region: Region) -> None:
    """Where the watcher knows to be; not at the beginning of time, whatever is not acknowledged."""
    region.history = Timeless(region.watch)
    region.happen(5)
    source = region.watcher()
    a_round(region, source, acknowledged=False)
    region.vault.delete(f"watch/positions/{NAME}.json")
    a_round(region, source, acknowledged=False)
    assert region.position == START - SETTINGS.look_back


def test_an_answer_that_is_no_json_is_told_of(region: Region) -> None:
    """It is handed out with its fault, and nothing waits for it."""

    class Garbled(History):
        def lookup_events(self, **request: Any) -> dict[str, Any]:
            answer = super().lookup_events(**request)
            return {"Events": [{**event, "CloudTrailEvent": "{"} for event in answer["Events"]]}

    region.history = Garbled(region.watch)
    region.happen(5)
    (delivery,) = a_round(region, region.watcher(), acknowledged=False)
    assert "not a file of events" in delivery.fault
    assert region.position == START


def test_what_is_still_worked_on_holds_the_position(region: Region) -> None:
    """The workers may be behind by a round: nothing is handed out twice, and the position waits for them."""
    source = region.watcher()
    region.happen(5, 8)
    slow, fast = source.receive()
    source.acknowledge(fast)
    assert source.receive() == []
    assert region.position == START.replace(minute=5)
    region.watch.now += SETTINGS.poll
    assert a_round(region, source) == []
    assert region.position == START.replace(minute=5)
    source.acknowledge(slow)
    assert a_round(region, source) == []
    assert region.position > START


def test_acknowledged_by_many_threads_while_rounds_go_on(region: Region) -> None:
    """Nothing is lost and nothing comes twice, whoever acknowledges when."""
    source = region.watcher()
    seen: list[str] = []
    with ThreadPoolExecutor(8) as workers:
        for number in range(20):
            time = {"eventTime": region.watch.now.isoformat()}
            region.history.records += [
                {**deletion(1), **time, "eventID": f"{number}-{one}"} for one in range(100)
            ]
            while more := source.receive():
                seen += [delivery.id for delivery in more]
                for delivery in more:
                    workers.submit(source.acknowledge, delivery)
            region.watch.now += SETTINGS.poll
    assert len(seen) == len(set(seen)) == 2000
    a_round(region, source)
    assert region.position > START + 19 * SETTINGS.poll


@pytest.mark.parametrize("acknowledged", [False, True])
def test_killed_in_a_round_and_started_again(region: Region, *, acknowledged: bool) -> None:
    """Before the position is stored everything is found again, acknowledged or not: at worst it comes twice."""
    region.happen(3, 5)
    dying = region.watcher()
    got = dying.receive()
    if acknowledged:
        assert dying.acknowledge_all(got) == []
    region.watch.now += timedelta(hours=5)
    assert minutes(a_round(region, region.watcher())) == [3, 5]


def test_killed_after_a_round_and_started_again(region: Region) -> None:
    """What was acknowledged is in the position, and is passed over; what happened meanwhile is found."""
    region.happen(5)
    a_round(region, region.watcher())
    region.happen(7)
    region.watch.now = START + timedelta(hours=5)
    region.happen(11)
    assert minutes(a_round(region, region.watcher())) == [7, 11]
    assert region.windows()[-1] == (START - SETTINGS.overlap, START + timedelta(hours=5))


def test_two_watchers_side_by_side(region: Region) -> None:
    """One passes over what the other acknowledged, and neither moves the position back."""
    first, second = region.watcher(), region.watcher()
    region.happen(3, 5)
    assert minutes(a_round(region, first)) == [3, 5]
    ahead = region.position
    assert a_round(region, second) == []
    assert region.position > ahead
    region.happen(12)
    slow = second.receive()
    assert minutes(list(slow)) == [12]
    assert minutes(a_round(region, first)) == [12]
    fast = region.position
    for delivery in slow:
        second.release(delivery)
    a_round(region, second, acknowledged=False)
    assert region.position == fast


def test_what_another_process_left_undone_is_found(region: Region) -> None:
    """The one that could not store it holds the position only in its memory; the other one finds the event itself."""
    failing, working = region.watcher(), region.watcher()
    region.happen(5)
    a_round(region, failing, acknowledged=False)
    assert minutes(a_round(region, working)) == [5]
    assert region.position > START


def test_a_vault_out_of_reach_loses_nothing(region: Region, endpoint: EmbeddedEndpoint) -> None:
    """Its error comes out; with the vault back the round is looked at again, and nothing was forgotten."""
    faults = Faults(endpoint.aws())
    region.vault = FaultyVault(MemoryVault(), faults)
    source = region.watcher()
    region.happen(5)
    faults.fail("vault.get", nth=1)
    with pytest.raises(UnavailableError):
        source.receive()
    region.watch.now += SETTINGS.poll
    faults.fail("vault.replace", nth=1)
    got = source.receive()
    assert minutes(list(got)) == [5]
    source.acknowledge_all(got)
    with pytest.raises(UnavailableError):
        source.receive()
    region.watch.now += SETTINGS.poll
    assert a_round(region, source) == []
    assert region.position > START


def test_a_failing_history_loses_nothing(region: Region) -> None:
    """A round that broke off does not pass for one that is through: the position stays where it was."""
    source = region.watcher()
    a_round(region, source)
    before = region.position
    region.happen(9)
    region.history.code = "AccessDeniedException"
    with pytest.raises(AccessDeniedError):
        source.receive()
    region.history.code, region.history.throttle = "", 0
    assert region.position == before
    region.watch.now += SETTINGS.poll
    assert minutes(a_round(region, source)) == [9]


def test_a_round_that_is_interrupted_is_begun_again(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of it: the rest of the round is not skipped."""
    source = region.watcher()
    region.happen(5)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(source, "_sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.receive()
    region.watch.now += SETTINGS.poll
    assert minutes(a_round(region, source)) == [5]


def test_between_two_rounds_it_waits_a_little_at_a_time(region: Region) -> None:
    """The loop has other things to do; and CloudTrail is not asked before the next round is due."""
    source = region.watcher()
    assert source.receive() == []
    asked, begun = len(region.history.asked), START
    assert asked == len(LOOKED_UP)
    region.watch.slept.clear()
    while len(region.history.asked) == asked:
        assert source.receive() == []
        assert region.watch.now <= begun + 2 * SETTINGS.poll
    waits = region.watch.slept
    assert max(waits) <= LONGEST_WAIT_SECONDS
    assert region.history.asked[asked][0] == begun + SETTINGS.poll


def test_longer_than_the_history_goes_back_is_told(region: Region, caplog: pytest.LogCaptureFixture) -> None:
    """A watcher that was away for 100 days looks up 90 of them, and says which are out of reach."""
    region.positions.advance(NAME, START)
    region.watch.now = START + timedelta(days=100)
    a_round(region, region.watcher())
    ((start, end),) = region.windows()
    assert timedelta(days=89) < end - start < timedelta(days=90)
    assert f"events from {START} to {start} are out of reach" in caplog.text
