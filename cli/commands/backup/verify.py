"""``safetynet backup verify``."""

from __future__ import annotations

import re
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.backup_lines import verifications_table
from cli.commands.backup.show import BackupId
from cli.composition import build
from cli.options import Config, Json, Profile, Region
from cli.progress_bars import ProgressBars
from cli.rendering import print_json, stderr, stdout
from recovery.backups.verification import FULL, LISTED, Depth, Outcome, verify_backup
from recovery.errors import BackupNotFoundError
from rules.errors import IntegrityError, PartialError, UsageError

if TYPE_CHECKING:
    from cli.composition import Net
    from recovery.backups.manifest import Manifest
    from recovery.backups.verification import Verification
    from recovery.errors import DamagedObjectError

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

_GROUP = re.compile(r"(\d{1,6})/(\d{1,6})")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)%")


@app.command(epilog="Example: safetynet backup verify 'shop-prod-*' --sample 3/28")
def verify(
    table: Annotated[
        str, typer.Argument(metavar="TABLE|PATTERN", help="A table's name, or a shell pattern.")
    ],
    backup_id: BackupId = "",
    *,
    sample: Annotated[
        str,
        typer.Option("--sample", metavar="N/T|P%", help="Read the N-th of T groups of data files, or P%."),
    ] = "",
    full: Annotated[
        bool, typer.Option("--full", help="Read everything, and count and digest the items.")
    ] = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Verify the latest backup of a table, or of each table that matches, or a given one.

    Without an option: every object is there in its size, and the small ones are read. Exit 0 pass, 13 fail, 3
    inconclusive: something could not be looked at.
    """
    depth = _depth(sample, full=full)
    net = build(config, profile, region)
    backups, damaged = _backups(net, table, backup_id)
    with ProgressBars(stderr()) as progress:
        found = []
        for backup in backups:
            progress.start(backup.backup_id, f"verify {backup.table.name}", backup.item_count)
            found.append(verify_backup(net.catalog, backup, depth, net.clock, progress))
            progress.finish(backup.backup_id)
    if as_json:
        documents = [_document(one) for one in found]
        documents += [{"outcome": "fail", "problems": [str(error)]} for error in damaged]
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        out = stdout()
        out.print(verifications_table(found))
        for error in damaged:
            out.print(str(error), style="bold red", markup=False)
    _raise(found, damaged)


def _depth(sample: str, *, full: bool) -> Depth:
    if not sample:
        return FULL if full else LISTED
    if full:
        raise UsageError("--full and --sample exclude each other")
    if (match := _GROUP.fullmatch(sample)) and 1 <= int(match[1]) <= int(match[2]):
        return Depth(int(match[1]), int(match[2]))
    if (match := _PERCENT.fullmatch(sample)) and 0 < float(match[1]) <= 100:  # noqa: PLR2004 - per cent
        return Depth(percent=float(match[1]))
    raise UsageError(f"not a sample: {sample!r}", hint="Write 3/28 (the third of 28 groups) or 10%.")


def _backups(net: Net, table: str, backup_id: str) -> tuple[list[Manifest], list[DamagedObjectError]]:
    """The backups to verify, and those whose manifests are damaged already."""
    account, region = net.aws.account, net.aws.region
    if backup_id:
        return [net.catalog.get(account, region, table, backup_id)], []
    names = [name for _, _, name in net.catalog.tables(account, region) if fnmatchcase(name, table)]
    listings = [net.catalog.newest(account, region, name, 1) for name in names]
    backups = [backup for listing in listings for backup in listing.backups]
    damaged = [error for listing in listings for error in listing.damaged]
    if not backups and not damaged:
        raise BackupNotFoundError(f"no backup of {table} in {account}/{region} in {net.vault.location}")
    return backups, damaged


def _document(one: Verification) -> dict[str, Any]:
    return {
        "table": one.backup.table.name,
        "backup_id": one.backup.backup_id,
        "outcome": one.outcome.value,
        "depth": one.depth,
        "objects": one.objects,
        "objects_read": one.read,
        "problems": list(one.problems),
        "content": asdict(one.content) if one.content else None,
    }


def _raise(found: list[Verification], damaged: list[DamagedObjectError]) -> None:
    failed = [problem for one in found if one.outcome is Outcome.FAIL for problem in one.problems]
    failed += [str(error) for error in damaged]
    if failed:
        raise IntegrityError(
            f"not what the manifest says: {failed[0]}", hint="Choose another backup, and make a new one."
        )
    unread = [problem for one in found if one.outcome is Outcome.INCONCLUSIVE for problem in one.problems]
    if unread:
        raise PartialError(f"not everything could be looked at: {unread[0]}")
