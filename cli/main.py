"""The ``safetynet`` command: finds the subcommand, and turns errors into a line and an exit code.

Start-up is fast because a command's module, and with it AWS and Slack, is imported only when it runs.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.lazy import lazy_group
from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable

# Name: (module with an ``app``, what the overview says of it).
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("cli.commands.demo", "The whole story on an embedded AWS: no account needed."),
    "watch": ("cli.commands.watch", "Run the watcher: events in, incidents and alerts out."),
    "status": (
        "cli.commands.status",
        "How the net itself is: watcher, canary, queue, alerts, regions, backups.",
    ),
    "incidents": ("cli.commands.incidents", "What happened, and how far its recovery is."),
    "recover": ("cli.commands.recover", "Bring lost tables or a stack back: plan, confirm, load, verify."),
    "diff": ("cli.commands.diff", "Compare a table with a backup, item by item."),
    "repair": ("cli.commands.repair", "Put single items of a backup back, and undo it."),
    "backup": ("cli.commands.backup", "Back tables up, and see what there is."),
    "stage": ("cli.commands.stage", "Make testing tables anew from production backups."),
    "schedule": ("cli.commands.schedule", "Run backups and staging by cron."),
    "rules": ("cli.commands.rules", "Write, check, test, explain and back-test rule files."),
    "intent": ("cli.commands.intent", "Declare a planned change, so that it does not alert."),
}

# Commands make many objects that stay, and Python's usual 700 have it search them for garbage over and over:
# that is a sixth of start-up.
GARBAGE_AFTER = 20_000
INTERRUPTED = 130
STOPPED = "stopped; run the command again to continue"

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A safety net for Amazon DynamoDB: nightly backups, deletion alerts, one-command recovery.",
    epilog="Start with: safetynet demo",
)


def _version(wanted: bool) -> None:
    if wanted:
        metadata = importlib.import_module("importlib.metadata")
        typer.echo(f"safetynet {metadata.version('dynamodb-safetynet')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def main() -> None:
    """Entry point of the console script."""
    gc.set_threshold(GARBAGE_AFTER)
    sys.exit(run(app))


def run(program: Callable[[], object]) -> int:
    """Run a program and return its exit code: the error classes say which, and no traceback is shown."""
    try:
        program()
    except SafetyNetError as error:
        _say(f"error: {error}", error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        _say(STOPPED, "")
        return INTERRUPTED
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # typer makes this of Ctrl-C while a command runs, and says nothing.
            _say(STOPPED, "")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        return 0
    except Exception as error:
        if os.environ.get("SAFETYNET_DEBUG"):
            raise
        _say(
            f"unexpected error: {type(error).__name__}: {error}",
            "Set SAFETYNET_DEBUG=1 to see where it came from.",
        )
        return 1
    return 0


def _say(message: str, hint: str) -> None:
    typer.secho(message, fg="red", err=True)
    if hint:
        typer.secho(f"hint: {hint}", err=True)


if __name__ == "__main__":
    main()
