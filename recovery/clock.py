"""Time is handed in: every part that needs a clock or has to wait takes one of these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
Sleep = Callable[[float], None]


def utc_now() -> datetime:
    """The real clock: now, aware, in UTC."""
    return datetime.now(UTC)


def compact(moment: datetime) -> str:
    """``20261123T020000Z``: the form in ids, which sorts by time."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
