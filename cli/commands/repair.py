"""``safetynet repair TABLE`` and ``safetynet repair undo ID|TABLE``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cli.composition import build
from cli.options import Config, DryRun, Json, Profile, Region
from cli.progress_bars import ProgressBars
from cli.rendering import print_json, stderr, stdout
from cli.repair_lines import (
    repair_plan_lines,
    repair_report_lines,
    report_json,
    undo_plan_json,
    undo_plan_lines,
)
from cli.repairing import Account, Confirm, Consent, YesAlone, backup_of, repairs_of, require_consent
from recovery.repairs.differences import Kind
from recovery.repairs.repair import DEFAULT_KINDS, RepairWish
from recovery.repairs.undo import plan_undo
from recovery.repairs.undo import undo as take_back
from recovery.repairs.where import Where
from rules.errors import PartialError

if TYPE_CHECKING:
    from recovery.repairs.reports import RepairReport

TABLE = "table"  # `repair table undo` repairs a table that is called undo


class TableOrSubcommand(TyperGroup):
    """``repair orders`` is ``repair table orders``: what is no subcommand is a table, or an option before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What click calls with everything after ``repair``."""
        if not args or args[0] not in self.commands:
            args = [TABLE, *args]
        return super().parse_args(ctx, args)

    def load(self, name: str) -> Any:
        """The command that ``repair NAME`` runs."""
        return self.commands.get(name, self.commands[TABLE])


app = typer.Typer(cls=TableOrSubcommand, pretty_exceptions_enable=False, add_completion=False)


@app.command(
    TABLE, epilog="Example: safetynet repair shop-prod-orders --from latest --where \"status == 'lost'\""
)
def repair(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")],
    *,
    from_backup: Annotated[
        str, typer.Option("--from", metavar="BACKUP", help="A backup's id, or: latest.", show_default=False)
    ],
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="Only these: a JSON key a line.", show_default=False),
    ] = None,
    where: Annotated[
        str, typer.Option("--where", metavar="EXPR", help="Only items that this JMESPath holds of.")
    ] = "",
    only: Annotated[
        list[Kind] | None,
        typer.Option(
            "--only",
            help="Only these, may be repeated; `added` deletes what the backup has not.",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRun = False,
    confirm: Confirm = "",
    account: Account = "",
    yes: YesAlone = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Put items of a backup back into a table that is there: those that were removed or changed since.

    Each is written only if it still is what was compared, after both its images are in a journal in the vault:
    `safetynet repair undo` takes it back. Running it again continues an interrupted repair.
    """
    net = build(config, profile, region)
    people = stderr() if as_json else stdout()
    wish = RepairWish(
        backup=backup_of(net, table, from_backup),
        kinds=tuple(only or DEFAULT_KINDS),
        where=Where(where) if where else None,
        keys=keys,
    )
    with ExitStack() as comparison:
        with ProgressBars(stderr()) as bars:
            prepared = comparison.enter_context(repairs_of(net, bars).prepare(wish))
        plan = prepared.plan
        if dry_run and as_json:
            print_json(plan.model_dump(mode="json"))
            return
        people.print(repair_plan_lines(plan))
        if dry_run:
            return
        if plan.writes or plan.resumes:
            require_consent(table, net.aws.account, Consent(confirm, account, yes))
        with ProgressBars(stderr()) as bars:
            report = repairs_of(net, bars).apply(prepared, net.aws.caller)
    _tell(report, as_json=as_json)


@app.command(epilog="Example: safetynet repair undo 20261123T031200Z-1a2b3c4d")
def undo(
    wanted: Annotated[
        str, typer.Argument(metavar="ID|TABLE", help="A repair's id; of a table, the newest that is left.")
    ],
    *,
    dry_run: DryRun = False,
    confirm: Confirm = "",
    account: Account = "",
    yes: YesAlone = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Take a repair back: its items become again what they were, where nobody has changed them since.

    Running it again continues it; once it is done, it does nothing more.
    """
    net = build(config, profile, region)
    people = stderr() if as_json else stdout()
    with ProgressBars(stderr()) as bars:
        repairs = repairs_of(net, bars)
        plan = plan_undo(repairs, wanted)
    if dry_run and as_json:
        print_json(undo_plan_json(plan))
        return
    people.print(undo_plan_lines(plan))
    if dry_run:
        return
    if not plan.done:
        require_consent(plan.repair.target.name, net.aws.account, Consent(confirm, account, yes))
    with ProgressBars(stderr()) as bars:
        report = take_back(repairs_of(net, bars), plan, net.aws.caller)
    _tell(report, as_json=as_json, undone=True)


def _tell(report: RepairReport, *, as_json: bool, undone: bool = False) -> None:
    """Print it. Raises PartialError where items were left alone."""
    if as_json:
        print_json(report_json(report))
    else:
        stdout().print(repair_report_lines(report, undone=undone))
    if not report.complete:
        raise PartialError(
            f"table {report.table}: {report.refused + report.overtaken:,} items were changed by somebody else "
            "meanwhile and are theirs",
            hint=f"See what differs now: safetynet diff {report.table}.",
        )
