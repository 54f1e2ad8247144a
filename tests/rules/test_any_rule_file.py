"""Any rule file, through everything that reads one: only the product's own errors come out, and never a hang."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.errors import UsageError
from rules.events import parse_event_json
from rules.explain import explain
from rules.facts import unlooked_facts
from rules.junit import junit_xml
from rules.lint.checks import lint
from rules.mutation import mutate
from rules.patterns import PatternError, compile_pattern
from rules.rule_tests import prepare_tests, run_test, untested_rules
from rules.rulefile import load_rules
from tests.rules.judging import EVENTS, NOW, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ResultT = TypeVar("ResultT")

NAMES = st.sampled_from(["a", "b", "release", "ci-roles"])
WORDS = st.sampled_from(
    ["DeleteTable", "DeleteStack", "dynamodb.amazonaws.com", "table", "destructive", "cli", "", "*", "a*b*c", "10.0.0.0/8",
     "10.0.0.1", "true", "7", "é\u0000", "release", "x" * 300]
)  # fmt: skip
NUMBERS = st.sampled_from([0, 1, -1, 1e308, 12345678901234567890, 0.5])
OPERATORS = st.sampled_from(
    ["prefix", "suffix", "wildcard", "equals-ignore-case", "anything-but", "numeric", "cidr", "exists", "exactly", "list", "prefx"]
)  # fmt: skip
LEAVES = WORDS | NUMBERS | st.none() | st.booleans()
OPERANDS = st.recursive(
    LEAVES | NAMES,
    lambda inner: (
        st.lists(inner | st.sampled_from([">", "<=", "="]), max_size=4)
        | st.dictionaries(OPERATORS, inner, max_size=1)
    ),
    max_leaves=4,
)
CONDITIONS = st.lists(
    LEAVES | st.dictionaries(OPERATORS, OPERANDS, min_size=1, max_size=1), min_size=1, max_size=3
)
KEYS = st.sampled_from(
    ["detail", "eventName", "eventSource", "userIdentity", "sessionContext", "resources", "ARN", "requestParameters",
     "tableName", "facts", "tool", "weight", "actor", "kind", "intents", "table", "tags", "windows", "recent", "$or", "a.b",
     "source", "nonsense", ""]
)  # fmt: skip
PATTERNS: st.SearchStrategy[Any] = st.recursive(
    CONDITIONS,
    lambda inner: st.dictionaries(KEYS, inner | st.lists(inner, max_size=3), min_size=1, max_size=3),
    max_leaves=6,
)
OBJECTS: st.SearchStrategy[Any] = PATTERNS.filter(lambda pattern: isinstance(pattern, dict)) | st.just(
    {"detail": {"eventName": ["DeleteTable"]}}
)
RULES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "c", "d"]),
        "verdict": st.sampled_from(["intentional", "suspicious", "accidental"]),
        "match": OBJECTS,
    },
    optional={
        "unless": OBJECTS, "during": st.sampled_from(["night", ["night"], []]), "severity": st.sampled_from(["low", "critical"]),
        "expires": st.sampled_from(["2026-01-01", "2027-01-01", "2026-11-30"]), "owner": WORDS, "reason": WORDS,
    },
)  # fmt: skip
WEEKLY = {"weekly": ["mon-fri 09:00-17:00", "sun", "fri 22:00-02:00"], "timezone": "Europe/Berlin"}
WINDOWS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "night": st.sampled_from(
            [WEEKLY, {"cron": "* * * * *", "lasts": "7d"}, {"cron": "0 0 29 2 *", "lasts": "1m"}]
        )
    },
)
TESTS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "name": WORDS | NAMES,
        "event": st.sampled_from(
            [{"eventName": "DeleteTable"}, {}, {"detail-type": "x"}, record(), "nowhere.json"]
        ),
        "expect": st.fixed_dictionaries(
            {"verdict": st.sampled_from(["intentional", "suspicious"])},
            optional={"rule": NAMES, "not_rule": NAMES},
        ),
    },
    optional={"facts": st.dictionaries(KEYS, LEAVES | st.dictionaries(KEYS, LEAVES, max_size=2), max_size=2)},
)
FILES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"version": st.just(1), "rules": st.lists(RULES, max_size=4, unique_by=lambda rule: str(rule["id"])), "windows": WINDOWS},
    optional={
        "lists": st.dictionaries(NAMES, st.lists(LEAVES | st.dictionaries(OPERATORS, OPERANDS, max_size=1), max_size=3), max_size=2),
        "tests": st.lists(TESTS, max_size=3),
    },
)  # fmt: skip
DELETED = parse_event_json((EVENTS / "delete-table-cli-assumed-role.json").read_bytes())


def unless_refused(path: Path, work: Callable[[], ResultT]) -> ResultT | None:
    """What the work gives; None if it was refused, with a message that has the file's name in it."""
    with suppress(UsageError):
        try:
            return work()
        except UsageError as error:
            if str(path) not in str(error):
                pytest.fail(f"no place in: {error}")
            raise
    return None


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(FILES)
def test_any_rule_file(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> None:
    """Loaded, linted, tested, mutated, explained and judged by, or refused with a message that has its place."""
    path = tmp_path_factory.mktemp("any") / "f.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    loaded = unless_refused(path, lambda: load_rules([path], default_pack=False))
    if loaded is None:
        return
    assert all(finding.fault.line > 0 for finding in lint(loaded, NOW))
    facts = unlooked_facts(DELETED)
    explained = explain(loaded.rule_set, DELETED, facts, NOW)
    assert explained.verdict == loaded.rule_set.judge(DELETED, facts, NOW)
    prepared = unless_refused(path, lambda: prepare_tests(loaded))
    if prepared is None:
        return
    results = [run_test(loaded.rule_set, one, NOW) for one in prepared]
    untested_rules(loaded, results)
    passing = [one for one, result in zip(prepared, results, strict=True) if result.passed]
    mutation = mutate(loaded, passing, {str(path)}, NOW)
    assert len(mutation.survivors) <= mutation.tried
    assert junit_xml(results, NOW).startswith(b"<?xml")


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ({"wildcard": "*a" * 5 + "*"}, "a" * 1_000_000),
        ({"wildcard": "*a*b*a*b*c"}, "ab" * 500_000),
        ({"anything-but": {"wildcard": "*" + "a" * 200 + "*"}}, "a" * 199 + "b" * 1_000_000),
        ({"prefix": "a" * 1000}, "a" * 1_000_000),
        ({"equals-ignore-case": "ß" * 1000}, "SS" * 1000),
        ({"suffix": {"equals-ignore-case": "İ" * 500}}, "i̇" * 500_000),
        ({"cidr": "::/0"}, ":" * 1_000_000),
        ({"cidr": "10.0.0.0/8"}, "1." * 500_000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_hostile_values_cost_no_more_than_their_length(condition: dict[str, Any], value: str) -> None:
    """A megabyte of the worst text is answered at once; quadratic work would run into the timeout of the tests."""
    try:
        pattern = compile_pattern({"detail": {"x": [condition]}})
    except PatternError:  # too complex for EventBridge, too
        return
    for _ in range(5):
        pattern.matches({"detail": {"x": value}})
        pattern.matches({"detail": {"x": [value] * 3}})


def test_many_elements_and_levels() -> None:
    """Forty thousand elements in an array, and ten thousand levels, are matched without a crash."""
    pattern = compile_pattern({"detail": {"list": {"name": ["x"], "kind": ["y"]}}})
    elements = [{"name": "x", "kind": "z"}] * 20_000 + [{"name": "z", "kind": "y"}] * 20_000
    assert not pattern.matches({"detail": {"list": elements}})
    assert pattern.matches({"detail": {"list": [*elements, {"name": "x", "kind": "y"}]}})
    deep: Any = "y"
    for _ in range(10_000):
        deep = {"name": deep}
    assert not pattern.matches({"detail": {"list": deep}})
