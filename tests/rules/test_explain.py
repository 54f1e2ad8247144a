"""Explanations: they say why, they agree with the verdict, and nobody is hidden."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.explain import Explanation, Standing, explain, laid_over
from rules.facts import Facts, unlooked_facts
from rules.patterns import compile_pattern
from rules.rule_set import RuleSet
from rules.verdicts import CompiledRule, RuleState, Severity, VerdictKind
from rules.windows import Window
from tests.rules.judging import NOW, changed, event, facts, rule

DELETED = changed()
TAMPERED = event("update-continuous-backups-off")
REFUSED = event("delete-table-denied")
NOBODYS = event("delete-table-glue")
CREATED = changed(eventName="CreateTable")
PAST = datetime(2026, 1, 1, tzinfo=UTC)


def explained(*rules: CompiledRule, of: Any = DELETED, around: Facts | None = None) -> Explanation:
    """The explanation of an event by some rules, at ``NOW``."""
    return explain(RuleSet(rules), of, around or facts(of), NOW)


def standings(explanation: Explanation) -> dict[str, str]:
    """What part each rule had."""
    return {one.judged.rule.id: one.standing.value for one in explanation.rules}


def test_the_first_condition_that_fails() -> None:
    """It is named by its path, with what was asked in the pattern's own words, and what was found."""
    pattern = {
        "detail": {
            "eventName": ["DeleteTable"],
            "requestParameters": {"tableName": [{"prefix": "dev-"}, "x"]},
        }
    }
    (one,) = explained(rule("dev", "intentional", pattern)).rules
    assert one.failed is not None
    assert one.failed.path == "detail.requestParameters.tableName"
    assert one.failed.asked_words == '[{"prefix": "dev-"}, "x"]'
    assert one.failed.found_words == '"orders"'
    assert (one.failing, one.met, one.standing) == (1, 1, Standing.NEAR)


@pytest.mark.parametrize(
    ("unknown", "found"),
    [({}, "nothing there"), ({"table.tags": "no backup"}, "unknown: no backup")],
)
def test_nothing_found(unknown: dict[str, str], found: str) -> None:
    """What is not there is told from what nobody could look at."""
    pattern = {"facts": {"table": {"tags": {"env": ["dev"]}}}}
    (one,) = explained(rule("dev", "intentional", pattern), around=facts(DELETED, unknown)).rules
    assert one.failed is not None
    assert one.failed.found_words == found


def test_a_value_in_another_element() -> None:
    """Two conditions on one array have to be met by the same element, and that is said."""
    of = changed(resources=[{"type": "a", "ARN": "1"}, {"type": "b", "ARN": "2"}])
    pattern = {"detail": {"resources": {"ARN": ["1"], "type": ["b"]}}}
    (one,) = explained(rule("both", "intentional", pattern), of=of).rules
    assert one.failed is not None
    assert one.failed.found_words.endswith("(in another element of the array)")
    assert (one.failing, one.met) == (1, 1)


def test_long_values_are_cut() -> None:
    """A stranger's long text, and a long list, do not fill the screen."""
    of = changed(requestParameters={"tableName": "x" * 5000})
    pattern = {
        "detail": {"requestParameters": {"tableName": [f"table-{number:04}" for number in range(500)]}}
    }
    (one,) = explained(rule("many", "intentional", pattern), of=of).rules
    assert one.failed is not None
    assert one.failed.asked_words.endswith(" more]")
    assert len(one.failed.asked_words) < 300
    assert one.failed.found_words == '"' + "x" * 99 + "..."


def test_what_unless_excluded() -> None:
    """The conditions of ``unless`` that the event satisfies, with the values that did it."""
    unless = {"$or": [{"facts": {"tool": ["console"]}}, {"detail": {"awsRegion": [{"prefix": "eu-"}]}}]}
    (one,) = explained(rule("dev", "intentional", unless=unless)).rules
    assert (one.judged.state, one.standing) == (RuleState.EXCLUDED, Standing.KEPT_OUT)
    (seen,) = one.excluded_by
    assert (seen.path, seen.asked_words, seen.found_words) == (
        "detail.awsRegion",
        '[{"prefix": "eu-"}]',
        '"eu-west-1"',
    )


def test_windows_and_expiry() -> None:
    """A rule outside its change window and one that expired say so; the windows in force are named."""
    window = Window(weekly=["sat"])
    in_force = Window(weekly=["mon"])
    dated = rule("dated", "intentional", expires=NOW - timedelta(days=1))
    plain = rule("windowed", "intentional")
    windowed = CompiledRule(
        plain.id,
        plain.verdict,
        None,
        plain.match,
        None,
        None,
        "",
        "",
        "test",
        ("weekend",),
        written_match=plain.written_match,
    )
    rules = RuleSet([dated, windowed], {"weekend": window, "mondays": in_force})
    explanation = explain(rules, DELETED, facts(DELETED), NOW)
    assert standings(explanation) == {"dated": "noted", "windowed": "kept out"}
    assert [one.judged.why for one in explanation.rules] == [
        f"it expired on {NOW - timedelta(days=1):%Y-%m-%d}",
        "none of weekend is in force",
    ]
    assert explanation.windows == ("mondays",)


@pytest.mark.parametrize(
    ("rules", "of", "unknown", "said"),
    [
        ([], DELETED, {}, "nothing matched, and an unexplained destructive change is suspicious"),
        ([], REFUSED, {}, "nothing matched, and an unexplained attempt is suspicious"),
        ([rule("i", "intentional")], DELETED, {}, "intentional, as i says, and no accidental rule counts"),
        (
            [rule("a", "accidental"), rule("i", "intentional"), rule("s", "suspicious")],
            DELETED,
            {},
            "accidental beats intentional and suspicious: a before i and s",
        ),
        ([rule("i", "intentional"), rule("s", "suspicious")], DELETED, {}, "intentional beats suspicious: i before s"),
        ([rule("r", "suspicious"), rule("s", "suspicious")], DELETED, {}, "suspicious, as r and s say"),
        (
            [rule("i", "intentional"), rule("a", "accidental", {"facts": {"table": {"itemCount": [1]}}})],
            DELETED,
            {"table.itemCount": "no backup"},
            "i: held back by a, which may be accidental: only an unknown fact keeps it from counting",
        ),
        (
            [rule("i", "intentional"), rule("a", "accidental", {"facts": {"table": {"itemCount": [1]}}})],
            DELETED,
            {"table.itemCount": "no backup"},
            "nothing else counts, and an unexplained destructive change is suspicious",
        ),
        ([rule("i", "intentional")], TAMPERED, {}, "tampering is never intentional by rule, so i cannot silence it"),
        ([], DELETED, {}, "severity high, by the weight of the change: destructive"),
        ([rule("s", "suspicious", severity="low")], DELETED, {}, "severity low, as s says"),
        ([rule("i", "intentional")], DELETED, {}, "severity info: it is recorded, and nobody is alerted"),
        (
            [rule("s", "suspicious", severity="critical")],
            REFUSED,
            {},
            "severity low: AWS refused the call, so it is an attempt and no change",
        ),
    ],
)  # fmt: skip
def test_resolution_in_words(rules: list[CompiledRule], of: Any, unknown: dict[str, str], said: str) -> None:
    """Each step from the rules to the verdict is a sentence."""
    assert said in explained(*rules, of=of, around=facts(of, unknown)).resolution


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (NOBODYS, "nobody watches DeleteTable on glue.amazonaws.com, so there is no verdict"),
        (
            CREATED,
            "Table created: harmless by itself and kept only to understand other events, so there is no verdict",
        ),
        (
            event("delete-table-by-arn").__class__(
                **{name: getattr(DELETED, name) for name in DELETED.__struct_fields__ if name != "read_only"},
                read_only=True,
            ),
            "it only asks what would happen, so there is no verdict",
        ),
    ],
    ids=["nobody's", "context", "dry run"],
)
def test_events_that_nobody_judges(of: Any, said: str) -> None:
    """They give no verdict, and the reason; the rules that match are named all the same."""
    explanation = explained(rule("i", "intentional"), of=of)
    assert explanation.verdict is None
    assert explanation.resolution == (said,)
    assert standings(explanation) == {"i": "matches"}


def test_nearest_misses_come_first() -> None:
    """Of the rules that do not match, those that fail least; what meets nothing is far."""
    one_off = {"detail": {"eventName": ["DeleteTable"], "awsRegion": ["us-east-1"]}}
    two_off = {"detail": {**one_off["detail"], "eventSource": ["glue.amazonaws.com"]}}
    three_off = {"detail": {**two_off["detail"], "eventID": ["x"]}}
    unlike = {"detail": {"awsRegion": ["us-east-1"]}}
    explanation = explained(
        rule("a", "intentional", three_off),
        rule("b", "intentional", two_off),
        rule("c", "intentional", one_off),
        rule("d", "intentional", unlike),
    )
    assert [one.judged.rule.id for one in explanation.standing(Standing.NEAR)] == ["c", "b"]
    assert {one.judged.rule.id for one in explanation.standing(Standing.FAR)} == {"a", "d"}


def test_only_so_many_near_misses() -> None:
    """A hundred rules for other regions do not hide the one that decides."""
    pattern = {"detail": {"eventName": ["DeleteTable"], "awsRegion": ["us-east-1"]}}
    explanation = explained(*(rule(f"r{number}", "intentional", pattern) for number in range(100)))
    assert len(explanation.standing(Standing.NEAR)) == 5
    assert len(explanation.rules) == 100


def test_facts_laid_over() -> None:
    """What is given is known from then on, and leaves its neighbours; the rest stays unknown."""
    known = laid_over(unlooked_facts(DELETED), {"table": {"tags": {"env": "dev"}}, "actor": {"name": "ci"}})
    assert "table.tags" not in known.unknown
    assert {"table.itemCount", "backup", "intents"} <= set(known.unknown)
    assert known.document["table"] == {"tags": {"env": "dev"}}
    assert known.document["actor"]["name"] == "ci"
    assert known.document["actor"]["kind"] == unlooked_facts(DELETED).document["actor"]["kind"]


VALUES = st.sampled_from(
    [
        ["a"],
        ["eu-west-1"],
        ["DeleteTable"],
        [{"exists": False}],
        [{"exists": True}],
        [{"anything-but": "a"}],
        [{"prefix": "o"}],
    ]
)
FIELDS = st.sampled_from(
    [
        "detail.awsRegion",
        "detail.eventName",
        "detail.none",
        "facts.table.tags.env",
        "facts.tool",
        "facts.intents",
        "facts.windows",
    ]
)
ONE_PATTERN = st.dictionaries(FIELDS, VALUES, min_size=1, max_size=3)
PATTERNS = st.one_of(
    ONE_PATTERN, st.lists(ONE_PATTERN, min_size=2, max_size=3).map(lambda alternatives: {"$or": alternatives})
)
UNKNOWN = st.dictionaries(st.sampled_from(["table.tags", "intents", "table"]), st.just("why"), max_size=2)
EVENTS = st.sampled_from([DELETED, TAMPERED, REFUSED, event("delete-stack-cli"), event("delete-backup")])


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    """Some rules over few fields, so that they often match."""
    rules = []
    for number in range(draw(st.integers(0, 5))):
        match, unless = draw(PATTERNS), draw(st.none() | PATTERNS)
        rules.append(
            CompiledRule(
                f"r{number}", draw(st.sampled_from(VerdictKind)), draw(st.none() | st.sampled_from(Severity)),
                compile_pattern(match), None if unless is None else compile_pattern(unless),
                draw(st.sampled_from([None, PAST, NOW + timedelta(days=1)])), "why", "", "test",
                draw(st.sampled_from([(), ("open",), ("shut",)])), written_match=match, written_unless=unless,
            )
        )  # fmt: skip
    return RuleSet(rules, {"open": Window(weekly=["mon-sun"]), "shut": Window(cron="0 0 1 1 *", lasts="1m")})


@settings(max_examples=300, deadline=None)
@given(
    rules=rule_sets(),
    of=EVENTS,
    unknown=UNKNOWN,
    tags=st.none() | st.dictionaries(st.just("env"), st.just("a")),
)
def test_it_agrees_with_the_verdict(
    rules: RuleSet, of: Any, unknown: dict[str, str], tags: dict[str, str] | None
) -> None:
    """Whatever the rules: the verdict is the one that the watcher gives, and every rule is where it belongs."""
    known = {} if tags is None or unknown else {"table": {"tags": tags}}
    around = facts(of, unknown, **known)
    explanation = explain(rules, of, around, NOW)
    verdict = rules.judge(of, around, NOW)
    assert explanation.verdict == verdict
    assert {one.judged.rule.id for one in explanation.standing(Standing.DECIDES)} == {
        hit.rule_id for hit in verdict.hits
    }
    assert {one.judged.rule.id for one in explanation.standing(Standing.OUTWEIGHED)} == {
        hit.rule_id for hit in verdict.outweighed
    }
    assert len(explanation.rules) == len(rules.rules)
    for one in explanation.rules:
        unmatched = one.judged.state in {RuleState.NO_MATCH, RuleState.UNDECIDED}
        assert (one.failed is not None) is unmatched
        assert (one.failing > 0) is unmatched
        assert bool(one.excluded_by) is (one.judged.state is RuleState.EXCLUDED)
