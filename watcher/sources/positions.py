"""Up to when each source has been taken in: what a watcher that comes back looks at to know what it missed.

A position only ever moves forward, whoever of several watchers moves it, and always by a conditional write. One that
is damaged or lies in the future is not believed: a day is looked at again, which at worst finds what is known.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.errors import DamagedObjectError
from watcher.incidents.incident import UtcTime, slug
from watcher.stored_state import StoredState, stored_under

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

POSITIONS = "watch/positions/"
WRITE_EVERY = timedelta(minutes=1)
UNBELIEVED_LOOK_BACK = timedelta(days=1)
# Clocks of two machines differ; what is further ahead than this is no clock's difference.
CLOCK_SKEW = timedelta(minutes=5)
MOST_TAKEN = 2000

EventId = Annotated[str, Field(max_length=200)]


class Position(BaseModel):
    """``watch/positions/<source>.json``.

    All events up to ``time`` are taken in. ``taken`` names those that were taken in lately, with when that was, for
    sources that look at the same time again; of too many the oldest are left out, for to take one in twice is safe.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    source: str
    time: UtcTime
    written: UtcTime
    taken: Annotated[dict[EventId, UtcTime], Field(max_length=MOST_TAKEN)] = {}


class Positions:
    """The positions in a vault."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._noted: dict[str, datetime] = {}

    def get(self, source: str) -> Position | None:
        """Where a source is; None where it never was anywhere. Raises as the vault does."""
        try:
            found = self._state(source).read()
        except DamagedObjectError as error:
            log.error("not believed: %s", error)  # noqa: TRY400 - no traceback
            return self._unbelieved(source)
        if found is not None and not self._believed(found):
            log.error("position of %s not believed: %s is in the future", source, found.time)
            return self._unbelieved(source)
        return found

    def note(self, source: str, time: datetime) -> None:
        """Everything up to ``time`` is taken in; written once a minute at most. Raises as the vault does."""
        now = self._clock()
        last = self._noted.get(source)
        if last is None or now - last >= WRITE_EVERY:
            self.advance(source, time)
            self._noted[source] = now

    def advance(
        self,
        source: str,
        time: datetime,
        taken: Mapping[str, datetime] | None = None,
        keep: timedelta | None = None,
    ) -> Position:
        """Move a position forward, and add to what was taken in; what was so ``keep`` before it is forgotten.

        Returns the position as stored, which may be further ahead: that of another watcher. Raises as the vault
        does, UnavailableError if others are always faster.
        """
        now = self._clock()
        keep = keep or timedelta()

        def change(old: Position | None) -> Position:
            if old is None or not self._believed(old):
                return Position(
                    source=source, time=time, written=now, taken=_latest(taken or {}, time - keep)
                )
            ahead = max(old.time, time)
            both = _latest({**old.taken, **(taken or {})}, ahead - keep)
            if (ahead, both) == (old.time, old.taken):
                return old
            return old.model_copy(update={"time": ahead, "taken": both, "written": now})

        stored = self._state(source).change(change)
        assert stored is not None  # noqa: S101 - ``change`` always gives one
        return stored

    def all(self) -> Iterator[Position | DamagedObjectError]:
        """Every position; one that cannot be read comes as the error that names it. Raises as the vault does."""
        for _, position in stored_under(self._vault, POSITIONS, Position):
            yield position

    def _state(self, source: str) -> StoredState[Position]:
        return StoredState(self._vault, f"{POSITIONS}{slug(source)}.json", Position)

    def _believed(self, position: Position) -> bool:
        return position.time <= self._clock() + CLOCK_SKEW

    def _unbelieved(self, source: str) -> Position:
        now = self._clock()
        return Position(source=source, time=now - UNBELIEVED_LOOK_BACK, written=now)


def _latest(taken: Mapping[str, datetime], since: datetime) -> dict[str, datetime]:
    kept = sorted((time, event) for event, time in taken.items() if time >= since)
    return {event: time for time, event in kept[-MOST_TAKEN:]}
