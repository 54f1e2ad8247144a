"""Events out of archives: read faster, and judged exactly as those that come over the queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import EventError
from rules.events import ChangeEvent, parse_archived, parse_event_json
from rules.facts import unlooked_facts
from rules.net import NetParts
from rules.rule_set import RuleSet
from rules.rulefile import load_rules
from rules.screen import may_be_watched
from tests.rules.judging import EVENTS, NOW, PUBLISHED, document, record, rule
from tests.rules.test_events_bad_input import JSON, KEYS
from tests.rules.test_rule_set import RULES, WINDOWS, made

NET = NetParts(vault_bucket="example-vault", vault_prefix="net")
PACK = load_rules([]).rule_set


def both(text: bytes) -> tuple[ChangeEvent | str, ChangeEvent | str]:
    """What the two readers make of a text: an event, or why it is none."""
    found: list[ChangeEvent | str] = []
    for parse in (parse_archived, parse_event_json):
        try:
            found.append(parse(text, NET))
        except EventError as error:
            found.append(str(error))
    return found[0], found[1]


def told(event: ChangeEvent | str) -> Any:
    """Everything that is told of an event."""
    if isinstance(event, str):
        return event
    return (
        event.id, event.time, event.account, event.region, event.event_source, event.event_name, event.source,
        event.action, event.error_code, event.error_message, event.read_only, event.resource, event.actor, event.tool,
        event.app, event.request_token, event.title, event.envelope,
    )  # fmt: skip


def same(text: bytes) -> None:
    """Both readers say the same, and the default pack judges the same."""
    archived, queued = both(text)
    assert told(archived) == told(queued)
    if isinstance(archived, ChangeEvent) and isinstance(queued, ChangeEvent):
        assert PACK.judge(archived, unlooked_facts, NOW) == PACK.judge(queued, unlooked_facts, NOW)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_synthetic_events(path: Any) -> None:
    """Compact or indented, bare or in an envelope, of a call or of a service."""
    content = json.loads(path.read_bytes())
    same(path.read_bytes())
    same(json.dumps(content, separators=(",", ":")).encode())


def test_published_events() -> None:
    """The same of the records that others published."""
    files = [path for path in PUBLISHED.glob("*.json") if path.name != "INDEX.json"]
    if not files:
        pytest.skip("no published records beside the repository")
    for path in files:
        same(path.read_bytes())


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON, min_size=1, max_size=3), st.booleans())
def test_any_value_anywhere_in_a_record(changes: dict[str, Any], wrapped: bool) -> None:
    """Wrong types, null and nothing are the same to both, also where parts of the identity are null."""
    raw: dict[str, Any] = {**document("delete-table-console"), **changes}
    if wrapped:
        raw = {**document("envelope-delete-table"), "detail": raw}
    same(json.dumps(raw, allow_nan=False).encode() if finite(raw) else b"{}")


def finite(value: Any) -> bool:
    """Whether a value can be written as JSON."""
    try:
        json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return False
    return True


IDENTITIES = st.sampled_from(
    [
        None,
        {},
        {"type": "Root"},
        {"type": "IAMUser", "sessionContext": None},
        {"type": "AssumedRole", "sessionContext": {"sessionIssuer": None, "attributes": None}},
        {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"userName": "deploy"}}},
        {"type": "AssumedRole", "sessionContext": {"attributes": {"mfaAuthenticated": True}}},
    ]
)
REQUESTS = st.sampled_from(
    [None, {}, {"tableName": "orders"}, {"tableName": None}, {"tableName": ["a", "orders"]}, {"tableName": 7},
     {"tableName": {"x": "orders"}}, {"tableName.x": "orders"}, {"omitted": True}]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(RULES, IDENTITIES, REQUESTS, st.sampled_from(["DeleteTable", "DeleteBackup", None]), st.booleans())
def test_any_rules(drawn: Any, identity: Any, request: Any, error: str | None, wrapped: bool) -> None:
    """Random rules over nulls, arrays, numbers and objects give the same verdict by either way."""
    raw = record(userIdentity=identity, requestParameters=request, errorCode=error)
    content = {**document("envelope-delete-table"), "detail": raw} if wrapped else raw
    archived, queued = both(json.dumps(content, separators=(",", ":")).encode())
    assert isinstance(archived, ChangeEvent)
    assert isinstance(queued, ChangeEvent)
    rules = RuleSet(made(drawn), WINDOWS)
    assert rules.judge(archived, unlooked_facts, NOW) == rules.judge(queued, unlooked_facts, NOW)


@pytest.mark.parametrize("name", ["stack-status-change", "resource-status-change-table", "object-deleted"])
def test_a_services_event_has_no_request_of_its_own(name: str) -> None:
    """What the parser made up to read such an event by is not there for rules to match."""
    text = json.dumps(document(name)).encode()
    of = parse_archived(text, NET)
    made_up = [
        rule("request", "accidental", {"detail": {"requestParameters": {"stackName": [{"exists": True}]}}}),
        rule("bucket", "accidental", {"detail": {"requestParameters": {"bucketName": ["example-vault"]}}}),
        rule("name", "accidental", {"detail": {"eventName": [{"suffix": "Change"}, "ObjectDeleted"]}}),
    ]
    assert RuleSet(made_up).judge(of, unlooked_facts, NOW).hits == ()
    real = rule("real", "accidental", {"detail-type": [document(name)["detail-type"]]})
    assert RuleSet([real]).judge(of, unlooked_facts, NOW).hits


@pytest.mark.parametrize("size", [1_000_000])
def test_large_events(size: int) -> None:
    """A request of a megabyte, many keys and deep nesting are read by both; what is too deep is refused by both."""
    same(json.dumps(record(requestParameters={"tableName": "orders", "x": "y" * size})).encode())
    same(json.dumps(record(requestParameters={f"k{number}": number for number in range(20_000)})).encode())
    deep = '{"a":' * 500 + "1" + "}" * 500
    same(json.dumps(record()).replace('"orders"', deep).encode())
    too_deep = json.dumps(record()).replace('"orders"', '{"a":' * 100_000 + "1" + "}" * 100_000).encode()
    assert may_be_watched(too_deep)
    archived, queued = both(too_deep)
    assert isinstance(archived, str)
    assert archived == queued
