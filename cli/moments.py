"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

from rules.errors import UsageError


def parse_time(text: str) -> datetime:
    """An ISO 8601 time with its zone. Raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")  # noqa: TRY301 - one message for both
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"not a time with a zone: {text!r}", hint="Write 2026-11-23T22:00Z.") from error
