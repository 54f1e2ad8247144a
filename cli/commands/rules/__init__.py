"""``safetynet rules check|test|explain|backtest|new|schema``: a module each."""

from __future__ import annotations

import typer

from cli.lazy import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("cli.commands.rules.check", "Check rule files: faults and lint, each with its line."),
    "test": ("cli.commands.rules.inline_tests", "Run the tests in rule files."),
    "explain": (
        "cli.commands.rules.explain",
        "Explain a verdict: which rules, which conditions, on what values.",
    ),
    "new": ("cli.commands.rules.new", "Draft a rule, with tests, from an event or an incident."),
    "schema": ("cli.commands.rules.schema", "JSON Schema of rule files, for editors; tables of all keys."),
    "backtest": ("cli.commands.rules.backtest", "Replay archived events: what would have alerted."),
}

app = typer.Typer(
    cls=lazy_group(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)


@app.callback()
def rules() -> None:
    """Write, check, test, explain and back-test rule files."""
