"""What a running watcher is doing, stored: whether the net is watched is told from that, not from its memory."""

from __future__ import annotations

import logging
import secrets
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.errors import SafetyNetError
from watcher.incidents.incident import UtcTime
from watcher.stored_state import StoredState, stored_under

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.clock import Clock
    from recovery.errors import DamagedObjectError
    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

HEARTBEATS = "watch/heartbeats/"
BEAT_EVERY = timedelta(seconds=30)
FORGOTTEN_AFTER = timedelta(days=7)
_LONGEST_ERROR = 300

WatcherId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


class Heartbeat(BaseModel):
    """``watch/heartbeats/<watcher>.json``.

    ``source``: the location of what it takes events from. ``last_event_at`` is the time of the newest event by its
    own account, ``last_received_at`` when a message last came in, ``lag_seconds`` how long that one took.
    ``stopped_at``: it was told to stop, so its silence means nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    watcher: WatcherId
    version: str
    source: str
    started: UtcTime
    beat_at: UtcTime
    stopped_at: UtcTime | None = None
    last_event_at: UtcTime | None = None
    last_received_at: UtcTime | None = None
    lag_seconds: Annotated[float, Field(ge=0)] | None = None
    last_error: str = ""
    last_error_at: UtcTime | None = None


def new_watcher_id() -> str:
    """An id for a watcher that was given none: it says nothing of the machine."""
    return f"watcher-{secrets.token_hex(4)}"


class Heart:
    """Beats for one watcher. Its loop calls ``beat``: a loop that hangs falls silent. Threads may share it.

    No method raises: a vault that is out of reach is logged, and the next beat tries again.
    """

    def __init__(self, vault: Vault, clock: Clock, watcher: str, *, version: str, source: str) -> None:
        self._vault = vault
        self._clock = clock
        self._state = StoredState(vault, f"{HEARTBEATS}{watcher}.json", Heartbeat)
        now = clock()
        self._now = Heartbeat(watcher=watcher, version=version, source=source, started=now, beat_at=now)
        self._beaten_at: datetime | None = None
        self._lock = threading.Lock()

    def received(self, event_time: datetime | None) -> None:
        """A message came in; ``event_time`` is when it happened, None where that cannot be told."""
        now = self._clock()
        changes: dict[str, object] = {"last_received_at": now}
        with self._lock:
            if event_time is not None:
                changes["last_event_at"] = _later(self._now.last_event_at, event_time)
                changes["lag_seconds"] = max(0.0, (now - event_time).total_seconds())
            self._now = self._now.model_copy(update=changes)

    def failed(self, error: SafetyNetError) -> None:
        """Something did not work; the watcher goes on."""
        self._change(last_error=str(error)[:_LONGEST_ERROR], last_error_at=self._clock())

    def beat(self) -> None:
        """Store what the watcher does, if it has not just been stored: two beats are 30 seconds apart."""
        now = self._clock()
        if self._beaten_at is not None and now - self._beaten_at < BEAT_EVERY:
            return
        if self._beaten_at is None:
            self._forget_old(now)
        self._beaten_at = now
        self._change(beat_at=now)
        self._store()

    def stop(self) -> None:
        """The watcher ends because it was told to."""
        now = self._clock()
        self._change(beat_at=now, stopped_at=now)
        self._store()

    def _change(self, **changes: object) -> None:
        with self._lock:
            self._now = self._now.model_copy(update=changes)

    def _store(self) -> None:
        try:
            self._state.change(self._continuing)
        except SafetyNetError as error:
            log.warning("the heartbeat could not be stored: %s", error)

    def _continuing(self, stored: Heartbeat | None) -> Heartbeat:
        """What an earlier process of that id, or another one now, has seen is not forgotten."""
        if stored is None:
            return self._now
        mine, other = self._now, stored
        newest = mine if _newer(mine.last_received_at, other.last_received_at) else other
        failed = mine if _newer(mine.last_error_at, other.last_error_at) else other
        return mine.model_copy(
            update={
                "beat_at": max(mine.beat_at, other.beat_at),
                "last_event_at": _later(mine.last_event_at, other.last_event_at),
                "last_received_at": newest.last_received_at,
                "lag_seconds": newest.lag_seconds,
                "last_error": failed.last_error,
                "last_error_at": failed.last_error_at,
            }
        )

    def _forget_old(self, now: datetime) -> None:
        try:
            for key, found in stored_under(self._vault, HEARTBEATS, Heartbeat):
                if isinstance(found, Heartbeat) and now - found.beat_at > FORGOTTEN_AFTER:
                    self._vault.delete(key)
        except SafetyNetError as error:
            log.warning("old heartbeats could not be removed: %s", error)


def heartbeats(vault: Vault) -> Iterator[Heartbeat | DamagedObjectError]:
    """Those of all watchers; one that cannot be read comes as the error that names it. Raises as the vault does."""
    for _, found in stored_under(vault, HEARTBEATS, Heartbeat):
        yield found


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


def _newer(one: datetime | None, other: datetime | None) -> bool:
    return other is None or (one is not None and one >= other)
