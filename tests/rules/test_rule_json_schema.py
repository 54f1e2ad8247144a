"""The JSON Schema for editors: what loads is valid, mistakes are flagged, and the copy in docs/ is current."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from rules.drafting.draft import draft_rule
from rules.fact_schema import FACTS, FactKind
from rules.facts import unlooked_facts
from rules.lint.checks import lint
from rules.lint.findings import Level
from rules.patterns import PatternError, compile_pattern
from rules.rule_json_schema import COMMAND, rule_file_schema, schema_text
from rules.rulefile import DEFAULT_PACK, load_rules
from rules.yaml_source import load_yaml
from tests.rules.judging import NOW, event

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft202012Validator(rule_file_schema())


def faults(text: str) -> list[str]:
    """What an editor would underline, each with its place."""
    plain = load_yaml(text, "f.yaml").plain
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(plain)]


def with_match(match: str) -> str:
    """A rule file with one rule."""
    return f"version: 1\nrules:\n  - {{id: a, verdict: suspicious, match: {match}}}\n"


def examples() -> list[str]:
    """Every rule file in the documents."""
    pages = sorted((ROOT / "docs").glob("*.md"))
    return [
        block
        for page in pages
        for block in re.findall(r"```yaml\n(version.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]


def test_the_schema_is_one() -> None:
    """It follows the dialect that it names."""
    Draft202012Validator.check_schema(rule_file_schema())


def test_the_copy_in_the_documents_is_current() -> None:
    """Editors are pointed at it."""
    written = (ROOT / "docs" / "rules.schema.json").read_text(encoding="utf-8")
    assert written == schema_text(), f"out of date; renew it: {COMMAND}"


def test_the_default_pack_is_valid() -> None:
    """Nothing in it is underlined."""
    assert faults(DEFAULT_PACK.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("example", examples(), ids=lambda text: text[:60])
def test_examples_in_the_documents_are_valid(example: str, tmp_path: Path) -> None:
    """Nor in what people copy; what shows a mistake is underlined only where the lint finds one, too."""
    found = faults(example)
    if found:
        (tmp_path / "example.yaml").write_text(example, encoding="utf-8")
        assert any(finding.level is Level.ERROR for finding in lint(load_rules([tmp_path]), NOW)), found


@pytest.mark.parametrize("name", ["delete-table-cli-assumed-role", "delete-stack-cli", "sso"])
def test_drafts_are_valid(name: str) -> None:
    """Nor in what `rules new` writes."""
    of = event(name)
    assert faults(draft_rule(of, unlooked_facts(of), NOW)) == []


@pytest.mark.parametrize(
    "match",
    [
        "{detail: {eventName: [DeleteTable, {prefix: Delete}, {anything-but: [a, b]}]}}",
        '{detail: {eventName: [{anything-but: {wildcard: ["a*", "b*"]}}, {anything-but: [1, 2]}, {exists: false}]}}',
        '{detail: {"requestParameters.tableName": [{suffix: {equals-ignore-case: -tmp}}]}}',
        '{detail.eventName: [DeleteTable], "facts.table.tags.env": [dev]}',
        '{detail: {requestParameters: {a: {b: [null, true, 1.5, {numeric: ["=", 5]}, {cidr: "10.0.0.0/8"}]}}}}',
        "{$or: [{source: [aws.dynamodb]}, {facts: {tool: [cli]}}]}",
        '{facts: {$or: [{weight: [destructive]}, {backup: {ageHours: [{numeric: [">", 1, "<=", 48]}]}}]}}',
        "{facts: {table: {tags: {$or: [{env: [dev]}, {stage: [{equals-ignore-case: dev}]}]}}}}",
        "{facts: {actor: {role: [{list: ci-roles}, x], name: {list: people}}, intents: [{exists: true}]}}",
        '{facts: {"table.tags.env": [dev], windows: [{anything-but: {list: freezes}}]}}',
        "{detail: {list: [a]}}",
    ],
)  # fmt: skip
def test_patterns_that_are_valid(match: str) -> None:
    """The whole language: operators, alternatives, dotted names, lists."""
    assert faults(with_match(match)) == []


@pytest.mark.parametrize(
    "match",
    [
        "{}",
        "{detail: {eventName: DeleteTable}}",
        "{detail: {eventName: []}}",
        "{detail: {eventName: [{prefx: Delete}]}}",
        "{detail: {eventName: [{prefix: a, suffix: b}]}}",
        "{detail: {eventName: [{prefix: 1}]}}",
        "{detail: {eventName: [[a]]}}",
        '{detail: {a: [{wildcard: "a**b"}]}}',
        '{detail: {a: [{numeric: [">"]}]}}',
        '{detail: {a: [{numeric: ["~", 1]}]}}',
        '{detail: {a: [{exists: "true"}]}}',
        "{detail: {a: [{anything-but: []}]}}",
        "{detail: {a: [{anything-but: [1, a]}]}}",
        "{$or: [{source: [a]}]}",
        "{eventName: [DeleteTable]}",
        "{facts: {tabel: {itemCount: [1]}}}",
        "{facts: {table: {items: [1]}}}",
        "{facts: {weight: [destructve]}}",
        "{facts: {failed: ['false']}}",
        "{facts: {backup: {ageHours: ['48']}}}",
        "{facts: {table: {tags: [dev]}}}",
        "{facts: {tool: cli}}",
    ],
)  # fmt: skip
def test_patterns_that_are_flagged(match: str) -> None:
    """What AWS would refuse, and what could never match: facts that are none, values that they never have."""
    assert faults(with_match(match)) != []


@pytest.mark.parametrize(
    "text",
    [
        "rules: []",
        "version: 2",
        "version: 1\nruls: []",
        "version: 1\nrules: [{id: A, verdict: suspicious, match: {source: [a]}}]",
        "version: 1\nrules: [{id: a, verdict: supicious, match: {source: [a]}}]",
        "version: 1\nrules: [{id: a, verdict: suspicious}]",
        "version: 1\nrules: [{id: a, verdict: suspicious, match: {source: [a]}, severity: worst}]",
        "version: 1\nwindows: {w: {}}",
        "version: 1\nwindows: {w: {cron: '0 1 * * *'}}",
        "version: 1\nwindows: {No Name: {weekly: [mon]}}",
        "version: 1\nlists: {a: b}",
        "version: 1\ntests: [{name: t, event: {}, expect: {}}]",
        "version: 1\ntests: [{name: t, event: {}, expect: {verdict: suspicious}, facts: {tabel: {}}}]",
        "version: 1\ntests: [{name: t, event: {}, expect: {verdict: suspicious}, facts: {tool: cly}}]",
    ],
)
def test_files_that_are_flagged(text: str) -> None:
    """Missing and unknown keys, names that are none, windows that say too little."""
    assert faults(text) != []


def test_every_fact_can_be_asked_for_and_given() -> None:
    """By its path, with one of its values."""
    for fact in FACTS:
        value: Any = {
            FactKind.TEXT: fact.values[0] if fact.values else "x",
            FactKind.TEXTS: "x",
            FactKind.NUMBER: 1,
            FactKind.FLAG: True,
            FactKind.MAP: "x",
        }[fact.kind]
        path = fact.path.split(".") + (["key"] if fact.kind is FactKind.MAP else [])
        asked: Any = [value]
        stated: Any = [value] if fact.kind is FactKind.TEXTS else value
        for step in reversed(path):
            asked, stated = {step: asked}, {step: stated}
        rule = {"id": "a", "verdict": "suspicious", "match": {"facts": asked}}
        test = {"name": "t", "event": {}, "facts": stated, "expect": {"verdict": "suspicious"}}
        assert list(VALIDATOR.iter_errors({"version": 1, "rules": [rule], "tests": [test]})) == [], fact.path


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["a", "a*", "a**", "10.0.0.0/8", ">", "<=", "="])
)
OPERATORS = st.dictionaries(
    st.sampled_from(
        [
            "prefix",
            "suffix",
            "wildcard",
            "numeric",
            "cidr",
            "exists",
            "anything-but",
            "exactly",
            "equals-ignore-case",
            "no",
        ]
    ),
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["prefix", "wildcard", "equals-ignore-case"]), inner, max_size=2
            )
        ),
        max_leaves=4,
    ),
    max_size=2,
)
NODES = st.recursive(
    st.lists(LEAVES | OPERATORS, max_size=3),
    lambda inner: (
        st.dictionaries(st.sampled_from(["a", "b", "a.b"]), inner, max_size=3)
        | st.fixed_dictionaries(
            {"$or": st.lists(st.dictionaries(st.sampled_from("ab"), inner, max_size=2), max_size=3)}
        )
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(node=NODES)
def test_what_loads_is_not_flagged(node: Any) -> None:
    """Below `detail` an editor underlines nothing that is a pattern."""
    try:
        compile_pattern({"detail": node})
    except PatternError:
        return
    rule = {"id": "a", "verdict": "suspicious", "match": {"detail": node}}
    assert [error.message for error in VALIDATOR.iter_errors({"version": 1, "rules": [rule]})] == []
