"""Schedules: cron with a time zone, daylight saving, and runs that were missed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from pydantic import ValidationError

from recovery.schedule_settings import ScheduleSettings
from recovery.schedules import CronTrigger, ScheduledJob, build_scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BERLIN = "Europe/Berlin"


def nothing() -> None:
    """A job's work."""


def runs(cron: str, zone: str, after: datetime, count: int) -> list[str]:
    """The next times of a job, in UTC."""
    job, found = ScheduledJob("backup", cron, zone, nothing), []
    for _ in range(count):
        after = job.next_run(after)
        found.append(after.astimezone(UTC).strftime("%m-%d %H:%M"))
    return found


def test_a_nightly_job_is_in_its_time_zone() -> None:
    """Two in the morning in Berlin is one o'clock UTC in winter, midnight UTC in summer."""
    assert runs("0 2 * * *", BERLIN, datetime(2026, 1, 15, tzinfo=UTC), 1) == ["01-15 01:00"]
    assert runs("0 2 * * *", BERLIN, datetime(2026, 7, 15, tzinfo=UTC), 2) == ["07-16 00:00", "07-17 00:00"]


def test_a_time_that_spring_skips_runs_once_that_day() -> None:
    """On 29 March 2026 there is no 02:30 in Berlin: the backup runs right after the gap, not never."""
    found = runs("30 2 * * *", BERLIN, datetime(2026, 3, 27, 12, tzinfo=UTC), 3)
    assert found == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]


def test_a_time_that_autumn_repeats_runs_once_that_day() -> None:
    """On 25 October 2026 there are two 02:30 in Berlin: the backup runs at one of them."""
    found = runs("30 2 * * *", BERLIN, datetime(2026, 10, 24, 12, tzinfo=UTC), 2)
    assert found == ["10-25 00:30", "10-26 01:30"]


def test_an_hourly_job_runs_each_real_hour() -> None:
    """Through both changes an hourly job runs every sixty minutes."""
    for start in (datetime(2026, 3, 28, 23, 30, tzinfo=UTC), datetime(2026, 10, 24, 22, 30, tzinfo=UTC)):
        expected = [(start + timedelta(minutes=30 + 60 * n)).strftime("%m-%d %H:%M") for n in range(5)]
        assert runs("0 * * * *", BERLIN, start, 5) == expected


@pytest.mark.parametrize("sunday", ["0", "7", "SUN"])
def test_zero_is_sunday(sunday: str) -> None:
    """As in cron: 0 and 7 are Sunday (APScheduler by itself would say Monday)."""
    first = ScheduledJob("backup", f"0 2 * * {sunday}", "UTC", nothing).next_run(
        datetime(2026, 11, 23, tzinfo=UTC)
    )
    assert first == datetime(2026, 11, 29, 2, tzinfo=UTC)
    assert first.strftime("%A") == "Sunday"


@pytest.mark.parametrize(
    "cron", ["", "daily", "* * *", "60 2 * * *", "0 24 * * *", "0 2 31 2 *", "0 2 * * MOO"]
)
def test_what_is_no_cron_expression_is_refused(cron: str) -> None:
    """A misspelled or impossible schedule is refused when the settings are read, not at night."""
    with pytest.raises(ValidationError, match="not a cron expression"):
        ScheduleSettings(backup=cron)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "Europe", "../etc/passwd", "/etc/localtime"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    """A time zone that does not exist is refused when the settings are read."""
    with pytest.raises(ValidationError, match="not an IANA time zone"):
        ScheduleSettings(timezone=zone)


def test_nothing_is_scheduled_by_default() -> None:
    """No schedule without being asked for one; what is asked for is kept."""
    assert ScheduleSettings() == ScheduleSettings(timezone="UTC", backup=None, staging=None)
    assert ScheduleSettings(backup="0 2 * * *").backup == "0 2 * * *"


@pytest.fixture
def scheduler() -> Iterator[BackgroundScheduler]:
    """A scheduler in the background with one worker, as the command has it in the foreground."""
    made = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)})
    yield made
    if made.running:
        made.shutdown()


class _Work:
    """Counts its runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.ran = threading.Event()

    def __call__(self) -> None:
        self.runs += 1
        self.ran.set()


def start_with_next_run(scheduler: BackgroundScheduler, work: Callable[[], None], due: datetime) -> None:
    """Start with an hourly job whose next run is already set."""
    build_scheduler([ScheduledJob("backup", "0 * * * *", "UTC", work)], scheduler)
    scheduler.start(paused=True)
    scheduler.get_job("backup").modify(next_run_time=due)
    scheduler.resume()


def test_a_job_that_is_due_runs(scheduler: BackgroundScheduler) -> None:
    """What build_scheduler makes really runs the work, and plans the next time by cron."""
    work = _Work()
    start_with_next_run(scheduler, work, datetime.now(UTC))
    assert work.ran.wait(5)
    following = scheduler.get_job("backup").next_run_time
    assert following.minute == 0
    assert timedelta() < following - datetime.now(UTC) <= timedelta(hours=1)


def test_many_missed_runs_run_once(scheduler: BackgroundScheduler) -> None:
    """After two days of sleep the hourly job runs late and once: not never, and not 48 times."""
    work, after = _Work(), _Work()
    start_with_next_run(scheduler, work, datetime.now(UTC) - timedelta(days=2))
    assert work.ran.wait(5)
    # Jobs run one after the other: once this one is through, the others had their turn.
    scheduler.add_job(after)
    assert after.ran.wait(5)
    assert work.runs == 1


def test_the_trigger_never_returns_a_time_that_has_been() -> None:
    """The run after a run is later than it, so that a job cannot spin."""
    trigger = CronTrigger(ScheduledJob("backup", "* * * * *", BERLIN, nothing))
    now = datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC)
    first = trigger.get_next_fire_time(None, now)
    assert now < first
    assert first < trigger.get_next_fire_time(first, now)


def test_the_commands_scheduler_runs_one_job_at_a_time() -> None:
    """By default it blocks, which is what the command wants, and holds every job by its name."""
    made = build_scheduler(
        [ScheduledJob(name, "0 2 * * *", "UTC", nothing) for name in ("backup", "staging")]
    )
    assert isinstance(made, BlockingScheduler)
    assert [job.id for job in made.get_jobs()] == ["backup", "staging"]
