"""``safetynet rules test`` as people and machines run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.cli.running import Outcome, QuickShell

if TYPE_CHECKING:
    from pathlib import Path

RULES = """\
version: 1
rules:
  - id: preview
    verdict: intentional
    match: {facts: {actor: {role: [ci]}, resource: {name: [{prefix: preview-}]}}}
  - {id: idle, verdict: accidental, match: {facts: {region: [nowhere]}}}
tests:
"""
EVENT = (
    "event: {{eventName: DeleteTable, requestParameters: {{tableName: {}}}, "
    "userIdentity: {{type: AssumedRole, sessionContext: {{sessionIssuer: {{userName: {}}}}}}}}}"
)
FINE = f"{{name: ci may, {EVENT.format('preview-1', 'ci')}, expect: {{verdict: intentional, rule: preview}}}}"
OTHER = f"{{name: others may not, {EVENT.format('preview-1', 'bob')}, expect: {{verdict: suspicious}}}}"
NAME = f"{{name: not every table, {EVENT.format('orders', 'ci')}, expect: {{verdict: suspicious}}}}"
REGION = FINE.replace("ci may", "nowhere").replace("DeleteTable,", "DeleteTable, awsRegion: nowhere,")
IDLE = REGION.replace("intentional, rule: preview", "accidental, rule: idle")
FAILS = FINE.replace("ci may", "bob may").replace("userName: ci", "userName: bob")


def run(folder: Path, *options: str, tests: tuple[str, ...]) -> Outcome:
    """Run ``rules test`` on a file with these tests."""
    text = RULES + "".join(f"  - {test}\n" for test in tests) if tests else RULES.replace("tests:\n", "")
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    return QuickShell({}, folder).run("rules", "test", "shop.yaml", *options)


def test_tests_that_pass(tmp_path: Path) -> None:
    """Only the file's own tests run, and rules that none covers are named with their place."""
    done = run(tmp_path, tests=(FINE, OTHER))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "ok   ci may",
        "ok   others may not",
        "shop.yaml:6: note: rule idle is not covered: no test makes it count",
        "2 of 2 tests passed",
    ]


def test_a_failure_says_why(tmp_path: Path) -> None:
    """Where the test stands, what was expected and what came, which rules counted, and why the expected one did not."""
    done = run(tmp_path, tests=(FINE, FAILS))
    assert done.code == 2
    lines = done.out.splitlines()
    assert lines[1:6] == [
        "FAIL bob may",
        "     shop.yaml:9",
        "     verdict: expected intentional, got suspicious",
        "     rule: expected preview, got none",
        "     no rule counted",
    ]
    assert lines[6] == '     rule preview did not match: facts.actor.role asks for ["ci"], found "bob"'
    assert lines[-1] == "1 of 2 tests passed"
    assert done.err.startswith("error: 1 of 2 rule tests failed")


def test_no_tests(tmp_path: Path) -> None:
    """Rules without any test are no green run of nothing: exit 2, and how to add one. No rules need no tests."""
    done = run(tmp_path, tests=())
    assert done.code == 2
    assert done.out.splitlines()[-1] == "no tests"
    assert "no tests in the rule files" in done.err
    assert "`tests:`" in done.err
    assert run(tmp_path, "--mutate", tests=()).code == 2
    assert json.loads(run(tmp_path, "--json", tests=()).out)["tests"] == []
    (tmp_path / "lists.yaml").write_text("version: 1\nlists: {a: [b]}\n", encoding="utf-8")
    done = QuickShell({}, tmp_path).run("rules", "test", "lists.yaml")
    assert (done.code, done.out, done.err) == (0, "no tests\n", "")


def test_a_fact_that_the_expected_rule_needs(tmp_path: Path) -> None:
    """Where it is not given, the failure says to give it; rules of the default pack that lack facts are not named."""
    rules = RULES.replace("{actor: {role: [ci]}, ", "{table: {tags: {env: [dev]}}, ")
    (tmp_path / "shop.yaml").write_text(f"{rules}  - {FINE}\n", encoding="utf-8")
    done = QuickShell({}, tmp_path).run("rules", "test", "shop.yaml")
    assert done.code == 2
    assert "found nothing there: give facts.table.tags under facts: in the test" in done.out
    assert "declared-intent" not in done.out


def test_tests_by_name(tmp_path: Path) -> None:
    """-k runs some, and a name that no test has is an error: it would be a green run of nothing."""
    done = run(tmp_path, "-k", "MAY NOT", tests=(FINE, OTHER))
    assert (done.code, done.out.splitlines()) == (0, ["ok   others may not", "1 of 1 test passed"])
    done = run(tmp_path, "-k", "nonsense", tests=(FINE, OTHER))
    assert (done.code, done.out) == (2, "")
    assert "no test has 'nonsense' in its name" in done.err


def test_mutation_that_is_noticed(tmp_path: Path) -> None:
    """Exit 0 if each part of each rule is missed by some test."""
    done = run(tmp_path, "--mutate", tests=(FINE, OTHER, NAME, IDLE))
    assert done.code == 0, done.out
    assert done.out.splitlines()[-2:] == ["5 of 5 changes to the rules noticed", "4 of 4 tests passed"]


def test_mutation_that_goes_unnoticed(tmp_path: Path) -> None:
    """Exit 2, and what no test notices is named; of a rule that can be gone no more is said."""
    done = run(tmp_path, "--mutate", tests=(FINE, NAME))
    assert done.code == 2
    assert done.out.splitlines()[-4:] == [
        "shop.yaml:5:29: error: rule preview: no test notices when this is taken out: match: facts.actor.role",
        "shop.yaml:6:5: error: rule idle: no test notices when the whole rule is taken out",
        "3 of 5 changes to the rules noticed",
        "2 of 2 tests passed",
    ]
    assert "error: 2 of 5 changes to the rules went unnoticed" in done.err


def test_mutation_needs_all_tests_and_passing_ones(tmp_path: Path) -> None:
    """With some tests left out, or failing ones, survivors would mean nothing."""
    done = run(tmp_path, "--mutate", "-k", "may", tests=(FINE,))
    assert (done.code, "Leave -k out" in done.err) == (2, True)
    done = run(tmp_path, "--mutate", tests=(FINE, FAILS))
    assert (done.code, "--mutate needs tests that pass" in done.err) == (2, True)
    assert "changes to the rules" not in done.out


def test_for_machines(tmp_path: Path) -> None:
    """JSON alone on stdout: tests with what differs and why, rules not covered, and the mutation."""
    done = run(tmp_path, "--json", "--mutate", tests=(FINE, OTHER))
    assert done.code == 2
    document = json.loads(done.out)
    assert [(one["name"], one["passed"], one["rules"]) for one in document["tests"]] == [
        ("ci may", True, ["preview"]),
        ("others may not", True, []),
    ]
    assert document["untested_rules"] == ["idle"]
    assert document["uncovered"] == [
        {"rule": "idle", "place": "shop.yaml:6", "why": "no test makes it count"}
    ]
    assert document["mutation"]["tried"] == 5
    assert document["mutation"]["survivors"][0] == {
        "rule": "preview",
        "what": "match: facts.resource.name",
        "file": "shop.yaml",
        "line": 5,
        "column": 53,
    }


def test_junit(tmp_path: Path) -> None:
    """The file is written also where tests fail; one that cannot be written is an error."""
    done = run(tmp_path, "--junit", "out.xml", tests=(FINE, FAILS))
    assert done.code == 2
    root = ET.parse(tmp_path / "out.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    done = run(tmp_path, "--junit", "no/such/folder.xml", tests=(FINE,))
    assert (done.code, "cannot be written: no/such/folder.xml" in done.err) == (2, True)


@pytest.mark.parametrize("given", [(), ("shop.yaml", "pack.yaml")])
def test_the_default_packs_own_tests(tmp_path: Path, given: tuple[str, ...]) -> None:
    """They run if no path is given, and not along with somebody's files."""
    (tmp_path / "shop.yaml").write_text(f"{RULES}  - {FINE}\n", encoding="utf-8")
    (tmp_path / "pack.yaml").write_text("version: 1\n", encoding="utf-8")
    done = QuickShell({}, tmp_path).run("rules", "test", *given)
    assert done.code == 0, done.out
    assert ("ok   ci may" in done.out) is bool(given)
    assert ("1 of 1 test passed" in done.out) is bool(given)
