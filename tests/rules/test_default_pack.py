"""The default pack: its tests pass, reach every rule, and fail as soon as any part of any rule is broken."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from rules.named_lists import with_lists
from rules.patterns import PatternError, compile_pattern
from rules.rule_set import RuleSet
from rules.rule_tests import run_rule_tests, untested_rules
from rules.rulefile import LoadedRules, load_rules
from rules.verdicts import CompiledRule, Severity, VerdictKind
from tests.rules.judging import NOW, event, facts

PACK = load_rules([])
WRITTEN = {rule.id: rule.match for _, file in PACK.files for rule in file.rules}
LISTS = {name: values for _, file in PACK.files for name, values in file.lists.items()}


def failures(rules: list[CompiledRule]) -> list[str]:
    """The pack's tests that fail when these are its rules."""
    results = run_rule_tests(LoadedRules(RuleSet(rules), PACK.files), NOW)
    return [result.name for result in results if not result.passed]


def without_each_part(pattern: Any) -> list[Any]:
    """The pattern with one field, one alternative or one operator taken out, in every way that leaves something."""
    if not isinstance(pattern, (dict, list)):
        return []
    found: list[Any] = []
    for key in list(pattern) if isinstance(pattern, dict) else range(len(pattern)):
        if len(pattern) > 1:
            smaller = copy.copy(pattern)
            del smaller[key]
            found.append(smaller)
        for below in without_each_part(pattern[key]):
            changed = copy.copy(pattern)
            changed[key] = below
            found.append(changed)
    return found


def mutants() -> list[Any]:
    """Every rule of the pack, broken in every way, one parameter each."""
    found = []
    for rule in PACK.rule_set.rules:
        others = [one for one in PACK.rule_set.rules if one is not rule]
        found.append(pytest.param(others, id=f"{rule.id} dropped"))
        found += [
            pytest.param([*others, replace(rule, verdict=kind)], id=f"{rule.id} is {kind}")
            for kind in VerdictKind
            if kind is not rule.verdict
        ]
        if rule.severity is not None:
            found.append(
                pytest.param([*others, replace(rule, severity=Severity.INFO)], id=f"{rule.id} is info")
            )
        for index, match in enumerate(without_each_part(WRITTEN[rule.id])):
            try:
                broken = replace(rule, match=compile_pattern(with_lists(match, LISTS)))
            except PatternError:  # an $or of one alternative
                continue
            found.append(pytest.param([*others, broken], id=f"{rule.id} part {index}"))
    return found


def test_the_packs_tests_pass() -> None:
    """As it is, all is well."""
    assert PACK.tests
    assert failures(list(PACK.rule_set.rules)) == []


def test_every_rule_is_made_to_count() -> None:
    """No rule of the pack goes untested."""
    assert untested_rules(PACK, run_rule_tests(PACK, NOW)) == []


@pytest.mark.parametrize(
    ("name", "index"), [(name, index) for name in LISTS for index in range(len(LISTS[name]))]
)
def test_every_value_of_a_list_matters(name: str, index: int) -> None:
    """Taken out of its list, some test of the pack fails."""
    shorter = {**LISTS, name: [*LISTS[name][:index], *LISTS[name][index + 1 :]]}
    rules = [
        replace(rule, match=compile_pattern(with_lists(WRITTEN[rule.id], shorter)))
        for rule in PACK.rule_set.rules
    ]
    assert failures(rules)


@pytest.mark.parametrize("rules", mutants())
def test_breaking_any_rule_is_noticed(rules: list[CompiledRule]) -> None:
    """Dropped, of another verdict or severity, or without any one of its conditions: some test of the pack fails."""
    assert failures(rules)


@pytest.mark.parametrize(
    ("name", "by_hand"), [("delete-table-console", True), ("delete-table-cli-assumed-role", False)]
)
def test_only_the_console_is_by_hand(name: str, by_hand: bool) -> None:
    """The alert says of no other tool that it was done by hand."""
    verdict = PACK.rule_set.judge(event(name), facts(event(name)), NOW)
    assert ("console-deletion" in [hit.rule_id for hit in verdict.hits]) is by_hand


def test_only_a_declared_intent_makes_it_quiet() -> None:
    """The pack sharpens alerts; the one rule that can silence is that of declared intents."""
    quiet = [rule.id for rule in PACK.rule_set.rules if rule.verdict is VerdictKind.INTENTIONAL]
    assert quiet == ["declared-intent"]
    assert (
        "facts.intents"
        in PACK.rule_set.rules[
            [rule.id for rule in PACK.rule_set.rules].index("declared-intent")
        ].match.fields
    )


def test_rules_of_the_pack_explain_themselves() -> None:
    """Each has a reason for the alert and a description for the reader, and never expires."""
    for rule in PACK.rule_set.rules:
        assert rule.reason.endswith(".")
        assert rule.description.endswith(".")
        assert rule.expires is None
        assert rule.origin.startswith("default pack:")


def test_the_pack_can_be_left_out() -> None:
    """``default_rules: false`` leaves no rule of it."""
    assert load_rules([], default_pack=False).rule_set.rules == ()
