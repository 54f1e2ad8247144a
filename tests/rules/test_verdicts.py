"""Verdicts: how rules that match become one answer, and what can never be talked into silence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.rule_set import RuleSet
from rules.verdicts import Severity, Verdict, VerdictKind
from tests.rules.judging import NOW, changed, event, facts, judge, rule

if TYPE_CHECKING:
    from rules.events import ChangeEvent

ANY = {"detail": {"eventName": [{"exists": True}]}}
DENIED = event("delete-table-denied")
PITR_OFF = event("update-continuous-backups-off")
PROTECTION_OFF = event("update-table-protection-off")
GONE = {"table.tags": "the catalog is out of reach"}
# Rules of every kind, some of which do not count: the raw material of every order.
MIXED = (
    rule("a-suspicious", "suspicious", severity="low"),
    rule("b-intentional", "intentional"),
    rule("c-accidental", "accidental", severity="medium"),
    rule("d-accidental", "accidental", severity="critical"),
    rule("e-expired", "accidental", expires=NOW),
    rule("f-no-match", "accidental", {"detail": {"eventName": ["CreateTable"]}}),
    rule("g-unknown", "intentional", {"facts": {"table": {"tags": {"env": [{"exists": False}]}}}}),
    rule("h-excluded", "accidental", unless=ANY),
)


def hits(verdict: Verdict) -> list[str]:
    """The ids of the rules that decided."""
    return [hit.rule_id for hit in verdict.hits]


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        ((), "suspicious"),
        (("suspicious",), "suspicious"),
        (("intentional",), "intentional"),
        (("accidental",), "accidental"),
        (("suspicious", "intentional"), "intentional"),
        (("suspicious", "accidental"), "accidental"),
        (("intentional", "accidental"), "accidental"),
        (("suspicious", "intentional", "accidental"), "accidental"),
    ],
)
def test_which_verdict_wins(kinds: tuple[str, ...], kind: str) -> None:
    """Accidental beats intentional, intentional beats suspicious, and nothing at all is suspicious."""
    verdict = judge(*(rule(f"is-{one}", one) for one in kinds))
    assert verdict.kind is VerdictKind(kind)
    assert hits(verdict) == ([f"is-{kind}"] if kinds else [])
    assert verdict.alerts is (kind != "intentional")
    for one in kinds:
        outweighed = f"outweighed: reason of is-{one} (rule is-{one})" in verdict.reasons
        assert outweighed is (one != kind)


def test_nothing_known_means_alert() -> None:
    """A change that no rule explains alerts, and says that nothing explains it."""
    verdict = judge()
    assert (verdict.kind, verdict.severity, verdict.alerts) == (VerdictKind.SUSPICIOUS, Severity.HIGH, True)
    assert verdict.reasons == ("No rule and no declared intent explains this change.",)


@settings(max_examples=40)
@given(st.permutations(MIXED), st.sampled_from([None, DENIED, PITR_OFF]))
def test_order_never_matters(order: list[Any], of: ChangeEvent | None) -> None:
    """Any order of the same rules gives the same verdict, reasons and all."""
    what = of or changed()
    around = facts(what, GONE)
    assert judge(*order, of=what, around=around) == judge(*MIXED, of=what, around=around)


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(MIXED), unique_by=lambda one: one.id),
    st.sampled_from([PITR_OFF, event("delete-backup")]),
)
def test_tampering_is_never_silent(some: list[Any], of: ChangeEvent) -> None:
    """Whatever rules there are, a change to the net itself alerts; a rule that tried is named."""
    verdict = judge(*some, rule("try", "intentional"), of=of)
    assert verdict.alerts
    assert any("rule try does not apply: tampering" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    "patterns",
    [
        {"match": {"facts": {"table": {"tags": {"env": [{"exists": False}]}}}}},
        {"unless": {"facts": {"table": {"tags": {"env": ["prod"]}}}}},
        {"match": {"facts": {"$or": [{"failed": [False]}, {"table": {"tags": {"env": ["dev"]}}}]}}},
    ],
    ids=["match", "unless", "alternative"],
)
def test_an_intentional_rule_never_rests_on_the_unknown(patterns: dict[str, Any]) -> None:
    """A fact that nobody could look at keeps it from counting, in match and in unless, and the alert says why."""
    one = rule("rests", "intentional", **patterns)
    verdict = judge(one, around=facts(changed(), GONE))
    assert (verdict.kind, verdict.hits) == (VerdictKind.SUSPICIOUS, ())
    assert verdict.reasons[1] == (
        "rule rests does not apply: it rests on unknown facts: table.tags (the catalog is out of reach)"
    )


@pytest.mark.parametrize(
    ("match", "named"),
    [
        ({"facts": {"table": {"tags": {"env": ["dev"]}}}}, True),
        ({"facts": {"table": {"tags": {"env": [{"exists": True}]}}}}, True),
        ({"detail": {"eventName": ["CreateTable"]}, "facts": {"table": {"tags": {"env": ["dev"]}}}}, False),
    ],
)
def test_the_unknown_that_hides_an_explanation_is_named(match: dict[str, Any], named: bool) -> None:
    """A rule that only an unknown fact keeps from matching is named, one that would not match anyway is not."""
    verdict = judge(rule("dev", "intentional", match), around=facts(changed(), GONE))
    assert verdict.kind is VerdictKind.SUSPICIOUS
    assert (
        "rule dev cannot be judged: it rests on unknown facts: table.tags (the catalog is out of reach)"
        in verdict.reasons
    ) is named


@pytest.mark.parametrize("verdict", ["suspicious", "accidental"])
def test_rules_that_alert_may_rest_on_the_unknown(verdict: str) -> None:
    """Unknown facts only ever make it louder: what is unknown excludes no alert."""
    one = rule("loud", verdict, unless={"facts": {"table": {"tags": {"env": ["dev"]}}}})
    assert hits(judge(one, around=facts(changed(), GONE))) == ["loud"]


def test_known_facts_decide() -> None:
    """The same rules count, or are excluded, once the fact is known; absent is known, too."""
    by_tag = rule("dev", "intentional", {"facts": {"table": {"tags": {"env": ["dev"]}}}})
    but = rule("but", "intentional", unless={"facts": {"table": {"tags": {"env": ["prod"]}}}})
    for env, expected in (("dev", ["but", "dev"]), ("prod", []), ("test", ["but"])):
        around = facts(changed(), table={"tags": {"env": env}})
        assert hits(judge(by_tag, but, around=around)) == expected
    assert hits(judge(by_tag, but, around=facts(changed(), table={"tags": {}}))) == ["but"]


def test_unless() -> None:
    """Where ``unless`` matches, the rule does not count and is not mentioned."""
    verdict = judge(
        rule("excluded", "accidental", unless=ANY),
        rule("stays", "suspicious", unless={"detail": {"x": ["y"]}}),
    )
    assert hits(verdict) == ["stays"]
    assert not any("excluded" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("kind", ["intentional", "suspicious", "accidental"])
@pytest.mark.parametrize(
    ("left", "counts"), [(timedelta(seconds=1), True), (timedelta(), False), (-timedelta(days=9), False)]
)
def test_expiry(kind: str, left: timedelta, counts: bool) -> None:
    """From its day on a rule does not count, and where it would have, the alert says so."""
    verdict = judge(rule("dated", kind, expires=NOW + left))
    assert (hits(verdict) == ["dated"]) is counts
    noted = f"rule dated does not apply: it expired on {NOW + left:%Y-%m-%d}"
    assert (noted in verdict.reasons) is not counts


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (changed(), "high"),
        (event("delete-stack-cli"), "high"),
        (PROTECTION_OFF, "medium"),
        (PITR_OFF, "critical"),
        (event("delete-backup"), "critical"),
        (changed(eventName="TagResource"), "medium"),
        (DENIED, "low"),
        (changed(eventName="DeleteBackup", errorCode="AccessDenied"), "medium"),
        (changed(eventName="CreateTable"), "info"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.title,
)
def test_severity_by_weight(of: ChangeEvent, expected: str) -> None:
    """Without a rule's own word the weight of the change decides; an attempt weighs little."""
    assert judge(of=of).severity.value == expected
    assert judge(rule("plain", "accidental"), of=of).severity.value == expected


@pytest.mark.parametrize(
    ("severities", "expected"),
    [((None,), "high"), (("low",), "low"), (("low", "critical"), "critical"), (("medium", None), "high")],
)
def test_severity_by_rules(severities: tuple[str | None, ...], expected: str) -> None:
    """The highest of those that decided counts; a rule may also lower it."""
    some = [rule(f"r{index}", "suspicious", severity=one) for index, one in enumerate(severities)]
    assert judge(*some).severity.value == expected


def test_outweighed_rules_do_not_add_severity() -> None:
    """Only the rules of the winning verdict say how bad it is."""
    assert (
        judge(rule("a", "accidental", severity="low"), rule("s", "suspicious", severity="critical")).severity
        is Severity.LOW
    )
    quiet = judge(rule("i", "intentional"), rule("s", "suspicious", severity="critical"))
    assert (quiet.severity, quiet.alerts) == (Severity.INFO, False)


@pytest.mark.parametrize("kind", ["suspicious", "accidental"])
def test_failed_calls_are_low_whatever_rules_say(kind: str) -> None:
    """Nothing was changed, so nobody is woken up."""
    verdict = judge(rule("loud", kind, severity="critical"), of=DENIED)
    assert (verdict.kind, verdict.severity, verdict.alerts) == (VerdictKind(kind), Severity.LOW, True)


def test_ranks() -> None:
    """Severities rise in the order in which they are written."""
    assert [one.rank for one in Severity] == [0, 1, 2, 3, 4]
    assert max(Severity, key=lambda one: one.rank) is Severity.CRITICAL


def test_an_event_cannot_bring_its_own_facts() -> None:
    """``facts`` in an envelope is a stranger's text; rules see ours."""
    forged = event("envelope-delete-table").envelope
    of = changed()
    liar = rule("liar", "intentional", {"facts": {"intents": ["forged"]}})
    around = facts(of, intents=[])
    document = {**forged, "facts": {"intents": ["forged"]}}
    tricked = msgspec.structs.replace(of, document=document)
    assert liar.match.matches(document)
    assert judge(liar, of=tricked, around=around).kind is VerdictKind.SUSPICIOUS


def test_what_a_rule_says() -> None:
    """Its reason, else its description, else its id; and the rule set keeps every rule."""
    one = rule("one", "suspicious")
    assert one.text == "reason of one"
    assert len(RuleSet(MIXED).rules) == len(MIXED)
