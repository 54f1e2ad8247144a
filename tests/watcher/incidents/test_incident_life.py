"""What people decide about incidents: who may, when, and who hears of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from recovery.testing.memory_vault import MemoryVault
from rules.errors import UnavailableError, UsageError
from tests.watcher.alerting import NIGHT, an_entry, an_incident
from tests.watcher.telling import a_lead, a_member
from watcher.incidents.incident import AlertState, Incident, IncidentState, NoticeKind
from watcher.incidents.incident_life import acknowledge, acknowledged, dismiss, dismissed
from watcher.incidents.incident_store import IncidentStore

JANE, BOB = "arn:aws:iam::123456789012:user/jane", "arn:aws:iam::123456789012:user/bob"
LATER = NIGHT + timedelta(minutes=5)
TOLD = (an_entry(state=AlertState.SENT),)


@pytest.fixture
def vault() -> MemoryVault:
    """An empty vault."""
    return MemoryVault()


@pytest.fixture
def incidents(vault: MemoryVault) -> IncidentStore:
    """Its incidents."""
    return IncidentStore(vault)


def test_acknowledging_is_noted_and_told_to_whoever_was_told(incidents: IncidentStore) -> None:
    """State, who and when, one message to each notifier that was told, escalations too, and the first one is stale."""
    escalated = an_entry(NoticeKind.ESCALATED, notifier="pager", key="pager:escalated:1:1")
    incidents.create(an_incident(outbox=(*TOLD, escalated)))
    taken = acknowledge(incidents, an_incident().id, JANE, LATER)
    assert taken == incidents.get(taken.id)
    assert taken.state is IncidentState.ACKNOWLEDGED
    assert (taken.timeline[-1].who, taken.timeline[-1].time) == (JANE, LATER)
    news = [entry for entry in taken.outbox if entry.kind is NoticeKind.ACKNOWLEDGED]
    assert {entry.notifier for entry in news} == {"oncall", "pager"}
    assert {entry.text for entry in news} == {f"{JANE} is looking at it."}
    assert [entry.key for entry in taken.stale] == ["oncall:opened"]


def test_the_same_person_twice_is_once() -> None:
    """Acknowledging again changes nothing; somebody else is noted as well."""
    once = acknowledged(an_incident(outbox=TOLD), JANE, LATER)
    assert acknowledged(once, JANE, LATER + timedelta(minutes=1)) == once
    both = acknowledged(once, BOB, LATER + timedelta(minutes=1))
    assert both.state is IncidentState.ACKNOWLEDGED
    assert [moment.who for moment in both.timeline] == [JANE, BOB]
    assert acknowledged(both, BOB, LATER + timedelta(minutes=2)) == both


def test_who_acknowledged_what_it_was_before_can_acknowledge_what_it_is() -> None:
    """After it was opened again everybody's acknowledgement counts anew."""
    once = acknowledged(an_incident(), JANE, LATER)
    again = once.model_copy(update={"state": IncidentState.OPEN}).with_moment(
        LATER, "watcher", "worse: a table"
    )
    both = acknowledged(acknowledged(again, BOB, LATER), JANE, LATER)
    assert [moment.who for moment in both.timeline] == [JANE, "watcher", BOB, JANE]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (IncidentState.RECOVERING, "is being recovered"),
        (IncidentState.RECOVERED, "is recovered already"),
        (IncidentState.DISMISSED, "is dismissed already"),
        (IncidentState.QUIET, "never alerted anybody"),
    ],
)
def test_only_what_is_open_can_be_acknowledged(state: IncidentState, said: str) -> None:
    """Anything else is refused with what it is instead."""
    with pytest.raises(UsageError, match=said):
        acknowledged(an_incident(state=state), JANE, LATER)


@pytest.mark.parametrize("state", [IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.RECOVERING])
def test_a_dismissal_says_why(incidents: IncidentStore, state: IncidentState) -> None:
    """The reason is kept, in the timeline and in the message; it is over then."""
    incidents.create(an_incident(state=state, outbox=TOLD))
    over = dismiss(incidents, an_incident().id, JANE, "  planned in OPS-7 ", LATER)
    assert over.is_over
    assert over.dismissed_because == "planned in OPS-7"
    assert over.timeline[-1].what == "dismissed: planned in OPS-7"
    assert [(entry.kind, entry.text) for entry in over.unsent] == [
        (NoticeKind.DISMISSED, f"{JANE}: planned in OPS-7")
    ]
    assert dismiss(incidents, over.id, JANE, "planned in OPS-7", LATER + timedelta(minutes=1)) == over


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 1001])
def test_a_dismissal_without_a_reason_is_none(reason: str) -> None:
    """Blank and endless reasons are refused."""
    with pytest.raises(UsageError, match="reason"):
        dismissed(an_incident(), JANE, reason, LATER)


@pytest.mark.parametrize("state", [IncidentState.RECOVERED, IncidentState.QUIET])
def test_what_is_recovered_stays_so(state: IncidentState) -> None:
    """What is recovered, or never alerted, cannot be dismissed."""
    with pytest.raises(UsageError, match=r"already|never alerted"):
        dismissed(an_incident(state=state), JANE, "no", LATER)


def test_a_dismissal_stands_against_another(incidents: IncidentStore) -> None:
    """Who comes second is told by whom it was dismissed, and why; nothing is overwritten."""
    over = dismissed(an_incident(), JANE, "planned", LATER)
    for who, reason in ((BOB, "planned"), (JANE, "another reason")):
        with pytest.raises(UsageError, match=r"by .*jane: planned"):
            dismissed(over, who, reason, LATER)


def test_tampering_can_be_dismissed_by_a_person() -> None:
    """No rule may silence it; a person who says why may."""
    assert dismissed(a_lead("pitr-off", "orders"), JANE, "moved to AWS Backup", LATER).is_over


def test_a_change_that_is_told_with_others_is_decided_there(incidents: IncidentStore) -> None:
    """The lead is acknowledged and owes the message; the document of the change stays as it is."""
    lead = a_lead("stack-deleted", "shop", a_member(name="orders"), outbox=TOLD)
    part = an_incident(id="20261123T031208Z-orders-0000000b", part_of=lead.id)
    for one in (lead, part):
        incidents.create(one)
    assert acknowledge(incidents, part.id, JANE, LATER).id == lead.id
    assert incidents.get(lead.id).state is IncidentState.ACKNOWLEDGED
    assert incidents.get(part.id) == part


def test_what_becomes_part_of_another_meanwhile_is_decided_there(
    vault: MemoryVault, incidents: IncidentStore
) -> None:
    """Between the look and the write the incident was taken in by another: that one is acknowledged."""
    lead, other = a_lead("stack-deleted", "shop"), an_incident(id="20261123T031208Z-orders-0000000b")
    for one in (lead, other):
        incidents.create(one)

    class Slow(IncidentStore):
        """Somebody else is faster after the first look."""

        def lead(self, incident_id: str) -> Incident:
            found = super().lead(incident_id)
            if found.id == other.id:
                self.update(other.id, lambda latest: latest.model_copy(update={"part_of": lead.id}))
            return found

    assert acknowledge(Slow(vault), other.id, JANE, LATER).id == lead.id
    assert incidents.get(other.id).state is IncidentState.OPEN


def test_incidents_that_are_part_of_each_other_are_refused(incidents: IncidentStore) -> None:
    """A circle, which nothing of ours writes, ends with an error and not in a loop."""
    first, second = "20261123T031208Z-orders-0000000a", "20261123T031208Z-orders-0000000b"
    incidents.create(an_incident(id=first, part_of=second))
    incidents.create(an_incident(id=second, part_of=first))
    with pytest.raises(UnavailableError, match="none of them tells"):
        acknowledge(incidents, first, JANE, LATER)
