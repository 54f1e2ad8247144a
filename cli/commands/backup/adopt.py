"""``safetynet backup adopt``."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.composition import build
from cli.options import Config, Json, Profile, Region
from cli.progress_bars import ProgressBars
from cli.rendering import print_json, stderr, stdout
from recovery.backups.adoption import Adoption, read_description
from recovery.backups.dynamodump import open_dump
from recovery.backups.export_layout import EXPORT_ROOT
from recovery.backups.manifest import TableIdentity
from recovery.backups.native_export import export_roots
from recovery.vault.s3 import parse_location
from rules.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from cli.composition import Net
    from recovery.backups.manifest import Manifest

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


class Format(StrEnum):
    """What can be adopted."""

    EXPORT = "export"
    DYNAMODUMP = "dynamodump"


@app.command(
    epilog="Example: safetynet backup adopt s3://old-exports/orders/AWSDynamoDB/01693685827463-2d8752fd"
)
def adopt(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="s3://BUCKET/PREFIX of an export; the path of a dump.")
    ],
    *,
    form: Annotated[Format, typer.Option("--format", help="What it is.")] = Format.EXPORT,
    table: Annotated[
        str, typer.Option("--table", help="Of a dump: only this table.", show_default=False)
    ] = "",
    definition: Annotated[
        Path | None,
        typer.Option(
            "--definition", help="The table's definition: the JSON of `aws dynamodb describe-table`."
        ),
    ] = None,
    taken: Annotated[
        datetime | None,
        typer.Option("--taken", help="Of a dump: when it was made, in UTC; the files' time if left out."),
    ] = None,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Take a backup that others made into the catalog, so that it can be verified and recovered from.

    An export of DynamoDB's own stays where it lies. A dump of dynamodump (a folder, zip or tar archive) is copied into
    the vault.
    """
    net = build(config, profile, region)
    with ProgressBars(stderr()) as progress:
        adoption = Adoption(net.aws, net.catalog, net.clock, progress)
        if form is Format.EXPORT:
            done = _exports(adoption, net, source, definition)
        else:
            done = _dumps(adoption, net, Path(source), table, taken)
    if as_json:
        print_json(
            [{"table": one.table.name, "backup_id": one.backup_id, "items": one.item_count} for one in done]
        )
        return
    for one in done:
        what = "changes" if one.increment else "items"
        stdout().print(
            f"{one.table.name}: {one.item_count:,} {what} adopted as {one.backup_id}", markup=False
        )


def _exports(adoption: Adoption, net: Net, source: str, definition: Path | None) -> list[Manifest]:
    """One export, or all that lie under a prefix, oldest first."""
    bucket, path = parse_location(source)
    prefix, inside, rest = f"/{path}/".partition(f"/{EXPORT_ROOT}")
    prefix = prefix.strip("/")
    description = None
    if definition is not None:
        try:
            description = read_description(definition.read_bytes(), str(definition))
        except OSError as error:
            raise UsageError(f"{definition}: cannot be read: {error}") from error
    name = rest.strip("/").partition("/")[0] if inside else ""
    place = net.vault.at(bucket, prefix)
    roots = [f"{EXPORT_ROOT}{name}/"] if name else export_roots(place)
    if not roots:
        raise NotFoundError(
            f"no export of DynamoDB under {source}", hint=f"It lies in .../{EXPORT_ROOT}<export id>/."
        )
    return [adoption.adopt_export(bucket, prefix, root, description) for root in roots]


def _dumps(adoption: Adoption, net: Net, path: Path, table: str, taken: datetime | None) -> list[Manifest]:
    if not path.exists():
        raise UsageError(f"no such dump: {path}")
    when = taken.replace(tzinfo=UTC) if taken else datetime.fromtimestamp(path.stat().st_mtime, UTC)
    with open_dump(path) as tables:
        wanted = [one for name, one in sorted(tables.items()) if table in ("", name)]
        if not wanted:
            raise NotFoundError(f"no table {table} in {path}; it holds {', '.join(sorted(tables))}")
        return [
            adoption.adopt_dump(
                one,
                TableIdentity(
                    account=net.aws.account,
                    region=net.aws.region,
                    name=one.name,
                    arn=f"arn:aws:dynamodb:{net.aws.region}:{net.aws.account}:table/{one.name}",
                ),
                when,
            )
            for one in wanted
        ]
