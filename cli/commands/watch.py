"""``safetynet watch``."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from cli.composition import build
from cli.logs import set_up_logs
from cli.options import Config, LogJson, Profile, Region
from rules.errors import UsageError

# With --once nobody waits for events to come; a short poll asks all of SQS's servers all the same.
ONCE_POLL_SECONDS = 1

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


class SourceOption(StrEnum):
    """Where change events come from."""

    SQS = "sqs"
    CLOUDTRAIL = "cloudtrail"
    TRAIL = "trail"


@app.command(epilog="Example: SAFETYNET_SLACK__TOKEN=xoxb-... safetynet watch")
def watch(
    *,
    sources: Annotated[
        list[SourceOption] | None,
        typer.Option(
            "--source",
            help="sqs: the event rule's queue. cloudtrail: the event history, nothing to deploy. "
            "trail: a queue told of a trail's files. Repeat for more; watch.take_from if left out.",
            show_default=False,
        ),
    ] = None,
    archive: Annotated[
        list[str] | None,
        typer.Option(
            "--archive",
            metavar="PLACE",
            help="Take in what is archived (s3://BUCKET/PREFIX, lookup:, a folder), then end.",
            show_default=False,
        ),
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="With --archive: first day, UTC.", show_default=False
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="With --archive: last day, UTC.", show_default=False),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Work through what is there once, then end.")] = False,
    log_json: LogJson = False,
    config: Config = None,
    profile: Profile = "",
    region: Region = "",
) -> None:
    """Watch: judge every change event, store incidents, alert people.

    What was missed since the last time is looked up first. Ends after the messages at hand on Ctrl-C or SIGTERM.
    Several watchers side by side are safe.
    """
    set_up_logs(as_json=log_json)
    if not archive and (first or last):
        raise UsageError("--from and --to are for --archive")
    if first and last and first > last:
        raise UsageError("--from is after --to")
    net = build(config, profile, region)
    net.rules  # noqa: B018 - a faulty rule file is an error now, not at the first deletion
    if once:
        net.poll_seconds = ONCE_POLL_SECONDS
    if archive:
        from cli.watching import archive_source, watching_of

        end = last.replace(tzinfo=UTC) + timedelta(days=1) if last else None
        start = first.replace(tzinfo=UTC) if first else None
        watching = watching_of(net, [archive_source(net, archive, start, end)])
    else:
        watching = net.watcher([source.value for source in sources or ()])
    watching.check()
    if once or archive:
        watching.drain()
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watching.stop())
    watching.run()
