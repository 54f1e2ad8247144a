"""CloudTrail's event history. No emulator answers LookupEvents usably, so these run on stand-ins.

``History`` is hand-written after the API reference: it pages, filters by name and time, and throttles. That requests
have the form of AWS's own model is checked apart, on botocore's Stubber.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from rules.backtest import ALL_TIME, Period, changes_in, days
from rules.errors import AccessDeniedError, UsageError
from rules.watched import WATCHED_ACTIONS
from tests.rules.backtesting import deletion, description
from watcher.archives.archive_lookup import LOOKED_UP, LookupArchive

if TYPE_CHECKING:
    from recovery.testing.embedded_aws import EmbeddedEndpoint

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class Watch:
    """A clock that only sleeping moves."""

    now: datetime = NOW
    slept: list[float] = field(default_factory=list)

    def clock(self) -> datetime:
        """The time by this watch."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True)
class History:
    """A stand-in for CloudTrail's LookupEvents."""

    watch: Watch
    records: list[dict[str, Any]] = field(default_factory=list)
    page: int = 50
    throttle: int = 0
    code: str = ""
    asked: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        """A page of the events of a name in a time."""
        self.asked.append((self.watch.now, request))
        if self.code or self.throttle:
            self.throttle -= 1
            raise ClientError({"Error": {"Code": self.code or "ThrottlingException"}}, "LookupEvents")
        (attribute,) = request["LookupAttributes"]
        events = [
            {
                "EventId": record["eventID"],
                "EventName": record["eventName"],
                "CloudTrailEvent": json.dumps(record),
            }
            for record in self.records
            if record["eventName"] == attribute["AttributeValue"]
            and request["StartTime"] <= datetime.fromisoformat(record["eventTime"]) <= request["EndTime"]
        ]
        start = int(request.get("NextToken", "0"))
        more = {"NextToken": str(start + self.page)} if start + self.page < len(events) else {}
        return {"Events": events[start : start + self.page], **more}

    def archive(self, period: Period = ALL_TIME) -> LookupArchive:
        """The archive over it."""
        return LookupArchive(self, "eu-west-1", period, self.watch.clock, self.watch.sleep)


def found(archive: LookupArchive) -> list[str]:
    """The ids of all changes in an archive."""
    contents = [piece.fetch(Event()).read() for piece in archive.pieces()]
    return [change.id[-2:] for content in contents for change in changes_in("", content).changes]


def test_every_watched_call_is_asked_for_by_its_name() -> None:
    """A closed list of names, each with one attribute a query, as the API demands."""
    history = History(Watch(), [deletion(1), description(2), deletion(3)])
    assert found(history.archive()) == ["01", "03"]
    names = [request["LookupAttributes"][0]["AttributeValue"] for _, request in history.asked]
    assert names == LOOKED_UP
    assert {"DeleteTable", "DeleteStack", "DeleteBackup", "StopLogging"} <= set(names)
    assert set(names) <= {action.event_name for action in WATCHED_ACTIONS}


def test_pages_are_followed() -> None:
    """The last of them too."""
    history = History(Watch(), [deletion(number) for number in range(1, 6)], page=2)
    assert found(history.archive()) == ["01", "02", "03", "04", "05"]


def test_two_requests_a_second_at_most() -> None:
    """The limit is the account's: whoever else looks at the history must not be locked out."""
    history = History(Watch(), [deletion(number) for number in range(1, 6)], page=1)
    found(history.archive())
    times = [time for time, _ in history.asked]
    assert min(later - earlier for earlier, later in pairwise(times)) >= timedelta(seconds=0.5)


def test_throttling_is_waited_for() -> None:
    """And nothing is left out."""
    history = History(Watch(), [deletion(1)], throttle=3)
    assert found(history.archive()) == ["01"]


def test_a_missing_permission_is_told() -> None:
    """At once, with the call that is not allowed."""
    with pytest.raises(AccessDeniedError) as error:
        found(History(Watch(), code="AccessDeniedException").archive())
    assert "LookupEvents" in error.value.hint


def test_the_period_is_asked_for() -> None:
    """Without one it is the 90 days that there are; nothing in the future is asked for."""
    history = History(Watch())
    found(history.archive())
    assert {(request["StartTime"], request["EndTime"]) for _, request in history.asked} == {
        (NOW - timedelta(days=90), NOW)
    }
    history.asked.clear()
    found(history.archive(days(date(2026, 11, 1), date(2026, 11, 24))))
    assert history.asked[0][1]["StartTime"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert history.asked[0][1]["EndTime"] <= NOW + timedelta(minutes=1)


def test_more_than_90_days_are_refused() -> None:
    """Silence about August must not be taken for quiet in August."""
    with pytest.raises(UsageError, match="90 days") as error:
        found(History(Watch()).archive(days(date(2026, 8, 1), None)))
    assert "S3" in error.value.hint


def test_an_event_without_its_record_is_not_dropped() -> None:
    """The API does not promise the record; one that is missing is told as unreadable."""

    class Bare(History):
        def lookup_events(self, **request: Any) -> dict[str, Any]:
            answer = super().lookup_events(**request)
            return {"Events": [{**event, "CloudTrailEvent": None} for event in answer["Events"]]}

    (piece,) = Bare(Watch(), [deletion(1)]).archive().pieces()
    assert changes_in("", piece.fetch(Event()).read()).unreadable == 1


def test_requests_have_the_form_of_the_api(endpoint: EmbeddedEndpoint) -> None:
    """Checked against botocore's model of LookupEvents, by its Stubber."""
    client = endpoint.aws().cloudtrail()
    watch = Watch()
    with Stubber(client) as stubber:
        for name in LOOKED_UP:
            expected = {
                "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}],
                "StartTime": ANY,
                "EndTime": NOW,
                "MaxResults": 50,
            }
            record = {"EventId": "1", "CloudTrailEvent": json.dumps(deletion(1))}
            stubber.add_response(
                "lookup_events", {"Events": [record] if name == "DeleteTable" else []}, expected
            )
        pieces = list(LookupArchive(client, "eu-west-1", ALL_TIME, watch.clock, watch.sleep).pieces())
        stubber.assert_no_pending_responses()
    assert [piece.label for piece in pieces] == ["lookup:eu-west-1 DeleteTable 1"]
