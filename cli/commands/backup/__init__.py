"""``safetynet backup run|list|show|verify|adopt``: a module each."""

from __future__ import annotations

import typer

from cli.lazy import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("cli.commands.backup.run", "Back tables up."),
    "list": ("cli.commands.backup.listing", "List the backups in the vault."),
    "show": ("cli.commands.backup.show", "Show one backup: definition, sizes, consistency, cost."),
    "verify": ("cli.commands.backup.verify", "Verify backups: are they whole, and what their manifests say?"),
    "adopt": ("cli.commands.backup.adopt", "Take exports of DynamoDB, or dumps of dynamodump, as backups."),
}

app = typer.Typer(
    cls=lazy_group(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)


@app.callback()
def backup() -> None:
    """Back tables up to the vault, see what there is, and prove that it is whole."""
