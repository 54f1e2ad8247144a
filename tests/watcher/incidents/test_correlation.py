"""Changes that have one cause are one incident, in whatever order, by whomever, and wherever a watcher dies."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from recovery.intents import Declaration
from recovery.testing.memory_vault import MemoryVault
from rules.verdicts import Severity
from tests.watcher.watching import NOON, Clockwork, Parts, by, delete_stack, delete_table
from watcher.incidents.correlation import MOST_MEMBERS
from watcher.incidents.incident import AlertState, Incident, IncidentState, NoticeKind
from watcher.testing.memory_source import MemorySource
from watcher.testing.recording_notifier import RecordingNotifier

OFF: dict[str, Any] = {
    "eventName": "UpdateTable",
    "requestParameters": {"tableName": "orders", "deletionProtectionEnabled": False},
    "responseElements": None,
}
REFUSED: dict[str, Any] = {
    "responseElements": None,
    "requestParameters": {"tableName": "orders"},
    "errorCode": "ValidationException",
    "errorMessage": "Resource cannot be deleted as it is currently protected against deletion.",
}
BY_CLOUDFORMATION: dict[str, Any] = {
    "userIdentity": {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::123456789012:assumed-role/stacks/AWSCloudFormation",
        "accountId": "123456789012",
        "invokedBy": "cloudformation.amazonaws.com",
        "sessionContext": {"sessionIssuer": {"userName": "stacks"}},
    },
    "sourceIPAddress": "cloudformation.amazonaws.com",
    "userAgent": "cloudformation.amazonaws.com",
}


def at(minutes: float) -> dict[str, Any]:
    """The time of an event, some minutes after noon."""
    return {"eventTime": f"{NOON + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"}


def delete_backup(table: str, number: int, **changes: Any) -> bytes:
    """A synthetic DeleteBackup envelope."""
    arn = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/backup/0170000000000{number}-abcdef{number:02}"
    return delete_table(
        table,
        **{
            "eventName": "DeleteBackup",
            "requestParameters": {"backupArn": arn},
            "responseElements": None,
            **changes,
        },
    )


def status_change(table: str, stack: str, minutes: float, status: str = "DELETE_COMPLETE") -> bytes:
    """A synthetic event of CloudFormation about a table of a stack."""
    time = f"{NOON + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
    return json.dumps(
        {
            "version": "0", "id": f"status-{table}-{status}", "detail-type": "CloudFormation Resource Status Change",
            "source": "aws.cloudformation", "account": "123456789012", "time": time, "region": "eu-west-1", "resources": [],
            "detail": {
                "stack-id": f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack}/0a1b", "logical-resource-id": "T",
                "physical-resource-id": table, "resource-type": "AWS::DynamoDB::Table",
                "status-details": {"status": status, "status-reason": ""}, "client-request-token": "",
            },
        }
    ).encode()  # fmt: skip


def anew() -> Parts:
    """Another watcher in memory, with a vault of its own."""
    return Parts(MemoryVault(), MemorySource(), RecordingNotifier(), Clockwork())


def taken(parts: Parts, body: bytes) -> Incident:
    """The incident that tells of a message."""
    incident = parts.pipeline.take(body)
    assert incident is not None
    return incident


def leads(parts: Parts) -> list[Incident]:
    """The incidents that people see, oldest first."""
    return [one for one in parts.incidents.all() if isinstance(one, Incident) and not one.part_of]


def told(incident: Incident) -> set[str]:
    """The names of all that an incident tells of."""
    return {incident.subject.name, *(member.subject.name for member in incident.members)}


def test_a_burst_of_one_session_is_one_incident(parts: Parts) -> None:
    """Thirty tables deleted by a script are one incident that tells of all of them, and one message."""
    for number in range(30):
        parts.source.put(delete_table(f"table-{number:02}", **at(number / 10)))
    parts.watcher.drain()
    (lead,) = leads(parts)
    assert told(lead) == {f"table-{number:02}" for number in range(30)}
    assert [notice.entry.kind for notice in parts.notifier.sent] == [NoticeKind.OPENED]
    assert lead.severity is Severity.CRITICAL


def test_what_others_do_meanwhile_is_another_incident(parts: Parts) -> None:
    """Two people at work in the same minute are two incidents."""
    taken(parts, delete_table("orders", **by("a")))
    taken(parts, delete_table("carts", **by("b")))
    assert [told(one) for one in leads(parts)] == [{"carts"}, {"orders"}]


def test_the_next_day_is_another_incident(parts: Parts) -> None:
    """A session's changes are told together while each comes soon after another."""
    taken(parts, delete_table("orders", **at(0)))
    taken(parts, delete_table("carts", **at(14)))
    taken(parts, delete_table("baskets", **at(28)))
    taken(parts, delete_table("users", **at(90)))
    assert [told(one) for one in leads(parts)] == [{"orders", "carts", "baskets"}, {"users"}]


def test_a_stack_and_what_goes_with_it(parts: Parts) -> None:
    """DeleteStack, CloudFormation's own events and its calls with a service role are one incident, the tables in it."""
    taken(parts, delete_stack("shop", **at(0)))
    taken(parts, status_change("orders", "shop", 1, "DELETE_IN_PROGRESS"))
    taken(parts, delete_table("orders", **at(1.1), **BY_CLOUDFORMATION))
    taken(parts, status_change("carts", "shop", 1.2))
    taken(parts, status_change("orders", "shop", 2))
    (lead,) = leads(parts)
    assert lead.title == "Stack deleted"
    assert told(lead) == {"shop", "orders", "carts"}


def test_the_whole_history_of_a_table(parts: Parts) -> None:
    """Protection off by one, backups deleted by another, the table deleted by a third: one incident tells all."""
    first = taken(parts, delete_table("orders", **OFF, **at(0), **by("a")))
    assert first.severity.rank < Severity.CRITICAL.rank
    parts.outbox.deliver(first.id)
    taken(parts, delete_backup("orders", 1, **at(200), **by("b")))
    taken(parts, delete_backup("orders", 2, **at(201), **by("b")))
    lead = taken(parts, delete_table("orders", **at(600), **by("c")))
    assert lead.id == first.id
    assert [member.title for member in lead.members] == ["Backup deleted", "Backup deleted", "Table deleted"]
    assert lead.severity is Severity.CRITICAL
    parts.outbox.deliver(lead.id)
    kinds = [notice.entry.kind for notice in parts.notifier.sent]
    assert kinds == [NoticeKind.OPENED, NoticeKind.WORSE, NoticeKind.WORSE]
    assert "Table deleted: orders, by c" in parts.notifier.sent[-1].entry.text


def test_what_turns_out_to_have_one_cause_becomes_one_incident(parts: Parts) -> None:
    """Where a change belongs to two incidents, the older one tells of both; nobody is told twice of what was told."""
    first = taken(parts, delete_table("orders", **OFF, **at(0), **by("a")))
    second = taken(parts, delete_table("carts", **at(30), **by("b")))
    assert second.id != first.id
    lead = taken(parts, delete_table("orders", **at(31), **by("b")))
    assert lead.id == first.id
    assert told(lead) == {"orders", "carts"}
    gone = parts.incidents.get(second.id)
    assert gone.part_of == first.id
    assert [entry.state for entry in gone.outbox] == [AlertState.OBSOLETE]
    assert parts.outbox.deliver_all() == 1
    later = taken(parts, delete_table("users", **at(32), **by("b")))
    assert later.id == first.id


def test_an_attempt_and_then_the_deed(parts: Parts) -> None:
    """A refused deletion is a note of its own weight; once the table goes, it is part of the story."""
    attempt = taken(parts, delete_table("orders", **REFUSED, **at(0)))
    assert attempt.severity.rank < Severity.CRITICAL.rank
    lead = taken(parts, delete_table("orders", **at(2)))
    assert lead.id == attempt.id
    assert lead.severity is Severity.CRITICAL
    assert not lead.members[0].failed


def test_a_table_that_is_made_anew_and_deleted_again_is_another_disaster(parts: Parts) -> None:
    """Two lives of a name are two incidents, if not one session ended both."""
    again = {"responseElements": {"tableDescription": {"tableName": "orders", "tableId": "another"}}}
    taken(parts, delete_table("orders", **at(0), **by("a")))
    taken(parts, delete_table("orders", **at(60), **by("b"), **again))
    assert len(leads(parts)) == 2


@pytest.mark.parametrize("state", [IncidentState.RECOVERED, IncidentState.DISMISSED])
def test_what_is_over_is_over(parts: Parts, state: IncidentState) -> None:
    """After a recovery or a dismissal the next change is a new incident, and alerts."""
    first = taken(parts, delete_table("orders", **at(0)))
    parts.incidents.update(first.id, lambda one: one.model_copy(update={"state": state}))
    second = taken(parts, delete_table("carts", **at(1)))
    assert second.id != first.id
    assert second.unsent


def test_what_was_acknowledged_opens_again_when_it_gets_worse(parts: Parts) -> None:
    """Somebody acknowledged a switched-off protection; the deletion that follows has to wake him again."""
    first = taken(parts, delete_table("orders", **OFF, **at(0)))
    parts.outbox.deliver(first.id)
    parts.incidents.update(first.id, lambda one: one.model_copy(update={"state": IncidentState.ACKNOWLEDGED}))
    lead = taken(parts, delete_table("orders", **at(1)))
    assert (lead.id, lead.state) == (first.id, IncidentState.OPEN)
    assert "open again" in lead.unsent[-1].text.lower()


def test_a_first_message_that_is_not_sent_yet_tells_all(parts: Parts) -> None:
    """Nobody gets a message that it is worse before the one that says what."""
    taken(parts, delete_table("orders", **OFF, **at(0)))
    lead = taken(parts, delete_table("orders", **at(1)))
    assert [entry.kind for entry in lead.unsent] == [NoticeKind.OPENED]


def test_a_declared_change_is_told_to_nobody_and_joins_nothing(parts: Parts, clock: Clockwork) -> None:
    """A declared change of the same session stays quiet and on its own, and what alerts does not join it either."""
    parts.intents.declare(
        Declaration(table="staging-*", by="developer", lasts=timedelta(hours=1), reason="refresh"), "somebody"
    )
    clock.now += timedelta(minutes=5)
    quiet = [taken(parts, delete_table(f"staging-{number}", **at(4 + number / 10))) for number in range(2)]
    loud = taken(parts, delete_table("orders", **at(5)))
    quiet.append(taken(parts, delete_table("staging-3", **at(6))))
    assert [one.state for one in quiet] == [IncidentState.QUIET] * 3
    assert len(leads(parts)) == 4
    assert told(loud) == {"orders"}


def test_a_creation_from_before_is_no_recreation(parts: Parts) -> None:
    """The table that was lost had been created some day, and its event may come late."""
    lead = taken(parts, delete_table("orders", **at(0)))
    assert parts.pipeline.take(delete_table("orders", eventName="CreateTable", **at(-60))) is None
    assert parts.incidents.get(lead.id) == lead


def test_created_again_is_told(parts: Parts) -> None:
    """A deletion and then a creation of the same name: the table looks alive, and is empty; once, however often it comes."""
    lead = taken(parts, delete_table("orders", **at(0)))
    parts.outbox.deliver(lead.id)
    created = delete_table("orders", eventName="CreateTable", **at(3), **by("helper"))
    noted = taken(parts, created)
    assert noted.id == lead.id
    (entry,) = noted.unsent
    assert entry.kind is NoticeKind.LEARNT
    assert "created at 12:03:00 UTC by helper: it is empty" in entry.text
    assert parts.pipeline.take(created) is None
    assert len(parts.incidents.get(lead.id).unsent) == 1


def test_our_own_recovery_is_no_recreation(parts: Parts) -> None:
    """While a recovery runs, the table that it makes is no news."""
    lead = taken(parts, delete_table("orders", **at(0)))
    parts.incidents.update(lead.id, lambda one: one.model_copy(update={"state": IncidentState.RECOVERING}))
    assert parts.pipeline.take(delete_table("orders", eventName="CreateTable", **at(3))) is None


def test_the_order_does_not_matter(parts: Parts) -> None:
    """Whatever comes first and however often: the same incident with the same changes in it."""
    story = [
        delete_stack("shop", **at(0)),
        status_change("orders", "shop", 1),
        delete_table("orders", **at(1), **BY_CLOUDFORMATION),
        status_change("carts", "shop", 2),
    ]
    for order in itertools.permutations(range(4)):
        fresh = anew()
        for number in (*order, order[0], order[2]):
            fresh.pipeline.take(story[number])
        # What cannot be tied to a stack yet is told on its own until it can be: by the next event about its table.
        assert {name for one in leads(fresh) for name in told(one)} == {"shop", "orders", "carts"}
        assert len(leads(fresh)) == 1, order
        (lead,) = leads(fresh)
        assert len(lead.members) == 3


def test_the_same_event_again_changes_nothing(parts: Parts) -> None:
    """Of a burst, too: no write, no member twice."""
    bodies = [delete_table(f"table-{number}", **at(number)) for number in range(5)]
    for body in bodies:
        parts.pipeline.take(body)
    writes = len(parts.vault.writes)
    for body in bodies:
        parts.restart().pipeline.take(body)
    assert len(parts.vault.writes) == writes


class Killed(BaseException):
    """The process ends here; nothing catches it."""


def test_killed_before_any_write(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher that dies before any write of any event of a story leaves what the next one completes."""
    story = [
        delete_table("orders", **OFF, **at(0), **by("a")),
        delete_table("carts", **at(30), **by("b")),
        delete_table("orders", **at(31), **by("b")),
    ]
    for number in range(1, 40):
        fresh = anew()
        count = itertools.count(1)

        def dying(call: Any, count: Any = count, number: int = number) -> Any:
            def write(*arguments: Any) -> Any:
                if next(count) == number:
                    raise Killed
                return call(*arguments)

            return write

        died = False
        with monkeypatch.context() as patch:
            patch.setattr(fresh.vault, "put_new", dying(fresh.vault.put_new))
            patch.setattr(fresh.vault, "replace", dying(fresh.vault.replace))
            for body in story:
                try:
                    fresh.pipeline.take(body)
                except Killed:
                    died = True
                    break
        for body in story:
            fresh.restart().pipeline.take(body)
        (lead,) = leads(fresh)
        assert told(lead) == {"orders", "carts"}, number
        assert [entry.key for entry in lead.unsent] == ["recording:opened"]
        if not died:
            return
    pytest.fail("the story has more writes than were broken")


def test_watchers_that_race(parts: Parts) -> None:
    """Four watchers that take in the same burst at once, each in an order of its own: one incident, all tables in it."""
    bodies = [delete_table(f"table-{number:02}", **at(number / 60)) for number in range(12)]
    failures: list[BaseException] = []

    def watch(seed: int) -> None:
        order = list(bodies)
        random.Random(seed).shuffle(order)
        # Real waits: the others are at work meanwhile.
        mine = Parts(parts.vault, parts.source, parts.notifier, parts.clock, time.sleep)
        try:
            for body in order:
                mine.pipeline.take(body)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=watch, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    (lead,) = leads(parts)
    assert len(lead.members) == 11
    assert len(lead.unsent) == 1


def test_an_incident_grows_to_a_limit(parts: Parts) -> None:
    """What is told in one incident has an end; the next change begins another."""
    lead = taken(parts, delete_table("orders", **at(0)))
    taken(parts, delete_table("carts", **at(1)))
    member = parts.incidents.get(lead.id).members[0]
    many = tuple(member.model_copy(update={"id": f"{member.id}-{number}"}) for number in range(MOST_MEMBERS))
    parts.incidents.update(lead.id, lambda one: one.model_copy(update={"members": many}))
    assert taken(parts, delete_table("users", **at(2))).id != lead.id
