"""When a region counts as unreachable: never for one bad moment, never for our own network."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.watcher.watching import NOON
from watcher.availability.availability import (
    AvailabilityPolicy,
    RegionAvailability,
    RegionStatus,
    RoundVerdict,
    after_health_event,
    after_round,
    due,
    outage_incident_id,
    round_verdict,
    to_be_confirmed,
)
from watcher.availability.health_events import HealthEvent
from watcher.availability.probe import Signal, SignalState

OK, FAILED, UNKNOWN = SignalState.OK, SignalState.FAILED, SignalState.UNKNOWN
GOOD, BAD = (OK, OK, OK), (FAILED, FAILED, OK)
POLICY = AvailabilityPolicy(every=timedelta(minutes=1), down_after=3, up_after=2)
NEW = RegionAvailability(region="eu-west-1")
MINUTE = timedelta(minutes=1)
ISSUE = HealthEvent(
    id="e1",
    arn="arn:aws:health:eu-west-1::event/DYNAMODB/X/1",
    code="AWS_DYNAMODB_OPERATIONAL_ISSUE",
    account="123456789012",
    region="eu-west-1",
    time=NOON + 10 * MINUTE,
    started=NOON,
    ended=NOON + 10 * MINUTE,
    closed=False,
)
CLOSED = replace(ISSUE, id="e2", time=NOON + 60 * MINUTE, ended=NOON + 55 * MINUTE, closed=True)


def signals(*states: SignalState) -> list[Signal]:
    """One signal for each state."""
    return [Signal(f"probe{number}", state, "as told") for number, state in enumerate(states)]


def rounds(
    known: RegionAvailability,
    *told: tuple[SignalState, ...],
    start: datetime = NOON,
    network_works: bool = True,
) -> RegionAvailability:
    """One round a minute."""
    for number, states in enumerate(told):
        now = start + number * MINUTE
        known = after_round(known, signals(*states), now, POLICY, network_works=network_works)
    return known


def test_a_round_is_bad_where_two_signals_fail_or_all_there_are() -> None:
    """One probe alone proves nothing, unless there is only one that can tell."""
    verdicts = {
        (OK, OK, OK): RoundVerdict.GOOD,
        (FAILED, OK, OK): RoundVerdict.GOOD,
        (FAILED, FAILED, OK): RoundVerdict.BAD,
        (FAILED, UNKNOWN, OK): RoundVerdict.GOOD,
        (FAILED, UNKNOWN, UNKNOWN): RoundVerdict.BAD,
        (FAILED, FAILED): RoundVerdict.BAD,
        (FAILED,): RoundVerdict.BAD,
        (UNKNOWN, UNKNOWN): RoundVerdict.UNKNOWN,
        (): RoundVerdict.UNKNOWN,
    }
    assert {states: round_verdict(signals(*states)) for states in verdicts} == verdicts


def test_the_first_good_round_says_that_it_is_up() -> None:
    """Nobody waits for what never was in doubt."""
    assert rounds(NEW, GOOD).status is RegionStatus.UP


def test_it_is_down_after_so_many_bad_rounds_in_a_row() -> None:
    """Since the first of them."""
    assert rounds(NEW, GOOD, BAD, BAD).status is RegionStatus.UP
    down = rounds(NEW, GOOD, BAD, BAD, BAD)
    assert (down.status, down.since) == (RegionStatus.DOWN, NOON + MINUTE)
    assert down.open_outage is not None
    assert down.open_outage.started == NOON + MINUTE
    assert down.open_outage.signals == ("probe0: as told", "probe1: as told")


def test_one_good_round_between_begins_the_count_anew() -> None:
    """In a row means in a row."""
    assert rounds(NEW, GOOD, BAD, BAD, GOOD, BAD, BAD).status is RegionStatus.UP


def test_a_round_that_tells_nothing_changes_nothing() -> None:
    """Neither brings it down, nor interrupts what does."""
    before = rounds(NEW, GOOD, BAD, BAD)
    nothing = rounds(before, (UNKNOWN, UNKNOWN, UNKNOWN), start=NOON + 3 * MINUTE)
    assert (nothing.status, nothing.bad_rounds) == (RegionStatus.UP, 2)
    assert rounds(nothing, BAD, start=NOON + 4 * MINUTE).status is RegionStatus.DOWN


def test_it_is_up_again_after_so_many_good_rounds() -> None:
    """Since the first of them; one good round in between is no end."""
    down = rounds(NEW, BAD, BAD, BAD)
    assert rounds(down, GOOD, BAD, GOOD, start=NOON + 3 * MINUTE).status is RegionStatus.DOWN
    up = rounds(down, GOOD, GOOD, start=NOON + 10 * MINUTE)
    assert (up.status, up.since) == (RegionStatus.UP, NOON + 10 * MINUTE)
    assert up.outage is not None
    assert (up.outage.started, up.outage.ended) == (NOON, NOON + 10 * MINUTE)
    assert up.open_outage is None


def test_our_own_network_brings_nothing_down() -> None:
    """Blind: no outage; and once the network is back, the region gets its full number of rounds."""
    blind = rounds(NEW, GOOD, BAD, BAD, BAD, network_works=False)
    assert (blind.status, blind.outage) == (RegionStatus.BLIND, None)
    still = rounds(blind, BAD, BAD, start=NOON + 4 * MINUTE)
    assert (still.status, still.outage) == (RegionStatus.BLIND, None)
    assert rounds(still, BAD, start=NOON + 6 * MINUTE).status is RegionStatus.DOWN
    assert rounds(blind, GOOD, GOOD, start=NOON + 4 * MINUTE).status is RegionStatus.UP


def test_a_proven_outage_does_not_turn_blind() -> None:
    """If our network fails on top of it, the outage goes on: it was proven."""
    down = rounds(NEW, BAD, BAD, BAD)
    on = rounds(down, BAD, BAD, BAD, BAD, start=NOON + 3 * MINUTE, network_works=False)
    assert (on.status, on.outage) == (RegionStatus.DOWN, down.outage)


def test_somebody_independent_is_asked_only_where_it_matters() -> None:
    """At the last bad round before it would be down, and at none while it is."""
    bad, good = signals(*BAD), signals(*GOOD)
    two = rounds(NEW, GOOD, BAD, BAD)
    assert to_be_confirmed(two, bad, POLICY)
    assert not to_be_confirmed(two, good, POLICY)
    assert not to_be_confirmed(rounds(NEW, GOOD, BAD), bad, POLICY)
    assert not to_be_confirmed(rounds(two, BAD, start=NOON + 3 * MINUTE), bad, POLICY)


def test_rounds_are_shared() -> None:
    """Whichever watcher made the last one, the next is due a minute later."""
    looked = rounds(NEW, GOOD)
    assert due(NEW, NOON, POLICY)
    assert not due(looked, NOON + timedelta(seconds=59), POLICY)
    assert due(looked, NOON + MINUTE, POLICY)


@given(st.lists(st.sampled_from([GOOD, BAD, (UNKNOWN, UNKNOWN, UNKNOWN)]), max_size=40))
def test_no_outage_without_three_bad_rounds_in_a_row(told: list[tuple[SignalState, ...]]) -> None:
    """Whatever the signals do; and never one with a network that does not work."""
    telling = [states for states in told if states != (UNKNOWN, UNKNOWN, UNKNOWN)]
    three = any(telling[number : number + 3] == [BAD] * 3 for number in range(len(telling)))
    after = rounds(NEW, *told)
    assert (after.outage is not None) == three
    assert rounds(NEW, *told, network_works=False).outage is None


def test_an_outage_has_one_id() -> None:
    """Region and beginning give it, so that two watchers, or one after a crash, mean the same incident."""
    assert outage_incident_id("eu-west-1", NOON) == "20261123T120000Z-eu-west-1-75a246a0"
    assert outage_incident_id("eu-west-2", NOON) != outage_incident_id("eu-west-1", NOON)
    assert outage_incident_id("eu-west-1", NOON + MINUTE) != outage_incident_id("eu-west-1", NOON)


def test_aws_health_alone_opens_and_ends_an_outage() -> None:
    """With the times that AWS gives; the probes may be fine all the while, or not there."""
    told = after_health_event(rounds(NEW, GOOD), ISSUE)
    assert told.status is RegionStatus.UP
    assert told.open_outage is not None
    assert (told.open_outage.started, told.open_outage.by) == (NOON, "health")
    over = after_health_event(told, CLOSED)
    assert over.outage is not None
    assert over.outage.ended == CLOSED.ended


def test_the_same_again_changes_nothing() -> None:
    """AWS Health delivers at least once, to two regions, and out of order."""
    told = after_health_event(NEW, ISSUE)
    assert after_health_event(told, ISSUE) == told
    over = after_health_event(told, CLOSED)
    assert after_health_event(over, CLOSED) == over
    assert after_health_event(over, ISSUE) == over
    assert after_health_event(over, replace(ISSUE, time=CLOSED.time + MINUTE)) == over


def test_the_end_of_what_nobody_was_told_of_is_nothing() -> None:
    """An issue that was over before its first event came."""
    assert after_health_event(NEW, CLOSED) == NEW
    down = rounds(NEW, BAD, BAD, BAD)
    assert after_health_event(down, CLOSED) == down


def test_aws_health_joins_the_outage_that_the_probes_saw() -> None:
    """One outage, also where AWS tells of it when it is nearly over, or over."""
    down = rounds(NEW, BAD, BAD, BAD)
    joined = after_health_event(down, ISSUE)
    assert joined.outage is not None
    assert down.outage is not None
    assert (joined.outage.incident, joined.outage.by) == (down.outage.incident, "probes")
    assert joined.outage.health is not None
    up = rounds(down, GOOD, GOOD, start=NOON + 5 * MINUTE)
    late = after_health_event(up, ISSUE)
    assert late.outage is not None
    assert (late.outage.incident, late.outage.by) == (down.outage.incident, "probes")
    assert late.open_outage is None
    assert (late.outage.health is not None, late.outage.settled) == (True, False)


def test_a_later_issue_is_another_outage() -> None:
    """One that began after the last one had ended."""
    up = rounds(rounds(NEW, BAD, BAD, BAD), GOOD, GOOD, start=NOON + 5 * MINUTE)
    assert up.outage is not None
    later = after_health_event(up, replace(ISSUE, started=NOON + 30 * MINUTE, time=NOON + 40 * MINUTE))
    assert later.outage is not None
    assert later.outage.incident != up.outage.incident


def test_the_probes_join_the_outage_that_aws_health_told_of() -> None:
    """It becomes worse, not another one; and it ends when both say so."""
    down = rounds(after_health_event(rounds(NEW, GOOD), ISSUE), BAD, BAD, BAD, start=NOON + 20 * MINUTE)
    assert down.open_outage is not None
    assert (down.open_outage.by, down.open_outage.down_at) == ("health", NOON + 20 * MINUTE)
    closed_first = after_health_event(down, CLOSED)
    assert closed_first.open_outage is not None
    ended = rounds(closed_first, GOOD, GOOD, start=NOON + 70 * MINUTE)
    assert ended.outage is not None
    assert ended.outage.ended == NOON + 70 * MINUTE
    up_first = rounds(down, GOOD, GOOD, start=NOON + 30 * MINUTE)
    assert (up_first.status, up_first.open_outage is not None) == (RegionStatus.UP, True)
    assert after_health_event(up_first, CLOSED).open_outage is None
