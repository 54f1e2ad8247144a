"""``safetynet backup run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.backing_up import Failure, TableWish, back_up, parse_tag, tables_wanted
from cli.composition import BackupWish, build
from cli.json_progress import JsonLines, backup_event
from cli.options import Config, DryRun, Json, Profile, Region
from recovery.backups.engine import EngineName
from rules.errors import UsageError

if TYPE_CHECKING:
    from cli.backing_up import RunReport
    from cli.composition import Net
    from recovery.backups.backup import BackupReport

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: safetynet backup run 'shop-prod-*' --read-percent 25")
def run(
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TABLE|PATTERN]...", help="Names or shell patterns; backup.tables if left out."
        ),
    ] = None,
    *,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="KEY=VALUE", help="Only tables with this tag; repeat for more."),
    ] = None,
    stacks: Annotated[
        list[str] | None,
        typer.Option("--stack", metavar="NAME", help="The tables of a CloudFormation stack."),
    ] = None,
    all_tables: Annotated[bool, typer.Option("--all", help="Every table of the account and region.")] = False,
    engine: Annotated[
        EngineName | None,
        typer.Option("--engine", help="How; auto takes an export where point-in-time recovery is on."),
    ] = None,
    incremental: Annotated[
        bool,
        typer.Option("--incremental", help="Export only what changed since the last export, if that can be."),
    ] = False,
    parallel: Annotated[
        int | None, typer.Option("--parallel", min=1, max=32, help="So many tables side by side.")
    ] = None,
    segments: Annotated[
        int | None, typer.Option("--segments", min=1, help="Scan each table in so many segments.")
    ] = None,
    read_percent: Annotated[
        float | None,
        typer.Option("--read-percent", min=0.1, max=100, help="Use so much of a table's read capacity."),
    ] = None,
    max_rcu: Annotated[
        float | None,
        typer.Option("--max-rcu", min=0.5, help="Use at most so many read units a second for each table."),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Back tables up. One that fails does not stop the others: exit 3 and a summary.

    Running it again goes on with what was interrupted. With --json a line for each event: started, progress, done,
    failed, summary.
    """
    net = build(config, profile, region)
    wish = TableWish(
        patterns=tuple(tables or ()),
        stacks=tuple(stacks or ()),
        tags=tuple(parse_tag(tag) for tag in tags or ()),
        every=all_tables,
    )
    if wish == TableWish():
        wish = TableWish(patterns=net.settings.backup.tables)
    if wish == TableWish():
        raise UsageError("no tables are named", hint="Name tables, set backup.tables, or pass --all.")
    how = BackupWish(engine, incremental, parallel, segments, read_percent, max_rcu)
    names = tables_wanted(net, wish)
    if dry_run:
        from cli.rendering import print_json, stdout

        if as_json:
            print_json({"tables": names})
        else:
            stdout().print(f"would back up {len(names)} tables: {', '.join(names)}", markup=False)
        return
    run_it = _with_json_lines if as_json else _with_bars
    report = run_it(net, names, how, wish.stacks)
    report.raise_failed()


def _with_json_lines(net: Net, names: list[str], how: BackupWish, named_stacks: tuple[str, ...]) -> RunReport:
    lines = JsonLines(net.clock)
    report = back_up(net, names, lines, how, lambda outcome: lines.say(backup_event(outcome)), named_stacks)
    lines.say(
        {
            "event": "summary",
            "done": len(report.done),
            "failed": len(report.failed),
            "items": sum(one.manifest.item_count for one in report.done),
            "bytes": sum(one.manifest.data_bytes for one in report.done),
            "stacks": report.stacks,
        }
    )
    return report


def _with_bars(net: Net, names: list[str], how: BackupWish, named_stacks: tuple[str, ...]) -> RunReport:
    # Machines do without, and start earlier.
    from rich.text import Text

    from cli.backup_lines import finished_line, summary_lines
    from cli.progress_bars import ProgressBars
    from cli.rendering import stderr, stdout

    people = stderr()
    with ProgressBars(people) as progress:

        def told(outcome: BackupReport | Failure) -> None:
            if not isinstance(outcome, Failure):
                for warning in outcome.warnings:
                    people.print(Text(f"{outcome.manifest.table.name}: {warning}", style="yellow"))

        report = back_up(net, names, progress, how, told, named_stacks)
    out = stdout()
    for one in report.done:
        out.print(finished_line(one), soft_wrap=True)
    for line in summary_lines(report):
        out.print(line, soft_wrap=True)
    return report
