"""An alert that nobody acknowledges goes to the next one, once each, and one that cannot be sent does so at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.verdicts import Severity
from tests.watcher.alerting import NIGHT, an_incident
from watcher.alerts.escalation import MOST_REPEATS, Policy, Step, escalated
from watcher.incidents.incident import AlertState, Incident, IncidentState, NoticeKind, OutboxEntry
from watcher.incidents.owing import notifiers_told

MINUTE = timedelta(minutes=1)
POLICY = Policy(
    steps=(
        Step(10 * MINUTE, ("oncall",), repeat=30 * MINUTE),
        Step(45 * MINUTE, ("lead", "mail")),
    ),
    severity=Severity.HIGH,
    when_failing=5 * MINUTE,
    order=("oncall", "lead", "mail", "slack"),
)


def an_entry(
    notifier: str = "slack", kind: NoticeKind = NoticeKind.OPENED, at: datetime = NIGHT, **changes: Any
) -> OutboxEntry:
    """A message that was sent."""
    key = f"{notifier}:{kind.value}" + ("" if kind is NoticeKind.OPENED else f":{at:%Y%m%dT%H%M%S}")
    fields = {"state": AlertState.SENT, "attempts": 1, "sent_at": at, **changes}
    return OutboxEntry(**{"key": key, "notifier": notifier, "kind": kind, "created_at": at, **fields})


def an_alert(*entries: OutboxEntry, **changes: Any) -> Incident:
    """An open incident that was told on Slack."""
    return an_incident(outbox=entries or (an_entry(),), **changes)


def after(minutes: float) -> datetime:
    """So long after the alert."""
    return NIGHT + timedelta(minutes=minutes)


def sent(incident: Incident) -> Incident:
    """The same with all its messages sent."""
    for entry in incident.unsent:
        incident = incident.with_entry(entry.model_copy(update={"state": AlertState.SENT}))
    return incident


def keys(incident: Incident) -> list[str]:
    """What is owed beside the first messages."""
    return [entry.key for entry in incident.outbox if entry.kind is NoticeKind.ESCALATED]


def test_nothing_is_due_before_its_time() -> None:
    """The incident comes back as it is, so that nothing is written."""
    incident = an_alert()
    assert escalated(incident, POLICY, after(9.99)) is incident


def test_the_next_one_is_told_when_the_time_is_over() -> None:
    """A message is owed, with its reason, and the timeline says who was told and why."""
    incident = escalated(an_alert(), POLICY, after(10))
    entry = incident.entry("oncall:escalated:1:1")
    assert entry is not None
    assert (entry.notifier, entry.kind, entry.created_at) == ("oncall", NoticeKind.ESCALATED, after(10))
    assert entry.text == "Nobody has acknowledged this within 10 min."
    assert entry.state is AlertState.PENDING
    assert entry.reason == "not acknowledged within 10 min: told oncall"
    moment = incident.timeline[-1]
    assert (moment.who, moment.what) == ("watcher", "not acknowledged within 10 min: told oncall")


def test_asking_again_owes_nothing_more() -> None:
    """Any number of watchers may ask at any time."""
    incident = escalated(an_alert(), POLICY, after(10))
    assert escalated(incident, POLICY, after(11)) is incident
    assert escalated(sent(incident), POLICY, after(39)) == sent(incident)


def test_it_is_repeated_until_somebody_acknowledges() -> None:
    """Every half hour, as the step says; with words that tell the second from the first."""
    incident = sent(escalated(an_alert(), POLICY, after(10)))
    incident = escalated(incident, POLICY, after(40))
    assert keys(incident) == ["oncall:escalated:1:1", "oncall:escalated:1:2"]
    assert incident.timeline[-1].what == "still not acknowledged within 40 min: told oncall"


def test_later_steps_tell_theirs() -> None:
    """All of a step at once, and once if it has no repeat."""
    incident = sent(an_alert())
    for minutes in range(0, 120, 5):
        incident = sent(escalated(incident, POLICY, after(minutes)))
    assert keys(incident) == [
        "oncall:escalated:1:1",
        "oncall:escalated:1:2",
        "lead:escalated:2:1",
        "mail:escalated:2:1",
        "oncall:escalated:1:3",
        "oncall:escalated:1:4",
    ]


@pytest.mark.parametrize("state", [state for state in IncidentState if state is not IncidentState.OPEN])
def test_only_what_is_open_escalates(state: IncidentState) -> None:
    """Somebody who looks at it, or has it behind him, is not called."""
    incident = an_alert(state=state)
    assert escalated(incident, POLICY, after(600)) is incident


def test_only_what_is_severe_enough_escalates() -> None:
    """Below the policy's severity nobody is called; when it gets worse, the time since the alert counts."""
    incident = an_alert(severity=Severity.MEDIUM)
    assert escalated(incident, POLICY, after(600)) is incident
    worse = incident.model_copy(update={"severity": Severity.HIGH})
    assert "oncall:escalated:1:20" in keys(escalated(worse, POLICY, after(600)))


def test_what_was_never_an_alert_does_not_escalate() -> None:
    """Nobody was told, so nobody can have acknowledged."""
    incident = an_incident(outbox=())
    assert escalated(incident, POLICY, after(600)) is incident


def test_the_time_runs_from_the_alert_not_from_the_event() -> None:
    """An event that arrives hours late escalates no sooner than any other."""
    late = an_alert(an_entry(at=after(180)))
    assert escalated(late, POLICY, after(185)) is late
    assert keys(escalated(late, POLICY, after(190))) == ["oncall:escalated:1:1"]


def test_missed_turns_are_not_made_up_for() -> None:
    """After hours without a watcher the next one is told once, not once for each half hour."""
    incident = escalated(an_alert(), POLICY, after(310))
    assert [key for key in keys(incident) if key.startswith("oncall")] == ["oncall:escalated:1:11"]


def test_a_notifier_that_is_down_is_owed_one_message() -> None:
    """Turns that it missed do not come all at once when it is back."""
    incident = escalated(an_alert(), POLICY, after(10))
    assert [key for key in keys(escalated(incident, POLICY, after(100))) if key.startswith("oncall")] == [
        "oncall:escalated:1:1"
    ]


def test_repeats_come_to_an_end() -> None:
    """An incident that nobody looks at does not grow for ever, and its timeline says so."""
    incident = sent(an_alert())
    policy = Policy((Step(MINUTE, ("oncall",), repeat=MINUTE),), Severity.HIGH, order=("oncall",))
    for minutes in range(2 * MOST_REPEATS):
        incident = sent(escalated(incident, policy, after(minutes)))
    assert len(keys(incident)) == MOST_REPEATS
    assert incident.timeline[-1].what.endswith("told oncall for the last time (50 times is all)")


def test_a_failed_recovery_starts_the_time_anew() -> None:
    """Open again is not acknowledged again: the steps come once more, counted from the failure."""
    incident = sent(escalated(an_alert(), POLICY, after(10)))
    failure = an_entry(kind=NoticeKind.RECOVERY_FAILED, at=after(60))
    incident = incident.with_entry(failure)
    assert escalated(incident, POLICY, after(69)) is incident
    assert keys(escalated(incident, POLICY, after(70)))[-1] == "oncall:escalated:1r1:1"


def test_what_got_worse_than_acknowledged_starts_the_time_anew() -> None:
    """Whoever acknowledged the lesser evil may sleep by now; without an acknowledgement the first time counts on."""
    acknowledged = an_entry(kind=NoticeKind.ACKNOWLEDGED, at=after(5))
    worse = [an_entry(name, NoticeKind.WORSE, after(60)) for name in ("slack", "mail")]
    incident = an_alert(an_entry(), acknowledged, *worse)
    assert escalated(incident, POLICY, after(69)) is incident
    assert keys(escalated(incident, POLICY, after(70))) == ["oncall:escalated:1r1:1"]
    assert keys(escalated(an_alert(an_entry(), *worse), POLICY, after(70)))[0] == "oncall:escalated:1:3"


def test_what_is_part_of_another_incident_is_left_to_that_one() -> None:
    """It owes no messages itself."""
    incident = an_alert(part_of="20261123T031200Z-shop-00000000")
    assert escalated(incident, POLICY, after(600)) is incident


def test_what_need_not_be_sent_is_not_overdue() -> None:
    """A message that another one replaced is no sign of a notifier that is down."""
    obsolete = an_entry(state=AlertState.OBSOLETE, sent_at=None)
    incident = an_alert(obsolete, an_entry("mail"), severity=Severity.LOW)
    assert escalated(incident, POLICY, after(600)) is incident


DOWN: dict[str, Any] = {"state": AlertState.POSTING, "sent_at": None, "last_error": "Slack is down"}


def test_when_a_notifier_is_down_the_next_one_is_told_at_once() -> None:
    """Five minutes after the alert could first have been sent, and not when the first step comes."""
    incident = an_alert(an_entry(**DOWN))
    assert escalated(incident, POLICY, after(4)) is incident
    incident = escalated(incident, POLICY, after(5))
    entry = incident.entry("oncall:escalated:instead-of-slack:1")
    assert entry is not None
    assert entry.text == "slack could not be reached for 5 min, so you are told instead."
    assert incident.timeline[-1].what == "slack could not be reached for 5 min: told oncall"
    assert escalated(incident, POLICY, after(6)) is incident


def test_a_severity_below_the_policys_is_no_reason_to_tell_nobody() -> None:
    """An alert that reached nobody is a lost one, whatever its severity."""
    incident = an_alert(an_entry(**DOWN), severity=Severity.LOW)
    assert keys(escalated(incident, POLICY, after(5))) == ["oncall:escalated:instead-of-slack:1"]


def test_when_the_next_one_is_down_too_the_one_after_it_is_told() -> None:
    """And so on, until nobody is left."""
    incident = an_alert(an_entry(**DOWN))
    for minutes in range(0, 9 * 5, 5):
        incident = escalated(incident, Policy(order=POLICY.order), after(minutes))
        for entry in incident.unsent:
            incident = incident.with_entry(entry.model_copy(update={"attempts": 1}))
    assert keys(incident) == [
        "oncall:escalated:instead-of-slack:1",
        "lead:escalated:instead-of-oncall:1",
        "mail:escalated:instead-of-lead:1",
    ]


def test_who_was_told_already_does_not_stand_in() -> None:
    """It is passed over."""
    incident = an_alert(an_entry(**DOWN), an_entry("oncall"))
    assert keys(escalated(incident, POLICY, after(5))) == ["lead:escalated:instead-of-slack:1"]


def test_a_watcher_that_was_down_is_no_notifier_that_is() -> None:
    """What was never tried will be tried now; then it shows."""
    incident = an_alert(an_entry(state=AlertState.PENDING, attempts=0, sent_at=None), severity=Severity.LOW)
    assert escalated(incident, POLICY, after(600)) is incident


def test_a_notifier_that_was_taken_out_of_the_settings_is_stood_in_for() -> None:
    """Nobody will ever send what is owed to it."""
    gone = an_entry("pager", state=AlertState.PENDING, attempts=0, sent_at=None)
    assert keys(escalated(an_alert(gone), POLICY, after(5))) == ["oncall:escalated:instead-of-pager:1"]


def test_those_who_were_told_hear_of_the_end() -> None:
    """First messages and escalations count, each notifier once; news do not."""
    incident = escalated(an_alert(an_entry(), an_entry("mail", NoticeKind.RECOVERING)), POLICY, after(10))
    assert notifiers_told(incident) == ("slack", "oncall")


@given(st.lists(st.integers(0, 400), max_size=30), st.booleans())
def test_two_watchers_owe_the_same(minutes: list[int], down: bool) -> None:
    """Asked at any times and any number of times, keys stay unique and asking at the same time again adds nothing."""
    incident = an_alert(an_entry(**(DOWN if down else {})))
    for minute in sorted(minutes):
        now = after(minute)
        once = escalated(incident, POLICY, now)
        assert escalated(once, POLICY, now) is once
        incident = sent(once) if minute % 2 else once
    all_keys = [entry.key for entry in incident.outbox]
    assert len(set(all_keys)) == len(all_keys)
    assert len(incident.timeline) <= len(all_keys)
