"""What people see of the net's health: a line for each check, and under it what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from cli.wording import counted, moment
from watcher.alerts.slack_message import clean
from watcher.health.health import CheckState

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.health.health import Health, Observed

_STYLES = {
    CheckState.OK: "green",
    CheckState.WARN: "yellow",
    CheckState.BAD: "bold red",
    CheckState.UNKNOWN: "bold red",
}


def status_table(health: Health) -> Table:
    """One screen of 80 columns: how it is, which part, in words; what to do stands under it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in health.checks:
        words = Text(clean(check.text))
        if check.hint:
            words.append(f"\n{clean(check.hint)}", style="dim")
        grid.add_row(Text(check.state.value, style=_STYLES[check.state]), Text(clean(check.name)), words)
    return grid


def status_line(health: Health, location: str, now: datetime) -> Text:
    """The last line: all in all."""
    warned = sum(check.state is CheckState.WARN for check in health.checks)
    also = f", {counted(warned, 'warning')}" if warned else ""
    if health.ok:
        return Text(f"All is well{also}: {location}, {moment(now)}", style="bold green")
    return Text(
        f"{counted(len(health.troubles), 'trouble')}{also}: {location}, {moment(now)}", style="bold red"
    )


def status_document(health: Health, observed: Observed, location: str, now: datetime) -> dict[str, Any]:
    """The same for machines: the checks, and what they were told from."""
    return {
        "ok": health.ok,
        "at": now.isoformat(),
        "vault": location,
        "checks": [
            {"name": one.name, "state": one.state.value, "text": one.text, "hint": one.hint}
            for one in health.checks
        ],
        "watchers": [beat.model_dump(mode="json") for beat in observed.heartbeats],
        "canary": observed.canary.model_dump(mode="json") if observed.canary is not None else None,
        "positions": {one.source: one.time.isoformat() for one in observed.positions},
        "queue": _queue(observed),
        "incidents": {
            "open": list(observed.incidents.open),
            "unsent": [
                {
                    "incident": one.incident,
                    "notifier": one.notifier,
                    "kind": one.kind,
                    "since": one.since.isoformat(),
                    "attempts": one.attempts,
                    "error": one.error,
                }
                for one in observed.incidents.unsent
            ],
            "damaged": list(observed.incidents.damaged),
        },
        "availability": [one.model_dump(mode="json") for one in observed.availability],
        "backups": [
            {
                "account": one.account,
                "region": one.region,
                "table": one.table,
                "newest": one.newest.isoformat() if one.newest is not None else None,
            }
            for one in observed.backups or ()
        ],
    }


def _queue(observed: Observed) -> dict[str, Any] | None:
    depths = observed.queue
    if depths is None:
        return None
    dead = depths.dead_letters
    return {
        "visible": depths.queue.visible,
        "in_flight": depths.queue.in_flight,
        "oldest_seconds": depths.queue.oldest_seconds,
        "dead_letters": dead.visible + dead.in_flight if dead is not None else None,
        "problem": depths.problem,
    }
