"""What `diff`, `repair` and whatever else writes into a table that is there have in common."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli.rendering import stderr
from recovery.repairs.repair import Repairs
from rules.errors import CancelledError, UnsafeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.composition import Net
    from recovery.backups.manifest import Manifest
    from recovery.progress import Progress

LATEST = "latest"
Confirm = Annotated[
    str,
    typer.Option("--confirm", metavar="TABLE", help="The table's name once more, where nobody can be asked."),
]
Account = Annotated[
    str,
    typer.Option("--account", metavar="ID", help="The id of the account, where nobody can be asked."),
]
YesAlone = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask. Needs --confirm and --account: it is not enough alone."),
]


@dataclass(frozen=True, slots=True)
class Consent:
    """What was typed on the command line: the table's name, the account's id, and that nobody is to be asked."""

    table: str = ""
    account: str = ""
    yes: bool = False


def repairs_of(net: Net, progress: Progress) -> Repairs:
    """What plans and applies repairs."""
    return Repairs(
        aws=net.aws,
        catalog=net.catalog,
        tables=net.raw_tables,
        clock=net.clock,
        sleep=net.sleep,
        progress=progress,
    )


def backup_of(net: Net, table: str, backup_id: str) -> Manifest:
    """The backup that is meant; "" and ``latest`` are the latest. Raises BackupNotFoundError, DamagedObjectError."""
    place = (net.aws.account, net.aws.region, table)
    return net.catalog.latest(*place) if backup_id in {"", LATEST} else net.catalog.get(*place, backup_id)


def require_consent(
    table: str, account: str, consent: Consent, ask: Callable[[str], str] | None = None
) -> None:
    """A table that is there is written to only by who types its name and the account's id.

    On the command line, or on a terminal when asked. Raises UnsafeError for a wrong or missing one, CancelledError
    for another answer.
    """
    for typed, right, option in (
        (consent.table, table, "--confirm"),
        (consent.account, account, "--account"),
    ):
        if typed and typed != right:
            raise UnsafeError(f"{option} says {typed}, but this would write to {table} in account {account}")
    questions = [
        (question, right)
        for typed, right, question in (
            (consent.table, table, f"Type {table} to write to it: "),
            (consent.account, account, "Type the id of the account that it is in: "),
        )
        if not typed
    ]
    if questions and (consent.yes or (ask is None and not sys.stdin.isatty())):
        raise UnsafeError(
            "writing to a table that is there takes its name and the account's id; --yes alone is not enough",
            hint=f"Look at --dry-run first, then pass --confirm {table} --account {account}.",
        )
    for question, right in questions:
        if (ask or stderr().input)(question).strip() != right:
            raise CancelledError("not confirmed; nothing was changed")
