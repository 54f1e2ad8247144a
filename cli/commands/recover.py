"""``safetynet recover INCIDENT|TABLE|STACK``."""

from __future__ import annotations

from dataclasses import asdict, replace
from getpass import getpass
from typing import Annotated, Any

import typer

from cli.composition import Net, VaultChoice, build
from cli.into_existing import recover_into_existing
from cli.moments import parse_time
from cli.options import Config, DryRun, Json, Profile, Region, Yes
from cli.progress_bars import ProgressBars
from cli.recovering import Prepared, RecoverOptions, RecoverOutcome, confirm, execute, prepare
from cli.recovering_stacks import (
    check_backups,
    refuse_blocked,
    refuse_unplanned_move,
    role_of,
    secrets_of,
    way_into_stack,
    with_role,
)
from cli.recovering_stacks import into_stack as import_into_stack
from cli.recovery_lines import outcome_lines, prepared_lines
from cli.rendering import print_json, require_terminal, stderr, stdout
from cli.repairing import Account, Confirm, Consent
from cli.stack_lines import prepared_import_lines, way_back_lines
from recovery.progress import NoProgress
from recovery.repairs.into_existing import IntoExisting
from recovery.restores.engine import RestoreEngineName
from recovery.restores.points import PointKind
from recovery.restores.several import NotRecovered, Outcome, refuse_existing
from recovery.stacks.importing import PreparedImport
from rules.errors import UsageError

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
SOURCES = (*(kind.value for kind in PointKind), "auto")


@app.command(epilog="Example: safetynet recover 20261123T031200Z-shop-prod-orders-1a2b3c4d")
def recover(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="INCIDENT|TABLE|STACK...", help="An incident's id, or names of tables or stacks."
        ),
    ],
    *,
    backup: Annotated[
        str, typer.Option("--backup", help="A backup's id or ARN; the latest of the vault if left out.")
    ] = "",
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="|".join(SOURCES),
            help="Which kind of recovery point; auto takes what loses least.",
        ),
    ] = "",
    at: Annotated[str, typer.Option("--at", help="As of that time, e.g. 2026-11-23T02:00Z.")] = "",
    max_minutes: Annotated[
        float | None, typer.Option("--max-minutes", min=0, help="With --source auto: nothing slower.")
    ] = None,
    as_name: Annotated[str, typer.Option("--as", help="Bring it back under another name.")] = "",
    stack: Annotated[bool, typer.Option("--stack", help="The names are those of stacks.")] = False,
    into_stack: Annotated[
        bool, typer.Option("--into-stack", help="Put a recovered table back under its living stack.")
    ] = False,
    role_arn: Annotated[
        str,
        typer.Option(
            "--role-arn",
            metavar="ARN|none",
            help="As which role CloudFormation acts on the stack; none: with your own rights.",
        ),
    ] = "",
    into_existing: Annotated[
        IntoExisting | None, typer.Option("--into-existing", help="Write into the table that is there.")
    ] = None,
    engine: Annotated[
        RestoreEngineName | None, typer.Option("--engine", help="How the items get in; by size if left out.")
    ] = None,
    defer_indexes: Annotated[
        bool, typer.Option("--defer-indexes", help="Add global indexes once the items are in.")
    ] = False,
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="Allow another account or region than the backup's.")
    ] = False,
    origin: Annotated[
        str, typer.Option("--from", metavar="ACCOUNT/REGION", help="Where the lost table was.")
    ] = "",
    vault: Annotated[
        VaultChoice, typer.Option("--vault", help="Which copy of the vault; auto is by the region.")
    ] = VaultChoice.AUTO,
    confirmed: Confirm = "",
    account: Account = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Bring lost tables, or a whole stack, back: plan, confirm, create, load, verify, settle.

    Running it again continues an interrupted recovery. An existing table is never written to, but with
    --into-existing and its name and the account's id typed.
    """
    net = build(config, profile, region, vault)
    role = role_of(role_arn)
    if into_existing is not None:
        consent = Consent(confirmed, account, yes)
        table = _only(targets, "--into-existing")
        recover_into_existing(net, table, backup, into_existing, consent, dry_run=dry_run, as_json=as_json)
        return
    if into_stack:
        table = _only(targets, "--into-stack")
        _into_stack(net, table, role or "", dry_run=dry_run, yes=yes, as_json=as_json)
        return
    options = RecoverOptions(
        backup_id=backup,
        as_name=as_name,
        elsewhere=elsewhere,
        source=_source(source),
        at=parse_time(at) if at else None,
        max_minutes=max_minutes,
        engine=engine,
        defer_indexes=defer_indexes,
        origin=_place(origin),
        other_region=bool(region),
        stack=stack,
    )
    prepared = prepare(net, targets, options)
    prepared = replace(prepared, stacks=with_role(prepared.stacks, role))
    refuse_unplanned_move(prepared.stacks, region_was_named=bool(region) or elsewhere)
    if dry_run and as_json:
        print_json(prepared.document())
        return
    people = stderr() if as_json else stdout()
    people.print(prepared_lines(prepared))
    if dry_run:
        return
    _apply(net, prepared, yes=yes, as_json=as_json)


def _apply(net: Net, prepared: Prepared, *, yes: bool, as_json: bool) -> None:
    refuse_existing(net.recovery(NoProgress()), prepared.plans)
    refuse_blocked(prepared.stacks)
    # Stacks that are there, with all of their tables: there is nothing to say yes to.
    nothing_to_do = not prepared.plans and all(plan.is_done for plan in prepared.stacks)
    asks = not yes and not nothing_to_do
    secrets = secrets_of(prepared.stacks, getpass if asks else None)
    if asks:
        require_terminal()
        confirm(prepared, lambda question: stderr().input(question))
    with ProgressBars(stderr()) as progress:
        if prepared.stacks:
            check_backups(net, prepared.stacks, prepared.plans, progress.note)
        outcome = execute(net, prepared, progress, secrets, progress.note)
    if as_json:
        print_json(_document(prepared, outcome))
    elif not prepared.is_one_table or outcome.recovered:
        stdout().print(outcome_lines(outcome, prepared))
    outcome.raise_incomplete()


def _into_stack(net: Net, table: str, role_arn: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    people = stderr() if as_json else stdout()
    way = way_into_stack(net, table)
    if dry_run:
        # Even the change set would be a write.
        if as_json:
            print_json(way.model_dump(mode="json"))
        else:
            people.print(f"would import {table} into stack {way.stack} as {way.logical_id}", markup=False)
            if way.cdk_path or way.stream_readers or way.warnings:
                people.print(way_back_lines(way))
        return
    if not yes:
        require_terminal()

    def show(prepared: PreparedImport) -> None:
        people.print(prepared_import_lines(prepared))

    def agree(prepared: PreparedImport) -> bool:
        return (
            yes
            or stderr().input(f"Type {prepared.stack} to import {table} into it: ").strip() == prepared.stack
        )

    status = import_into_stack(net, way, show, agree, role_arn)
    if as_json:
        print_json({"table": table, "status": status})
    else:
        people.print(f"{table} is its stack's again: {status}", markup=False)


def _only(targets: list[str], option: str) -> str:
    if len(targets) != 1:
        raise UsageError(f"{option} is for one table", hint="Do them one by one.")
    return targets[0]


def _document(prepared: Prepared, outcome: RecoverOutcome) -> Any:
    tables = [_one(one) for one in outcome.tables]
    if prepared.is_one_table:
        return tables[0]
    return {
        "targets": list(prepared.targets),
        "tables": tables,
        "stacks": [asdict(report) | {"seconds": report.seconds} for report in outcome.stacks],
        "not_made": {name: str(error) for name, error in outcome.not_made.items()},
    }


def _one(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, NotRecovered):
        return {"table": outcome.plan.target.name, "error": str(outcome.error), "hint": outcome.error.hint}
    return asdict(outcome.report) | {"seconds": outcome.report.seconds}


def _source(text: str) -> str:
    if text and text not in SOURCES:
        raise UsageError(f"not a kind of recovery point: {text!r}", hint=f"One of {', '.join(SOURCES)}.")
    return text


def _place(text: str) -> tuple[str, str] | None:
    """``123456789012/eu-west-1``. Raises UsageError."""
    if not text:
        return None
    account, slash, region = text.partition("/")
    if not (account and slash and region):
        raise UsageError(f"not an account and a region: {text!r}", hint="Write it as --from ACCOUNT/REGION.")
    return account, region
