"""Schedules: cron expressions with a time zone, run by APScheduler.

cronsim reads the expressions, as Debian's cron does (0 is Sunday, daylight saving is handled the way cron
does it); APScheduler waits, runs and catches up. A run that was missed while the process was busy runs once,
late, not never and not twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger
from cronsim import CronSim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job by name, when it runs, and what it does. ``work`` handles its own errors."""

    name: str
    cron: str
    timezone: str
    work: Callable[[], None]

    def next_run(self, after: datetime) -> datetime:
        """The first time after ``after`` (aware), in the job's time zone."""
        return next(CronSim(self.cron, after.astimezone(ZoneInfo(self.timezone))))


class CronTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """APScheduler's port for 'when', on cronsim."""

    def __init__(self, job: ScheduledJob) -> None:
        self._job = job

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next time after the previous run, or after now for the first one."""
        return self._job.next_run(previous_fire_time or now)


def build_scheduler(jobs: Sequence[ScheduledJob], scheduler: Any = None) -> Any:
    """An APScheduler with all jobs, one at a time. ``start()`` blocks until ``shutdown()``."""
    made = scheduler or BlockingScheduler(executors={"default": ThreadPoolExecutor(1)})
    for job in jobs:
        made.add_job(
            job.work,
            CronTrigger(job),
            id=job.name,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )
    return made
