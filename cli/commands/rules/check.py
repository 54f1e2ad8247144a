"""``safetynet rules check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.rules.paths import Paths
from cli.options import Json
from cli.rendering import print_json, stdout
from cli.rule_lines import counts, finding_document, plural, print_findings
from recovery.clock import utc_now
from rules.errors import UsageError
from rules.lint import Finding, Level, lint
from rules.rulefile import load_rules
from rules.yaml_source import FileFaultsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.rulefile import LoadedRules

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
Strict = Annotated[bool, typer.Option("--strict", help="Warnings are errors, too.")]


@app.command(epilog="Example: safetynet rules check --strict rules.d/")
def check(paths: Paths = None, *, strict: Strict = False, as_json: Json = False) -> None:
    """Check rule files: faults, and rules that cannot do what they say. Each with file, line and column.

    Exit 2 if there is an error; with --strict also if there is a warning. The default pack is checked along.
    """
    try:
        loaded = load_rules(paths or [])
    except FileFaultsError as error:
        if as_json:
            findings = [Finding(fault, Level.ERROR, "schema") for fault in error.faults]
            print_json(_document(findings, None))
        raise
    findings = lint(loaded, utc_now())
    if as_json:
        print_json(_document(findings, loaded))
    else:
        out = stdout()
        print_findings(out, findings)
        out.print(f"{_amounts(loaded)}: {counts(findings)}", soft_wrap=True, markup=False)
    bad = {Level.ERROR, Level.WARNING} if strict else {Level.ERROR}
    if any(finding.level in bad for finding in findings):
        what = f"{counts(findings)} in the rule files"
        raise UsageError(
            what, hint="Each line above names the place, and the check that found it in brackets."
        )


def _amounts(loaded: LoadedRules) -> str:
    return ", ".join((
        plural(len(loaded.files), "file"),
        plural(len(loaded.rule_set.rules), "rule"),
        plural(len(loaded.tests), "test"),
    ))  # fmt: skip


def _document(findings: Sequence[Finding], loaded: LoadedRules | None) -> dict[str, object]:
    levels = {f"{level}s": sum(finding.level is level for finding in findings) for level in Level}
    return {
        "findings": [finding_document(finding) for finding in findings],
        "files": len(loaded.files) if loaded else len({finding.fault.path for finding in findings}),
        "rules": len(loaded.rule_set.rules) if loaded else None,
        "tests": len(loaded.tests) if loaded else None,
        **levels,
    }
