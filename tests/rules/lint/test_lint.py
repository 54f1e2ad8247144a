"""The lint as a whole: its findings have places and an order, the default pack has none, and real events agree."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import EventError
from rules.events import parse_event, parse_event_json
from rules.fact_schema import FACTS
from rules.facts import facts_from_event
from rules.lint.actions import JUDGED, certain_texts, possible_actions
from rules.lint.checks import Finding, lint
from rules.lint.findings import subjects_of
from rules.lint.structure import DOCUMENTED, Structure, structure_at
from rules.mutation import mutants_of
from rules.patterns.structure import flatten
from rules.rule_tests import RECORD_DEFAULTS, TEST_NET
from rules.rulefile import DEFAULT_PACK, load_rules
from rules.verdicts import VerdictKind
from rules.yaml_source import FileFaultsError
from tests.rules.judging import EVENTS, NOW, PUBLISHED
from tests.rules.lint.test_lint_implies import FIELD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rules.events import ChangeEvent

TYPES: dict[Structure, tuple[type, ...]] = {
    Structure.TEXT: (str,), Structure.FLAG_TEXT: (str,), Structure.FLAG: (bool,), Structure.NUMBER: (int, float),
    Structure.TEXTS: (list,), Structure.OBJECT: (dict,), Structure.OBJECTS: (list,), Structure.FREE: (dict,),
}  # fmt: skip
RULE = "id: r, verdict: {verdict}, owner: team, reason: because"


def findings(folder: Path, text: str) -> list[Finding]:
    """The findings on one rule file, without the default pack; ``version`` is put in front."""
    path = folder / "f.yaml"
    path.write_text("version: 1\n" + textwrap.dedent(text), encoding="utf-8")
    return lint(load_rules([path], default_pack=False), NOW)


def found(folder: Path, text: str) -> list[str]:
    """``error [check] message`` of each."""
    return [f"{one.level} [{one.check}] {one.fault.message}" for one in findings(folder, text)]


def of_rule(
    folder: Path, match: str, *, verdict: str = "suspicious", more: str = "", head: str = ""
) -> list[str]:
    """The findings on one rule, its id left out."""
    text = f"{head}\nrules:\n- {{{RULE.format(verdict=verdict)}, match: {match}{more}}}\n"
    return [one.replace("rule r: ", "") for one in found(folder, text)]


def of_match(folder: Path, match: str) -> list[str]:
    """The findings on a suspicious rule whose match is written in YAML's flow style."""
    return of_rule(folder, match)


def judged_events() -> Iterator[tuple[str, ChangeEvent]]:
    """Every real or synthetic event at hand that the watcher would judge."""
    for path in sorted([*EVENTS.glob("*.json"), *PUBLISHED.glob("*.json")]):
        try:
            one = parse_event_json(path.read_bytes(), TEST_NET)
        except EventError:
            continue
        if one.alerting:
            yield path.name, one


JUDGED_EVENTS = dict(judged_events())


@pytest.mark.parametrize("paths", [[], [DEFAULT_PACK], [Path(os.path.relpath(DEFAULT_PACK))]])
def test_the_default_pack_is_clean(paths: list[Path]) -> None:
    """Nothing to say of what everybody gets, not even a note, however it is named."""
    assert [str(finding) for finding in lint(load_rules(paths), NOW)] == []


def test_a_finding_reads_as_editors_understand_it(tmp_path: Path) -> None:
    """File, line, column, level, message and the name of the check, in one line."""
    (one,) = findings(
        tmp_path, "rules:\n- {id: r, verdict: suspicious, reason: x, match: {facts: {tol: [cli]}}}\n"
    )
    assert (
        str(one)
        == f"{tmp_path / 'f.yaml'}:3:59: error: rule r: no fact 'tol'; did you mean 'facts.tool'? [unknown-fact]"
    )


def test_findings_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Of several rules and tests, by line and column, whatever check found them."""
    every = findings(
        tmp_path,
        """
        lists: {idle: [a]}
        rules:
          - {id: late, verdict: intentional, match: {facts: {tool: [cli]}}}
          - {id: early, verdict: suspicious, match: {facts: {tol: [cli], toool: [cli]}}}
        tests:
          - {name: t, event: {eventName: DeleteTable}, expect: {verdict: suspicious, rule: lat}}
        """,
    )
    assert [one.check for one in every] == [
        "unused-list", "no-owner", "no-reason", "tool-only", "no-reason", "unknown-fact", "unknown-fact", "unknown-rule",
    ]  # fmt: skip
    assert [one.fault.line for one in every] == sorted(one.fault.line for one in every)


def test_a_place_is_found_through_lists_and_alternatives(tmp_path: Path) -> None:
    """A value that came from a named list is told at the list's name, in the branch of $or it stands in."""
    (one,) = findings(
        tmp_path,
        """
        lists: {tools: [cli, clii]}
        rules:
          - id: r
            verdict: suspicious
            reason: because
            match:
              $or:
                - facts: {tool: [sdk]}
                - facts: {tool: [console, {list: tools}]}
        """,
    )
    assert (one.check, one.fault.line, one.fault.column) == ("unknown-value", 11, 35)


@pytest.mark.parametrize("name", JUDGED_EVENTS)
def test_what_is_certain_of_actions_holds_for_real_events(name: str) -> None:
    """For each event at hand: its own texts leave its action possible, and are among those called certain."""
    one = JUDGED_EVENTS[name]
    assert one.action in JUDGED
    document = {**one.envelope, "facts": facts_from_event(one)}
    for path in certain_texts(JUDGED[:1]) | {"facts.net.part": frozenset[str]()}:
        value = _at(document, path)
        (combination,) = flatten(_nested(path, [value] if value else [{"exists": False}]))
        assert one.action in possible_actions(combination), path
        certain = certain_texts([one.action]).get(path)
        assert certain is None or value in certain, path


@pytest.mark.parametrize("name", JUDGED_EVENTS)
def test_the_documented_structure_holds_for_real_events(name: str) -> None:
    """Whatever the table says of a path is so in each event at hand, and it knows every path outside free content."""
    document = {**JUDGED_EVENTS[name].envelope, "facts": facts_from_event(JUDGED_EVENTS[name])}
    for path, value in _paths(document, ""):
        kind = structure_at(path)
        if kind is None:
            assert (
                ".requestParameters." in path
                or ".responseElements." in path
                or ".p_" in path
                or "note" in path
            ), path
            continue
        assert value is None or isinstance(value, TYPES[kind]), (path, value)


def test_the_table_knows_what_holds_what() -> None:
    """Every path of the table stands below an object, an array of objects or free content of the table."""
    holders = {Structure.OBJECT, Structure.OBJECTS, Structure.FREE}
    for path in DOCUMENTED:
        above = path.rpartition(".")[0]
        assert not above or DOCUMENTED[above] in holders, path


def test_the_defaults_of_tests_are_documented_fields() -> None:
    """What a test's event gets by default is in the table."""
    parse_event({**RECORD_DEFAULTS, "eventName": "DeleteTable"})
    assert [key for key in RECORD_DEFAULTS if f"detail.{key}" not in DOCUMENTED] == []


def _at(document: dict[str, Any], path: str) -> Any:
    node: Any = document
    for step in path.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _nested(path: str, leaf: object) -> dict[str, Any]:
    node: Any = leaf
    for step in reversed(path.split(".")):
        node = {step: node}
    return dict(node)


def _paths(node: dict[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        path = f"{above}.{key}" if above else key
        yield path, value
        if isinstance(value, dict) and structure_at(path) is not Structure.FREE:
            yield from _paths(value, path)


PATHS = st.sampled_from([
    *(fact.path for fact in FACTS), *DOCUMENTED, "detail.requestParameters.x", "$or", "list", "facts", "detail.y",
])  # fmt: skip
FIELDS = st.dictionaries(PATHS, FIELD, min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(
    match=FIELDS,
    branches=st.lists(FIELDS, min_size=2, max_size=2) | st.none(),
    unless=FIELDS | st.none(),
    kind=st.sampled_from(VerdictKind),
)
def test_whatever_loads_can_be_linted_and_mutated(
    tmp_path_factory: pytest.TempPathFactory,
    match: dict[str, Any],
    branches: list[Any] | None,
    unless: dict[str, Any] | None,
    kind: VerdictKind,
) -> None:
    """Any pattern that EventBridge takes, in any verdict: the lint finds what it finds, and mutants are rules."""
    rule = {
        "id": "r",
        "verdict": kind.value,
        "match": {**match, **({"$or": branches} if branches else {})},
        "unless": unless,
    }
    path = tmp_path_factory.getbasetemp() / "whatever.yaml"
    path.write_text(json.dumps({"version": 1, "rules": [rule, {**rule, "id": "same"}]}), encoding="utf-8")
    try:
        loaded = load_rules([path])
    except FileFaultsError:
        return
    assert all(finding.fault.line == 1 for finding in lint(loaded, NOW) if finding.fault.path == str(path))
    # Those of the default pack are the same whatever lies beside it: the next test looks at them once.
    own = [subject for subject in subjects_of(loaded) if not subject.of_default_pack]
    assert [subject.rule.id for subject in own] == ["r", "same"]
    assert all(mutant.what for subject in own for mutant in mutants_of(subject))


def test_the_default_pack_can_be_mutated() -> None:
    """The same of the rules that everybody gets."""
    subjects = subjects_of(load_rules([]))
    assert subjects
    assert all(mutant.what for subject in subjects for mutant in mutants_of(subject))
