"""``safetynet intent declare|list|revoke``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from cli.composition import build
from cli.options import Config, Json, Profile, Region
from cli.rendering import intents_table, print_json, stdout
from cli.wording import moment
from recovery.intents import Declaration
from rules.errors import UsageError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.callback()
def intent() -> None:
    """Declare a planned change beforehand, so that it does not alert."""


@app.command(
    epilog="Example: safetynet intent declare --table 'preview-*' --by ci-preview --for 2h --reason cleanup"
)
def declare(
    *,
    table: Annotated[str, typer.Option("--table", help="Table name or shell pattern.")],
    by: Annotated[str, typer.Option("--by", help="Principal: ARN, user, role or session, or a pattern.")],
    lasts: Annotated[str, typer.Option("--for", metavar="2h", help="How long: 30m, 2h, 1d.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; people will read it.")],
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Declare that tables will be deleted, by whom, until when, and why. It counts from now on."""
    net = build(config, profile, region)
    declaration = Declaration(
        table=table,
        by=by,
        lasts=parse_duration(lasts),
        reason=reason,
        account=net.aws.account,
        region=net.aws.region,
    )
    declared = net.intents.declare(declaration, declared_by=net.aws.caller)
    if as_json:
        print_json(declared.model_dump(mode="json"))
    else:
        stdout().print(f"declared {declared.id}, until {moment(declared.until)}", markup=False)


@app.command("list", epilog="Example: safetynet intent list --all")
def list_intents(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """List declared intents."""
    net = build(config, profile, region)
    now = net.clock()
    found = [one for one in net.intents.all() if everything or one.active(now)]
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        stdout().print(intents_table(found, [one.active(now) for one in found]))
    else:
        stdout().print("no intents" if everything else "no active intents")


@app.command(epilog="Example: safetynet intent revoke 20261123T020000Z-1a2b3c4d")
def revoke(
    intent_id: Annotated[str, typer.Argument(metavar="INTENT", help="The intent's id.")],
    *,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """End an intent now."""
    revoked = build(config, profile, region).intents.revoke(intent_id)
    stdout().print(f"revoked {revoked.id}", markup=False)


def parse_duration(text: str) -> timedelta:
    """``30m``, ``2h``, ``1d``. Raises UsageError."""
    match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text.strip())
    if match is None:
        raise UsageError(f"not a duration: {text!r}", hint="Write 30m, 2h or 1d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
