"""The canary: an event of our own that travels the whole path every few minutes, and whose arrival is stored.

It is sent to the queue, or onto the bus where the event rule has to pass it on, in the shape in which EventBridge
delivers events (EventBridge user guide, 'Events'). That all is quiet then means that nothing has happened, and not
that nothing arrives.

Whoever can write to the queue can write a canary, so a canary can do nothing: it never hides another event, and it
counts only where its id is one that a watcher has stored before sending it.
"""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rules.errors import SafetyNetError
from watcher.health.heartbeat import WatcherId
from watcher.incidents.incident import UtcTime
from watcher.stored_state import StoredState

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.clock import Clock
    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

CANARY = "watch/canary.json"
SOURCE = "safetynet.canary"
DETAIL_TYPE = "safetynet canary"
LARGEST_BODY = 4096
MOST_WAITING = 20
# The clocks of two watchers may differ by that much.
CLOCK_MARGIN = timedelta(minutes=2)
_LONGEST_ERROR = 300

CanaryId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


@dataclass(frozen=True, slots=True)
class Canary:
    """A canary: its id, when it was sent, and by which watcher."""

    id: str
    sent: datetime
    watcher: str

    @property
    def detail(self) -> dict[str, str]:
        """What EventBridge calls the event's ``detail``."""
        return {"canary": self.id, "sent": self.sent.isoformat(), "watcher": self.watcher}

    @property
    def body(self) -> bytes:
        """The whole event, as a queue gets it from EventBridge."""
        document = {
            "version": "0",
            "id": self.id,
            "detail-type": DETAIL_TYPE,
            "source": SOURCE,
            "time": self.sent.isoformat(),
            "resources": [],
            "detail": self.detail,
        }
        return json.dumps(document).encode()


class CanarySender(Protocol):
    """Sends a canary off; one adapter per file (``canary_queue``, ``canary_bus``)."""

    def send(self, canary: Canary) -> None:
        """Send it. Raises UnavailableError, AccessDeniedError, NotFoundError, SafetyNetError."""
        ...


class _Detail(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    canary: CanaryId
    sent: UtcTime
    watcher: WatcherId


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal["0"] = "0"
    id: str
    detail_type: Annotated[Literal["safetynet canary"], Field(alias="detail-type")]
    source: Literal["safetynet.canary"]
    account: str = ""
    time: UtcTime
    region: str = ""
    resources: Annotated[list[str], Field(max_length=0)] = []
    detail: _Detail


def is_canary(body: bytes) -> Canary | None:
    """The canary that a message is; None for everything else, of which hardly more than a glance is taken."""
    if len(body) > LARGEST_BODY or SOURCE.encode() not in body:
        return None
    try:
        detail = _Envelope.model_validate_json(body).detail
    except ValidationError:
        return None
    return Canary(detail.canary, detail.sent, detail.watcher)


class SentCanary(BaseModel):
    """One that was sent and has not arrived yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: CanaryId
    sent_at: UtcTime


class CanaryArrival(BaseModel):
    """The newest one that arrived; ``seconds`` on the way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: CanaryId
    sent_at: UtcTime
    arrived_at: UtcTime
    seconds: Annotated[float, Field(ge=0)]


class CanaryState(BaseModel):
    """``watch/canary.json``. ``every_seconds``: how often one is sent.

    ``told_for``: the sending time of the newest arrival that the dead man's switch was told of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    every_seconds: Annotated[float, Field(gt=0)]
    first_sent_at: UtcTime
    waiting: tuple[SentCanary, ...] = ()
    arrived: CanaryArrival | None = None
    told_for: UtcTime | None = None
    last_error: str = ""
    last_error_at: UtcTime | None = None
    sent_at: UtcTime


def canary_state(vault: Vault) -> CanaryState | None:
    """What is stored of the canary, None where none was ever sent. Raises DamagedObjectError, and as the vault does."""
    return StoredState(vault, CANARY, CanaryState).read()


class Canaries:
    """Sends canaries and notes their arrival. Several watchers share one canary: one of them sends it."""

    def __init__(
        self,
        vault: Vault,
        clock: Clock,
        sender: CanarySender,
        watcher: str,
        every: timedelta,
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._state = StoredState(vault, CANARY, CanaryState)
        self._clock = clock
        self._sender = sender
        self._watcher = watcher
        self._every = every
        self._new_id = new_id

    def send_due(self) -> Canary | None:
        """Send one if it is time; the one that was sent. It is stored first: what is not stored does not count.

        A failure of the sender is stored and logged. Raises as the vault does.
        """
        canary = Canary(self._new_id(), self._clock(), self._watcher)
        claim = _Claim(canary, self._every)
        self._state.change(claim)
        if not claim.won:
            return None
        try:
            self._sender.send(canary)
        except SafetyNetError as error:
            log.warning("the canary could not be sent: %s", error)
            self._note_failure(str(error))
            return None
        return canary

    def arrived(self, canary: Canary) -> bool:
        """Note an arrival; whether it counts. It does once, and only forward. Raises as the vault does."""
        now = self._clock()
        if canary.sent > now + CLOCK_MARGIN:
            log.warning("a canary from the future was refused: %s", canary.sent.isoformat())
            return False
        counted = False

        def change(state: CanaryState | None) -> CanaryState | None:
            nonlocal counted
            counted = False
            sent = next((one for one in state.waiting if one.id == canary.id), None) if state else None
            if state is None or sent is None:
                return state
            counted = True
            arrival = CanaryArrival(
                id=sent.id,
                sent_at=sent.sent_at,
                arrived_at=now,
                seconds=max(0.0, (now - sent.sent_at).total_seconds()),
            )
            # Those that were sent before it are overtaken: they move nothing any more.
            waiting = tuple(one for one in state.waiting if one.sent_at > sent.sent_at)
            return state.model_copy(update={"waiting": waiting, "arrived": arrival})

        self._state.change(change)
        if not counted:
            log.info("canary %s does not count: it came before, was overtaken or is not ours", canary.id)
        return counted

    def untold(self) -> CanaryArrival | None:
        """The newest arrival, if the dead man's switch has not been told of it. Raises as the vault does."""
        state = self._state.read()
        arrival = state.arrived if state is not None else None
        if state is None or arrival is None:
            return None
        return arrival if state.told_for is None or state.told_for < arrival.sent_at else None

    def told(self, arrival: CanaryArrival) -> None:
        """The dead man's switch was told of that arrival. Raises as the vault does."""

        def change(state: CanaryState | None) -> CanaryState | None:
            if state is None or (state.told_for is not None and state.told_for >= arrival.sent_at):
                return state
            return state.model_copy(update={"told_for": arrival.sent_at})

        self._state.change(change)

    def _note_failure(self, reason: str) -> None:
        now = self._clock()

        def change(state: CanaryState | None) -> CanaryState | None:
            if state is None:
                return None
            return state.model_copy(update={"last_error": reason[:_LONGEST_ERROR], "last_error_at": now})

        self._state.change(change)


class _Claim:
    """Takes the sending of the next canary, if it is time; applied to the newest version of the state."""

    def __init__(self, canary: Canary, every: timedelta) -> None:
        self._sent = SentCanary(id=canary.id, sent_at=canary.sent)
        self._every = every
        self.won = False

    def __call__(self, state: CanaryState | None) -> CanaryState:
        now = self._sent.sent_at
        self.won = state is None or now - state.sent_at >= self._every
        if state is None:
            return CanaryState(
                every_seconds=self._every.total_seconds(),
                first_sent_at=now,
                sent_at=now,
                waiting=(self._sent,),
            )
        if not self.won:
            return state
        waiting = (*state.waiting, self._sent)[-MOST_WAITING:]
        return state.model_copy(
            update={"every_seconds": self._every.total_seconds(), "sent_at": now, "waiting": waiting}
        )
