"""``safetynet rules test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.rules.paths import Paths
from cli.options import Json
from cli.rendering import print_json, stdout
from cli.rule_lines import mutation_document, plural, print_mutation, print_results, print_uncovered
from recovery.clock import utc_now
from rules.errors import UsageError
from rules.junit import junit_xml
from rules.mutation import mutate
from rules.rule_tests import (
    RuleTestResult,
    given_files,
    prepare_tests,
    run_test,
    uncovered_rules,
    untested_rules,
)
from rules.rulefile import load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.mutation import Mutation
    from rules.rule_tests import Uncovered

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
Named = Annotated[str, typer.Option("-k", metavar="TEXT", help="Only tests with this text in their names.")]
Mutate = Annotated[
    bool,
    typer.Option("--mutate", help="Take each condition out in turn: exit 2 if no test notices."),
]
Junit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Also write the results as JUnit XML.")
]

_ADD_TESTS = "Add one under `tests:` to a rule file: a name, an event, and what to expect. `safetynet rules new` drafts some."


@app.command(epilog="Example: safetynet rules test --mutate rules.d/")
def run_tests(
    paths: Paths = None,
    *,
    named: Named = "",
    mutated: Mutate = False,
    junit: Junit = None,
    as_json: Json = False,
) -> None:
    """Run the inline tests of rule files, together with the default pack, as they are used.

    Exit 2 if one fails, or there are rules and no test at all. The default pack's own tests run if it is given, or no
    path is.
    """
    if named and mutated:
        raise UsageError("--mutate needs all tests", hint="Leave -k out.")
    loaded = load_rules(paths or [])
    at, files = utc_now(), given_files(loaded, paths or [])
    tests = prepare_tests(loaded, files, named)
    if named and not tests:
        raise UsageError(f"no test has {named!r} in its name")
    results = [run_test(loaded.rule_set, test, at) for test in tests]
    failed = sum(not result.passed for result in results)
    uncovered = [] if named else uncovered_rules(loaded, results, files)
    mutation = mutate(loaded, tests, files, at) if mutated and tests and not failed else None
    if junit is not None:
        _write(junit, junit_xml(results, at, mutation))
    if as_json:
        ids = {rule.id for source, _, rule in loaded.written if source.path in files}
        untested = [rule_id for rule_id in untested_rules(loaded, results) if rule_id in ids]
        print_json(_document(results, untested, uncovered, mutation))
    else:
        _show(results, uncovered, mutation)
    if not tests and any(source.path in files for source, _, _ in loaded.written):
        raise UsageError(
            "no tests in the rule files, so nothing shows that their rules work", hint=_ADD_TESTS
        )
    if failed:
        hint = "Mend them first: --mutate needs tests that pass." if mutated else ""
        raise UsageError(f"{failed} of {len(results)} rule tests failed", hint=hint)
    if mutation is not None and mutation.survivors:
        unnoticed = f"{len(mutation.survivors)} of {plural(mutation.tried, 'change')} to the rules"
        raise UsageError(
            f"{unnoticed} went unnoticed", hint="Add tests that fail without the parts that are named above."
        )


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot be written: {path}: {error.strerror or error}") from error


def _document(
    results: Sequence[RuleTestResult],
    untested: Sequence[str],
    uncovered: Sequence[Uncovered],
    mutation: Mutation | None,
) -> dict[str, object]:
    return {
        "tests": [_test(result) for result in results],
        "untested_rules": untested,
        "uncovered": [{"rule": one.rule_id, "place": one.place, "why": one.why} for one in uncovered],
        "mutation": mutation_document(mutation) if mutation is not None else None,
    }


def _test(result: RuleTestResult) -> dict[str, object]:
    return {
        "name": result.name,
        "place": result.place,
        "passed": result.passed,
        "differences": result.differences,
        "explanations": result.explanations,
        "verdict": result.verdict.kind.value,
        "severity": result.verdict.severity.value,
        "rules": [hit.rule_id for hit in result.verdict.hits],
    }


def _show(
    results: Sequence[RuleTestResult], uncovered: Sequence[Uncovered], mutation: Mutation | None
) -> None:
    out = stdout()
    print_results(out, results)
    print_uncovered(out, uncovered)
    if mutation is not None:
        print_mutation(out, mutation)
        noticed = mutation.tried - len(mutation.survivors)
        out.print(f"{noticed} of {plural(mutation.tried, 'change')} to the rules noticed", soft_wrap=True)
    passed = sum(result.passed for result in results)
    out.print(f"{passed} of {plural(len(results), 'test')} passed" if results else "no tests", soft_wrap=True)
