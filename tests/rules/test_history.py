"""What happened shortly before: counted by actor, by resource and by stack, and forgotten in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rules.events import parse_event
from rules.facts import NOT_LOOKED_UP
from rules.history import RecentChanges
from tests.rules.judging import changed, document, record

if TYPE_CHECKING:
    from rules.events import ChangeEvent

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
CLOUDFORMATION = "cloudformation.amazonaws.com"


def at(minutes: float, **changes: Any) -> ChangeEvent:
    """A deletion, or what the changes make of it, some minutes after the start."""
    time = START + timedelta(minutes=minutes)
    identity = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/one", "userName": "one"}
    return changed(**{"eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "userIdentity": identity, **changes})


def test_a_burst_is_counted_by_actor() -> None:
    """Each deletion of the last ten minutes by the same principal, this one included; others have their own count."""
    recent = RecentChanges()
    other = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/two", "userName": "two"}
    assert [recent.take(at(minute)).deletions for minute in (0, 1, 2)] == [1, 2, 3]
    assert recent.take(at(3, userIdentity=other)).deletions == 1
    assert recent.take(at(10)).deletions == 4
    assert recent.take(at(10.5)).deletions == 4
    assert recent.take(at(60)).deletions == 1


def test_a_role_is_one_principal_whatever_its_sessions_are_called() -> None:
    """The name of a session is the caller's to choose, so it splits no burst."""
    recent = RecentChanges()
    arn = "arn:aws:sts::111122223333:assumed-role/evil"
    sessions = [{"type": "AssumedRole", "arn": f"{arn}/s{number}"} for number in range(4)]
    assert [recent.take(at(number, userIdentity=one)).deletions for number, one in enumerate(sessions)] == [
        1,
        2,
        3,
        4,
    ]


def test_what_destroyed_nothing_does_not_count() -> None:
    """Attempts and harmless changes see the count and do not raise it."""
    recent = RecentChanges()
    recent.take(at(0))
    assert recent.take(at(1, errorCode="AccessDenied")).deletions == 1
    assert recent.take(at(2, eventName="CreateTable")).deletions == 1
    assert recent.take(at(3)).deletions == 2


def test_what_was_weakened_before() -> None:
    """Protections taken off the same table within a day, in their order; of others, or refused, nothing."""
    recent = RecentChanges()
    off = {"tableName": "orders", "deletionProtectionEnabled": False}
    pitr = {"tableName": "orders", "pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": False}}
    recent.take(at(0, eventName="UpdateTable", requestParameters=off))
    recent.take(at(1, eventName="UpdateContinuousBackups", requestParameters=pitr))
    recent.take(at(2, eventName="UpdateTable", requestParameters={**off, "tableName": "basket"}))
    recent.take(at(3, eventName="UpdateTable", requestParameters=off, errorCode="AccessDenied"))
    assert recent.take(at(4)).weakened == ("protection-off", "pitr-off")
    assert recent.take(at(4, requestParameters={"tableName": "sessions"})).weakened == ()
    assert recent.take(at(24 * 60)).weakened == ("protection-off", "pitr-off")
    assert recent.take(at(24 * 60 + 0.5)).weakened == ("pitr-off",)


def test_whether_the_stack_went_too() -> None:
    """Known where the event names its stack: a deletion with its stack is told from a replacement."""
    recent = RecentChanges()
    gone = document("resource-status-change-table")
    assert recent.take(parse_event(gone)).stack_deleted is False
    recent.take(
        parse_event(
            record(
                eventSource=CLOUDFORMATION, eventName="DeleteStack", requestParameters={"stackName": "shop"}
            )
        )
    )
    assert recent.take(parse_event(gone)).stack_deleted is True
    assert recent.take(parse_event({**gone, "time": "2026-11-23T04:13:45Z"})).stack_deleted is False
    assert recent.take(at(300)).stack_deleted is NOT_LOOKED_UP
