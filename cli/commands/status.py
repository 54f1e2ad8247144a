"""``safetynet status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.composition import build
from cli.options import Config, Json, Profile, Region
from watcher.health.health import UnhealthyError, health_of
from watcher.health.health_reading import HealthReader

if TYPE_CHECKING:
    from cli.composition import Net
    from watcher.sources.queue_depth import QueueDepths

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: safetynet status --json | jq .ok")
def status(
    *,
    as_json: Json = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Show how the net itself is: watcher, canary, queue, alerts, regions, backups.

    Ends with 0 if all is well (warnings are well), with 3 if a part does not work or cannot be looked at.
    """
    net = build(config, profile, region)
    net.incidents.check()  # a vault that cannot be reached has an error of its own
    observed = reader_of(net).observe()
    now = net.clock()
    health = health_of(observed, now)
    if as_json:
        from cli.rendering import print_json
        from cli.status_lines import status_document

        print_json(status_document(health, observed, net.vault.location, now))
    else:
        from cli.rendering import Trimmed, stdout
        from cli.status_lines import status_line, status_table

        stdout().print(Trimmed(status_table(health)))
        stdout().print(status_line(health, net.vault.location, now))
    if not health.ok:
        raise UnhealthyError("not well: " + ", ".join(check.name for check in health.troubles))


def reader_of(net: Net) -> HealthReader:
    """What reads the stored state, the queue and the catalog."""
    return HealthReader(
        net.vault,
        net.incidents,
        net.clock,
        queue=(lambda: _depths(net)) if net.settings.queue_url else None,
        catalog=net.catalog,
        backup_hours=net.settings.watch.backup_hours,
    )


def _depths(net: Net) -> QueueDepths:
    from watcher.sources.queue_depth import queue_depths

    return queue_depths(net.aws.sqs(), net.settings.queue_url, net.clock, net.aws.reader("cloudwatch"))
