"""``safetynet backup run|list``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from cli.composition import Net, build
from cli.options import Config, DryRun, Json, Profile, Region
from cli.rendering import ProgressBars, backups_table, print_json, stderr, stdout
from cli.wording import size
from recovery.aws import aws_errors
from recovery.backup import Backups
from rules.errors import NotFoundError, PartialError, SafetyNetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.manifest import Manifest
    from recovery.progress import Progress

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def backup() -> None:
    """Back tables up to the vault, and see what there is."""


@app.command(epilog="Example: safetynet backup run 'shop-prod-*'")
def run(
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TABLE|PATTERN]...", help="Names or shell patterns; backup.tables if left out."
        ),
    ] = None,
    *,
    all_tables: Annotated[bool, typer.Option("--all", help="Every table of the account and region.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Back tables up. One that fails does not stop the others: exit 3 and a summary."""
    net = build(config, profile, region)
    patterns = ["*"] if all_tables else list(tables or net.settings.backup.tables)
    if not patterns:
        raise UsageError("no tables are named", hint="Name tables, set backup.tables, or pass --all.")
    names = tables_matching(net, patterns)
    if dry_run:
        if as_json:
            print_json({"tables": names})
        else:
            stdout().print(f"would back up {len(names)} tables: {', '.join(names)}", markup=False)
        return
    with ProgressBars(stderr()) as progress:
        done, failed = back_up(net, names, progress)
    if as_json:
        print_json(
            {
                "backups": [
                    {
                        "table": one.table.name,
                        "backup_id": one.backup_id,
                        "items": one.item_count,
                        "bytes": one.size,
                    }
                    for one in done
                ],
                "failed": [{"table": name, "error": str(error)} for name, error in failed],
            }
        )
    else:
        for one in done:
            stdout().print(
                f"{one.table.name}: {one.item_count:,} items, {size(one.size)} as {one.backup_id}",
                markup=False,
            )
    raise_failed(failed)


@app.command("list", epilog="Example: safetynet backup list 'shop-prod-*'")
def list_backups(
    pattern: Annotated[str, typer.Argument(metavar="[TABLE|PATTERN]", help="Name or shell pattern.")] = "*",
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """List the whole backups in the vault, newest first. Damaged ones are named, never hidden."""
    net = build(config, profile, region)
    listings = [
        (table, net.catalog.backups(account, its_region, table))
        for account, its_region, table in net.catalog.tables()
        if fnmatchcase(table, pattern)
    ]
    if as_json:
        print_json(
            [
                {
                    "account": one.table.account,
                    "region": one.table.region,
                    "table": name,
                    "backup_id": one.backup_id,
                    "time": one.time.isoformat(),
                    "items": one.item_count,
                    "bytes": one.size,
                }
                for name, listing in listings
                for one in listing.backups
            ]
        )
    elif any(listing.backups or listing.damaged for _, listing in listings):
        stdout().print(backups_table(listings))
    else:
        stdout().print(f"no backups in {net.vault.location}", markup=False)
    damaged = [error for _, listing in listings for error in listing.damaged]
    if damaged:
        raise damaged[0]


def tables_matching(net: Net, patterns: Sequence[str]) -> list[str]:
    """The tables of the account and region that match any pattern. Raises NotFoundError for none."""
    with aws_errors("list the tables"):
        pages = net.aws.dynamodb().get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"]]
    found = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not found:
        raise NotFoundError(f"no table in {net.aws.account}/{net.aws.region} matches {', '.join(patterns)}")
    return found


def back_up(
    net: Net, names: Sequence[str], progress: Progress
) -> tuple[list[Manifest], list[tuple[str, SafetyNetError]]]:
    """Back every table up; (what was done, what failed with its error)."""
    done: list[Manifest] = []
    failed: list[tuple[str, SafetyNetError]] = []
    backups = Backups(
        aws=net.aws, vault=net.vault, engine=net.scan_engine, clock=net.clock, progress=progress
    )
    for name in names:
        try:
            done.append(backups.back_up(name).manifest)
        except SafetyNetError as error:
            failed.append((name, error))
    return done, failed


def raise_failed(failed: Sequence[tuple[str, SafetyNetError]]) -> None:
    """Raise the error of a single failure's own kind, or PartialError that names them all."""
    if failed:
        text = "; ".join(f"{name}: {error}" for name, error in failed)
        raise PartialError(f"{len(failed)} tables were not backed up: {text}", hint=failed[0][1].hint)
