"""Inline tests: they pass, fail and are missed for the right reasons."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from rules.fact_schema import FACTS
from rules.rule_tests import (
    RuleTestResult,
    given_files,
    prepare_tests,
    run_rule_tests,
    uncovered_rules,
    untested_rules,
)
from rules.rulefile import DEFAULT_PACK, LoadedRules, load_rules
from rules.verdicts import Severity
from rules.yaml_source import FileFaultsError
from tests.rules.judging import NOW, document

if TYPE_CHECKING:
    from pathlib import Path

RULES = """\
version: 1
rules:
  - id: dev-tables
    verdict: intentional
    match: {facts: {table: {tags: {env: [dev]}}}}
  - id: no-backup
    verdict: suspicious
    severity: critical
    match: {facts: {backup: {found: [false]}}}
  - id: stacks
    verdict: intentional
    match: {detail: {eventName: [DeleteStack]}}
    unless: {facts: {table: {tags: {env: [prod]}}}}
tests:
"""
FIRST_TEST = RULES.count("\n") + 1


def results(folder: Path, *tests: str, at: datetime = NOW) -> list[RuleTestResult]:
    """The results of tests of ``RULES``, each in YAML's flow style."""
    return run_rule_tests(load_rules([written(folder, *tests)], default_pack=False), at)


def written(folder: Path, *tests: str) -> Path:
    """The rule file with these tests."""
    path = folder / "f.yaml"
    path.write_text(RULES + "".join(f"  - {test}\n" for test in tests), encoding="utf-8")
    return path


def one(folder: Path, test: str) -> RuleTestResult:
    """The result of one test."""
    (result,) = results(folder, test)
    return result


DELETE = "event: {eventName: DeleteTable, requestParameters: {tableName: orders}}"
STACK = "event: {eventSource: cloudformation.amazonaws.com, eventName: DeleteStack, requestParameters: {stackName: shop}}"


@pytest.mark.parametrize(
    ("test", "differences"),
    [
        (f"{{name: t, {DELETE}, expect: {{verdict: suspicious}}}}", []),
        (f"{{name: t, {DELETE}, expect: {{verdict: suspicious, severity: high}}}}", []),
        (
            f"{{name: t, {DELETE}, expect: {{verdict: intentional, rule: dev-tables, severity: info}}}}",
            [
                "verdict: expected intentional, got suspicious",
                "rule: expected dev-tables, got none",
                "severity: expected info, got high",
            ],
        ),
        (
            f"{{name: t, {DELETE}, facts: {{table: {{tags: {{env: dev}}}}}}, expect: {{verdict: intentional, rule: dev-tables}}}}",
            [],
        ),
        (
            f"{{name: t, {DELETE}, facts: {{backup: {{found: false}}}}, expect: {{verdict: suspicious, severity: critical}}}}",
            [],
        ),
        (
            f"{{name: t, {DELETE}, facts: {{backup: {{found: false}}}}, expect: {{verdict: suspicious, rule: nope}}}}",
            ["rule: expected nope, got no-backup"],
        ),
    ],
)
def test_passing_and_failing(tmp_path: Path, test: str, differences: list[str]) -> None:
    """What is expected is compared, what is left out is not, and every difference is said."""
    result = one(tmp_path, test)
    assert list(result.differences) == differences
    assert result.passed is (not differences)
    assert (result.name, result.place) == ("t", f"{tmp_path / 'f.yaml'}:{FIRST_TEST}")


def test_facts_are_laid_over_those_of_the_event(tmp_path: Path) -> None:
    """One fact given leaves its neighbours as the event has them."""
    path = written(
        tmp_path,
        f"{{name: t, {DELETE}, facts: {{resource: {{name: basket}}, tool: cli}}, expect: {{verdict: accidental, rule: seen}}}}",
    )
    match = "{facts: {resource: {name: [basket], type: [table]}, tool: [cli], account: ['111122223333']}}"
    extra = f"rules:\n  - {{id: seen, verdict: accidental, match: {match}}}\n"
    path.write_text(path.read_text(encoding="utf-8").replace("rules:\n", extra), encoding="utf-8")
    (result,) = run_rule_tests(load_rules([path], default_pack=False), NOW)
    assert result.passed, result.differences


def test_table_facts_that_are_not_given_are_unknown(tmp_path: Path) -> None:
    """A test cannot pass because it forgot a fact that in life may not be known."""
    result = one(tmp_path, f"{{name: t, {DELETE}, expect: {{verdict: suspicious}}}}")
    assert (
        "rule dev-tables cannot be judged: it rests on unknown facts: table.tags (not given in the test)"
        in result.verdict.reasons
    )


def test_a_stack_has_no_table_facts(tmp_path: Path) -> None:
    """As in life they are absent for a stack, not unknown, so that a rule may count without them."""
    assert one(tmp_path, f"{{name: t, {STACK}, expect: {{verdict: intentional, rule: stacks}}}}").passed


@pytest.mark.parametrize("name", ["delete-table-console", "envelope-delete-table", "china-region"])
def test_an_event_from_a_file(tmp_path: Path, name: str) -> None:
    """A file beside the rule file holds the event, as a record or in its envelope."""
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "e.json").write_text(json.dumps(document(name)), encoding="utf-8")
    result = one(
        tmp_path,
        "{name: t, event: events/e.json, facts: {table: {tags: {env: dev}}}, expect: {verdict: intentional}}",
    )
    assert result.passed, result.differences


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"{", "not JSON"),
        (b"[]", "expected a JSON object, found list"),
        (b"\xff\xfe", "not JSON"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"detail-type": "Something New", "source": "aws.s3", "detail": {}}', "unknown kind of event"),
        (
            b'{"eventName": "X", "eventTime": "today"}',
            "eventTime: a time like 2026-01-31T09:30:00Z is needed",
        ),
    ],
)
def test_an_event_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, why: str) -> None:
    """The fault stands at the line of the test that names it."""
    if content is not None:
        (tmp_path / "e.json").write_bytes(content)
    with pytest.raises(FileFaultsError) as caught:
        one(tmp_path, "{name: t, event: e.json, expect: {verdict: suspicious}}")
    assert str(caught.value).startswith(f"{tmp_path / 'f.yaml'}:{FIRST_TEST}:")
    assert why in str(caught.value)


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    """It is a fault with a line, too."""
    with pytest.raises(FileFaultsError, match=rf":{FIRST_TEST}:"):
        one(tmp_path, '{name: t, event: "a\\0b", expect: {verdict: suspicious}}')


def test_all_unreadable_events_in_one_go(tmp_path: Path) -> None:
    """One run names every test whose event cannot be used."""
    with pytest.raises(FileFaultsError) as caught:
        results(
            tmp_path,
            "{name: a, event: a.json, expect: {verdict: suspicious}}",
            f"{{name: fine, {DELETE}, expect: {{verdict: suspicious}}}}",
            "{name: b, event: {eventName: ''}, expect: {verdict: suspicious}}",
        )
    assert [fault.line for fault in caught.value.faults] == [FIRST_TEST, FIRST_TEST + 2]


def test_untested_rules(tmp_path: Path) -> None:
    """A rule that no test makes count is named."""
    path = written(tmp_path, f"{{name: t, {STACK}, expect: {{verdict: intentional}}}}")
    loaded = load_rules([path], default_pack=False)
    assert untested_rules(loaded, run_rule_tests(loaded, NOW)) == ["dev-tables", "no-backup"]


def test_expiry_is_judged_by_the_time_given(tmp_path: Path) -> None:
    """A test of an expired rule fails, as the rule would in life."""
    path = written(tmp_path, f"{{name: t, {STACK}, expect: {{verdict: intentional}}}}")
    text = path.read_text(encoding="utf-8").replace(
        "- id: stacks\n", "- id: stacks\n    expires: 2026-11-23\n"
    )
    path.write_text(text, encoding="utf-8")
    loaded = load_rules([path], default_pack=False)
    assert not run_rule_tests(loaded, NOW)[0].passed
    assert run_rule_tests(loaded, datetime(2026, 11, 22, tzinfo=UTC))[0].passed


STANDALONE = """\
version: 1
windows: {fridays: {weekly: [fri]}}
rules:
  - id: ci
    verdict: intentional
    match: {facts: {actor: {role: [ci]}, resource: {name: [{prefix: preview-}, sandbox]}}}
    unless: {detail: {errorCode: [{exists: true}]}}
  - {id: friday, verdict: intentional, during: fridays, match: {facts: {tool: [cli]}}}
  - {id: old, verdict: intentional, expires: 2026-01-01, match: {facts: {tool: [cdk]}}}
  - {id: tagged, verdict: intentional, match: {facts: {table: {tags: {env: [dev]}}}}}
  - {id: resources, verdict: intentional, match: {detail: {resources: {ARN: [a], type: [b]}}}}
  - {id: worst, verdict: accidental, match: {facts: {region: [nowhere]}}}
tests:
"""
PREVIEW = "requestParameters: {tableName: preview-1}"
CI = "userIdentity: {type: AssumedRole, sessionContext: {sessionIssuer: {userName: %s}}}"


def loaded(folder: Path, *tests: str) -> LoadedRules:
    """``STANDALONE`` with tests in YAML's flow style."""
    path = folder / "s.yaml"
    path.write_text(STANDALONE + "".join(f"  - {test}\n" for test in tests), encoding="utf-8")
    return load_rules([path], default_pack=False)


def explained(folder: Path, event: str, rule: str, *, facts: str = "{}", verdict: str = "intentional") -> str:
    """Why a rule did not decide, as its test says it: the last line."""
    test = f"{{name: t, event: {{eventName: DeleteTable, {event}}}, facts: {facts}, expect: {{verdict: {verdict}, rule: {rule}}}}}"
    (result,) = run_rule_tests(loaded(folder, test), NOW)
    assert not result.passed
    return result.explanations[-1]


@pytest.mark.parametrize(
    ("event", "rule", "why"),
    [
        (
            f"{PREVIEW}, {CI % 'deploy'}",
            "ci",
            'rule ci did not match: facts.actor.role asks for ["ci"], found "deploy"',
        ),
        (
            f"requestParameters: {{tableName: orders}}, {CI % 'ci'}",
            "ci",
            'rule ci did not match: facts.resource.name asks for [{"prefix": "preview-"}, "sandbox"], found "orders"',
        ),
        (f"{PREVIEW}, {CI % 'ci'}, errorCode: X", "ci", "rule ci matched, but is excluded by unless"),
        (f"{PREVIEW}, userAgent: aws-cli/2", "friday", "rule friday matched, but none of fridays is in force"),
        (f"{PREVIEW}, userAgent: aws-cdk/2", "old", "rule old matched, but it expired on 2026-01-01"),
        (
            PREVIEW,
            "tagged",
            ('rule tagged did not match: facts.table.tags.env asks for ["dev"], found nothing there'
            ": give facts.table.tags under facts: in the test"),
        ),
        (
            f"{PREVIEW}, resources: [{{ARN: a}}, {{type: b}}]",
            "resources",
            'rule resources did not match: detail.resources.type asks for ["b"], found "b", in another element of the array',
        ),
        (f"{PREVIEW}, {CI % 'ci'}, awsRegion: nowhere", "ci", "rule ci counted, and was outweighed"),
        (PREVIEW, "nonsense", "there is no rule nonsense"),
        (PREVIEW, "tagge", "there is no rule tagge; did you mean 'tagged'?"),
    ],
)  # fmt: skip
def test_why_the_expected_rule_did_not_decide(tmp_path: Path, event: str, rule: str, why: str) -> None:
    """The first condition that fails with what was asked and found, or whatever else kept the rule out."""
    assert explained(tmp_path, event, rule) == why


def test_what_counted_instead(tmp_path: Path) -> None:
    """A failure names the rules that counted and those that were outweighed; a test that passed says nothing."""
    event = f"event: {{eventName: DeleteTable, {PREVIEW}, {CI % 'ci'}, awsRegion: nowhere}}"
    wrong, right = run_rule_tests(
        loaded(
            tmp_path,
            f"{{name: wrong, {event}, expect: {{verdict: intentional}}}}",
            f"{{name: right, {event}, expect: {{verdict: accidental}}}}",
        ),
        NOW,
    )
    assert wrong.explanations[:2] == (
        "counted: worst (accidental, high): worst",
        "outweighed: ci (intentional): ci",
    )
    assert wrong.counted == {"ci", "worst"}
    assert right.explanations == ()


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("eventName: DescribeTable", "DescribeTable on dynamodb.amazonaws.com is nothing that is watched"),
        ("eventName: deleteTable", "deleteTable on dynamodb.amazonaws.com is nothing that is watched"),
        ("eventName: CreateTable", "Table created only explains other changes"),
        (
            "eventName: DeleteTable, errorCode: DryRunOperation",
            "Attempt to delete a table was a dry run, which changes nothing",
        ),
    ],
)
def test_an_event_that_the_watcher_never_judges(tmp_path: Path, event: str, why: str) -> None:
    """In life no rule is asked about it, so that a test of it shows nothing and fails, whatever it expects."""
    for verdict, others in (("suspicious", 0), ("accidental", 1)):
        test = f"{{name: t, event: {{{event}, {PREVIEW}}}, expect: {{verdict: {verdict}}}}}"
        (result,) = run_rule_tests(loaded(tmp_path, test), NOW)
        assert not result.passed
        assert result.differences[0] == f"the watcher does not judge such an event: {why}"
        assert len(result.differences) == 1 + others


def test_rules_that_must_not_count(tmp_path: Path) -> None:
    """``not_rule`` also finds a rule that was outweighed."""
    event = f"event: {{eventName: DeleteTable, {PREVIEW}, {CI % 'ci'}, awsRegion: nowhere}}"
    (result,) = run_rule_tests(
        loaded(
            tmp_path, f"{{name: t, {event}, expect: {{verdict: accidental, not_rule: [ci, worst, old]}}}}"
        ),
        NOW,
    )
    assert result.differences == (
        "rule: expected ci not to count, but it did",
        "rule: expected worst not to count, but it did",
    )


def unknown(folder: Path, test: str) -> set[str]:
    """The unknown facts of a test."""
    (prepared,) = prepare_tests(loaded(folder, f"{{name: t, {test}, expect: {{verdict: suspicious}}}}"))
    return set(prepared.facts.unknown)


def test_looked_up_facts_that_are_left_out_are_unknown(tmp_path: Path) -> None:
    """All of the schema's, for a table; for a stack only those that are not a table's."""
    looked_up = {fact.path for fact in FACTS if fact.looked_up}
    assert unknown(tmp_path, DELETE) == looked_up
    assert unknown(tmp_path, STACK) == {"intents", "recent.deletions", "recent.weakened"}


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        ("{table: {itemCount: 3}}", {"table.itemCount"}),
        ("{table: {tags: {a: b}}}", {"table.tags", "origin.stack"}),
        ("{table: {tags: {'aws:cloudformation:stack-name': shop}}}", {"table.tags", "origin.stack"}),
        ("{backup: {found: false}}", {"backup.found", "backup.ageHours"}),
        ("{backup: {found: true}}", {"backup.found"}),
        ("{intents: [], recent: {deletions: 1}}", {"intents", "recent.deletions"}),
    ],
)
def test_what_is_given_is_known(tmp_path: Path, facts: str, known: set[str]) -> None:
    """As in life: with the tags the stack is known, and a backup that there is not has no age."""
    test = f"{DELETE}, facts: {facts}"
    assert unknown(tmp_path, DELETE) - unknown(tmp_path, test) == known
    (prepared,) = prepare_tests(loaded(tmp_path, f"{{name: t, {test}, expect: {{verdict: suspicious}}}}"))
    assert prepared.facts.document["origin"].get("stack") == ("shop" if "shop" in facts else None)


@pytest.mark.parametrize(("bucket", "severity"), [("safetynet-vault", "critical"), ("another", "medium")])
def test_tampering_with_the_vault(tmp_path: Path, bucket: str, severity: str) -> None:
    """The net of tests has a vault of a name that tests can use."""
    event = f"event: {{eventSource: s3.amazonaws.com, eventName: DeleteBucketPolicy, requestParameters: {{bucketName: {bucket}}}}}"
    (result,) = run_rule_tests(
        loaded(tmp_path, f"{{name: t, {event}, expect: {{verdict: suspicious}}}}"), NOW
    )
    assert result.verdict.severity is Severity(severity)


def test_rules_that_tests_do_not_cover(tmp_path: Path) -> None:
    """A rule needs a test in which it counts, and one in which it does not; only rules of the files count."""
    counting = f"{{name: a, event: {{eventName: DeleteTable, {PREVIEW}, {CI % 'ci'}}}, expect: {{verdict: intentional}}}}"
    other = f"{{name: b, event: {{eventName: DeleteTable, {PREVIEW}, {CI % 'bob'}}}, expect: {{verdict: suspicious}}}}"
    for tests, of_ci in (
        ((counting,), ["it counts in every test: none shows that it can stay out"]),
        ((counting, other), []),
        ((other,), ["no test makes it count"]),
    ):
        rules = loaded(tmp_path, *tests)
        uncovered = uncovered_rules(rules, run_rule_tests(rules, NOW), given_files(rules, []))
        assert [one.why for one in uncovered if one.rule_id == "ci"] == of_ci
        assert {one.rule_id for one in uncovered} >= {"friday", "old", "worst"}
        assert uncovered_rules(rules, run_rule_tests(rules, NOW), frozenset()) == []


def test_whose_tests_are_run(tmp_path: Path) -> None:
    """Those of the files that were given; of the default pack if it was, or if nothing was."""
    path = written(tmp_path, f"{{name: t, {DELETE}, expect: {{verdict: suspicious}}}}")
    rules = load_rules([path])
    assert given_files(rules, [path]) == {str(path)}
    assert given_files(rules, []) == {str(path), "default pack"}
    assert given_files(rules, [path, DEFAULT_PACK]) == {str(path), "default pack"}
    assert given_files(rules, [path, DEFAULT_PACK.parent]) == {str(path), "default pack"}
    assert [test.test.name for test in prepare_tests(rules, given_files(rules, [path]))] == ["t"]


def test_tests_by_their_names(tmp_path: Path) -> None:
    """A part of the name is enough, in whatever case."""
    rules = loaded(
        tmp_path,
        f"{{name: a Preview table, {DELETE}, expect: {{verdict: suspicious}}}}",
        f"{{name: another, {DELETE}, expect: {{verdict: suspicious}}}}",
    )
    assert [test.test.name for test in prepare_tests(rules, named="preview")] == ["a Preview table"]
    assert len(prepare_tests(rules)) == 2
