"""``safetynet rules test``."""

from __future__ import annotations

import typer

from cli.commands.rules.paths import Paths
from cli.options import Json
from cli.rendering import print_json, stdout
from recovery.clock import utc_now
from rules.errors import UsageError
from rules.rule_tests import RuleTestResult, run_rule_tests, untested_rules
from rules.rulefile import load_rules

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: safetynet rules test rules.d/")
def run_tests(paths: Paths = None, *, as_json: Json = False) -> None:
    """Run the inline tests of rule files, together with the default pack, as they are used."""
    loaded = load_rules(paths or [])
    results = run_rule_tests(loaded, utc_now())
    failed = [result for result in results if not result.passed]
    untested = untested_rules(loaded, results)
    if as_json:
        print_json({"tests": [_document(result) for result in results], "untested_rules": untested})
    else:
        _show(results, untested)
    if failed:
        raise UsageError(f"{len(failed)} of {len(results)} rule tests failed")


def _document(result: RuleTestResult) -> dict[str, object]:
    return {
        "name": result.name,
        "place": result.place,
        "passed": result.passed,
        "differences": result.differences,
        "verdict": result.verdict.kind.value,
        "rules": [hit.rule_id for hit in result.verdict.hits],
    }


def _show(results: list[RuleTestResult], untested: list[str]) -> None:
    out = stdout()
    for result in results:
        out.print(
            f"{'ok  ' if result.passed else 'FAIL'} {result.name}",
            style=None if result.passed else "red",
            markup=False,
        )
        if result.passed:
            continue
        out.print(f"     {result.place}", markup=False)
        for line in (*result.differences, *(f"because: {reason}" for reason in result.verdict.reasons)):
            out.print(f"     {line}", markup=False)
    for rule_id in untested:
        out.print(f"note: no test makes rule {rule_id} count", markup=False)
    passed = sum(result.passed for result in results)
    out.print(f"{passed} of {len(results)} tests passed")
