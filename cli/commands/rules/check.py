"""``safetynet rules check``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.rules.paths import Paths
from cli.options import Json
from cli.rendering import print_json, stdout
from cli.rule_lines import counts, finding_document, plural, print_findings
from recovery.clock import utc_now
from rules.errors import UsageError
from rules.lint.checks import Finding, Level, lint
from rules.rule_tests import given_files
from rules.rulefile import load_faultless, load_rules
from rules.yaml_source import FileFaultsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rules.rulefile import LoadedRules

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
Strict = Annotated[bool, typer.Option("--strict", help="Warnings are errors, too.")]


@app.command(epilog="Example: safetynet rules check --strict rules.d/")
def check(paths: Paths = None, *, strict: Strict = False, as_json: Json = False) -> None:
    """Check rule files: faults, and rules that cannot do what they say. Each with file, line and column.

    Exit 2 if there is an error; with --strict also if there is a warning. The default pack is checked along. Where a
    file does not load, the others are checked without it, unless they need a list or a window that may be in it.
    """
    checked = _checked(paths or [])
    findings = checked.findings
    if as_json:
        print_json(_document(checked))
    else:
        out = stdout()
        print_findings(out, findings)
        out.print(f"{_amounts(checked)}: {counts(findings)}", soft_wrap=True, markup=False)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    hint = "Each line above names the place, and the check that found it in brackets."
    if any(finding.level is Level.ERROR for finding in findings):
        raise UsageError(f"{counts(findings)} in the rule files", hint=hint)
    if strict and warnings:
        them = "it an error" if warnings == 1 else "them errors"
        raise UsageError(
            f"{plural(warnings, 'warning')} in the rule files, and --strict makes {them}", hint=hint
        )


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found, and in what. ``loaded`` is None where nothing could be looked into beyond its faults.

    ``given`` are the files that were asked for and load, ``broken`` those that do not.
    """

    findings: Sequence[Finding]
    loaded: LoadedRules | None
    given: frozenset[str]
    broken: frozenset[str]

    @property
    def rules(self) -> int:
        """How many rules there are in the files that were asked for."""
        return sum(source.path in self.given for source, _, _ in self.loaded.written) if self.loaded else 0

    @property
    def tests(self) -> int:
        """How many tests there are in them."""
        return sum(source.path in self.given for source, _, _ in self.loaded.tests) if self.loaded else 0


def _checked(paths: Sequence[Path]) -> _Checked:
    try:
        loaded = load_rules(paths)
    except FileFaultsError as error:
        faults = [Finding(fault, Level.ERROR, "schema") for fault in error.faults]
        left = load_faultless(paths, error)
        found = lint(left, utc_now(), whole=False) if left else []
        findings = sorted([*faults, *found], key=lambda finding: finding.sort_key)
        broken = frozenset(fault.path for fault in error.faults)
        return _Checked(findings, left, given_files(left, paths) if left else frozenset(), broken)
    return _Checked(lint(loaded, utc_now()), loaded, given_files(loaded, paths), frozenset())


def _amounts(checked: _Checked) -> str:
    """What was looked at, by the files that were asked for; the default pack is named beside them, and not counted."""
    parts = []
    if checked.broken:
        parts.append(
            f"{plural(len(checked.broken), 'file')} {'does' if len(checked.broken) == 1 else 'do'} not load"
        )
    if checked.loaded is None:
        parts.append("the others may need what is in it and were not looked into")
    elif checked.given:
        amounts = ((len(checked.given), "file"), (checked.rules, "rule"), (checked.tests, "test"))
        beside = "" if len(checked.given) == len(checked.loaded.files) else " (and the default pack)"
        rest = "the rest: " if parts else ""
        parts.append(rest + ", ".join(plural(number, noun) for number, noun in amounts) + beside)
    return "; ".join(parts)


def _document(checked: _Checked) -> dict[str, object]:
    """The same for machines. Where a file does not load, nobody knows how many rules and tests there are."""
    whole = not checked.broken
    levels = {f"{level}s": sum(one.level is level for one in checked.findings) for level in Level}
    return {
        "findings": [finding_document(finding) for finding in checked.findings],
        "files": len(checked.given | checked.broken),
        "rules": checked.rules if whole else None,
        "tests": checked.tests if whole else None,
        "default_pack": True,
        **levels,
    }
