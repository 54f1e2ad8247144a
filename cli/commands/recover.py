"""``safetynet recover INCIDENT|TABLE``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.composition import build
from cli.options import Config, DryRun, Json, Profile, Region, Yes
from cli.progress_bars import ProgressBars
from cli.recovering import RecoverOptions, confirm, execute, prepare
from cli.rendering import plan_lines, print_json, report_lines, require_terminal, stderr, stdout
from recovery.errors import TableExistsError
from rules.errors import PartialError

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: safetynet recover 20261123T031200Z-shop-prod-orders-1a2b3c4d")
def recover(
    target: Annotated[
        str, typer.Argument(metavar="INCIDENT|TABLE", help="An incident's id, or a table's name.")
    ],
    *,
    backup: Annotated[str, typer.Option("--backup", help="Backup id; the latest if left out.")] = "",
    as_name: Annotated[str, typer.Option("--as", help="Bring it back under another name.")] = "",
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="Allow another account or region than the backup's.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Bring a lost table back from its backup: plan, confirm, create, load, verify, settle.

    Running it again continues an interrupted recovery. An existing table is never written to.
    """
    net = build(config, profile, region)
    prepared = prepare(net, target, RecoverOptions(backup, as_name, elsewhere))
    plan = prepared.plan
    if dry_run and as_json:
        print_json(plan.model_dump(mode="json"))
        return
    people = stderr() if as_json else stdout()
    people.print(plan_lines(plan))
    if dry_run:
        return
    if plan.target_exists and net.recovery(ProgressBars(stderr())).unfinished(plan) is None:
        raise TableExistsError(
            f"table {plan.target.name} exists in {plan.target.account}/{plan.target.region}"
        )
    if not yes:
        require_terminal()
        confirm(plan, lambda question: stderr().input(question))
    with ProgressBars(stderr()) as progress:
        report = execute(net, prepared, progress)
    if as_json:
        print_json(asdict(report) | {"seconds": report.seconds})
    else:
        people.print(report_lines(report))
    if report.follow_ups or report.differences:
        raise PartialError(
            f"table {report.table} is back and its items are verified, but not every setting is",
            hint="Run the commands above." if report.follow_ups else None,
        )
