"""Mutation: every part of a rule is taken out, and what no test notices is named."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from rules.lint.findings import subjects_of
from rules.mutation import GONE, Mutation, mutants_of, mutate
from rules.rule_tests import given_files, prepare_tests, run_test
from rules.rulefile import LoadedRules, load_rules
from tests.rules.judging import NOW

if TYPE_CHECKING:
    from pathlib import Path

PREVIEW = """\
rules:
  - id: preview
    verdict: intentional
    match:
      detail: {eventName: [DeleteTable]}
      facts:
        actor: {role: [ci]}
        resource: {name: [{prefix: preview-}, sandbox]}
    unless: {facts: {failed: [true]}}
"""
BY = "userIdentity: {type: AssumedRole, sessionContext: {sessionIssuer: {userName: %s}}}"
# One test for each part that may be taken out.
COUNTS = "counts: DeleteTable preview-1 ci intentional"
ALL = (
    COUNTS,
    "sandbox: DeleteTable sandbox ci intentional",
    "another name: DeleteTable orders ci suspicious",
    "another role: DeleteTable preview-1 bob suspicious",
    "another call: DeleteTableReplica preview-1 ci suspicious",
    "failed: DeleteTable preview-1 ci suspicious AccessDenied",
)


def loaded(folder: Path, rules: str, *tests: str) -> LoadedRules:
    """Rules with tests written as ``name: eventName table role verdict [errorCode]``."""
    entries = []
    for test in tests:
        name, _, rest = test.partition(": ")
        event, table, role, verdict, *error = rest.split()
        failed = f", errorCode: {error[0]}" if error else ""
        entries.append(
            f"  - {{name: {name}, event: {{eventName: {event}, requestParameters: {{tableName: {table}}}, "
            f"{BY % role}{failed}}}, facts: {{intents: []}}, expect: {{verdict: {verdict}}}}}\n"
        )
    path = folder / "f.yaml"
    head = "tests:\n" if entries else ""
    path.write_text(f"version: 1\n{textwrap.dedent(rules)}{head}{''.join(entries)}", encoding="utf-8")
    return load_rules([path], default_pack=False)


def mutated(rules: LoadedRules) -> Mutation:
    """What mutation comes to; the tests must pass as the rules are."""
    tests = prepare_tests(rules)
    assert [result for test in tests if not (result := run_test(rules.rule_set, test, NOW)).passed] == []
    return mutate(rules, tests, given_files(rules, []), NOW)


def names(rules: LoadedRules) -> list[str]:
    """What is taken out, in order."""
    return [mutant.what for subject in subjects_of(rules) for mutant in mutants_of(subject)]


def test_every_part_is_taken_out(tmp_path: Path) -> None:
    """The rule, its fields, their values, branches of $or with what is in them, unless, during, values of anything-but."""
    rules = loaded(
        tmp_path,
        """\
        windows: {a: {weekly: [mon]}, b: {weekly: [tue]}}
        lists: {roles: [x, y]}
        rules:
          - id: r
            verdict: suspicious
            during: [a, b]
            match:
              detail: {eventName: [DeleteTable, {prefix: Update}]}
              $or:
                - facts: {tool: [cli]}
                - facts: {actor: {role: [{list: roles}]}, region: [{anything-but: {prefix: [eu-, us-]}}]}
            unless: {account: ['1'], facts: {table: {itemCount: [{numeric: ['>', 1, '<', 5]}]}}}
        """,
    )
    assert names(rules) == [
        GONE,
        "match: detail.eventName",
        'match: detail.eventName "DeleteTable"',
        'match: detail.eventName {"prefix": "Update"}',
        "match: alternative 1 of $or",
        "match: facts.tool",
        "match: alternative 2 of $or",
        "match: facts.actor.role",
        "match: facts.region",
        'match: facts.region "eu-"',
        'match: facts.region "us-"',
        "unless",
        "unless: account",
        "unless: facts.table.itemCount",
        "during",
        "during: a",
        "during: b",
    ]


def test_what_is_left_is_what_it_says(tmp_path: Path) -> None:
    """A part that is out is out, an emptied branch of $or matches everything, and the written rule is not touched."""
    rules = loaded(
        tmp_path,
        """\
        rules:
          - {id: r, verdict: suspicious, match: {region: [x], $or: [{account: ['1']}, {facts: {tool: [cli]}}]}}
        """,
    )
    (subject,) = subjects_of(rules)
    left = {one.what: one.rule.written_match for one in mutants_of(subject) if one.rule is not None}
    assert left == {
        "match: region": {"$or": [{"account": ["1"]}, {"facts": {"tool": ["cli"]}}]},
        "match: alternative 1 of $or": {"region": ["x"], "$or": [{"facts": {"tool": ["cli"]}}] * 2},
        "match: account": {
            "region": ["x"],
            "$or": [{"-": [{"exists": False}]}, {"facts": {"tool": ["cli"]}}],
        },
        "match: alternative 2 of $or": {"region": ["x"], "$or": [{"account": ["1"]}] * 2},
        "match: facts.tool": {"region": ["x"], "$or": [{"account": ["1"]}, {"-": [{"exists": False}]}]},
    }
    assert subject.rule.match["$or"] == [{"account": ["1"]}, {"facts": {"tool": ["cli"]}}]


def test_a_rule_without_its_only_condition_matches_everything(tmp_path: Path) -> None:
    """Also an event of which nothing is known."""
    rules = loaded(tmp_path, "rules: [{id: r, verdict: suspicious, match: {facts: {tool: [cli]}}}]\n")
    (subject,) = subjects_of(rules)
    (only,) = [one.rule for one in mutants_of(subject) if one.rule is not None]
    assert only.match.matches({})


def test_tests_that_notice_everything(tmp_path: Path) -> None:
    """With a test for each part nothing survives."""
    mutation = mutated(loaded(tmp_path, PREVIEW, *ALL))
    assert (mutation.tried, mutation.survivors) == (7, ())


@pytest.mark.parametrize(
    ("left_out", "survivors"),
    [
        ("sandbox", ['match: facts.resource.name "sandbox"']),
        ("another name", ["match: facts.resource.name"]),
        ("another role", ["match: facts.actor.role"]),
        ("another call", ["match: detail.eventName"]),
        ("failed", ["unless"]),
    ],
)
def test_a_test_that_is_missing(tmp_path: Path, left_out: str, survivors: list[str]) -> None:
    """Without one of the tests just its part goes unnoticed, and is named with its place."""
    mutation = mutated(
        loaded(tmp_path, PREVIEW, *(test for test in ALL if not test.startswith(f"{left_out}:")))
    )
    assert [one.what for one in mutation.survivors] == survivors
    assert mutation.survivors[0].place.path == str(tmp_path / "f.yaml")
    assert mutation.survivors[0].place.line > 3


def test_vacuous_tests(tmp_path: Path) -> None:
    """A test that passes whatever the rule says notices nothing, though it makes the rule count."""
    vacuous = PREVIEW.replace("intentional", "suspicious")
    mutation = mutated(loaded(tmp_path, vacuous, COUNTS.replace("intentional", "suspicious")))
    assert len(mutation.survivors) == mutation.tried == 7


def test_a_rule_that_must_not_count(tmp_path: Path) -> None:
    """``not_rule`` notices a suspicious rule that counts too often, which no verdict tells."""
    rules = loaded(tmp_path, "rules: [{id: r, verdict: suspicious, match: {facts: {actor: {role: [ci]}}}}]\n")
    path = tmp_path / "f.yaml"
    event = "event: {{eventName: DeleteTable, requestParameters: {{tableName: t}}, %s}}".replace(
        "{{", "{"
    ).replace("}}", "}")
    tests = (
        f"tests:\n  - {{name: a, {event % (BY % 'ci')}, expect: {{verdict: suspicious, rule: r}}}}\n"
        f"  - {{name: b, {event % (BY % 'bob')}, expect: {{verdict: suspicious%s}}}}\n"
    )
    text = path.read_text(encoding="utf-8")
    assert rules.tests == []
    for more, survivors in (("", ["match: facts.actor.role"]), (", not_rule: r", [])):
        path.write_text(text + tests % more, encoding="utf-8")
        mutation = mutated(load_rules([path], default_pack=False))
        assert [one.what for one in mutation.survivors] == survivors


def test_windows_are_noticed(tmp_path: Path) -> None:
    """A test outside the window notices when during is gone, one inside notices when its window is."""
    rules = """\
    windows: {thursdays: {weekly: [thu]}, fridays: {weekly: [fri]}}
    rules:
      - {id: r, verdict: intentional, during: [thursdays, fridays], match: {facts: {actor: {role: [ci]}}}}
    """
    # Tests happen on 2026-01-01, a Thursday.
    mutation = mutated(
        loaded(tmp_path, rules, "in: DeleteTable t ci intentional", "other: DeleteTable t bob suspicious")
    )
    assert [one.what for one in mutation.survivors] == ["during", "during: fridays"]


def test_only_rules_of_the_files_given(tmp_path: Path) -> None:
    """The default pack is not mutated by the tests of somebody's file."""
    loaded(tmp_path, PREVIEW, *ALL)
    rules = load_rules([tmp_path])
    files = given_files(rules, [tmp_path])
    mutation = mutate(rules, prepare_tests(rules, files), files, NOW)
    assert mutation.tried == 7
