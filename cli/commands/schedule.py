"""``safetynet schedule run|list``."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import typer

from cli.backing_up import Failure, TableWish, back_up, tables_wanted
from cli.commands.stage import staging_plan
from cli.composition import BackupWish, Net, build
from cli.logs import set_up_logs
from cli.options import Config, Json, LogJson, Profile, Region
from cli.rendering import print_json, stdout
from recovery.clock import utc_now
from recovery.progress import NoProgress
from recovery.schedules import ScheduledJob, build_scheduler
from recovery.staging import apply_staging
from rules.errors import SafetyNetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.backups.backup import BackupReport

log = logging.getLogger(__name__)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def schedule() -> None:
    """Run backups and staging by cron."""


@app.command(epilog="Example: safetynet schedule run --log-json")
def run(
    *, log_json: LogJson = False, config: Config = None, profile: Profile = "", region: Region = ""
) -> None:
    """Run the configured jobs when they are due, until told to stop. A run that was missed runs late, once.

    On Ctrl-C or SIGTERM the job at hand ends first; a second one stops at once.
    """
    set_up_logs(as_json=log_json)
    jobs = scheduled_jobs(build(config, profile, region))
    scheduler = build_scheduler(jobs)
    for job in jobs:
        log.info("%s: next run %s", job.name, job.next_run(utc_now()).isoformat())

    def stop(*_: object) -> None:
        log.info(
            "stopping when the job at hand has ended; once more stops now, and the next run continues it"
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        scheduler.shutdown(wait=True)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    scheduler.start()


@app.command("list", epilog="Example: safetynet schedule list")
def list_jobs(
    *, as_json: Json = False, config: Config = None, profile: Profile = "", region: Region = ""
) -> None:
    """Show the configured jobs and when each runs next."""
    rows = [
        {
            "job": job.name,
            "cron": job.cron,
            "timezone": job.timezone,
            "next": job.next_run(utc_now()).isoformat(),
        }
        for job in scheduled_jobs(build(config, profile, region))
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        stdout().print(f"{row['job']:8} {row['cron']} ({row['timezone']}), next {row['next']}", markup=False)


def scheduled_jobs(net: Net) -> list[ScheduledJob]:
    """The jobs of the settings. Raises UsageError where there are none."""
    settings = net.settings.schedule
    found = [
        ScheduledJob(name, cron, settings.timezone, _logged(name, work))
        for name, cron, work in (
            ("backup", settings.backup, lambda: _backup(net)),
            ("staging", settings.staging, lambda: _staging(net)),
        )
        if cron is not None
    ]
    if not found:
        raise UsageError(
            "nothing is scheduled", hint="Set schedule.backup or schedule.staging in safetynet.yaml."
        )
    return found


def _logged(name: str, work: Callable[[], str]) -> Callable[[], None]:
    """A night that fails is an error in the log, and the next night runs all the same."""

    def run_job() -> None:
        log.info("%s: started", name)
        try:
            log.info("%s: %s", name, work())
        except SafetyNetError as error:
            log.error("%s failed: %s %s", name, error, error.hint)  # noqa: TRY400 - no traceback for people

    return run_job


def _backup(net: Net) -> str:
    names = tables_wanted(net, TableWish(patterns=net.settings.backup.tables))
    report = back_up(net, names, NoProgress(), BackupWish(), _tell)
    report.raise_failed()
    items = sum(one.manifest.item_count for one in report.done)
    return f"{len(report.done)} tables backed up, {items:,} items"


def _tell(outcome: BackupReport | Failure) -> None:
    """What is said at once: a warning about a table is worth a line of its own."""
    if isinstance(outcome, Failure):
        return
    table = outcome.manifest.table.name
    for warning in (*outcome.warnings, *(finding.message for finding in outcome.manifest.findings)):
        log.warning("%s: %s", table, warning)


def _staging(net: Net) -> str:
    plan = staging_plan(net)
    reports = apply_staging(net.aws, net.recovery(NoProgress()), net.intents, plan, net.aws.caller, net.sleep)
    return f"{len(reports)} testing tables refreshed and verified"
