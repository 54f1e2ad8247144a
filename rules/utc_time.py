"""A time in a document that people or tools wrote: aware, and UTC from then on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_BEFORE_HOURS = ("T", "t", " ")


def _written_out(value: object) -> object:
    """A bare number would be taken for seconds since 1970; neither AWS nor we write times so."""
    if isinstance(value, datetime) or (
        isinstance(value, str) and value[4:5] == "-" and value[10:11] in _BEFORE_HOURS
    ):
        return value
    raise ValueError("a time like 2026-01-31T09:30:00Z is needed")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time outside the years 1 to 9999") from error


UtcTime = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
