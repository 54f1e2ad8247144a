"""``safetynet demo``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from cli.composition import Net
from cli.demo.deployment import CHANNEL, TOKEN, deploy
from cli.demo.people import (
    CI_ROLE,
    CLI_AGENT,
    DEVELOPER,
    NET_ROLE,
    SDK_AGENT,
    access_key,
    assume_role,
    console_user,
)
from cli.demo.screen import Screen
from cli.demo.story import Cast, Story
from cli.demo.trail import TrailSimulator
from cli.options import Yes
from cli.rendering import stdout
from cli.settings import load_settings
from recovery.testing.embedded_aws import REGION, EmbeddedAws, EmbeddedEndpoint
from rules.errors import UsageError
from watcher.testing.slack import SlackStandIn

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: safetynet demo --yes --keep")
def demo(
    *,
    yes: Yes = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the embedded AWS running and say how to use it.")
    ] = False,
) -> None:
    """The whole story on an AWS inside this process: delete, detect, alert, recover, verify.

    Needs no account, no Docker and no network, and never talks to anything but itself.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="Pass --yes: safetynet demo --yes")
    forget_environment()
    console = stdout()
    screen = Screen(console)
    with (
        EmbeddedAws() as endpoint,
        SlackStandIn(token=TOKEN, channels={CHANNEL: "alerts"}) as slack,
        tempfile.TemporaryDirectory(prefix="safetynet-demo-") as folder,
    ):
        os.environ["SAFETYNET_SLACK__TOKEN"] = TOKEN
        deployment = deploy(endpoint.aws(), endpoint.url, slack.base_url, Path(folder))
        cast = _cast(endpoint)
        net = Net(load_settings(deployment.config), cast.net.aws, poll_seconds=1)
        story = Story(endpoint, slack, cast, deployment, net, screen)

        def ask(question: str) -> str:
            if not yes:
                return console.input(question)
            console.print(f"{question}[bold]{question.split()[1]}[/bold]   (answered by --yes)")
            return question.split()[1]

        story.play(ask)
        screen.figures(story.summary())
        if keep:
            _stay(endpoint, slack, deployment.config, net, screen)


def forget_environment() -> None:
    """Drop every setting of the shell that could lead to a real account, a real vault or a real Slack."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SAFETYNET_", "BOTO_"))]:
        if name not in {"AWS_CA_BUNDLE", "SAFETYNET_DEBUG"}:
            del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def _cast(endpoint: EmbeddedEndpoint) -> Cast:
    trail = TrailSimulator(endpoint.aws())
    people = {
        "net": assume_role(endpoint, NET_ROLE, "nightly", SDK_AGENT),
        "ci": assume_role(endpoint, CI_ROLE, "pull-request-42", CLI_AGENT),
        "developer": console_user(endpoint, DEVELOPER),
        "operator": assume_role(endpoint, "operations", "set-up", CLI_AGENT),
    }
    for person in people.values():
        trail.record(person.aws, person.caller)
    return Cast(**people)


def _stay(endpoint: EmbeddedEndpoint, slack: SlackStandIn, config: Path, net: Net, screen: Screen) -> None:
    """Keep everything up until Ctrl-C, with a watcher; show what arrives on Slack."""
    out = stdout()
    watcher = net.watcher()
    threading.Thread(target=watcher.run, name="watcher", daemon=True).start()
    out.print("\nThe embedded AWS stays up until Ctrl-C. In another terminal:\n", style="bold")
    exports = {
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_REGION": REGION,
        **access_key(endpoint, "on-call"),
        "SAFETYNET_CONFIG": str(config),
        "SAFETYNET_SLACK__TOKEN": TOKEN,
    }
    for name, value in exports.items():
        out.print(f"export {name}={value}", markup=False, soft_wrap=True)
    if shutil.which("safetynet") is None:
        out.print(f"export PATH={Path(sys.executable).parent}:$PATH", markup=False, soft_wrap=True)
    out.print()
    for command in (
        "safetynet incidents list --all",
        "safetynet backup list",
        "safetynet recover shop-prod-orders --as shop-prod-orders-copy",
        f"safetynet rules test {config.parent / 'rules.d'}",
        "safetynet intent declare --table 'preview-*' --by ci-preview --for 2h --reason cleanup",
    ):
        out.print(command, style="cyan", markup=False, soft_wrap=True)
    shown = len(slack.messages)
    try:
        while True:
            slack.wait_for(lambda known=shown: len(slack.messages) > known, timeout=1)  # type: ignore[misc]  # bound now
            for message in slack.messages[shown:]:
                screen.slack(message)
                shown += 1
    except KeyboardInterrupt:
        watcher.stop()
        out.print("\nstopped")
