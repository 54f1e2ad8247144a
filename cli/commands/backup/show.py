"""``safetynet backup show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.backup_lines import backup_grid
from cli.composition import build
from cli.options import Config, Json, Profile, Region
from cli.rendering import print_json, stdout
from recovery.backups.shrinkage import frozen
from recovery.backups.verification import known_content
from recovery.prices import PRICES_OF, monthly_cost, restore_cost

if TYPE_CHECKING:
    from cli.composition import Net
    from recovery.backups.manifest import Manifest

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

Table = Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")]
BackupId = Annotated[str, typer.Argument(metavar="[BACKUP]", help="A backup's id; the latest if left out.")]


@app.command(epilog="Example: safetynet backup show shop-prod-orders")
def show(
    table: Table,
    backup_id: BackupId = "",
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Show one backup: what the table was, how much it holds, how consistent it is, what it costs.

    Prices are an estimate, from a list of their own day.
    """
    net = build(config, profile, region)
    backup = chosen(net, table, backup_id)
    definition, chain = net.catalog.definition(backup), net.catalog.chain(backup)
    content = known_content(net.catalog, backup)
    freeze = frozen(net.vault, backup.table)
    if not as_json:
        stdout().print(backup_grid(backup, definition, chain, content, freeze))
        return
    print_json(
        {
            "manifest": backup.model_dump(mode="json"),
            "definition": definition.model_dump(mode="json"),
            "chain": [link.backup_id for link in chain],
            "content": {"items": content.item_count, "digest": content.digest} if content else None,
            "frozen": freeze.model_dump(mode="json") if freeze else None,
            "cost_usd": {
                "a_month": monthly_cost(sum(link.size for link in chain)),
                "to_write_back": restore_cost(backup.data_bytes, backup.item_count, definition.create_table),
                "prices": PRICES_OF,
            },
        }
    )


def chosen(net: Net, table: str, backup_id: str) -> Manifest:
    """The backup that is meant. Raises BackupNotFoundError, DamagedObjectError."""
    place = (net.aws.account, net.aws.region, table)
    return net.catalog.get(*place, backup_id) if backup_id else net.catalog.latest(*place)
