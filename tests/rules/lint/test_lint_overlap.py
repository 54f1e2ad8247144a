"""Lint of rules against each other: what is covered is told where it is sure, and at the rule that can be changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import Facts, facts_from_event
from rules.lint.checks import Level, lint
from rules.rule_set import RuleSet
from rules.rulefile import load_rules
from rules.verdicts import VerdictKind
from tests.rules.judging import NOW
from tests.rules.lint.test_lint import JUDGED_EVENTS, found

if TYPE_CHECKING:
    from pathlib import Path

    from rules.events import ChangeEvent

NARROW = "{detail: {eventName: [DeleteTable]}, facts: {resource: {name: [prod-a]}}}"
WIDE = "{facts: {weight: [destructive], resource: {name: [{prefix: prod-}]}}}"


def told(folder: Path, *rules: str) -> list[str]:
    """Findings on overlaps of rules a, b, ...: each ``verdict, match[, more keys]``, with an owner and a reason."""
    entries = "".join(
        f"- {{id: {name}, owner: x, reason: y, verdict: {rule}}}\n"
        for name, rule in zip("abcd", rules, strict=False)
    )
    head = "windows: {w: {weekly: [mon]}, v: {weekly: [tue]}}\n"
    lines = found(folder, f"{head}rules:\n{entries}")
    return [
        line.replace(str(folder / "f.yaml"), "f")
        for line in lines
        if "[shadowed]" in line or "[contradicted]" in line
    ]


@pytest.mark.parametrize(
    ("narrow", "wide", "message"),
    [
        (
            "suspicious",
            "accidental",
            "warning [shadowed] rule a: never decides: all that it matches rule b (f:5) matches, too, and accidental wins",
        ),
        (
            "intentional",
            "accidental",
            "warning [shadowed] rule a: never decides: all that it matches rule b (f:5) matches, too, and accidental wins",
        ),
        (
            "suspicious",
            "intentional",
            "warning [shadowed] rule a: never decides: all that it matches rule b (f:5) matches, too, and intentional wins",
        ),
        (
            "intentional",
            "intentional",
            "warning [shadowed] rule a: changes nothing: all that it matches rule b (f:5) matches, too",
        ),
        (
            "suspicious",
            "suspicious",
            "note [shadowed] rule a: adds no more than its reason: all that it matches rule b (f:5) matches, too",
        ),
        (
            "intentional",
            "suspicious",
            "note [contradicted] rule a: silences what rule b (f:5) calls suspicious",
        ),
        ("accidental", "suspicious", ""),
        ("accidental", "intentional", ""),
    ],
)
def test_a_rule_within_another(tmp_path: Path, narrow: str, wide: str, message: str) -> None:
    """What a narrower rule comes to hangs on which verdict wins; an exception to a wider one is no fault."""
    assert told(tmp_path, f"{narrow}, match: {NARROW}", f"{wide}, match: {WIDE}") == (
        [message] if message else []
    )


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("suspicious", "suspicious", "warning [shadowed] rule b: matches the same as rule a (f:4)"),
        (
            "intentional",
            "suspicious",
            "warning [contradicted] rule b: is suspicious, and rule a (f:4), which matches the same, is intentional: intentional wins",
        ),
        (
            "intentional",
            "accidental",
            "warning [contradicted] rule a: is intentional, and rule b (f:5), which matches the same, is accidental: accidental wins",
        ),
    ],
)
def test_rules_that_match_the_same(tmp_path: Path, first: str, second: str, message: str) -> None:
    """They are told once, as a contradiction where their verdicts differ."""
    same = "{facts: {resource: {name: [prod-a]}}, detail: {eventName: [DeleteTable]}}"
    assert told(tmp_path, f"{first}, match: {NARROW}", f"{second}, match: {same}") == [message]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (f"suspicious, match: {NARROW}, severity: critical", f"suspicious, match: {WIDE}"),
        (
            f"intentional, match: {NARROW}",
            f"accidental, match: {WIDE}, unless: {{facts: {{failed: [true]}}}}",
        ),
        (f"intentional, match: {NARROW}", f"accidental, match: {WIDE}, during: w"),
        (f"intentional, match: {NARROW}", f"accidental, match: {WIDE}, expires: 2027-01-01"),
        (f"intentional, match: {NARROW}", f"accidental, match: {WIDE}, expires: 2020-01-01"),
        (f"intentional, match: {NARROW}, expires: 2020-01-01", f"accidental, match: {WIDE}"),
        ("suspicious, match: {facts: {region: [x]}}", "intentional, match: {facts: {region: [x, y]}}"),
        (
            "suspicious, match: {detail: {eventName: [DeleteTable]}}",
            "intentional, match: {detail: {eventName: [DeleteTable, DeleteStack]}}, unless: {facts: {intents: [x]}}",
        ),
        (
            "intentional, match: {detail: {eventName: [DeleteTable]}}",
            "accidental, match: {detail: {eventName: [DeleteTable], errorCode: [{exists: false}]}}",
        ),
        (
            "suspicious, match: {detail: {eventName: [DeleteTable]}, facts: {origin: {stack: [a, {exists: false}]}}}",
            "intentional, match: {facts: {weight: [destructive], origin: {stack: [a, b, {exists: false}]}}}",
        ),
        (
            f"intentional, match: {NARROW}, unless: {{facts: {{failed: [true]}}}}",
            f"intentional, match: {WIDE}, unless: {{facts: {{failed: [true], table: {{tags: {{env: [prod]}}}}}}}}",
        ),
        ("suspicious, match: {region: [x]}", "accidental, match: {$or: [{region: [y]}, {account: [x]}]}"),
    ],
)
def test_where_nothing_is_told(tmp_path: Path, a: str, b: str) -> None:
    """A worse severity, an exception, a window, an end, tampering, an unknown fact: the narrower rule may decide."""
    assert told(tmp_path, a, b) == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("unless: {facts: {failed: [true, false]}}", "unless: {facts: {failed: [true]}}"),
        ("during: w", "during: [v, w]"),
        ("expires: 2027-01-01", "expires: 2027-02-01"),
    ],
)
def test_what_the_narrower_rule_leaves_out_too(tmp_path: Path, a: str, b: str) -> None:
    """Exceptions, windows and ends cover as conditions do."""
    first, second = f"intentional, match: {NARROW}, {a}", f"accidental, match: {WIDE}, {b}"
    assert [line[:20] for line in told(tmp_path, first, second)] == ["warning [shadowed] r"]
    assert told(tmp_path, f"intentional, match: {NARROW}, {b}", f"accidental, match: {WIDE}, {a}") == []


def test_against_the_default_pack(tmp_path: Path) -> None:
    """What overlaps with the pack is told at the rule of the file, which its owner can change."""
    path = tmp_path / "f.yaml"
    path.write_text(
        "version: 1\nrules:\n- {id: mine, owner: x, reason: y, verdict: intentional, match: {facts: {actor: {kind: [root]}}}}\n",
        encoding="utf-8",
    )
    told = [one for one in lint(load_rules([path]), NOW) if one.check == "contradicted"]
    assert {one.fault.path for one in told} == {str(path)}
    assert "rule root-user (default pack:" in told[0].fault.message


@pytest.mark.parametrize(
    ("verdict", "match", "notes"),
    [
        ("suspicious", "{facts: {failed: [false]}}", []),
        ("suspicious", "{facts: {weight: [destructive], tool: [console], region: [eu-west-1]}}", []),
        ("intentional", "{facts: {weight: [destructive], tool: [console], actor: {role: [a]}}}", []),
        ("intentional", "{facts: {actor: {kind: [root]}, resource: {name: [x]}}}", ["contradicted"]),
    ],
)
def test_notes_between_a_file_and_the_default_pack(
    tmp_path: Path, verdict: str, match: str, notes: list[str]
) -> None:
    """Nobody can change the pack: only that a rule silences what it calls critical is worth knowing."""
    path = tmp_path / "f.yaml"
    rule = f"{{id: mine, owner: x, reason: y, verdict: {verdict}, match: {match}}}"
    path.write_text(f"version: 1\nrules:\n- {rule}\n", encoding="utf-8")
    told = [one for one in lint(load_rules([path]), NOW) if one.check in {"shadowed", "contradicted"}]
    assert [(one.check, one.level) for one in told] == [(check, Level.NOTE) for check in notes]


FEW: dict[str, list[Any]] = {
    "detail.eventName": ["DeleteTable", "UpdateTable", {"prefix": "Delete"}, {"exists": True}],
    "facts.weight": ["destructive", "weakening", "tampering", {"anything-but": "weakening"}],
    "facts.change": ["table-deleted", {"suffix": "-deleted"}, {"suffix": "deleted"}],
    "facts.resource.type": ["table", "stack", "backup"],
    "facts.table.tags.env": ["prod", {"exists": False}, {"prefix": "p"}],
    "facts.failed": [True, False],
}
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        path: st.lists(st.sampled_from(values), min_size=1, max_size=2) for path, values in FEW.items()
    },
).filter(bool)
RULES = st.fixed_dictionaries(
    {
        "verdict": st.sampled_from([kind.value for kind in VerdictKind]),
        "match": FIELDS,
        "owner": st.just("x"),
        "reason": st.just("y"),
    },
    optional={"unless": FIELDS, "severity": st.sampled_from(["low", "critical"])},
)
AROUND: list[tuple[ChangeEvent, Facts]] = [
    (one, Facts({**facts_from_event(one), **known}, unknown))
    for one in JUDGED_EVENTS.values()
    for known, unknown in (
        ({}, {"table.tags": "unknown"}),
        ({"table": {"tags": {"env": "prod"}}}, {}),
        ({"table": {"tags": {}}}, {}),
    )
    if one.resource.type == "table" or not known
]


@settings(max_examples=150, deadline=None)
@given(RULES, RULES)
def test_what_is_said_of_two_rules_is_so(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Whatever two rules: one that is said to be dead, excluded or shadowed changes the verdict on no event at hand."""
    path = tmp_path_factory.getbasetemp() / "two.yaml"
    rules = [{"id": "a", **first}, {"id": "b", **second}]
    path.write_text(json.dumps({"version": 1, "rules": rules}), encoding="utf-8")
    both = load_rules([path], default_pack=False)
    verdicts = {rule.id: rule.verdict for rule in both.rule_set.rules}
    for finding in lint(both, NOW):
        about = finding.fault.message.split()[1].rstrip(":")
        dead = finding.level is Level.ERROR and finding.check in {
            "never-matches",
            "always-excluded",
            "tampering",
        }
        if not dead and finding.check != "shadowed":
            continue
        others = RuleSet([rule for rule in both.rule_set.rules if rule.id != about])
        for event, facts in AROUND:
            verdict, without = (rules.judge(event, facts, NOW) for rules in (both.rule_set, others))
            # An accidental rule that never counts may still hold others back where its facts are unknown.
            if not facts.unknown or verdicts[about] != VerdictKind.ACCIDENTAL:
                assert (verdict.kind, verdict.severity) == (without.kind, without.severity)
            assert not dead or about not in {hit.rule_id for hit in (*verdict.hits, *verdict.outweighed)}
