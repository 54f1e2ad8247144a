"""``safetynet diff TABLE [BACKUP]``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from cli.commands.backup.show import BackupId
from cli.composition import build
from cli.options import Config, Json, Profile, Region
from cli.progress_bars import ProgressBars
from cli.rendering import stderr, stdout
from cli.repair_lines import difference_json, difference_lines, summary_json, summary_line
from cli.repairing import backup_of, repairs_of
from recovery.repairs.differences import compare
from recovery.repairs.sides import BackupSide
from rules.errors import PartialError

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

PEOPLE_LIMIT = 20
DIFFERS = PartialError.exit_code


@app.command(epilog="Example: safetynet diff shop-prod-orders --json > differences.jsonl")
def diff(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")],
    backup_id: BackupId = "",
    *,
    other: Annotated[
        str,
        typer.Option(
            "--other", metavar="BACKUP", help="Compare with this backup (or: latest), not the table."
        ),
    ] = "",
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Only which items differ.")] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, help="Show so many; 0 is all. Else 20, and with --json all."),
    ] = None,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Compare a table (or another backup) with a backup: which items were added, removed, changed since.

    The spelling of numbers and the order of sets do not count. Exit code 0: equal; 3: something differs.
    """
    net = build(config, profile, region)
    backup = backup_of(net, table, backup_id)
    with ExitStack() as comparison:
        with ProgressBars(stderr()) as progress:
            before = BackupSide(net.catalog, backup, progress)
            newer = (
                BackupSide(net.catalog, backup_of(net, table, other), progress)
                if other
                else repairs_of(net, progress).side(table)
            )
            found = comparison.enter_context(compare(before, newer, images=not keys_only))
        counts = found.counts()
        total = sum(counts.values())
        shown = (total if as_json else PEOPLE_LIMIT) if limit is None else limit or total
        people = stdout()
        for number, difference in enumerate(found.all()):
            if number == shown:
                break
            if as_json:
                sys.stdout.write(difference_json(difference).decode())
            else:
                people.print(*difference_lines(difference), sep="\n", soft_wrap=True)
        if as_json:
            sys.stdout.write(summary_json(table, backup, newer.label, counts).decode())
        else:
            if total > shown:
                people.print(f"... and {total - shown:,} more: --limit 0, or --json")
            people.print(summary_line(backup, newer.label, counts))
    if total:
        raise typer.Exit(DIFFERS)
