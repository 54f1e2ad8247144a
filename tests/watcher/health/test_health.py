"""Health: each part of the net, told from what is stored; unknown is no better than bad."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.watcher.watching import NOON
from watcher.availability.availability import Outage, RegionAvailability, RegionStatus, SignalNote
from watcher.availability.probe import SignalState
from watcher.health.canary import CanaryArrival, CanaryState
from watcher.health.health import (
    Check,
    CheckState,
    Health,
    IncidentsNow,
    Observed,
    TableBackup,
    UnhealthyError,
    UnsentAlert,
    health_of,
    span,
)
from watcher.health.heartbeat import Heartbeat
from watcher.sources.positions import Position
from watcher.sources.queue_depth import QueueDepth, QueueDepths

OK, WARN, BAD, UNKNOWN = CheckState.OK, CheckState.WARN, CheckState.BAD, CheckState.UNKNOWN
ACCOUNT, REGION = "123456789012", "eu-west-1"


def ago(**span: float) -> datetime:
    """So long before noon."""
    return NOON - timedelta(**span)


def beat(watcher: str = "one", seconds: float = 10, **changes: Any) -> Heartbeat:
    """A heartbeat of so many seconds ago."""
    whole: dict[str, Any] = {
        "watcher": watcher,
        "version": "1.2.3",
        "source": "queue",
        "started": ago(days=3),
        "beat_at": ago(seconds=seconds),
    }
    return Heartbeat(**{**whole, **changes})


def canary(arrived_minutes: float | None, **changes: Any) -> CanaryState:
    """One is sent every five minutes; the newest arrival was sent so long ago."""
    arrival = None
    if arrived_minutes is not None:
        sent = ago(minutes=arrived_minutes)
        arrival = CanaryArrival(id="0" * 32, sent_at=sent, arrived_at=sent + timedelta(seconds=4), seconds=4)
    whole: dict[str, Any] = {
        "every_seconds": 300,
        "first_sent_at": ago(days=1),
        "sent_at": ago(minutes=1),
        "arrived": arrival,
    }
    return CanaryState(**{**whole, **changes})


def alert(minutes: float, error: str = "") -> UnsentAlert:
    """A message that is owed for so long."""
    return UnsentAlert("20261123T110000Z-orders-0a1b2c3d", "slack", "opened", ago(minutes=minutes), 3, error)


def region(status: RegionStatus, **changes: Any) -> RegionAvailability:
    """A region, probed a minute ago."""
    return RegionAvailability(**{"region": REGION, "status": status, "checked_at": ago(minutes=1), **changes})


def signal(state: SignalState) -> SignalNote:
    """A stored signal."""
    return SignalNote(probe="dns", state=state, detail="as told", seconds=0.1)


def depths(*, dead: int | None = 0, visible: int = 0, oldest: float | None = None) -> QueueDepths:
    """A queue and its dead letters."""
    letters = None if dead is None else QueueDepth(dead, 0)
    return QueueDepths(QueueDepth(visible, 2, oldest), letters)


def backup(table: str, hours: float | None) -> TableBackup:
    """A table's newest backup."""
    return TableBackup(ACCOUNT, REGION, table, None if hours is None else ago(hours=hours))


WELL = Observed(
    heartbeats=(beat(last_event_at=ago(minutes=3), last_received_at=ago(minutes=2), lag_seconds=60),),
    canary=canary(4),
    positions=(Position(source="queue", time=ago(minutes=2), written=ago(minutes=2)),),
    queue=depths(),
    availability=(region(RegionStatus.UP, signals=(signal(SignalState.OK),)),),
    backups=(backup("orders", 10),),
)


def check(name: str, **changes: Any) -> Check:
    """The check of that name, where all else is well."""
    whole = {field: getattr(WELL, field) for field in WELL.__dataclass_fields__}
    health = health_of(Observed(**{**whole, **changes}), NOON)
    return next(one for one in health.checks if one.name == name)


def test_all_is_well() -> None:
    """Every part says so, and what it is told from."""
    health = health_of(WELL, NOON)
    assert health.ok
    assert health.summary == ""
    assert [(one.name, one.state, one.text) for one in health.checks] == [
        ("watcher", OK, "1 alive, last beat 10 s ago, version 1.2.3"),
        ("events", OK, "last event 3 min ago, 1 min on the way"),
        ("canary", OK, "arrived 3 min ago, 4 s on the way"),
        ("queue", OK, "0 waiting, 2 being worked on"),
        ("dead letters", OK, "none"),
        ("sources", OK, "queue up to 2 min ago"),
        ("alerts", OK, "all are sent"),
        ("incidents", OK, "none is open"),
        ("DynamoDB eu-west-1", OK, "reachable, asked 1 min ago"),
        ("backups", OK, "1 table, newest 10 h ago, oldest 10 h ago"),
    ]


def test_a_net_that_never_ran_is_not_well() -> None:
    """Nothing stored is no good news."""
    health = health_of(Observed(), NOON)
    assert not health.ok
    assert [one.name for one in health.troubles] == ["watcher"]
    assert health.summary == "watcher: no watcher has ever run"


@pytest.mark.parametrize(
    ("beats", "state", "words"),
    [
        ((beat(seconds=119),), OK, "1 alive"),
        ((beat(seconds=150),), WARN, "1 alive"),
        ((beat(seconds=301),), BAD, "one fell silent 5 min ago"),
        ((beat(seconds=20, stopped_at=ago(seconds=20)),), BAD, "one was stopped 20 s ago"),
        ((beat(), beat("two", 4000)), WARN, "1 alive"),
        ((beat(), beat("two", 4000, stopped_at=ago(seconds=4000))), OK, "1 alive"),
        ((beat(), beat("two", 90_000)), OK, "1 alive"),
    ],
)
def test_the_watcher(beats: tuple[Heartbeat, ...], state: CheckState, words: str) -> None:
    """Alive, slow, silent, stopped; one of several that is missed is named, one that was stopped is not."""
    found = check("watcher", heartbeats=beats)
    assert found.state is state
    assert words in found.text
    assert ("two" in found.hint) == (state is WARN and len(beats) > 1)


def test_late_events_are_told() -> None:
    """They arrive, but a quarter of an hour after they happened."""
    late = beat(last_event_at=ago(minutes=40), last_received_at=ago(minutes=20), lag_seconds=1200)
    found = check("events", heartbeats=(late,))
    assert (found.state, found.text) == (WARN, "last event 40 min ago, 20 min on the way")


def test_the_last_error_is_told_for_a_while() -> None:
    """Ten minutes: what went by is nobody's business any more."""
    recent = beat(last_error="SQS is down", last_error_at=ago(minutes=9))
    assert "SQS is down" in check("errors", heartbeats=(recent,)).text
    old = beat(last_error="SQS is down", last_error_at=ago(minutes=11))
    with pytest.raises(StopIteration):
        check("errors", heartbeats=(old,))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (canary(9), OK),
        (canary(10), WARN),
        (canary(15), BAD),
        (canary(None, first_sent_at=ago(minutes=4)), OK),
        (canary(None, first_sent_at=ago(minutes=16)), BAD),
        (canary(4, last_error="SQS is down", last_error_at=ago(seconds=30)), WARN),
        (canary(4, last_error="SQS was down", last_error_at=ago(hours=1)), OK),
        (None, WARN),
    ],
)
def test_the_canary(state: CanaryState | None, expected: CheckState) -> None:
    """Twice its interval is late, three times is gone; a new one has its time; none at all is worth a word."""
    found = check("canary", canary=state)
    assert found.state is expected
    assert bool(found.hint) == (expected is not OK)


@pytest.mark.parametrize(
    ("queue", "state"),
    [
        (depths(visible=999), OK),
        (depths(visible=1000), WARN),
        (depths(oldest=901), WARN),
        (depths(oldest=10), OK),
    ],
)
def test_the_queue(queue: QueueDepths, state: CheckState) -> None:
    """Long or old: the watcher does not keep up."""
    assert check("queue", queue=queue).state is state


@pytest.mark.parametrize(("dead", "state"), [(0, OK), (3, BAD), (None, UNKNOWN)])
def test_dead_letters(dead: int | None, state: CheckState) -> None:
    """One is one too many; no such queue means that nobody can tell."""
    assert check("dead letters", queue=depths(dead=dead)).state is state


def test_unsent_alerts() -> None:
    """A fresh one is on its way; an old one means that people have not been told. Who, how long, why."""
    assert check("alerts", incidents=IncidentsNow(unsent=(alert(4),))).state is WARN
    found = check("alerts", incidents=IncidentsNow(unsent=(alert(3), alert(42, "slack: not_in_channel"))))
    assert found.state is BAD
    assert found.text == "2 unsent (slack), the oldest for 42 min: slack: not_in_channel"


def test_open_incidents_are_told_and_are_no_ill_health() -> None:
    """The net did its work; those that cannot be read are."""
    whole = {field: getattr(WELL, field) for field in WELL.__dataclass_fields__}
    told = Observed(**{**whole, "incidents": IncidentsNow(open=("20261123T110000Z-b", "20261123T100000Z-a"))})
    health = health_of(told, NOON)
    assert health.ok
    assert "2 open: 20261123T110000Z-b and 1 more" in [one.text for one in health.checks]
    damaged = Observed(**{**whole, "incidents": IncidentsNow(damaged=("incidents/x.json: cut",))})
    assert not health_of(damaged, NOON).ok


OUTAGE = Outage(
    incident="20261123T110000Z-eu-west-1-0a1b2c3d", started=ago(hours=3), by="probes", down_at=ago(hours=3)
)
NAME = f"DynamoDB {REGION}"


@pytest.mark.parametrize(
    ("known", "state", "words"),
    [
        (region(RegionStatus.DOWN, outage=OUTAGE), BAD, "unreachable for 3 h"),
        (region(RegionStatus.BLIND, since=ago(minutes=7)), UNKNOWN, "cannot be told for 7 min"),
        (region(RegionStatus.UP, checked_at=ago(minutes=11)), UNKNOWN, "not probed for 11 min"),
        (region(RegionStatus.UNKNOWN), UNKNOWN, "no probe could tell"),
        (region(RegionStatus.UP, signals=(signal(SignalState.FAILED),)), WARN, "dns: as told"),
        (region(RegionStatus.UP, outage=OUTAGE.model_copy(update={"by": "health"})), WARN, "AWS Health"),
        (region(RegionStatus.UP, outage=OUTAGE.model_copy(update={"ended": ago(hours=1)})), OK, "reachable"),
        (region(RegionStatus.UNKNOWN, checked_at=None), OK, "not probed"),
    ],
)
def test_regions(known: RegionAvailability, state: CheckState, words: str) -> None:
    """Down, blind, not looked at, one signal that fails alone, what AWS Health says."""
    found = check(NAME, availability=(known,))
    assert found.state is state
    assert words in found.text


@pytest.mark.parametrize(
    ("backups", "state", "words"),
    [
        ((), BAD, "no backup of any table"),
        ((backup("orders", None),), BAD, "no whole one"),
        ((backup("orders", 80),), BAD, "no new one of any table for 3 d"),
        ((backup("orders", 10), backup("carts", 30)), WARN, "2 tables"),
        ((backup("orders", 10), backup("carts", None)), WARN, "2 tables"),
    ],
)
def test_backups(backups: tuple[TableBackup, ...], state: CheckState, words: str) -> None:
    """One old table is worth a look (it may be deleted); none new at all means that nobody backs up."""
    found = check("backups", backups=backups)
    assert found.state is state
    assert words in found.text
    assert ("carts" in found.hint) == (state is WARN)


@pytest.mark.parametrize("name", ["watcher", "canary", "queue", "sources", "alerts", "regions", "backups"])
def test_what_cannot_be_looked_at_is_not_well(name: str) -> None:
    """With the reason; and the other checks are there."""
    found = check(name, unreadable={name: "access denied"})
    assert (found.state, found.text) == (UNKNOWN, "could not be looked at: access denied")


def test_what_is_not_set_up_is_not_checked() -> None:
    """No queue, no backups asked for, no regions: no lines about them."""
    whole = {field: getattr(WELL, field) for field in WELL.__dataclass_fields__}
    bare = Observed(**{**whole, "queue": None, "backups": None, "availability": (), "positions": ()})
    names = [one.name for one in health_of(bare, NOON).checks]
    assert names == ["watcher", "events", "canary", "alerts", "incidents"]


def test_a_summary_names_the_troubles_alone() -> None:
    """For the dead man's switch: a line each; warnings are well."""
    health = Health(
        (Check("a", OK, "x"), Check("b", BAD, "y"), Check("c", WARN, "z"), Check("d", UNKNOWN, "w"))
    )
    assert (health.ok, health.summary) == (False, "b: y\nd: w")
    assert Health((Check("c", WARN, "z"),)).ok


def test_its_error_has_the_exit_code_of_what_is_partly_done() -> None:
    """Documented in docs/settings.md."""
    assert UnhealthyError("x").exit_code == 3


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 d"),
    ],
)
def test_spans(length: timedelta, words: str) -> None:
    """One unit, and never less than it takes to tell."""
    assert span(length) == words
