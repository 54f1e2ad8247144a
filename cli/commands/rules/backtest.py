"""``safetynet rules backtest``."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.backtest_bar import ReplayBar
from cli.backtest_documents import comparison_document, report_document
from cli.backtest_lines import comparison_lines, report_lines
from cli.backtesting import ReplayOptions, replay
from cli.composition import archives_of, net_parts_of
from cli.options import Config, Json, Profile, Region
from cli.rendering import Trimmed, print_json, stderr, stdout
from cli.settings import load_settings
from rules.backtest import days
from rules.backtest_report import Comparison, reports, scope_of
from rules.errors import PartialError, UsageError
from rules.rulefile import DEFAULT_PACK_NAME, load_rules
from watcher.archives.archive_s3 import TrailFilter
from watcher.archives.athena_query import AthenaTable, athena_table

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

Archives = Annotated[
    list[str],
    typer.Argument(
        metavar="ARCHIVE",
        help="Files or folders of CloudTrail JSON, s3://BUCKET/PREFIX of a trail, or lookup: for the last 90 days.",
    ),
]
RulePaths = Annotated[
    list[Path] | None,
    typer.Option("--rules", help="Rule files or folders; those of the settings if left out. Repeatable."),
]
NoDefaultRules = Annotated[bool, typer.Option("--no-default-rules", help="Leave the default pack out.")]
First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, UTC.", show_default=False)
]
Last = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, UTC.", show_default=False)
]
Other = Annotated[
    list[Path] | None,
    typer.Option(
        "--diff",
        help="Another rule set, whole (files or folders, in place of those of --rules): show what it would judge "
        "differently. Repeatable.",
    ),
]
Processes = Annotated[
    int | None, typer.Option("--processes", min=1, help="Processes; one a core.", show_default=False)
]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", help="Only this account of an S3 trail. Repeatable.")
]
Regions = Annotated[
    list[str] | None, typer.Option("--region-filter", help="Only this region of an S3 trail. Repeatable.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Lines of each list in text.")]
Athena = Annotated[bool, typer.Option("--athena", help="Narrow an S3 trail by an Athena query first.")]
TableName = Annotated[
    str, typer.Option("--athena-table", help="DATABASE.TABLE over the trail.", show_default=False)
]
Output = Annotated[
    str,
    typer.Option(
        "--athena-output", help="s3:// place for results, if the workgroup has none.", show_default=False
    ),
]
Workgroup = Annotated[str, typer.Option("--athena-workgroup", help="Athena workgroup.", show_default=False)]


@app.command(epilog="Example: safetynet rules backtest trail/ --rules rules.d --from 2026-11-01")
def backtest(
    archives: Archives,
    rules: RulePaths = None,
    *,
    no_default_rules: NoDefaultRules = False,
    first: First = None,
    last: Last = None,
    diff: Other = None,
    processes: Processes = None,
    account: Accounts = None,
    region_filter: Regions = None,
    athena: Athena = False,
    athena_table: TableName = "",
    athena_output: Output = "",
    athena_workgroup: Workgroup = "",
    limit: Limit = 20,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Replay archived CloudTrail events: what would have alerted, and what a change of rules would change.

    Exit 3 if something could not be read; the rest is reported all the same.
    """
    table = _athena(athena, athena_table, athena_output, athena_workgroup)
    period = days(_day(first), _day(last))
    if period.start and period.end and period.start >= period.end:
        raise UsageError("--from is after --to")
    settings = load_settings(config)
    default_pack = settings.default_rules and not no_default_rules
    # Rules with faults are told before an hour of reading, not after.
    files = [rules or settings.rules, *([diff] if diff else [])]
    rule_sets = [load_rules(paths, default_pack=default_pack).rule_set for paths in files]
    net = net_parts_of(settings)
    wanted = TrailFilter(period, tuple(account or ()), tuple(region_filter or ()))
    sources = archives_of(archives, wanted, table, config, profile, region)
    with ReplayBar(stderr()) as bar:
        options = ReplayOptions(processes or _cores(), period, net)
        replayed = replay(sources, options, bar)
    scope = scope_of(replayed, [source.location for source in sources])
    found = reports(replayed, rule_sets, net)
    if diff:
        comparison = Comparison(*found)
        old, new = ([*map(str, paths), *([DEFAULT_PACK_NAME] if default_pack else [])] for paths in files)
        if as_json:
            print_json(comparison_document(scope, period, comparison, (old, new)))
        else:
            named = " + ".join(old) or "none", " + ".join(new)
            stdout().print(Trimmed(comparison_lines(scope, period, comparison, limit, named)))
    elif as_json:
        print_json(report_document(scope, period, found[0]))
    else:
        stdout().print(Trimmed(report_lines(scope, period, found[0], limit)))
    if scope.unreadable:
        which = "file or record" if scope.unreadable == 1 else "files or records"
        raise PartialError(
            f"{scope.unreadable:,} {which} could not be read", hint="The rest is in the report."
        )


def _athena(wanted: bool, table: str, output: str, workgroup: str) -> AthenaTable | None:
    if wanted and not table:
        raise UsageError("--athena needs a table", hint="Name it with --athena-table DATABASE.TABLE.")
    if not wanted and (table or output or workgroup):
        raise UsageError("the options of Athena do nothing without --athena")
    return athena_table(table, output, workgroup) if wanted else None


def _day(moment: datetime | None) -> date | None:
    return moment.replace(tzinfo=UTC).date() if moment else None


def _cores() -> int:
    """The cores that this process may use, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
