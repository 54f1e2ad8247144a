"""Rule sets: the index never passes over a rule that would count, and unknown facts never make anything quiet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.events import parse_event
from rules.facts import Facts, unlooked_facts
from rules.patterns import compile_pattern
from rules.rule_set import RuleSet
from rules.verdicts import CompiledRule, RuleState, VerdictKind, resolve
from rules.windows import Window
from tests.rules.judging import NOW, changed, document, event, facts, judge, record, rule

if TYPE_CHECKING:
    from rules.events import ChangeEvent

EVENTS = [
    event(name)
    for name in (
        "delete-table-cli-assumed-role", "delete-table-console", "delete-stack-cli", "delete-table-denied",
        "update-continuous-backups-off", "envelope-delete-table", "omitted-parameters", "stack-status-change",
    )
]  # fmt: skip
NAMES = [
    "DeleteTable",
    "DeleteStack",
    "Delete",
    "orders",
    "",
    "cli",
    "deploy",
    "203.0.113.7",
    "destructive",
    "x.y",
]
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NAMES).map(lambda text: {"prefix": text}),
    st.sampled_from(["Delete*", "*Table", "ord*rs", "Delete\\*"]).map(lambda text: {"wildcard": text}),
    st.sampled_from([True, False, None, 1, {"exists": True}, {"exists": False}, {"anything-but": "orders"}]),
    st.just({"exactly": "orders"}),
)
PATHS = [
    ("detail", "eventName"), ("detail", "eventSource"), ("detail", "requestParameters", "tableName"),
    ("detail", "userIdentity", "sessionContext", "sessionIssuer", "userName"), ("detail", "sourceIPAddress"),
    ("detail", "resources", "ARN"), ("source",), ("facts", "tool"), ("facts", "weight"), ("facts", "resource", "name"),
    ("facts", "table", "tags", "env"), ("facts", "table", "tags", "x.y"), ("facts", "intents"),
    ("facts", "backup", "found"), ("facts", "windows"),
    ("facts",), ("detail",), ("detail", "requestParameters"), ("region",), ("detail", "errorCode"),
]  # fmt: skip


def nested(fields: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """A pattern of fields by their paths."""
    pattern: dict[str, Any] = {}
    for path, condition in fields.items():
        node = pattern
        for key in path[:-1]:
            below = node.setdefault(key, {})
            node = below if isinstance(below, dict) else node
        node.setdefault(path[-1], condition)
    return pattern


PATTERNS = st.dictionaries(
    st.sampled_from(PATHS), st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=3
).map(nested)
ALTERNATIVES = st.lists(PATTERNS, min_size=2, max_size=3).map(lambda some: {"$or": some})
RULES = st.lists(
    st.tuples(
        st.sampled_from(VerdictKind),
        PATTERNS | ALTERNATIVES,
        st.none() | PATTERNS,
        st.sampled_from([(), ("always",), ("never",)]),
    ),
    max_size=8,
)
UNKNOWN = st.dictionaries(
    st.sampled_from(["table.tags", "intents", "backup", "table"]), st.just("lost"), max_size=2
)
NULLED = [
    changed(**{key: None})
    for key in ("errorCode", "requestParameters", "userIdentity", "sourceIPAddress", "resources")
] + [
    changed(requestParameters={"tableName": None}),
    changed(userIdentity={"sessionContext": {"sessionIssuer": None}}),
]
KNOWN = st.dictionaries(
    st.sampled_from(["table", "intents", "backup"]),
    st.sampled_from(
        [{}, [], ["a", "orders"], {"tags": {"env": "orders"}}, {"tags": {"x.y": "orders"}}, {"found": False}]
    ),
)
WINDOWS = {
    "always": Window(weekly=["mon-sun"]),
    "never": Window.model_validate({"cron": "0 0 1 1 *", "lasts": "1m"}),
}


def made(drawn: list[tuple[VerdictKind, dict[str, Any], Any, tuple[str, ...]]]) -> list[CompiledRule]:
    """Rules of what was drawn, by number."""
    return [
        replace(rule(f"r{number}", verdict, match, unless=unless), during=during)
        for number, (verdict, match, unless, during) in enumerate(drawn)
    ]


@settings(max_examples=300, deadline=None)
@given(RULES, st.sampled_from([*EVENTS, *NULLED]), KNOWN, UNKNOWN)
def test_the_index_passes_over_nothing(
    drawn: Any, of: Any, known: dict[str, Any], unknown: dict[str, str]
) -> None:
    """Judging by the index gives exactly what looking at every rule gives, whatever is unknown."""
    rules = RuleSet(made(drawn), WINDOWS)
    around = facts(of, unknown, **known)
    whole = resolve(of, rules.judge_each(of, around, NOW))
    assert rules.judge(of, around, NOW) == whole
    assert rules.judge(of, lambda _: around, NOW) == whole


def test_the_facts_are_asked_only_if_a_rule_has_to_know() -> None:
    """A rule that cannot match by the event alone costs no look at the vault."""
    asked: list[str] = []

    def looked(about: ChangeEvent) -> Facts:
        asked.append("once")
        return unlooked_facts(about)

    about_stacks = rule(
        "s", "intentional", {"detail": {"eventName": ["DeleteStack"]}, "facts": {"failed": [False]}}
    )
    by_unless = rule("u", "accidental", unless={"facts": {"intents": [{"exists": True}]}})
    plain = rule("p", "suspicious", {"detail": {"eventName": ["DeleteTable"]}})
    assert RuleSet([about_stacks, plain]).judge(changed(), looked, NOW).hits
    assert asked == []
    assert RuleSet([by_unless]).judge(changed(), looked, NOW).kind is VerdictKind.ACCIDENTAL
    assert asked == ["once"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_null_is_not_nothing(wrapped: bool) -> None:
    """``errorCode: null`` is there: ``exists: false`` does not match it, however the event came."""
    raw = record(errorCode=None)
    of = parse_event({**document("envelope-delete-table"), "detail": raw} if wrapped else raw)
    absent = rule("absent", "intentional", {"detail": {"errorCode": [{"exists": False}]}})
    present = rule("present", "suspicious", {"detail": {"errorCode": [{"exists": True}]}})
    null = rule("null", "suspicious", {"detail": {"errorCode": [None]}})
    verdict = judge(absent, present, null, of=of)
    assert [hit.rule_id for hit in verdict.hits] == ["null", "present"]


def test_a_dotted_key_hides_no_rule() -> None:
    """EventBridge takes a dotted key for nested ones; the index must, too."""
    dotted = changed().envelope
    of = msgspec.structs.replace(changed(), document={"detail.eventName": "Odd", **dotted})
    assert judge(rule("odd", "accidental", {"detail": {"eventName": ["Odd"]}}), of=of).hits


@pytest.mark.parametrize(
    ("written", "values", "matches"),
    [
        (["10.0.0.1"], "10.00.0.1", True),
        ([{"wildcard": "a\\*b"}], "a*b", True),
        ([{"wildcard": "plain"}], "plain", True),
        ([{"prefix": {"equals-ignore-case": "AB"}}], "abc", True),
        (["a", {"numeric": ["=", 1]}], 1, True),
        (["a"], ["b", "a"], True),
        (["a"], {"b": "a"}, False),
    ],
)
def test_conditions_that_are_no_plain_texts(written: list[Any], values: Any, matches: bool) -> None:
    """What an exact text or a beginning cannot stand for is looked at closely."""
    of = changed(requestParameters={"tableName": values})
    one = rule("one", "accidental", {"detail": {"requestParameters": {"tableName": written}}})
    assert bool(judge(one, of=of).hits) is matches


UNKNOWN_TAGS = {"table.tags": "the vault is out of reach"}
PRODUCTION = {"facts": {"table": {"tags": {"env": ["prod"]}}}}


def test_an_alternative_that_asks_nothing_unknown_is_not_enough() -> None:
    """A rule rests on all it asks, whichever of its alternatives matches; the index looks the facts up for that."""
    by_name = {"detail": {"eventName": ["DeleteTable"]}}
    for_other_changes = {"detail": {"eventName": ["DeleteStack"]}, **PRODUCTION}
    one = rule("one", "intentional", {"$or": [by_name, for_other_changes]})
    assert judge(one, around=facts(changed(), UNKNOWN_TAGS)).hits == ()
    assert judge(one, around=facts(changed(), table={"tags": {}})).hits


def test_what_might_be_an_accident_is_not_quiet() -> None:
    """An ``accidental`` rule that only an unknown fact keeps from counting holds ``intentional`` ones back."""
    rules = (rule("intended", "intentional"), rule("production", "accidental", PRODUCTION))
    unknown = judge(*rules, around=facts(changed(), UNKNOWN_TAGS))
    assert (unknown.kind, unknown.hits) == (VerdictKind.SUSPICIOUS, ())
    assert [hit.rule_id for hit in unknown.outweighed] == ["intended"]
    assert unknown.notes == (
        "rule production cannot be judged: it rests on unknown facts: table.tags (the vault is out of reach)",
    )
    known = judge(*rules, around=facts(changed(), table={"tags": {"env": "dev"}}))
    assert known.kind is VerdictKind.INTENTIONAL


def test_an_accident_that_cannot_be_holds_nothing_back() -> None:
    """Where another condition already fails, the unknown fact does not matter."""
    elsewhere = rule("production", "accidental", {**PRODUCTION, "detail": {"eventName": ["DeleteStack"]}})
    verdict = judge(rule("intended", "intentional"), elsewhere, around=facts(changed(), UNKNOWN_TAGS))
    assert verdict.kind is VerdictKind.INTENTIONAL


@pytest.mark.parametrize(
    "changes",
    [
        {"unless": compile_pattern({"detail": {"eventName": ["DeleteTable"]}})},
        {"expires": NOW},
        {"during": ("never",)},
    ],
    ids=["excluded", "expired", "outside"],
)
def test_an_accident_that_would_not_count_holds_nothing_back(changes: dict[str, Any]) -> None:
    """Where a rule would not count even if it matched, what it rests on does not matter."""
    production = replace(rule("production", "accidental", PRODUCTION), **changes)
    of = changed()
    rules = RuleSet([rule("intended", "intentional"), production], WINDOWS)
    verdict = rules.judge(of, facts(of, UNKNOWN_TAGS), NOW)
    assert (verdict.kind, verdict.notes) == (VerdictKind.INTENTIONAL, ())


def test_an_exclusion_that_rests_on_the_unknown_excludes_nothing() -> None:
    """What only looks like an exclusion because a fact is unknown leaves the accident possible."""
    tags = {"facts": {"table": {"tags": {"team": [{"exists": False}]}}}}
    possible = rule("production", "accidental", PRODUCTION, unless=tags)
    verdict = judge(rule("intended", "intentional"), possible, around=facts(changed(), UNKNOWN_TAGS))
    assert verdict.kind is VerdictKind.SUSPICIOUS


@pytest.mark.parametrize(
    ("match", "quiet"),
    [
        ({"facts": {"tool": ["terraform"]}}, False),
        ({"detail": {"userAgent": [{"wildcard": "*Terraform*"}]}}, False),
        (
            {
                "detail": {"eventName": ["DeleteTable"]},
                "facts": {"tool": ["terraform"], "weight": ["destructive"]},
            },
            False,
        ),
        ({"facts": {"$or": [{"actor": {"role": ["deploy"]}}, {"tool": ["terraform"]}]}}, False),
        ({"facts": {"tool": ["terraform"], "actor": {"role": ["terraform-apply"]}}}, True),
        ({"facts": {"tool": ["terraform"], "resource": {"name": ["orders"]}}}, True),
    ],
)
def test_a_tool_alone_never_makes_a_change_intentional(match: dict[str, Any], quiet: bool) -> None:
    """Anybody can claim to be Terraform: with a role or a table named the rule counts, without both it does not."""
    of = event("delete-table-terraform")
    verdict = judge(rule("by-tool", "intentional", match), of=of)
    assert (verdict.kind is VerdictKind.INTENTIONAL) is quiet
    assert quiet or any("a tool alone" in reason for reason in verdict.reasons)
    assert judge(rule("by-tool", "suspicious", match), of=of).hits


def test_windows_are_facts_and_conditions() -> None:
    """A rule counts in its windows only, by the time of the change; a pattern may ask for them, too."""
    windows = {"night": Window.model_validate({"weekly": ["mon-sun 02:00-03:00"]}), "never": WINDOWS["never"]}
    inside = replace(rule("inside", "intentional"), during=("never", "night"))
    outside = replace(rule("outside", "intentional"), during=("never",))
    asking = rule("asking", "suspicious", {"facts": {"windows": ["night"]}})
    rules = RuleSet([inside, outside, asking], windows)
    of = changed(eventTime="2026-11-23T02:13:44Z")
    states = {one.rule.id: one.state for one in rules.judge_each(of, facts(of), NOW)}
    assert states == {"asking": RuleState.COUNTS, "inside": RuleState.COUNTS, "outside": RuleState.OUTSIDE}
    assert [hit.rule_id for hit in rules.judge(of, facts(of), NOW).hits] == ["inside"]
    later = changed(eventTime="2026-11-23T03:00:00Z")
    assert rules.judge(later, facts(later), NOW).kind is VerdictKind.SUSPICIOUS


@pytest.mark.parametrize(
    ("weight", "of", "severity"),
    [
        ("tampering", changed(eventName="DeleteBackup", errorCode="AccessDenied"), "medium"),
        ("destructive", event("delete-table-denied"), "low"),
    ],
)
def test_an_attempt_at_the_net_weighs_more(weight: str, of: Any, severity: str) -> None:
    """Somebody who may not delete backups but tries is worth more than one line in a list."""
    assert judge(of=of).severity.value == severity
