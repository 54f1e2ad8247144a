"""Events: whatever comes in, what comes out is a change event or an EventError that fits a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import EventError
from rules.events import ChangeEvent, parse_event_json
from rules.json_documents import read_json_object
from tests.rules.judging import document, facts, judge, record, rule

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted({*record(), *document("delete-table-console")})


def taken(body: str | bytes) -> ChangeEvent | EventError:
    """What the parser gives; anything but its two answers fails the test that asks."""
    try:
        return parse_event_json(body)
    except EventError as error:
        message = str(error)
        assert 0 < len(message) < 1000
        assert message.isprintable()
        return error


def refused(body: str | bytes) -> str:
    """The message of the EventError that the body must give."""
    error = taken(body)
    assert isinstance(error, EventError)
    return str(error)


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """No bytes bring the parser down."""
    taken(body)


@settings(max_examples=60)
@given(JSON)
def test_any_json(content: Any) -> None:
    """No JSON does, nor the JSON-like that Python writes."""
    taken(json.dumps(content))


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(KEYS), JSON, min_size=1, max_size=3), st.booleans())
def test_wrong_types_anywhere_in_a_record(changes: dict[str, Any], wrapped: bool) -> None:
    """Any value under any key of a record, bare or in an envelope; what is understood can also be judged."""
    raw: dict[str, Any] = {**document("delete-table-console"), **changes}
    if wrapped:
        raw = {**document("envelope-delete-table"), "detail": raw}
    found = taken(json.dumps(raw))
    if isinstance(found, ChangeEvent):
        assert judge(rule("any", "accidental"), of=found).reasons
        assert found.title
        assert found.actor.label


@settings(max_examples=60)
@given(JSON, st.sampled_from(["type", "arn", "sessionContext", "principalId", "invokedBy"]))
def test_wrong_types_in_the_identity(value: Any, key: str) -> None:
    """The identity is strangers' text, too."""
    identity = {**document("delete-table-cli-assumed-role")["userIdentity"], key: value}
    taken(json.dumps(record(userIdentity=identity)))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "not JSON"), (b"", "not JSON"), (b"\xff\xfe\x00", "not JSON"), ("nul", "not JSON"), ("{}{}", "not JSON"),
        ("null", "found NoneType"), ("[]", "found list"), ("7", "found int"), ('"text"', "found str"),
        ("{}", "neither an EventBridge envelope"), ('{"Records": []}', "neither an EventBridge envelope"),
        ('{"detail-type": "x"}', "source: missing"), ('{"detail": null}', "detail: expected object, got null"),
        ('{"eventName": "DeleteTable"}', "eventID: missing"),
        ('{"a": NaN}', "NaN is no number"), ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "too large"), ('{"a": 1, "a": 2}', "twice"),
        ('{"a": [{"b": 1, "b": 1}]}', "twice"), ('{"a": "\\ud800"}', "not JSON"), ('{"\\udfff": 1}', "not JSON"),
        ('{"a": "\ud800"}', "not JSON"), ('{"a": ' + "1" * 5000 + "}", "not JSON"),
        ('{"facts": {}, "detail-type": "x"}', "facts of its own"), ('{"a.b": 1, "eventName": "x"}', "a key with a dot"),
        ('{"facts.intents": ["x"], "detail-type": "x"}', "a key with a dot"),
        ('{"eventName": "x", "userIdentity": {"sessionContext": {"sessionIssuer.userName": "ci"}}}', "a key with a dot"),
        ('{"detail-type": "x", "detail": {"requestParameters.tableName": "x"}}', "a key with a dot"),
        ("[" * 100_000, "not JSON"), ('{"a":' * 100_000, "not JSON"), ('{"a": "\x01"}', "not JSON"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_what_is_no_event(body: str | bytes, why: str) -> None:
    """Each is refused for what it is; nothing that two readers could take differently gets through."""
    assert why in refused(body)


def test_text_beyond_ascii_is_no_fault() -> None:
    """A byte order mark, umlauts and escaped pairs are proper JSON."""
    body = json.dumps(record(userAgent="tööl \U0001f600"))
    assert read_json_object(b"\xef\xbb\xbf" + body.encode())["userAgent"] == "tööl \U0001f600"
    assert read_json_object(json.dumps(record(userAgent="tööl"), ensure_ascii=False))["userAgent"] == "tööl"


@pytest.mark.parametrize(
    "changes",
    [
        {"resources": ["text"]}, {"resources": "text"}, {"resources": [None]}, {"resources": {}},
        {"resources": [{"ARN": 5}]}, {"userIdentity": []}, {"userIdentity": {"sessionContext": "text"}},
        {"requestParameters": []}, {"requestParameters": "text"}, {"responseElements": [1]}, {"userAgent": {}},
        {"readOnly": "perhaps"}, {"errorCode": 404}, {"awsRegion": None},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_types_are_named_by_their_place(changes: dict[str, Any]) -> None:
    """The message says which key is wrong."""
    assert next(iter(changes)) in refused(json.dumps(record(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"resources": None}, {"resources": []}, {"requestParameters": {"tableName": None}},
        {"requestParameters": {"tableName": ["orders"]}}, {"responseElements": {"tableDescription": "text"}},
        {"userIdentity": None}, {"userIdentity": {}}, {"userIdentity": {"type": "Martian"}},
        {"userIdentity": {"sessionContext": {"sessionIssuer": {}, "attributes": {}}}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_missing_around_an_event_does_not_hide_it(changes: dict[str, Any]) -> None:
    """A deletion is seen even where the record says neither what was deleted nor by whom."""
    found = taken(json.dumps(record(**changes)))
    assert isinstance(found, ChangeEvent)
    assert found.title == "Table deleted"
    assert found.actor.label


def test_long_and_deep_events_are_taken() -> None:
    """A megabyte of text and hundreds of levels are odd, not wrong; they can be judged, too."""
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": [deep]}
    found = taken(
        json.dumps(record(userAgent="x" * 1_000_000, requestParameters={"tableName": "orders", "x": deep}))
    )
    assert isinstance(found, ChangeEvent)
    everywhere = rule("deep", "suspicious", {"detail": {"requestParameters": {"x": {"a": {"a": ["b"]}}}}})
    assert judge(everywhere, of=found, around=facts(found)).hits == ()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"detail-type": "x" * 1_000_000, "source": "aws.x", "detail": {}}),
        json.dumps({"detail-type": "bell \x07, new\nline \x1b[31m", "source": "aws.x", "detail": {}}),
        json.dumps(record(resources=[{"ARN": 1}] * 10_000)),
        json.dumps(record(eventTime="x" * 1_000_000)),
        json.dumps(record(requestParameters="secret " * 100_000)),
    ],
    ids=["long kind", "control characters", "many faults", "long time", "long request"],
)
def test_messages_stay_short_and_printable(body: str) -> None:
    """What a stranger wrote can neither fill a log nor forge a line in it, and no content is repeated."""
    message = refused(body)
    assert "secret" not in message
    assert "\n" not in message


def test_the_error_says_that_nothing_was_dropped() -> None:
    """The hint tells what becomes of the message."""
    error = taken("{}")
    assert isinstance(error, EventError)
    assert "dead-letter queue" in error.hint
