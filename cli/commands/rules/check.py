"""``safetynet rules check``."""

from __future__ import annotations

import typer

from cli.commands.rules.paths import Paths
from cli.rendering import stdout
from recovery.clock import utc_now
from rules.rulefile import expired, load_rules

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: safetynet rules check rules.d/")
def check(paths: Paths = None) -> None:
    """Check rule files. Every fault is named with file, line and column; exit 2 if there is one."""
    loaded = load_rules(paths or [])
    out = stdout()
    for rule in expired(loaded.rule_set, utc_now()):
        out.print(f"note: rule {rule.id} ({rule.origin}) has expired and no longer counts", markup=False)
    out.print(
        f"{len(loaded.files)} files, {len(loaded.rule_set.rules)} rules, {len(loaded.tests)} tests: no faults"
    )
