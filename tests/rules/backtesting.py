"""Synthetic records and trail files for back-tests, in CloudTrail's documented shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rules.backtest import Replay, changes_in
from tests.rules.judging import record

if TYPE_CHECKING:
    from rules.backtest import Period


def deletion(number: int, table: str = "orders", **changes: Any) -> dict[str, Any]:
    """A DeleteTable record of its own id; by the hour of 23 November, at minute ``number``."""
    return record(
        eventID=f"00000000-0000-4000-8000-{number:012}",
        eventTime=f"2026-11-23T02:{number % 60:02}:00Z",
        requestParameters={"tableName": table},
        userIdentity={
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/developer",
            "accountId": "111122223333",
            "userName": "developer",
        },
        **changes,
    )


def description(number: int) -> dict[str, Any]:
    """A DescribeTable record, which nobody watches."""
    return {**deletion(number), "eventName": "DescribeTable", "readOnly": True}


def trail_file(*records: Any) -> bytes:
    """The content of a trail file, as CloudTrail writes it."""
    return json.dumps({"Records": records}, separators=(",", ":")).encode()


def replayed(*contents: bytes, period: Period | None = None) -> Replay:
    """The pieces with some contents, read."""
    replay = Replay(period) if period else Replay()
    for number, content in enumerate(contents):
        replay.add(changes_in(f"piece {number}", content))
    return replay
