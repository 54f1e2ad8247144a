"""``safetynet stage run``."""

from __future__ import annotations

import typer

from cli.composition import Net, build
from cli.options import Config, DryRun, Json, Profile, Region, Yes
from cli.progress_bars import ProgressBars
from cli.recovery_lines import plan_lines, report_lines
from cli.rendering import print_json, require_terminal, stderr, stdout
from recovery.staging import StagingPlan, apply_staging, plan_staging
from rules.errors import CancelledError, UsageError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def stage() -> None:
    """Make testing tables anew from production backups."""


@app.command(epilog="Example: safetynet stage run --dry-run")
def run(
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Delete the testing tables that are mapped, and make them anew from the latest backups.

    Before the first deletion the account, region, names and each table's marker tag are checked, and an
    intent is declared, so that the watcher knows.
    """
    net = build(config, profile, region)
    plan = staging_plan(net)
    if dry_run and as_json:
        print_json(plan.document())
        return
    people = stderr() if as_json else stdout()
    for one in plan.recoveries:
        people.print(plan_lines(one, replaces=True))
        people.print()
    if dry_run:
        return
    if not yes:
        require_terminal()
        if stderr().input("Type refresh to delete and refill these testing tables: ").strip() != "refresh":
            raise CancelledError("not confirmed; nothing was changed")
    with ProgressBars(stderr()) as progress:
        reports = apply_staging(net.aws, net.recovery(progress), net.intents, plan, net.aws.caller, net.sleep)
    if as_json:
        print_json([{"table": report.table, "items_verified": report.items_verified} for report in reports])
        return
    for report in reports:
        people.print(report_lines(report))


def staging_plan(net: Net) -> StagingPlan:
    """The plan for the configured staging. Raises UsageError where none is configured."""
    if net.settings.staging is None:
        raise UsageError(
            "no staging is configured", hint="Add `staging:` to safetynet.yaml; see docs/recovery.md."
        )
    return plan_staging(net.aws, net.catalog, net.settings.staging)
