"""Lint of tests, lists and windows: rules, facts and events that there are not, and what nobody uses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rules.fact_schema import FACTS, FactKind, fact_at
from rules.lint.fields import meant_fact, wrong_type
from rules.lint.findings import Finding, Level, shown
from rules.lint.implies import accepts
from rules.named_lists import lists_in
from rules.rule_tests import event_of_test
from rules.yaml_source import FileFaultsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rules.fact_schema import Fact
    from rules.lint.findings import Subject
    from rules.rulefile import LoadedRules
    from rules.yaml_source import YamlSource

_WINDOWS = "windows"


def test_findings(loaded: LoadedRules) -> Iterator[Finding]:
    """Findings on the inline tests."""
    ids = [rule.id for rule in loaded.rule_set.rules]
    yield from _same_names(loaded)
    for source, index, test in loaded.tests:
        place: list[str | int] = ["tests", index]
        try:
            event_of_test(source, index, test)
        except FileFaultsError as error:
            for fault in error.faults:
                told = replace(fault, message=f"test {test.name!r}: {fault.message}")
                yield Finding(told, Level.ERROR, "test-event")
        expected: list[tuple[str, str]] = [("not_rule", name) for name in test.expect.not_rule]
        expected += [] if test.expect.rule is None else [("rule", test.expect.rule)]
        for key, name in expected:
            if name not in ids:
                message = f"test {test.name!r}: no rule {name!r}{did_you_mean(name, ids)}"
                yield Finding(source.fault([*place, "expect", key], message), Level.ERROR, "unknown-rule")
        for steps, check, message in _facts(test.facts, list(loaded.rule_set.windows)):
            fault = source.fault([*place, "facts", *steps], f"test {test.name!r}: {message}")
            yield Finding(fault, Level.ERROR, check)


def _same_names(loaded: LoadedRules) -> Iterator[Finding]:
    """Tests with the name of another one in their file: whoever reads of one that failed cannot tell which it is."""
    first: dict[tuple[str, str], int] = {}
    for source, index, test in loaded.tests:
        fault = source.fault(["tests", index], "")
        line = first.setdefault((source.path, test.name), fault.line)
        if line != fault.line:
            told = replace(fault, message=f"test {test.name!r}: the test in line {line} has the same name")
            yield Finding(told, Level.WARNING, "same-name")


def _facts(
    node: Mapping[str, Any], windows: list[str], steps: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """For every fault in a test's facts its steps, its check and what it is."""
    for key, value in node.items():
        here = (*steps, str(key))
        path = ".".join(here)
        fact = fact_at(path)
        if fact is not None:
            yield from ((here, check, message) for check, message in _value(fact, value, path, windows))
        elif any(one.path.startswith(path + ".") for one in FACTS):
            if isinstance(value, dict):
                yield from _facts(value, windows, here)
            else:
                yield here, "wrong-type", f"facts.{path} holds other facts, and not {shown(value)}"
        else:
            yield here, "unknown-fact", f"no fact {path!r}{meant_fact(path)}"


def _value(fact: Fact, value: Any, path: str, windows: list[str]) -> Iterator[tuple[str, str]]:
    if fact.kind is FactKind.MAP and path == fact.path:
        if not isinstance(value, dict):
            yield "wrong-type", f"facts.{path} is texts by name, and not {shown(value)}"
            return
        values = list(value.values())
    elif fact.kind is FactKind.TEXTS:
        if not isinstance(value, list):
            yield "wrong-type", f"facts.{path} is an array of texts, and not {shown(value)}"
            return
        values = value
    else:
        values = [value]
    for one in values:
        wrong = wrong_type(fact, one) if not isinstance(one, dict | list) else "is a single value"
        if wrong:
            yield "wrong-type", f"facts.{path} {wrong}"
        elif fact.values and one not in fact.values:
            meant = did_you_mean(one, fact.values) or f"; it is one of {', '.join(fact.values)}"
            yield "unknown-value", f"facts.{path} is never {shown(one)}{meant}"
        elif fact.path == _WINDOWS and one not in windows:
            yield "unknown-window", f"no change window {one!r}{did_you_mean(one, windows)}"


def unused_findings(loaded: LoadedRules, subjects: Sequence[Subject]) -> Iterator[Finding]:
    """Lists that no pattern takes in, and windows that no rule asks for."""
    patterns = [pattern for one in subjects for pattern in (one.rule.match, one.rule.unless)]
    lists = {name for pattern in patterns for name, _ in lists_in(pattern)}
    windows = {name for one in subjects for name in one.rule.during}
    asked = [
        asked.values for one in subjects for asked in one.everything_asked if asked.path == "facts.windows"
    ]
    windows |= {name for name in loaded.rule_set.windows for values in asked if accepts(values, name)}
    for source, file in loaded.files:
        yield from _unused(source, "list", file.lists, lists)
        yield from _unused(source, "window", file.windows, windows)


def _unused(source: YamlSource, kind: str, named: Mapping[str, Any], used: set[str]) -> Iterator[Finding]:
    for name in named:
        if name not in used:
            fault = source.fault([f"{kind}s", name], f"{kind} {name} is used by no rule")
            yield Finding(fault, Level.NOTE, f"unused-{kind}")
