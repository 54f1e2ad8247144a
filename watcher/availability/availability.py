"""Whether DynamoDB can be reached in a region: a state machine with hysteresis. Pure; ``region_watch`` runs it.

            down_after bad rounds, the network works        up_after good rounds
      up ─────────────────────────────────────────> down ───────────────────────> up
       │ down_after bad rounds, nothing else answers
       └───────────────────────────────> blind ─────> up after good rounds; down only after bad rounds from new on

A round is bad where two signals fail, or all there are; one in which no probe could tell anything changes nothing.
Blind means that our own network is at fault: it is told in the status and the log, and is never an incident.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.clock import compact
from watcher.availability.probe import SignalState
from watcher.incidents.incident import UtcTime, slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.availability.health_events import HealthEvent
    from watcher.availability.probe import Signal

AVAILABILITY = "watch/availability/"
ENOUGH_FAILURES = 2


class RegionStatus(StrEnum):
    """``unknown``: not one round has told anything yet."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    BLIND = "blind"


class RoundVerdict(StrEnum):
    """What the signals of one round say together."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AvailabilityPolicy:
    """``every``: the time between two rounds, whichever watcher makes them."""

    every: timedelta = timedelta(minutes=1)
    down_after: int = 3
    up_after: int = 3


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignalNote(_Document):
    """A signal as it is stored."""

    probe: str
    state: SignalState
    detail: Annotated[str, Field(max_length=1000)]
    seconds: float


class HealthNote(_Document):
    """What AWS Health said of an issue. Times are AWS's own: the issue's beginning and end, and the event's time."""

    arn: str
    code: str
    started: UtcTime
    told_at: UtcTime
    closed_at: UtcTime | None = None


class Outage(_Document):
    """One outage of one region, and the incident that tells of it. ``by``: who noticed it first.

    ``down_at``: since when the probes fail, None where only AWS Health says so; ``signals`` are their words then.
    ``settled``: its end is in the incident.
    """

    incident: str
    started: UtcTime
    by: Literal["probes", "health"]
    down_at: UtcTime | None = None
    signals: tuple[str, ...] = ()
    health: HealthNote | None = None
    ended: UtcTime | None = None
    settled: bool = False


class RegionAvailability(_Document):
    """``watch/availability/<region>.json``."""

    format_version: Literal[1] = 1
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    status: RegionStatus = RegionStatus.UNKNOWN
    since: UtcTime | None = None
    checked_at: UtcTime | None = None
    bad_rounds: int = 0
    good_rounds: int = 0
    first_bad_at: UtcTime | None = None
    first_good_at: UtcTime | None = None
    signals: tuple[SignalNote, ...] = ()
    outage: Outage | None = None

    @property
    def open_outage(self) -> Outage | None:
        """The outage that goes on, if one does."""
        return self.outage if self.outage is not None and self.outage.ended is None else None


def round_verdict(signals: Sequence[Signal]) -> RoundVerdict:
    """What the signals say together; unknown ones count neither way."""
    told = [signal for signal in signals if signal.state is not SignalState.UNKNOWN]
    if not told:
        return RoundVerdict.UNKNOWN
    failed = sum(signal.state is SignalState.FAILED for signal in told)
    return RoundVerdict.BAD if failed >= min(ENOUGH_FAILURES, len(told)) else RoundVerdict.GOOD


def due(known: RegionAvailability, now: datetime, policy: AvailabilityPolicy) -> bool:
    """Whether it is time for a round. Watchers side by side share the rounds, so that they do not count twice."""
    return known.checked_at is None or now - known.checked_at >= policy.every


def to_be_confirmed(known: RegionAvailability, signals: Sequence[Signal], policy: AvailabilityPolicy) -> bool:
    """Whether this round would bring the region down, so that somebody independent has to be asked first."""
    return (
        round_verdict(signals) is RoundVerdict.BAD
        and known.status is not RegionStatus.DOWN
        and known.bad_rounds + 1 >= policy.down_after
    )


def after_round(
    known: RegionAvailability,
    signals: Sequence[Signal],
    now: datetime,
    policy: AvailabilityPolicy,
    *,
    network_works: bool,
) -> RegionAvailability:
    """The state after one more round. ``network_works`` counts only where ``to_be_confirmed`` said so."""
    verdict = round_verdict(signals)
    looked = known.model_copy(update={"checked_at": now, "signals": tuple(map(_note, signals))})
    if verdict is RoundVerdict.GOOD:
        return _after_good(looked, now, policy)
    if verdict is RoundVerdict.UNKNOWN:
        return looked
    first = known.first_bad_at if known.bad_rounds and known.first_bad_at is not None else now
    bad = looked.model_copy(
        update={
            "bad_rounds": known.bad_rounds + 1,
            "first_bad_at": first,
            "good_rounds": 0,
            "first_good_at": None,
        }
    )
    if not to_be_confirmed(known, signals, policy):
        return bad
    return _down(bad, signals, first) if network_works else _blind(bad, now)


def after_health_event(known: RegionAvailability, event: HealthEvent) -> RegionAvailability:
    """The state after an event of AWS Health about this region; the same again, or an older one, changes nothing.

    An issue that is told of while, or after, we see an outage of that time is the same one. A second issue beside
    it is not told apart: the outage has its account of AWS already.
    """
    outage = known.outage
    if outage is None:
        return known if event.closed else _opened_by_health(known, event)
    told = outage.health
    if told is not None and told.arn == event.arn:
        return known if outage.ended is not None else _told_again(known, outage, told, event)
    if event.closed:
        return known  # the end of something that nobody was told of
    if outage.ended is not None and event.started > outage.ended:
        return _opened_by_health(known, event)
    if told is not None:
        return known
    joined = outage.model_copy(update={"health": _health_note(event), "settled": False})
    return known.model_copy(update={"outage": joined})


def outage_incident_id(region: str, started: datetime) -> str:
    """The id of the incident of an outage: its region and its beginning, as stored, always give the same one."""
    digest = hashlib.sha256(f"outage\x1f{region}\x1f{compact(started)}".encode()).hexdigest()[:8]
    return f"{compact(started)}-{slug(region)}-{digest}"


def _after_good(looked: RegionAvailability, now: datetime, policy: AvailabilityPolicy) -> RegionAvailability:
    count = looked.good_rounds + 1
    first = looked.first_good_at if looked.good_rounds and looked.first_good_at is not None else now
    good = looked.model_copy(
        update={"good_rounds": count, "first_good_at": first, "bad_rounds": 0, "first_bad_at": None}
    )
    if looked.status is RegionStatus.UP:
        return good
    if looked.status is not RegionStatus.UNKNOWN and count < policy.up_after:
        return good
    up = good.model_copy(update={"status": RegionStatus.UP, "since": first})
    outage = looked.open_outage
    if looked.status is not RegionStatus.DOWN or outage is None or not _over(outage):
        return up
    return up.model_copy(update={"outage": outage.model_copy(update={"ended": first})})


def _over(outage: Outage) -> bool:
    """What AWS Health noticed first is over when AWS Health says so as well."""
    return outage.by == "probes" or (outage.health is not None and outage.health.closed_at is not None)


def _down(bad: RegionAvailability, signals: Sequence[Signal], first: datetime) -> RegionAvailability:
    told = tuple(f"{one.probe}: {one.detail}" for one in signals if one.state is SignalState.FAILED)
    outage = bad.open_outage
    if outage is None:
        outage = Outage(
            incident=outage_incident_id(bad.region, first),
            started=first,
            by="probes",
            down_at=first,
            signals=told,
        )
    elif outage.down_at is None:
        outage = outage.model_copy(update={"down_at": first, "signals": told})
    return bad.model_copy(update={"status": RegionStatus.DOWN, "since": first, "outage": outage})


def _blind(bad: RegionAvailability, now: datetime) -> RegionAvailability:
    """The count begins anew: once the network is back, the region gets its full number of rounds."""
    since = bad.since if bad.status is RegionStatus.BLIND else now
    return bad.model_copy(
        update={"status": RegionStatus.BLIND, "since": since, "bad_rounds": 0, "first_bad_at": None}
    )


def _opened_by_health(known: RegionAvailability, event: HealthEvent) -> RegionAvailability:
    outage = Outage(
        incident=outage_incident_id(known.region, event.started),
        started=event.started,
        by="health",
        health=_health_note(event),
    )
    return known.model_copy(update={"outage": outage})


def _health_note(event: HealthEvent) -> HealthNote:
    return HealthNote(arn=event.arn, code=event.code, started=event.started, told_at=event.time)


def _told_again(
    known: RegionAvailability, outage: Outage, told: HealthNote, event: HealthEvent
) -> RegionAvailability:
    """More of the issue that this outage is about: that it goes on, or its end."""
    if told.told_at >= event.time or told.closed_at is not None:
        return known
    closed_at = event.ended if event.closed else None
    changes: dict[str, object] = {
        "health": told.model_copy(update={"told_at": event.time, "closed_at": closed_at})
    }
    if event.closed and known.status is not RegionStatus.DOWN and outage.by == "health":
        changes["ended"] = max(event.ended, outage.started)
    return known.model_copy(update={"outage": outage.model_copy(update=changes)})


def _note(signal: Signal) -> SignalNote:
    return SignalNote(
        probe=signal.probe, state=signal.state, detail=signal.detail[:1000], seconds=max(0.0, signal.seconds)
    )
