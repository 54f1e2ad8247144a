"""The pace of reading: what a live table can spare, and not a unit a second more."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.backups.engine_scan import ScanOptions, TableScan
from recovery.backups.read_pace import LONGEST_WAIT_SECONDS, ReadPace
from recovery.definitions.definition import TableDefinition, capture_definition
from tests.recovery.recovering import START, FakeSleep, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import FakeClock, Process


@dataclass
class Time:
    """A clock that a sleep moves on."""

    now: datetime = START
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        """See Clock."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """See Sleep; like a real one it never takes no time at all."""
        self.slept.append(seconds)
        self.go_by(max(seconds, 1e-6))

    def go_by(self, seconds: float) -> None:
        """Time that something else took."""
        self.now += timedelta(seconds=seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self.now - START).total_seconds()


def pace_of(max_units: float | None) -> tuple[ReadPace, Time]:
    """A pace in a time of its own."""
    time = Time()
    return ReadPace(time, time.sleep, max_units), time


def rate_of(pace: ReadPace) -> float:
    """The rate of a pace that has one."""
    assert pace.rate is not None
    return pace.rate


PAGES = st.lists(
    st.tuples(st.floats(0, 200), st.floats(0, 3), st.booleans()),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(PAGES, st.sampled_from([0.3, 1, 7.5, 100, 4000]))
def test_never_more_than_the_limit(pages: list[tuple[float, float, bool]], max_units: float) -> None:
    """Before each page what was read so far is no more than the limit times the seconds since the start.

    Whatever pages cost, however long they take, and whichever of them are throttled.
    """
    pace, time = pace_of(max_units)
    total = 0.0
    for units, seconds, throttled in pages:
        pace.wait()
        assert total <= max_units * (time.elapsed * (1 + 1e-6) + 1e-5) + 1e-6
        assert rate_of(pace) <= max_units
        time.go_by(seconds)
        pace.read(units, throttled=throttled)
        total += units


def test_a_page_is_paid_for_by_waiting() -> None:
    """128 units at 64 a second: nobody reads for two seconds."""
    pace, time = pace_of(64)
    pace.wait()
    assert time.slept == []
    pace.read(128, throttled=False)
    pace.wait()
    assert sum(time.slept) == pytest.approx(2)
    pace.wait()
    assert sum(time.slept) == pytest.approx(2)


def test_time_that_passed_pays_too() -> None:
    """What the reading itself took is not waited for once more, and a pause is no credit for later."""
    pace, time = pace_of(64)
    pace.read(128, throttled=False)
    time.go_by(1.5)
    pace.wait()
    assert sum(time.slept) == pytest.approx(0.5)
    time.go_by(3600)
    pace.read(64, throttled=False)
    pace.wait()
    assert sum(time.slept) == pytest.approx(1.5)


def test_segments_share_one_pace() -> None:
    """Four pages at once are four pages' debt, whoever waits for it."""
    pace, time = pace_of(10)
    for _ in range(4):
        pace.read(20, throttled=False)
    pace.wait()
    assert time.elapsed == pytest.approx(8)


def test_threads_share_one_pace() -> None:
    """Not a unit is lost when several segments note what they read at the same time."""
    pace, time = pace_of(10)

    def segment() -> None:
        for _ in range(500):
            pace.read(1, throttled=False)

    threads = [threading.Thread(target=segment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pace.wait()
    assert time.elapsed == pytest.approx(200)


def test_a_long_wait_comes_in_pieces() -> None:
    """No sleep is longer than a few seconds, so that an interruption or a lost lease is noticed."""
    pace, time = pace_of(1)
    pace.read(128, throttled=False)
    pace.wait()
    assert sum(time.slept) == pytest.approx(128)
    assert max(time.slept) <= LONGEST_WAIT_SECONDS


def test_without_a_limit_nobody_waits() -> None:
    """As fast as it goes, and pages of any size."""
    pace, time = pace_of(None)
    for _ in range(100):
        pace.wait()
        pace.read(1_000_000, throttled=False)
    assert (pace.rate, time.slept) == (None, [])
    assert pace.page_items(400) is None


@pytest.mark.parametrize(
    ("rate", "item_bytes", "items"),
    [(10, 4096, 10), (10, 400, 102), (2, 4096, 2), (10, 400_000, 1), (0.3, 4096, 1), (100, 0, None)],
)
def test_a_page_is_no_more_than_a_second_of_a_low_rate(
    rate: float, item_bytes: float, items: int | None
) -> None:
    """As many items as a second's units hold, one at least; unknown where nobody knows how large they are."""
    pace, _ = pace_of(rate)
    assert pace.page_items(item_bytes) == items


def throttle(pace: ReadPace, time: Time, times: int = 1) -> None:
    """So many throttled pages, a second apart."""
    for _ in range(times):
        time.go_by(1)
        pace.read(0, throttled=True)


def test_throttling_slows_down() -> None:
    """A step for a second in which DynamoDB throttled, however many segments heard of it; pages shrink with it."""
    pace, time = pace_of(100)
    before = pace.page_items(4096)
    throttle(pace, time)
    assert rate_of(pace) == pytest.approx(70)
    for _ in range(5):
        time.go_by(0.1)
        pace.read(0, throttled=True)
    assert rate_of(pace) == pytest.approx(70)
    throttle(pace, time)
    assert rate_of(pace) == pytest.approx(49)
    after = pace.page_items(4096)
    assert before is not None
    assert after is not None
    assert after < before


def test_throttling_at_the_very_start_slows_down() -> None:
    """The first page counts like any other."""
    pace, _ = pace_of(100)
    pace.read(5, throttled=True)
    assert rate_of(pace) == pytest.approx(70)


def test_throttling_without_end_never_stops_it() -> None:
    """A unit a second is always left, so that the scan goes on."""
    pace, time = pace_of(100)
    throttle(pace, time, 100)
    assert rate_of(pace) == 1


@pytest.mark.parametrize("limit", [0.3, 1.2])
def test_throttling_never_speeds_up(limit: float) -> None:
    """A limit of less than a unit a second (ten per cent of three) stays one when DynamoDB throttles."""
    pace, time = pace_of(limit)
    throttle(pace, time, 5)
    assert rate_of(pace) <= limit


def test_without_a_limit_throttling_finds_one() -> None:
    """From then on it is a part of what was really read a second."""
    pace, time = pace_of(None)
    for _ in range(30):
        time.go_by(0.1)
        pace.read(50, throttled=False)
    time.go_by(0.1)
    pace.read(50, throttled=True)
    assert rate_of(pace) == pytest.approx(0.7 * 500, rel=0.1)
    pace.read(1000, throttled=False)
    pace.wait()
    assert time.slept


def test_it_recovers_up_to_the_limit() -> None:
    """Faster again, a little a second, and never beyond what was asked for."""
    pace, time = pace_of(100)
    throttle(pace, time, 3)
    rates = [rate_of(pace)]
    for _ in range(100):
        time.go_by(1)
        pace.read(0, throttled=False)
        rates.append(rate_of(pace))
    assert rates == sorted(rates)
    assert all(later <= 1.051 * earlier for earlier, later in pairwise(rates))
    assert rates[-1] == 100
    time.go_by(1)
    pace.read(0, throttled=True)
    assert rate_of(pace) == pytest.approx(70)


def test_it_does_not_recover_within_the_second() -> None:
    """Pages that came through right after a throttled one say nothing yet."""
    pace, time = pace_of(100)
    throttle(pace, time)
    for _ in range(50):
        time.go_by(0.01)
        pace.read(0, throttled=False)
    assert rate_of(pace) == pytest.approx(70)


@pytest.fixture
def definition(net: Process, plain: DynamoDBClient, table: str) -> TableDefinition:
    """Of a table of 40 read units."""
    throughput = {"ReadCapacityUnits": 40, "WriteCapacityUnits": 5}
    make_table(plain, table, BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
    return capture_definition(net.aws, table, net.clock.now, surroundings=False)


ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
LIMITED = {**ON_DEMAND, "OnDemandThroughput": {"MaxReadRequestUnits": 200}}
ONLY_WRITES = {**ON_DEMAND, "OnDemandThroughput": {"MaxWriteRequestUnits": 200}}


@pytest.mark.parametrize(
    ("options", "provisioned", "on_demand", "limited"),
    [
        (ScanOptions(), None, None, None),
        (ScanOptions(max_units=15), 15, 15, 15),
        (ScanOptions(read_percent=25), 10, None, 50),
        (ScanOptions(read_percent=100), 40, None, 200),
        (ScanOptions(max_units=15, read_percent=25), 10, 15, 15),
        (ScanOptions(max_units=15, read_percent=50), 15, 15, 15),
        (ScanOptions(max_units=60, read_percent=25), 10, 60, 50),
        (ScanOptions(read_percent=0.5), 0.2, None, 1),
    ],
    ids=lambda value: f"{value.max_units}-{value.read_percent}%" if isinstance(value, ScanOptions) else None,
)
def test_the_lower_limit_counts(
    definition: TableDefinition,
    options: ScanOptions,
    provisioned: float | None,
    on_demand: float | None,
    limited: float | None,
) -> None:
    """So many units, a part of what is provisioned or of the maximum on demand; none of these is no limit."""
    assert options.limit_for(definition) == provisioned
    for request, limit in ((ON_DEMAND, on_demand), (LIMITED, limited), (ONLY_WRITES, on_demand)):
        assert options.limit_for(definition.model_copy(update={"create_table": request})) == limit


def test_a_scan_keeps_the_pace(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Pages as small as a second of the rate, and a wait behind each that cost more than was there; all items come."""
    make_table(plain, table, some_items(9))

    def costly(answer: dict[str, Any]) -> None:
        answer["ConsumedCapacity"] = {"TableName": table, "CapacityUnits": 4.0}

    net.faults.change_answer("Scan", costly, times=100)
    time = Time()
    pace = ReadPace(time, time.sleep, 2)
    scan = TableScan(net.tables, table, time.sleep, pace, item_bytes=4096)
    pages = [page.items for page in scan.pages((0, 1), threading.Event())]
    assert sum(map(len, pages)) == 9
    assert max(map(len, pages)) == 2
    # The last page is not waited for.
    assert time.elapsed == pytest.approx(2 * (len(pages) - 1), rel=1e-3)


def test_a_page_that_came_after_much_patience_slows_down(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Throttled for longer than botocore tries is throttled all the more, though the last try came through at once."""
    make_table(plain, table, some_items(6))
    net.faults.page_items = 2
    net.faults.fail("Scan", nth=2)
    time = Time()
    pace = ReadPace(time, time.sleep, 100)
    scan = TableScan(net.tables, table, time.sleep, pace)
    rates = [rate_of(pace) for _ in scan.pages((0, 1), threading.Event())]
    assert rates[:2] == [100, pytest.approx(70)]


def test_a_backup_keeps_the_pace(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The limit of the options reaches the scan: so many pages cost so many seconds."""
    make_table(plain, table, some_items(6))
    net.faults.page_items = 2

    def costly(answer: dict[str, Any]) -> None:
        answer["ConsumedCapacity"] = {"TableName": table, "CapacityUnits": 6.0}

    net.faults.change_answer("Scan", costly, times=100)
    net.sleep = Ticking(net.clock)
    before = net.clock.now
    backup = net.backups(ScanOptions(max_units=3)).back_up(table).manifest
    assert backup.item_count == 6
    pages = net.faults.calls.count("Scan")
    assert backup.consumed_read_units == 6 * pages
    assert (net.clock.now - before).total_seconds() == pytest.approx(2 * (pages - 1), rel=1e-3)


class Ticking(FakeSleep):
    """A sleep that moves a clock on."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def __call__(self, seconds: float) -> None:
        """See Sleep."""
        super().__call__(seconds)
        self._clock.advance(max(seconds, 1e-6))
