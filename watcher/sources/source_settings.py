"""How sources look back and ahead, as it can be set."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from rules.windows import parse_duration

_LONGEST = timedelta(days=90)


def _span(value: object) -> timedelta:
    """``30m``, ``2h``, ``1d``."""
    span = value if isinstance(value, timedelta) else parse_duration(str(value))
    if not timedelta() < span <= _LONGEST:
        raise ValueError("more than nothing, and at most 90d")
    return span


Span = Annotated[timedelta, BeforeValidator(_span)]


class SourceSettings(BaseModel):
    """``watch.sources:``. Durations as ``30m``, ``2h``, ``1d``.

    ``poll``: how long after the start of one look at CloudTrail's event history the next one begins. ``overlap``: how
    late an event may come, so how far each look goes back beyond the last one. ``catch_up_after``: a watcher that
    was away for longer looks up what it missed. ``look_back``: how far one looks back that never ran before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll: Span = timedelta(minutes=2)
    overlap: Span = timedelta(minutes=15)
    catch_up_after: Span = timedelta(minutes=5)
    look_back: Span = timedelta(hours=1)


DEFAULT_SOURCE_SETTINGS = SourceSettings()
