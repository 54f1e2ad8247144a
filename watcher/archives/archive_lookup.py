"""The last 90 days of a region from CloudTrail itself, by LookupEvents: no trail is needed.

CloudTrail API reference, 'LookupEvents': management events only, one attribute a query, 50 events an answer, two
requests a second for the account and region. So every watched call is asked for by its EventName, which is a
closed list; asking by time alone would page through every call of the account, at 100 events a second.
Names that other services have too (Glue's DeleteTable) come along and are left out when they are read.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from recovery.aws import aws_errors
from recovery.pacing import PATIENT_ATTEMPTS, patient
from rules.errors import UsageError
from rules.net_actions import OBJECT_CALLS
from rules.watched import STATUS_CHANGES, WATCHED_ACTIONS
from watcher.archives.archive import Piece, StoredBytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from recovery.clock import Clock, Sleep
    from rules.backtest import Period

LONGEST_LOOK_BACK = timedelta(days=90)
SECONDS_BETWEEN_REQUESTS = 0.5
PAGE_SIZE = 50
# What CloudTrail lists as management events: no status changes (they are no calls), no data events of S3.
LOOKED_UP = sorted({action.event_name for action in WATCHED_ACTIONS} - STATUS_CHANGES - OBJECT_CALLS)


class LookupClient(Protocol):
    """What is used of boto3's CloudTrail client."""

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        """CloudTrail's LookupEvents."""
        ...


class LookupArchive:
    """Every answer is a piece, and is in memory once it is listed: watched calls are rare.

    ``attempts`` as ``patient`` has them: who has something better to do meanwhile asks once.
    """

    def __init__(
        self,
        client: LookupClient,
        region: str,
        period: Period,
        clock: Clock,
        sleep: Sleep,
        attempts: int = PATIENT_ATTEMPTS,
    ) -> None:
        self._attempts = attempts
        self._client = client
        self._region = region
        self._period = period
        self._clock = clock
        self._sleep = sleep
        self._next_request: datetime | None = None

    @property
    def location(self) -> str:
        """``lookup:eu-west-1``."""
        return f"lookup:{self._region}"

    def pieces(self) -> Iterator[Piece]:
        """See Archive.pieces. No event at all is no error here: it is what every account hopes for."""
        start, end = self._limits()
        for name in LOOKED_UP:
            request: dict[str, Any] = {
                "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}],
                "StartTime": start,
                "EndTime": end,
                "MaxResults": PAGE_SIZE,
            }
            yield from self._pages(name, request)

    def _limits(self) -> tuple[datetime, datetime]:
        now = self._clock()
        earliest = now - LONGEST_LOOK_BACK
        start, end = self._period.start or earliest, self._period.end or now
        if start < earliest:
            raise UsageError(
                f"CloudTrail's event history goes back 90 days, to {earliest:%Y-%m-%d %H:%M} UTC, not to {start:%Y-%m-%d}",
                hint="Start later (--from), or give the S3 location of a trail.",
            )
        return start, min(end, now)

    def _pages(self, name: str, request: dict[str, Any]) -> Iterator[Piece]:
        number = 0
        while True:
            number += 1
            answer = self._ask(name, request)
            content = _records(answer.get("Events", []))
            if answer.get("Events"):
                yield Piece(f"{self.location} {name} {number}", len(content), _stored(content))
            if not answer.get("NextToken"):
                return
            request = {**request, "NextToken": answer["NextToken"]}

    def _ask(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            self._keep_pace()
            with aws_errors(f"look up {name} events"):
                return self._client.lookup_events(**request)

        return patient(self._sleep, attempts=self._attempts)(ask)

    def _keep_pace(self) -> None:
        now = self._clock()
        if self._next_request is not None and now < self._next_request:
            self._sleep((self._next_request - now).total_seconds())
            now = self._next_request
        self._next_request = now + timedelta(seconds=SECONDS_BETWEEN_REQUESTS)


def _stored(content: bytes) -> Any:
    return lambda _: StoredBytes(content)


def _records(events: list[dict[str, Any]]) -> bytes:
    """The records of an answer as one JSON array. An event without its record stays in, to be told as unreadable."""
    return b"[" + b",".join(_record(event) for event in events) + b"]"


def _record(event: dict[str, Any]) -> bytes:
    record: str = event.get("CloudTrailEvent") or json.dumps(
        {
            "eventID": event.get("EventId"),
            "eventName": event.get("EventName"),
            "eventSource": event.get("EventSource"),
        }
    )
    return record.encode()
