"""The options that many commands share, by the names AWS people know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Profile = Annotated[str, typer.Option("--profile", help="AWS profile.", show_default=False)]
Region = Annotated[str, typer.Option("--region", help="AWS region.", show_default=False)]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="SAFETYNET_CONFIG",
        help="Settings file; safetynet.yaml in this folder if it is there.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for machines.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Never allows overwriting.")]
LogJson = Annotated[bool, typer.Option("--log-json", help="Log lines as JSON.")]
