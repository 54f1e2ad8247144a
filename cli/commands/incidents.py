"""``safetynet incidents list|show``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.composition import build
from cli.options import Config, Json, Profile, Region
from cli.rendering import incident_lines, incidents_list, print_json, stdout
from recovery.errors import DamagedObjectError
from watcher.incidents import Incident

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def incidents() -> None:
    """See what happened, and how far its recovery is."""


@app.command("list", epilog="Example: safetynet incidents list --all")
def list_incidents(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the intentional ones, which never alerted.")
    ] = False,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """List incidents, newest first."""
    net = build(config, profile, region)
    found: list[Incident] = []
    damaged: list[DamagedObjectError] = []
    for incident in net.incidents.all():
        if isinstance(incident, DamagedObjectError):
            damaged.append(incident)
        elif everything or incident.alerted:
            found.append(incident)
    found.sort(key=lambda incident: incident.opened_at, reverse=True)
    if as_json:
        print_json([incident.model_dump(mode="json") for incident in found])
    elif found:
        stdout().print(incidents_list(found))
    else:
        stdout().print(f"no incidents in {net.vault.location}", markup=False)
    if damaged:
        raise damaged[0]


@app.command(epilog="Example: safetynet incidents show 20261123T031200Z-shop-prod-orders-1a2b3c4d")
def show(
    incident_id: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id.")],
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Show all of one incident: facts, reasons, recovery points, timeline, messages."""
    incident = build(config, profile, region).incidents.get(incident_id)
    if as_json:
        print_json(incident.model_dump(mode="json"))
    else:
        stdout().print(incident_lines(incident))
