"""``safetynet rules check|test|explain|backtest|new|schema``: a module each."""

from __future__ import annotations

import typer

from cli.lazy import lazy_group

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("cli.commands.rules.check", "Check rule files: faults and lint, each with its line."),
    "test": ("cli.commands.rules.inline_tests", "Run the tests in rule files."),
}

app = typer.Typer(
    cls=lazy_group(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)


@app.callback()
def rules() -> None:
    """Write, check, test, explain and back-test rule files."""
