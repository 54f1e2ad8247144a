"""Watched actions: what they are, and the event pattern that is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from rules.actions import WATCHED_ACTIONS, Action, Weight, watched_action, watched_event_pattern
from rules.events import parse_event
from rules.patterns import compile_pattern
from tests.rules.judging import document, record

KINDS = ("AWS API Call via CloudTrail", "Amazon API Call via CloudTrail")
REQUESTS: dict[str, dict[str, Any]] = {
    "UpdateTable": {"tableName": "orders", "deletionProtectionEnabled": False},
    "UpdateContinuousBackups": {
        "tableName": "orders",
        "pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": False},
    },
}


def envelope(source: str, name: str, kind: str = KINDS[0], **changes: Any) -> dict[str, Any]:
    """The envelope of a call."""
    detail = record(eventSource=source, eventName=name, requestParameters=REQUESTS.get(name), **changes)
    return {"detail-type": kind, "source": "aws." + source.split(".", maxsplit=1)[0], "detail": detail}


@pytest.mark.parametrize("action", WATCHED_ACTIONS, ids=lambda action: action.event_name)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [None, "AccessDenied"])
def test_every_watched_call_passes_the_pattern(action: Action, kind: str, error: str | None) -> None:
    """Also in China, also refused ones: whatever the parser would watch reaches the queue."""
    delivered = envelope(action.event_source, action.event_name, kind, errorCode=error)
    assert parse_event(delivered).action is action
    assert compile_pattern(watched_event_pattern()).matches(delivered)


@pytest.mark.parametrize(
    "delivered",
    [
        envelope("glue.amazonaws.com", "DeleteTable"),
        envelope("cassandra.amazonaws.com", "DeleteTable"),
        envelope("dynamodb.amazonaws.com", "CreateTable"),
        envelope("dynamodb.amazonaws.com", "DescribeTable"),
        envelope("cloudformation.amazonaws.com", "UpdateStack"),
        envelope("dynamodb.amazonaws.com", "DeleteTable", "AWS Console Sign In via CloudTrail"),
        document("stack-status-change"),
    ],
    ids=lambda delivered: f"{delivered['source']} {delivered['detail'].get('eventName')}",
)
def test_other_events_do_not_pass(delivered: dict[str, Any]) -> None:
    """The namesakes of other services, other calls and other kinds of event stay out."""
    assert not compile_pattern(watched_event_pattern()).matches(delivered)


def leaves(pattern: Any) -> list[Any]:
    """Every value in a pattern's arrays."""
    if isinstance(pattern, dict):
        return [leaf for value in pattern.values() for leaf in leaves(value)]
    return list(pattern)


def test_the_pattern_uses_exact_values_only() -> None:
    """Emulators get the other operators wrong, so a deployment that was tried on one would not be the same."""
    assert all(isinstance(leaf, str) for leaf in leaves(watched_event_pattern()))


@pytest.mark.parametrize(
    ("name", "request_parameters"),
    [
        ("UpdateTable", {"deletionProtectionEnabled": True}),
        ("UpdateTable", {"deletionProtectionEnabled": "false"}),
        ("UpdateTable", {}),
        ("UpdateContinuousBackups", {}),
        ("UpdateContinuousBackups", {"pointInTimeRecoverySpecification": None}),
        (
            "UpdateContinuousBackups",
            {"pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": True}},
        ),
    ],
)
def test_updates_that_take_no_protection_off(name: str, request_parameters: dict[str, Any]) -> None:
    """UpdateTable and UpdateContinuousBackups are watched only where they switch something off."""
    assert watched_action("dynamodb.amazonaws.com", name, request_parameters) is None


@pytest.mark.parametrize("name", ["delete-table-glue", "update-table-billing", "describe-table-autoscaling"])
def test_calls_that_are_not_watched(name: str) -> None:
    """Other services' tables, harmless updates and reading are none of ours."""
    assert parse_event(document(name)).action is None


def test_weights() -> None:
    """Losing data, losing a protection of it and losing a part of the net are told apart."""
    weights = {action.event_name: action.weight for action in WATCHED_ACTIONS}
    assert weights == {
        "DeleteTable": Weight.DESTRUCTIVE,
        "DeleteStack": Weight.DESTRUCTIVE,
        "UpdateTable": Weight.WEAKENING,
        "DeleteBackup": Weight.TAMPERING,
        "UpdateContinuousBackups": Weight.TAMPERING,
    }
