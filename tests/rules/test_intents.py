"""Intents: what they cover, and what they can never cover."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rules.intents import Intent
from tests.rules.judging import ACCOUNT, changed, event

CALL = event("delete-table-cli-assumed-role")
SSO = event("sso")
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def intent(**changes: Any) -> Intent:
    """An intent that covers ``CALL``, but for its changes."""
    return Intent.model_validate(
        {
            "id": "20261123-orders",
            "table": "orders",
            "by": "deploy",
            "starts": CALL.time - HOUR,
            "until": CALL.time + HOUR,
            "reason": "the table moved",
            "declared_by": "platform-engineer",
            "declared_at": CALL.time - HOUR,
            **changes,
        }
    )


def test_a_declared_change_is_covered() -> None:
    """Right operation, table, actor, place and time."""
    assert intent().covers(CALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": CALL.time}, {"until": CALL.time}, {"declared_at": CALL.time},
        {"revoked_at": CALL.time + SECOND}, {"account": ACCOUNT}, {"region": "eu-west-1"},
        {"table": "ord*"}, {"table": "[no]rders"}, {"table": "*"}, {"table": "order?"},
        {"by": "*"}, {"by": "job-*"}, {"by": "arn:aws:sts::*:assumed-role/deploy/*"},
        {"operations": ("UpdateTable", "DeleteTable")},
    ],
    ids=str,
)  # fmt: skip
def test_bounds_and_patterns_that_still_cover(changes: dict[str, Any]) -> None:
    """The bounds of the window belong to it; patterns are shell patterns on ARN, name, role and session."""
    assert intent(**changes).covers(CALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": CALL.time + SECOND}, {"until": CALL.time - SECOND}, {"declared_at": CALL.time + SECOND},
        {"revoked_at": CALL.time}, {"revoked_at": CALL.time - HOUR}, {"account": "123456789012"},
        {"region": "us-east-1"}, {"table": "order"}, {"table": "Orders"}, {"table": "orders-*"},
        {"by": "deploy-*"}, {"by": "Deploy"}, {"by": "platform-engineer"}, {"by": "assumed-role/deploy/job-7"},
        {"operations": ("DeleteStack",)}, {"operations": ()}, {"operations": ("deletetable",)},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_covered(changes: dict[str, Any]) -> None:
    """One thing that does not fit is enough; above all, nothing can be declared after the fact."""
    assert not intent(**changes).covers(CALL)


@pytest.mark.parametrize("by", ["developer@example.com", "AWSReservedSSO_*", "*/developer@example.com"])
def test_people_of_single_sign_on(by: str) -> None:
    """With SSO the session name is the person, so a person can be named."""
    assert intent(by=by).covers(SSO)


def test_an_actor_without_a_name_is_not_anybody() -> None:
    """A record that does not say who it was is covered by nobody's intent, not even by one for all."""
    assert not intent(by="*").covers(changed())


def test_stacks_can_be_declared_too() -> None:
    """``table`` names the resource, whatever it is."""
    assert intent(table="shop", by="developer", operations=("DeleteStack",)).covers(event("delete-stack-cli"))


@pytest.mark.parametrize("key", ["starts", "until", "declared_at", "revoked_at"])
@pytest.mark.parametrize(
    "value", [datetime(2026, 11, 23), "2026-11-23T02:00:00", "2026-11-23", 1764000000, "9999-12-31T23:59:59-14:00"]  # noqa: DTZ001 - a naive time is the point
)  # fmt: skip
def test_times_without_a_zone_are_refused(key: str, value: Any) -> None:
    """A window that means another time elsewhere is no window."""
    with pytest.raises(ValidationError, match=key):
        intent(**{key: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"tabel": "orders"}, {"id": "a/b"}, {"id": "a\n"}, {"id": ""}, {"table": ""}, {"by": ""}, {"reason": ""},
        {"table": "x" * 513}, {"format_version": 2},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_intent(changes: dict[str, Any]) -> None:
    """Extra fields, ids that are no file names, empty or endless patterns and unknown versions are refused."""
    with pytest.raises(ValidationError, match=next(iter(changes))):
        intent(**changes)


def test_an_intent_survives_being_stored() -> None:
    """Written as JSON and read again it is the same."""
    one = intent(starts=datetime(2026, 11, 23, 3, 0, tzinfo=UTC), revoked_at=CALL.time)
    assert Intent.model_validate_json(one.model_dump_json()) == one


def test_a_pattern_that_would_backtrack_is_quick() -> None:
    """Stars without end cannot stop the watcher."""
    assert not intent(table="*a" * 250 + "b").covers(changed(requestParameters={"tableName": "a" * 255}))


@pytest.mark.parametrize(
    ("changes", "now", "active"),
    [
        ({}, CALL.time, True),
        ({}, CALL.time - HOUR, True),
        ({}, CALL.time + HOUR, True),
        ({}, CALL.time - HOUR - SECOND, False),
        ({}, CALL.time + HOUR + SECOND, False),
        ({"revoked_at": CALL.time}, CALL.time, False),
    ],
)
def test_active(changes: dict[str, Any], now: datetime, active: bool) -> None:
    """Active inside its window, and until somebody revokes it."""
    assert intent(**changes).active(now) is active
