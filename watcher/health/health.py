"""How the net itself is: one check for each part of it, told from what is stored and from nothing else. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rules.errors import PartialError
from watcher.availability.availability import RegionStatus
from watcher.availability.probe import SignalState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from watcher.availability.availability import RegionAvailability
    from watcher.health.canary import CanaryState
    from watcher.health.heartbeat import Heartbeat
    from watcher.sources.positions import Position
    from watcher.sources.queue_depth import QueueDepths

SILENT_AFTER, GONE_AFTER = timedelta(minutes=2), timedelta(minutes=5)
# What stopped beating longer ago than this is not missed, as long as another watcher beats.
MISSED_FOR = timedelta(days=1)
RECENT_ERROR = timedelta(minutes=10)
LATE, VERY_LATE = timedelta(minutes=15), timedelta(hours=1)
# A canary has so many of its own intervals to arrive; a watcher that just started has them as well.
CANARY_WARN, CANARY_BAD = 2, 3
CANARY_PATIENCE = timedelta(minutes=10)
UNSENT_BAD = timedelta(minutes=5)
QUEUE_OLD = timedelta(minutes=15)
QUEUE_MANY = 1000
PROBES_STALE = timedelta(minutes=10)
NO_NEW_BACKUP = 3
_LONGEST_TEXT = 300
_SHOWN = 3


class CheckState(StrEnum):
    """``unknown``: it could not be looked at, which is no better than bad. ``warn``: well, but look at it."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


class UnhealthyError(PartialError):
    """Some part of the net does not work, or cannot be looked at; the message names them."""

    default_hint = "Each line that is not ok says what to do."


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the net: how it is, in one line, and what to do about it ("" where nothing)."""

    name: str
    state: CheckState
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """All checks. ``ok``: none is bad or unknown."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.troubles

    @property
    def troubles(self) -> tuple[Check, ...]:
        """Those that are not well."""
        return tuple(one for one in self.checks if one.state in {CheckState.BAD, CheckState.UNKNOWN})

    @property
    def summary(self) -> str:
        """One line for each trouble; "" where there is none."""
        return "\n".join(f"{one.name}: {one.text}" for one in self.troubles)


@dataclass(frozen=True, slots=True)
class UnsentAlert:
    """A message that is owed. ``since``: when it was first owed; ``error``: why it was not sent, "" if not tried."""

    incident: str
    notifier: str
    kind: str
    since: datetime
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class IncidentsNow:
    """What the incidents say: ids of the open ones (newest first), what is owed, and those that cannot be read."""

    open: tuple[str, ...] = ()
    unsent: tuple[UnsentAlert, ...] = ()
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableBackup:
    """A table that has a folder in the vault, and the time of its newest whole backup, None where it has none."""

    account: str
    region: str
    table: str
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Observed:
    """All that is known of the net. ``unreadable`` says of a check by its name why it could not be looked at.

    None: not looked at because it is not set up.
    """

    heartbeats: Sequence[Heartbeat] = ()
    canary: CanaryState | None = None
    positions: Sequence[Position] = ()
    queue: QueueDepths | None = None
    incidents: IncidentsNow = IncidentsNow()
    availability: Sequence[RegionAvailability] = ()
    backups: Sequence[TableBackup] | None = None
    backup_hours: float = 26
    unreadable: Mapping[str, str] = field(default_factory=dict)


def health_of(observed: Observed, now: datetime) -> Health:
    """How the net is, check by check, in the order in which to look at them."""
    checks = [
        *_or_unknown(observed, "watcher", lambda: _watchers(observed.heartbeats, now)),
        *_or_unknown(observed, "canary", lambda: _canary(observed.canary, now)),
        *_or_unknown(observed, "queue", lambda: _queue(observed.queue)),
        *_or_unknown(observed, "sources", lambda: _sources(observed.positions, now)),
        *_or_unknown(observed, "alerts", lambda: _alerts(observed.incidents, now)),
        *_or_unknown(observed, "regions", lambda: _regions(observed.availability, now)),
        *_or_unknown(observed, "backups", lambda: _backups(observed.backups, observed.backup_hours, now)),
    ]
    return Health(tuple(checks))


def span(length: timedelta) -> str:
    """``40 s``, ``12 min``, ``3 h``, ``2 d``: one unit is enough to see how bad it is."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and unit == "min"):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _or_unknown(observed: Observed, name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    reason = observed.unreadable.get(name)
    if reason is not None:
        yield Check(name, CheckState.UNKNOWN, f"could not be looked at: {reason}"[:_LONGEST_TEXT])
    else:
        yield from look()


def _watchers(beats: Sequence[Heartbeat], now: datetime) -> Iterator[Check]:
    living = [beat for beat in beats if beat.stopped_at is None and now - beat.beat_at < GONE_AFTER]
    missed = [
        beat for beat in beats if beat.stopped_at is None and GONE_AFTER <= now - beat.beat_at < MISSED_FOR
    ]
    if not living:
        yield _no_watcher(beats, now)
        return
    slow = [beat for beat in living if now - beat.beat_at >= SILENT_AFTER]
    newest = max(living, key=lambda beat: beat.beat_at)
    text = f"{len(living)} alive, last beat {span(now - newest.beat_at)} ago, version {newest.version}"
    state, hint = CheckState.OK, ""
    if missed or slow:
        names = ", ".join(beat.watcher for beat in (*missed, *slow)[:_SHOWN])
        state, hint = CheckState.WARN, f"Silent: {names}. Is it meant to run?"
    yield Check("watcher", state, text, hint)
    yield _events(living, now)
    yield from _errors(living, now)


def _no_watcher(beats: Sequence[Heartbeat], now: datetime) -> Check:
    hint = "Start it: safetynet watch."
    if not beats:
        return Check("watcher", CheckState.BAD, "no watcher has ever run", hint)
    last = max(beats, key=lambda beat: beat.beat_at)
    how = "was stopped" if last.stopped_at is not None else "fell silent"
    text = f"none is running: {last.watcher} {how} {span(now - last.beat_at)} ago"
    return Check("watcher", CheckState.BAD, text, hint)


def _events(living: Sequence[Heartbeat], now: datetime) -> Check:
    """The last event and its lag. That there was none for long means nothing: the canary says whether one would come."""
    heard = [beat for beat in living if beat.last_received_at is not None]
    if not heard:
        return Check("events", CheckState.OK, "none received yet")
    newest = max(heard, key=lambda beat: beat.last_received_at or now)
    last = max((beat.last_event_at for beat in heard if beat.last_event_at is not None), default=None)
    text = f"last one received {span(now - (newest.last_received_at or now))} ago"
    if last is not None:
        text = f"last event {span(now - last)} ago"
    if newest.lag_seconds is None:
        return Check("events", CheckState.OK, text)
    lag = timedelta(seconds=newest.lag_seconds)
    text += f", {span(lag)} on the way"
    if lag >= LATE:
        hint = "Events come late: is the watcher catching up, or the trail slow?"
        return Check("events", CheckState.WARN, text, hint)
    return Check("events", CheckState.OK, text)


def _errors(living: Sequence[Heartbeat], now: datetime) -> Iterator[Check]:
    failed = [
        beat for beat in living if beat.last_error_at is not None and now - beat.last_error_at < RECENT_ERROR
    ]
    for beat in failed[:_SHOWN]:
        when = span(now - (beat.last_error_at or now))
        yield Check(
            "errors", CheckState.WARN, f"{beat.watcher}, {when} ago: {beat.last_error}"[:_LONGEST_TEXT]
        )


def _canary(canary: CanaryState | None, now: datetime) -> Iterator[Check]:
    if canary is None:
        hint = "Set watch.canary.enabled; without it nobody knows whether events would arrive."
        yield Check("canary", CheckState.WARN, "none was ever sent", hint)
        return
    every = timedelta(seconds=canary.every_seconds)
    arrival = canary.arrived
    waited = now - (arrival.sent_at if arrival is not None else canary.first_sent_at)
    failed = canary.last_error_at is not None and canary.last_error_at >= canary.sent_at
    text = (
        f"arrived {span(now - arrival.arrived_at)} ago, {span(timedelta(seconds=arrival.seconds))} on the way"
        if arrival is not None
        else f"none has arrived in {span(waited)}"
    )
    if failed:
        text += f"; the last one could not be sent: {canary.last_error}"
    state, hint = CheckState.OK, ""
    if waited >= max(CANARY_BAD * every, CANARY_PATIENCE):
        hint = "Events do not arrive: look at the event rule, the queue and the watcher."
        state = CheckState.BAD
    elif waited >= CANARY_WARN * every or failed:
        state, hint = CheckState.WARN, f"One is sent every {span(every)}."
    yield Check("canary", state, text[:_LONGEST_TEXT], hint)


def _queue(depths: QueueDepths | None) -> Iterator[Check]:
    if depths is None:
        return
    queue, dead = depths.queue, depths.dead_letters
    text = f"{queue.visible:,} waiting, {queue.in_flight:,} being worked on"
    old = queue.oldest_seconds is not None and queue.oldest_seconds >= QUEUE_OLD.total_seconds()
    if old:
        text += f", the oldest for {span(timedelta(seconds=queue.oldest_seconds or 0))}"
    hint = "The watcher does not keep up: start a second one." if old or queue.visible >= QUEUE_MANY else ""
    yield Check("queue", CheckState.WARN if hint else CheckState.OK, text, hint)
    if dead is None:
        hint = "Give the queue a dead-letter queue: what cannot be understood would be lost."
        yield Check(
            "dead letters", CheckState.UNKNOWN, depths.problem or "there is no dead-letter queue", hint
        )
        return
    given_up = dead.visible + dead.in_flight
    if given_up:
        hint = "Their incidents say why: safetynet incidents list."
        yield Check("dead letters", CheckState.BAD, f"{given_up:,} given up", hint)
        return
    yield Check("dead letters", CheckState.OK, "none")


def _sources(positions: Sequence[Position], now: datetime) -> Iterator[Check]:
    """Up to when each source is taken in. A queue's stands still while nothing happens, so none of it is a fault."""
    if not positions:
        return
    ages = [f"{one.source} up to {span(now - one.time)} ago" for one in positions[:_SHOWN]]
    more = f", {len(positions) - _SHOWN} more" if len(positions) > _SHOWN else ""
    yield Check("sources", CheckState.OK, (", ".join(ages) + more)[:_LONGEST_TEXT])


def _alerts(incidents: IncidentsNow, now: datetime) -> Iterator[Check]:
    if incidents.unsent:
        yield _unsent(incidents.unsent, now)
    else:
        yield Check("alerts", CheckState.OK, "all are sent")
    if incidents.open:
        shown = ", ".join(incidents.open[:1])
        more = f" and {len(incidents.open) - 1} more" if len(incidents.open) > 1 else ""
        hint = "See safetynet incidents list."
        yield Check("incidents", CheckState.WARN, f"{len(incidents.open)} open: {shown}{more}", hint)
    else:
        yield Check("incidents", CheckState.OK, "none is open")
    if incidents.damaged:
        text = f"{len(incidents.damaged)} cannot be read: {incidents.damaged[0]}"
        yield Check(
            "incidents", CheckState.BAD, text[:_LONGEST_TEXT], "Its versions are in the vault's bucket."
        )


def _unsent(unsent: Sequence[UnsentAlert], now: datetime) -> Check:
    oldest = min(unsent, key=lambda alert: alert.since)
    names = ", ".join(sorted({alert.notifier for alert in unsent}))
    text = f"{len(unsent)} unsent ({names}), the oldest for {span(now - oldest.since)}"
    failed = [alert for alert in unsent if alert.error]
    if failed:
        text += f": {failed[-1].error}"
    if now - oldest.since < UNSENT_BAD:
        return Check("alerts", CheckState.WARN, text[:_LONGEST_TEXT])
    hint = "People have not been told. See safetynet incidents show INCIDENT."
    return Check("alerts", CheckState.BAD, text[:_LONGEST_TEXT], hint)


def _regions(regions: Sequence[RegionAvailability], now: datetime) -> Iterator[Check]:
    for one in regions:
        yield _region(one, now)


def _region(one: RegionAvailability, now: datetime) -> Check:
    """Bad news first; a signal that fails alone is told, and brings nothing down."""
    name = f"DynamoDB {one.region}"
    outage = one.open_outage
    trouble = _region_trouble(name, one, now)
    if trouble is not None:
        return trouble
    if outage is not None:
        text = f"AWS Health reports an issue for {span(now - outage.started)}"
        return Check(name, CheckState.WARN, text, f"See safetynet incidents show {outage.incident}")
    if one.checked_at is None:
        return Check(name, CheckState.OK, "no issue is known, and it is not probed")
    failed = [
        f"{signal.probe}: {signal.detail}" for signal in one.signals if signal.state is SignalState.FAILED
    ]
    if failed:
        return Check(name, CheckState.WARN, "; ".join(failed)[:_LONGEST_TEXT])
    return Check(name, CheckState.OK, f"reachable, asked {span(now - one.checked_at)} ago")


def _region_trouble(name: str, one: RegionAvailability, now: datetime) -> Check | None:
    if one.status is RegionStatus.DOWN and one.outage is not None:
        text = f"unreachable for {span(now - (one.outage.down_at or one.outage.started))}"
        return Check(name, CheckState.BAD, text, f"See safetynet incidents show {one.outage.incident}")
    if one.checked_at is not None and now - one.checked_at >= PROBES_STALE:
        text = f"not probed for {span(now - one.checked_at)}"
        hint = "Is the watcher running, and the region still in watch.probes?"
        return Check(name, CheckState.UNKNOWN, text, hint)
    if one.status is RegionStatus.BLIND:
        text = f"cannot be told for {span(now - (one.since or now))}: nothing else answers either"
        return Check(name, CheckState.UNKNOWN, text, "Look at the network of the watcher.")
    if one.checked_at is not None and one.status is RegionStatus.UNKNOWN:
        told = "; ".join(f"{signal.probe}: {signal.detail}" for signal in one.signals)
        return Check(name, CheckState.UNKNOWN, f"no probe could tell yet: {told}"[:_LONGEST_TEXT])
    return None


def _backups(backups: Sequence[TableBackup] | None, hours: float, now: datetime) -> Iterator[Check]:
    if backups is None:
        return
    if not backups:
        yield Check("backups", CheckState.BAD, "there is no backup of any table", "Run safetynet backup run.")
        return
    limit = timedelta(hours=hours)
    times = [one.newest for one in backups if one.newest is not None]
    if not times or now - max(times) >= NO_NEW_BACKUP * limit:
        text = (
            f"no new one of any table for {span(now - max(times))}" if times else "no whole one of any table"
        )
        yield Check(
            "backups", CheckState.BAD, text, "Is safetynet schedule running? Run safetynet backup run."
        )
        return
    old = sorted(
        (one for one in backups if one.newest is None or now - one.newest >= limit),
        key=lambda one: (one.newest is not None, one.newest or now, one.table),
    )
    tables = f"{len(backups):,} table{'' if len(backups) == 1 else 's'}"
    text = f"{tables}, newest {span(now - max(times))} ago, oldest {span(now - min(times))} ago"
    if not old:
        yield Check("backups", CheckState.OK, text)
        return
    names = ", ".join(one.table for one in old[:_SHOWN])
    more = f" and {len(old) - _SHOWN} more" if len(old) > _SHOWN else ""
    hint = f"None within {hours:g} h: {names}{more}. Deleted tables stay in this list."
    yield Check("backups", CheckState.WARN, text, hint)
