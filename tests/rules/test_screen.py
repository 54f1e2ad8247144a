"""The screen: every event of every kind of file, and only what is surely not watched left out."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import EventError
from rules.events import parse_event_json
from rules.net import NetParts
from rules.screen import candidates, may_be_watched, records_in
from rules.watched import WATCHED_ACTIONS
from tests.rules.judging import EVENTS, PUBLISHED, document, record

DELETED = record()
READ = record(eventName="DescribeTable")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def text(content: Any) -> bytes:
    """A content as AWS writes it."""
    return json.dumps(content, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "content",
    [
        text({"Records": [DELETED, READ]}),
        json.dumps({"Records": [DELETED, READ]}, indent=2).encode(),
        text([DELETED, READ]),
        text(DELETED) + b"\n" + text(READ) + b"\n",
        text({"Events": [{"EventId": "1", "CloudTrailEvent": json.dumps(one)} for one in (DELETED, READ)]}),
        text({"Type": "Notification", "Message": json.dumps({"Records": [DELETED, READ]})}),
        b"\n  " + text([DELETED, READ]) + b"\n",
    ],
    ids=["trail", "indented", "array", "lines", "lookup-events", "sns", "space"],
)
def test_files_of_events(content: bytes) -> None:
    """Whatever shape a file has, all its events come out, and the screen leaves the one that matters."""
    assert [json.loads(one) for one in records_in(content)] == [DELETED, READ]
    assert [json.loads(one) for one in candidates(content)] == [DELETED]


@pytest.mark.parametrize(
    "content", [text(DELETED), text(document("envelope-delete-table")), text({"detail-type": 7})]
)
def test_one_event_is_a_file_of_one(content: bytes) -> None:
    """A record or an envelope by itself."""
    assert list(records_in(content)) == [content]


@pytest.mark.parametrize("content", [text({"Records": []}), text([]), text({"Events": []})])
def test_files_without_events(content: bytes) -> None:
    """Nothing in, nothing out."""
    assert list(records_in(content)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"7", b"{}", b'{"Records": 7}', b'{"a": 1}', b"{", b"[{]", b'{"Message": "hello"}',
        b'{"Events": [7]}', gzip.compress(b"{}", mtime=0), b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"not json\nat all",
    ],
)  # fmt: skip
def test_what_is_no_file_of_events(content: bytes) -> None:
    """It is said, and never a crash."""
    with pytest.raises(EventError, match="not a file of events"):
        list(records_in(content))


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_nothing_watched_is_left_out(path: Any) -> None:
    """Whatever the parser would watch passes the screen."""
    raw = path.read_bytes()
    assert may_be_watched(raw) or parse_event_json(raw).action is None


def test_nothing_published_that_is_watched_is_left_out() -> None:
    """The same of the records that others published."""
    files = [path for path in PUBLISHED.glob("*.json") if path.name != "INDEX.json"]
    if not files:
        pytest.skip("no published records beside the repository")
    for path in files:
        raw = path.read_bytes()
        bucket = json.loads(raw).get("requestParameters") or {}
        net = NetParts(vault_bucket=str(bucket.get("bucketName", "")))
        assert may_be_watched(raw) or parse_event_json(raw, net).action is None, path.name


@pytest.mark.parametrize("action", WATCHED_ACTIONS, ids=lambda action: action.event_name)
def test_every_watched_call_passes(action: Any) -> None:
    """Bare and in its envelope, in whatever order its keys come."""
    raw = record(eventSource=action.event_source, eventName=action.event_name)
    assert may_be_watched(text(raw))
    assert may_be_watched(text(dict(reversed(raw.items()))))
    assert may_be_watched(
        text({"detail": raw, "detail-type": "AWS API Call via CloudTrail", "source": "aws.x"})
    )


@pytest.mark.parametrize(
    ("raw", "passes"),
    [
        (text(READ), False),
        (text({**READ, "eventSource": "glue.amazonaws.com"}), False),
        (json.dumps({**DELETED, "eventSource": "glue.amazonaws.com"}).encode(), False),
        (text({"detail-type": "AWS API Call via CloudTrail", "detail": READ}), False),
        (text({"detail-type": "AWS API Call via CloudTrail", "detail": None}), True),
        (text({"detail-type": "Something Else", "detail": READ}), True),
        (text({"eventName": "DescribeTable"}), True),
        (text({**READ, "eventName": 7}), True),
        (b'{"eventName": "Describe', True),
        (text({**READ, "requestParameters": {"eventName": "DeleteTable"}}), False),
        (rb'{"eventSource":"dynamodb.amazonaws.com","eventName":"\u0044eleteTable"}', True),
    ],
)
def test_only_a_sure_no_is_left_out(raw: bytes, passes: bool) -> None:
    """What cannot be told for sure is the parser's to tell; escapes and nested names do not fool the screen."""
    assert may_be_watched(raw) is passes


@settings(max_examples=200)
@given(st.binary(max_size=100) | JSON.map(lambda content: json.dumps(content).encode()))
def test_any_bytes(content: bytes) -> None:
    """No content brings the screen down."""
    may_be_watched(content)
    with suppress(EventError):
        assert all(isinstance(one, bytes) for one in records_in(content))
