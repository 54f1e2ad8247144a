"""``safetynet intent declare|list|show|revoke``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from cli.composition import build
from cli.intent_lines import damaged_lines, declared_lines, intent_lines, intents_list
from cli.moments import parse_time
from cli.options import Config, Json, Profile, Region
from cli.rendering import print_json, stderr, stdout
from recovery.intents import ALWAYS_ALERTING, Declaration
from rules.errors import UsageError
from rules.intents import IntentState
from rules.windows import parse_duration
from watcher.facts.intent_ledger import IntentLedger
from watcher.facts.intent_usage import usage_of

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

_TO_COME = frozenset({IntentState.PLANNED, IntentState.ACTIVE})

IntentId = Annotated[str, typer.Argument(metavar="INTENT", help="The intent's id.")]


@app.callback()
def intent() -> None:
    """Declare a planned change beforehand, so that it does not alert."""


@app.command(
    epilog="Example: safetynet intent declare --table 'preview-*' --by ci-preview --for 2h --reason cleanup"
)
def declare(
    *,
    by: Annotated[str, typer.Option("--by", help="Principal: role, user, SSO person or ARN, or a pattern.")],
    lasts: Annotated[str, typer.Option("--for", metavar="2h", help="How long: 30m, 2h, 1d.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; people will read it.")],
    table: Annotated[str, typer.Option("--table", help="Table name or shell pattern.")] = "",
    stack: Annotated[
        str,
        typer.Option(
            "--stack", help="Stack name or shell pattern: the stack, and its tables as it is deleted."
        ),
    ] = "",
    operations: Annotated[
        list[str] | None,
        typer.Option("--operation", help="DeleteTable, DeleteStack, UpdateTable, ...; may be repeated."),
    ] = None,
    starts: Annotated[
        str, typer.Option("--from", metavar="TIME", help="When it begins: 2026-11-23T22:00Z. By default now.")
    ] = "",
    max_changes: Annotated[
        int | None, typer.Option("--max-changes", min=1, help="How many changes; one more alerts.")
    ] = None,
    ticket: Annotated[str, typer.Option("--ticket", help="Where it was planned, for people.")] = "",
    session: Annotated[str, typer.Option("--session", help="Role session name that it must have.")] = "",
    source_identity: Annotated[
        str, typer.Option("--source-identity", help="sourceIdentity that it must have.")
    ] = "",
    app_id: Annotated[
        str, typer.Option("--app", help="app/<id> of the user agent (AWS_SDK_UA_APP_ID) that it must have.")
    ] = "",
    request_token: Annotated[
        str, typer.Option("--request-token", help="CloudFormation client request token that it must have.")
    ] = "",
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Declare what will be deleted or changed, by whom, until when, and why.

    It counts for this account and region, and never for what was done before it was declared.
    """
    net = build(config, profile, region)
    declaration = Declaration(
        table=table,
        stack=stack,
        by=by,
        lasts=_duration(lasts),
        reason=reason,
        operations=tuple(operations or ()),
        starts=parse_time(starts) if starts else None,
        max_changes=max_changes,
        ticket=ticket,
        session=session,
        source_identity=source_identity,
        app=app_id,
        request_token=request_token,
        account=net.aws.account,
        region=net.aws.region,
    )
    declared = net.intents.declare(declaration, declared_by=net.aws.caller)
    if as_json:
        print_json(declared.model_dump(mode="json"))
    else:
        stdout().print(declared_lines(declared), crop=False)
    loud = ALWAYS_ALERTING.intersection(declared.operations)
    if loud:
        stderr().print(
            f"{', '.join(sorted(loud))} will alert all the same: it weakens the net itself", markup=False
        )


@app.command("list", epilog="Example: safetynet intent list --all")
def list_intents(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over or revoked.")] = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """List declared intents: what each covered, and which were over-used, unused or declared after the fact.

    One that cannot be read covers nothing: it is named after the others, and the exit code is 13.
    """
    net = build(config, profile, region)
    now = net.clock()
    listing = net.intents.all()
    found = [one for one in listing.intents if everything or one.state(now) in _TO_COME]
    usages = usage_of(found, IntentLedger(net.incidents), now)
    if as_json:
        print_json([usage.document() for usage in usages])
    elif usages:
        stdout().print(intents_list(usages), crop=False)
    elif not listing.damaged:
        stdout().print("no intents" if everything else "no active intents")
    if listing.damaged:
        if not as_json:
            stdout().print(damaged_lines(listing.damaged), crop=False)
        raise listing.damaged[0]


@app.command(epilog="Example: safetynet intent show 20261123T020000Z-1a2b3c4d")
def show(
    intent_id: IntentId,
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Show all of one intent: what was declared, by whom, and what it covered."""
    net = build(config, profile, region)
    (usage,) = usage_of([net.intents.get(intent_id)], IntentLedger(net.incidents), net.clock())
    if as_json:
        print_json(usage.document())
    else:
        stdout().print(intent_lines(usage), crop=False)


@app.command(epilog="Example: safetynet intent revoke 20261123T020000Z-1a2b3c4d")
def revoke(
    intent_id: IntentId,
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """End an intent now. What it covered before stays covered."""
    net = build(config, profile, region)
    revoked = net.intents.revoke(intent_id, revoked_by=net.aws.caller)
    if as_json:
        print_json(revoked.model_dump(mode="json"))
    else:
        stdout().print(f"revoked {revoked.id}", markup=False)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from error
