"""AWS Health's events: which are about DynamoDB, and which region they mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rules.errors import EventError
from tests.watcher.watching import delete_table
from watcher.availability.health_events import health_event

SHAPE = Path(__file__).parents[2] / "rules" / "events" / "health-dynamodb.json"


def body(envelope: dict[str, Any] | None = None, **detail: Any) -> bytes:
    """The documented shape, with changes in the envelope and in the detail."""
    document = json.loads(SHAPE.read_text(encoding="utf-8"))
    return json.dumps(document | (envelope or {}) | {"detail": document["detail"] | detail}).encode()


def test_an_open_issue() -> None:
    """What it is, where and since when."""
    event = health_event(body())
    assert event is not None
    assert (event.code, event.region, event.closed) == ("AWS_DYNAMODB_OPERATIONAL_ISSUE", "eu-west-1", False)
    assert event.started == datetime(2026, 11, 23, 2, 2, tzinfo=UTC)
    assert event.time == datetime(2026, 11, 23, 2, 13, 44, tzinfo=UTC)


def test_its_end() -> None:
    """With AWS's time for it, or else the event's."""
    closed = health_event(body(statusCode="closed", endTime="Mon, 23 Nov 2026 04:00:00 GMT"))
    assert closed is not None
    assert (closed.closed, closed.ended) == (True, datetime(2026, 11, 23, 4, tzinfo=UTC))
    without = health_event(body(statusCode="closed"))
    assert without is not None
    assert without.ended == without.time


def test_the_region_is_the_impacted_one() -> None:
    """Not the one to which the event was delivered as a second copy."""
    event = health_event(body({"region": "us-west-2"}))
    assert event is not None
    assert event.region == "eu-west-1"


@pytest.mark.parametrize(
    "message",
    [
        body(service="EC2"),
        body(eventTypeCategory="scheduledChange"),
        body(statusCode="upcoming"),
        body({"source": "somebody.else"}),
        body({"detail-type": "AWS Health Abuse Event"}),
        delete_table("aws.health-DYNAMODB"),
        b"aws.health DYNAMODB",
    ],
)
def test_everything_else_is_none(message: bytes) -> None:
    """Other services, changes that are only planned, other events that happen to hold the words."""
    assert health_event(message) is None


@pytest.mark.parametrize(
    "detail",
    [
        {"eventRegion": "../x"},
        {"startTime": "yesterday"},
        {"statusCode": "ajar"},
        {"eventArn": ""},
        {"eventTypeCode": "<x>"},
    ],
)
def test_one_that_cannot_be_understood_is_an_error(detail: dict[str, Any]) -> None:
    """It is about DynamoDB, so it must not be dropped: it becomes an alert."""
    with pytest.raises(EventError, match="AWS Health event"):
        health_event(body(**detail))
