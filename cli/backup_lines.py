"""What people see of backups: lines and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cli.rendering import facts_grid, plain_table
from cli.wording import counted, duration, moment, size
from recovery.backups.verification import Outcome
from recovery.prices import PRICES_OF, monthly_cost, restore_cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from cli.backing_up import RunReport
    from recovery.backups.backup import BackupReport
    from recovery.backups.catalog import Listing
    from recovery.backups.digest import Content
    from recovery.backups.manifest import Manifest
    from recovery.backups.shrinkage import Freeze
    from recovery.backups.verification import Verification
    from recovery.definitions.definition import TableDefinition

CENT = 0.01
OUTCOME_STYLES = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.INCONCLUSIVE: "yellow"}


def finished_line(report: BackupReport) -> Text:
    """One backup that is done."""
    backup = report.manifest
    took = (report.ended_at - report.started_at).total_seconds()
    what = "changes" if backup.increment else "items"
    line = Text(f"{backup.table.name}: {backup.item_count:,} {what}, {size(backup.data_bytes)}")
    line.append(f" in {duration(took)}, {size(backup.size)} stored")
    line.append(f" as {backup.backup_id}", style="bold")
    if report.resumed:
        line.append(" (continued an interrupted backup)")
    return line


def summary_lines(report: RunReport) -> Iterator[Text]:
    """What is to be said after the tables."""
    for one in report.done:
        for finding in one.manifest.findings:
            yield Text(f"SUSPICIOUS {finding.message}: retention of its backups is frozen", style="bold red")
    if report.copied_bytes:
        yield Text(f"copied to the replica: {size(report.copied_bytes)}")
    for stack in sorted(report.stacks):
        yield Text(f"stack {stack} is captured")
    for failure in report.failed:
        yield Text(f"{failure.what}: not done: {failure.error}", style="red")


def backups_table(listings: Sequence[tuple[str, Listing]]) -> Table:
    """All backups, table by table, newest first."""
    table = plain_table("TABLE", "BACKUP", "TAKEN (UTC)", "ENGINE", "ITEMS", "SIZE", whole=("BACKUP",))
    for name, listing in listings:
        for backup in listing.backups:
            items = f"{'+' if backup.increment else ''}{backup.item_count:,}"
            table.add_row(
                Text(name),
                Text(backup.backup_id, style="bold red" if backup.findings else ""),
                f"{backup.time:%Y-%m-%d %H:%M}",
                Text(backup.engine),
                items,
                size(backup.size),
            )
        for damaged in listing.damaged:
            table.add_row(Text(name), Text(str(damaged), style="red"), "damaged", "", "", "")
    return table


def backup_grid(
    backup: Manifest,
    definition: TableDefinition,
    chain: Sequence[Manifest],
    content: Content | None,
    freeze: Freeze | None,
) -> Table:
    """All of one backup."""
    created = definition.create_table
    window = backup.consistency
    exact = window.kind == "point-in-time"
    rows = [
        ("backup", backup.backup_id),
        ("table", f"{backup.table.name}  in {backup.table.account}/{backup.table.region}"),
        ("engine", f"{backup.engine} (safetynet {backup.tool_version})"),
        (
            "consistent",
            f"exactly at {moment(window.started)}"
            if exact
            else f"per item only, between {moment(window.started)} and {moment(window.ended)}",
        ),
        (
            "holds",
            f"{backup.item_count:,} {'changes' if backup.increment else 'items'}, {size(backup.data_bytes)}",
        ),
        ("stored", f"{size(backup.size)} in {counted(len(backup.objects), 'object')}"),
        *([("lies in", f"s3://{backup.data.bucket}/{backup.data.prefix}")] if backup.data else []),
        *(("continues", link.backup_id) for link in reversed(chain[:-1])),
        ("read", f"{backup.consumed_read_units:,.1f} read units"),
        (
            "digest",
            f"{content.digest} (verified)" if content else "not verified yet: safetynet backup verify --full",
        ),
        ("keys", _keys(created)),
        ("billing", str(created["BillingMode"]).lower().replace("_", "-")),
        ("indexes", _indexes(created) or "none"),
        ("settings", ", ".join(_settings(definition)) or "none"),
        *(("unknown", f"{name}: {why}") for name, why in definition.unknown.items()),
        *(("SUSPICIOUS", finding.message) for finding in backup.findings),
        *([("frozen", f"since {moment(freeze.since)}: {freeze.message}")] if freeze else []),
        ("costs", f"{_dollars(monthly_cost(sum(link.size for link in chain)))} a month to keep"),
        (
            "",
            f"{_dollars(restore_cost(backup.data_bytes, backup.item_count, created))} to write back on demand",
        ),
        ("", f"({PRICES_OF})"),
    ]
    return facts_grid(rows)


def verifications_table(verifications: Sequence[Verification]) -> Table:
    """An outcome a line, and below it what was found."""
    table = plain_table("OUTCOME", "TABLE", "BACKUP", "READ", "DEPTH", whole=("BACKUP",))
    for one in verifications:
        table.add_row(
            Text(one.outcome.value, style=OUTCOME_STYLES[one.outcome]),
            Text(one.backup.table.name),
            one.backup.backup_id,
            f"{one.read:,} of {one.objects:,}",
            one.depth,
        )
        for problem in one.problems:
            table.add_row("", Text(problem, style=OUTCOME_STYLES[one.outcome]), "", "", "")
    return table


def _dollars(amount: float) -> str:
    return f"about ${amount:,.2f}" if amount >= CENT else "less than a cent"


def _keys(created: dict[str, object]) -> str:
    kinds = {row["AttributeName"]: row["AttributeType"] for row in _rows(created, "AttributeDefinitions")}
    return ", ".join(
        f"{row['AttributeName']} ({kinds.get(row['AttributeName'], '?')}, {str(row['KeyType']).lower()})"
        for row in _rows(created, "KeySchema")
    )


def _indexes(created: dict[str, object]) -> str:
    return ", ".join(
        str(row["IndexName"])
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for row in _rows(created, kind)
    )


def _rows(created: dict[str, object], name: str) -> list[dict[str, object]]:
    rows = created.get(name) or []
    return list(rows) if isinstance(rows, list) else []


def _settings(definition: TableDefinition) -> list[str]:
    found = [
        name.replace("_", " ")
        for name in type(definition.settings).model_fields
        if getattr(getattr(definition.settings, name), "value", None)
    ]
    return [*found, *definition.surrounded_by]
