"""How findings on rule files, and results of their tests, read: one line each in a pipe, folded on a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from rules.lint.findings import Finding, Level
from rules.mutation import GONE
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from rules.mutation import Mutant, Mutation
    from rules.rule_tests import RuleTestResult, Uncovered
    from rules.yaml_source import Fault

LEVEL_STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}
_INDENT = 5


def print_findings(out: Console, findings: Iterable[Finding]) -> None:
    """Every finding, as editors and people read it."""
    for finding in findings:
        level = finding.level
        _print(out, str(finding), 4, style_of=f" {level}: ", style=LEVEL_STYLES[level])


def counts(findings: Sequence[Finding]) -> str:
    """``1 error, 2 warnings, no notes``."""
    numbers = [sum(finding.level is level for finding in findings) for level in Level]
    return ", ".join(plural(number, level.value) for number, level in zip(numbers, Level, strict=True))


def plural(number: int, noun: str) -> str:
    """``no rules``, ``1 rule``, ``12 rules``."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def print_results(out: Console, results: Iterable[RuleTestResult]) -> None:
    """A line for each test; below one that failed where it stands, what differs and why."""
    for result in results:
        if result.passed:
            _print(out, result.name, _INDENT, before="ok   ", style_of="ok", style="green")
            continue
        _print(out, result.name, _INDENT, before="FAIL ", style_of="FAIL", style="bold red")
        for line in (result.place, *result.differences, *result.explanations):
            style = "red" if line in result.differences else "dim" if line == result.place else ""
            _print(out, line, _INDENT + 2, before=" " * _INDENT, style_of=clean(line), style=style)


def print_uncovered(out: Console, uncovered: Iterable[Uncovered]) -> None:
    """The rules whose tests leave something out."""
    for one in uncovered:
        text = f"{one.place}: note: rule {one.rule_id} is not covered: {one.why}"
        _print(out, text, 4, style_of=" note: ", style=LEVEL_STYLES[Level.NOTE])


def print_mutation(out: Console, mutation: Mutation) -> None:
    """What no test noticed. Of a rule that can be gone unnoticed nothing more is told."""
    gone = {mutant.rule_id for mutant in mutation.survivors if mutant.what == GONE}
    for mutant in mutation.survivors:
        if mutant.what == GONE:
            others = sum(one.rule_id == mutant.rule_id for one in mutation.survivors) - 1
            text = "no test notices when the whole rule is taken out" + (
                f", nor {plural(others, 'smaller change')}" if others else ""
            )
        elif mutant.rule_id in gone:
            continue
        else:
            text = f"no test notices when this is taken out: {mutant.what}"
        line = f"{_place(mutant)}: error: rule {mutant.rule_id}: {text}"
        _print(out, line, 4, style_of=" error: ", style=LEVEL_STYLES[Level.ERROR])


def mutation_document(mutation: Mutation) -> dict[str, object]:
    """The same for machines."""
    survivors = [
        {"rule": mutant.rule_id, "what": mutant.what, **place_document(mutant.place)}
        for mutant in mutation.survivors
    ]
    return {"tried": mutation.tried, "survivors": survivors}


def finding_document(finding: Finding) -> dict[str, object]:
    """A finding for machines."""
    return {
        **place_document(finding.fault),
        "level": finding.level.value,
        "check": finding.check,
        "message": finding.fault.message,
    }


def place_document(fault: Fault) -> dict[str, object]:
    """Where something stands."""
    return {"file": fault.path, "line": fault.line, "column": fault.column}


def _place(mutant: Mutant) -> str:
    return f"{mutant.place.path}:{mutant.place.line}:{mutant.place.column}"


def _print(
    out: Console, text: str, indent: int, *, before: str = "", style_of: str = "", style: str = ""
) -> None:
    """One line; on a terminal folded between words, with what goes over indented. Never read as markup."""
    line = before + clean(text)
    if out.is_terminal:
        line = textwrap.fill(
            line,
            max(out.width, indent + 20),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    shown = Text(line)
    start = line.find(style_of)
    if style and start >= 0:
        shown.stylize(style, start, start + len(style_of))
    elif style:  # what is to be styled was folded
        shown.stylize(style)
    out.print(shown, soft_wrap=True)
