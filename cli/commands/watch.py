"""``safetynet watch``."""

from __future__ import annotations

import logging
import signal
from typing import Annotated

import typer

from cli.composition import build
from cli.logs import set_up_logs
from cli.options import Config, LogJson, Profile, Region
from rules.errors import UnavailableError

log = logging.getLogger(__name__)

# With --once nobody waits for events to come; a short poll asks all of SQS's servers all the same.
ONCE_POLL_SECONDS = 1

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: SAFETYNET_SLACK__TOKEN=xoxb-... safetynet watch")
def watch(
    *,
    once: Annotated[bool, typer.Option("--once", help="Work through what is there once, then end.")] = False,
    log_json: LogJson = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Watch the queue: judge every change event, store incidents, alert people.

    Ends after the message at hand on Ctrl-C or SIGTERM. Several watchers side by side are safe.
    """
    set_up_logs(as_json=log_json)
    net = build(config, profile, region)
    if once:
        net.poll_seconds = ONCE_POLL_SECONDS
    watcher = net.watcher()
    net.rules  # noqa: B018 - a faulty rule file is an error now, not at the first deletion
    if net.slack is not None:
        try:
            net.slack.check()
        except UnavailableError as error:
            log.warning("Slack cannot be reached, alerts will be sent later: %s", error)
    if once:
        watcher.drain()
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watcher.interrupt())
    watcher.run()
