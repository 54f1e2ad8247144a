"""``safetynet backup list``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

import typer

from cli.backup_lines import backups_table
from cli.composition import build
from cli.options import Config, Json, Profile, Region
from cli.rendering import print_json, stdout

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


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
                    "engine": one.engine,
                    "items": one.item_count,
                    "bytes": one.size,
                    "continues": one.increment.base_id if one.increment else None,
                    "suspicious": bool(one.findings),
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
