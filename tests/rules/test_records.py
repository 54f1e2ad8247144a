"""Records: what is taken in and what is refused at the door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from rules.errors import EventError
from rules.events import ChangeEvent, parse_event
from rules.records import flag
from tests.rules.judging import record


def read(**changes: Any) -> ChangeEvent:
    """The event of a record with changes."""
    return parse_event(record(**changes))


@pytest.mark.parametrize(
    "key",
    [
        "userAgent", "sourceIPAddress", "errorCode", "errorMessage", "recipientAccountId", "requestParameters",
        "responseElements", "resources", "readOnly", "userIdentity", "sessionCredentialFromConsole",
    ],
)  # fmt: skip
def test_null_means_the_same_as_nothing(key: str) -> None:
    """CloudTrail writes null where it has nothing to say; that is what an absent key gives."""
    null, nothing = read(**{key: None}), read(**{key: ...})
    assert null.record.identity == nothing.record.identity
    assert msgspec.structs.replace(null.record, user_identity=None) == msgspec.structs.replace(
        nothing.record, user_identity=None
    )


@pytest.mark.parametrize("key", ["eventID", "eventTime", "eventSource", "eventName", "awsRegion"])
@pytest.mark.parametrize("value", [..., None, "", 7, [], {}])
def test_what_makes_an_event_must_be_there(key: str, value: Any) -> None:
    """Without id, time, service, call and region there is no event."""
    with pytest.raises(EventError, match=key):
        read(**{key: value})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-23T02:13:44Z", datetime(2026, 11, 23, 2, 13, 44, tzinfo=UTC)),
        ("2026-11-23T02:13:44.250Z", datetime(2026, 11, 23, 2, 13, 44, 250_000, tzinfo=UTC)),
        ("2026-11-23 02:13:44.000000000", datetime(2026, 11, 23, 2, 13, 44, tzinfo=UTC)),
        ("2026-11-23T04:13:44+02:00", datetime(2026, 11, 23, 2, 13, 44, tzinfo=UTC)),
    ],
)
def test_times_become_utc(written: str, meant: datetime) -> None:
    """Whatever the offset, what comes out is UTC; without one it is UTC, as CloudTrail defines its times."""
    assert read(eventTime=written).time == meant
    assert read(eventTime=written).time.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23", "2026-11-2302:13:44Z", "1764000000", 1764000000, 0, "Apr 4, 2023, 8:16:48 AM", True,
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z",
    ],
)  # fmt: skip
def test_a_time_is_never_guessed(written: Any) -> None:
    """A bare day, bare seconds, human text or a year that UTC does not reach: refused, never an OverflowError."""
    with pytest.raises(EventError, match="eventTime"):
        read(eventTime=written)


@pytest.mark.parametrize(
    ("written", "meant"), [("true", "true"), (True, "true"), (False, "false"), (None, "")]
)
def test_flags_may_be_text_or_boolean(written: Any, meant: str) -> None:
    """CloudTrail writes its flags as text; a real boolean does not make a record unreadable."""
    assert flag(read(sessionCredentialFromConsole=written).record.session_credential_from_console) == meant


def test_only_cloudtrails_own_names_count() -> None:
    """``event_name`` is our spelling; in a document it is a stranger's key and names nothing."""
    with pytest.raises(EventError, match="eventName"):
        read(eventName=..., event_name="DeleteTable")


def test_a_refusal_does_not_repeat_what_was_in_the_record() -> None:
    """A request may hold somebody's data, so no part of it is in the error."""
    with pytest.raises(EventError) as caught:
        read(requestParameters=["a secret of a customer"])
    assert "secret" not in str(caught.value)
