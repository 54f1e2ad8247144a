"""Inline tests: they pass, fail and are missed for the right reasons."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from rules.rule_tests import RuleTestResult, run_rule_tests, untested_rules
from rules.rulefile import load_rules
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
        (b'{"detail-type": "Object Created", "source": "aws.s3", "detail": {}}', "unknown kind of event"),
        (b'{"eventTime": "today"}', "eventTime: a time like 2026-01-31T09:30:00Z is needed"),
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
