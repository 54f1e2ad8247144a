"""Seeing incidents and deciding about them, from the command line to Slack and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.clock import utc_now
from recovery.vault.s3 import S3Vault
from rules.actions import Weight
from rules.events import parse_event_json
from rules.facts import unlooked_facts
from tests.cli.conftest import CHANNEL
from tests.watcher.alerting import an_entry, an_event, an_incident
from tests.watcher.telling import a_lead, a_member, a_point
from tests.watcher.watching import delete_table
from watcher.facts.evidence import kept_event
from watcher.incidents.incident import AlertState, Incident, IncidentState, Person, Subject, incident_id
from watcher.incidents.incident_store import IncidentStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Desk

STACK_ID, ORDERS_ID = "20261123T031207Z-shop-0000000a", "20261123T031208Z-orders-0000000b"


class Shelf:
    """The incidents of a desk's vault."""

    def __init__(self, desk: Desk) -> None:
        bucket = desk.shell.exports["SAFETYNET_VAULT"].split("/")[2]
        self.store = IncidentStore(S3Vault(desk.aws.s3(), bucket, "net", clock=utc_now))

    def put(self, *incidents: Incident) -> None:
        """Store them."""
        for incident in incidents:
            self.store.create(incident)


@pytest.fixture
def shelf(desk: Desk) -> Shelf:
    """No incidents yet."""
    return Shelf(desk)


def owing() -> dict[str, Any]:
    """What an incident has that Slack is still to be told of."""
    return {"outbox": (an_entry(notifier="slack", key="slack:opened", reason="the default"),)}


def a_stack_with_its_table() -> tuple[Incident, Incident]:
    """A stack's deletion that tells of its table's, and the table's own document."""
    part = an_incident(id=ORDERS_ID, part_of=STACK_ID, state=IncidentState.OPEN)
    member = a_member("table-deleted", "orders", 1, id=ORDERS_ID, recovery_points=(a_point(),))
    return a_lead("stack-deleted", "shop", member, id=STACK_ID, **owing()), part


def test_acknowledging_from_the_command_line(desk: Desk, shelf: Shelf) -> None:
    """Named by its table: who and when is in the incident, Slack's thread and first message say so, nobody is asked."""
    shelf.put(an_incident(**owing()))
    done = desk.shell.run("incidents", "ack", "orders")
    assert done.code == 0, done.err
    assert "acknowledged: Table deleted: orders" in done.out
    assert f"to recover: safetynet recover {an_incident().id}" in done.out
    shown = desk.json("incidents", "show", "orders")
    assert shown["state"] == "acknowledged"
    assert shown["timeline"][-1]["who"].startswith("arn:aws:")
    (message,) = desk.slack.visible(CHANNEL)
    (reply,) = desk.slack.replies(CHANNEL, message.ts)
    assert message.text.startswith("👀 Acknowledged: orders")
    assert "is looking at it" in reply.text
    again = desk.shell.run("incidents", "ack", "orders")
    assert (again.code, len(desk.slack.replies(CHANNEL, message.ts))) == (0, 1)


def test_a_change_that_is_told_with_another_is_decided_there(desk: Desk, shelf: Shelf) -> None:
    """Its table's name leads to it; the list shows the one that tells; both show the same state."""
    shelf.put(*a_stack_with_its_table())
    done = desk.shell.run("incidents", "list")
    assert "Stack shop deleted, with table orders" in done.out
    assert ORDERS_ID not in done.out
    everything = desk.shell.run("incidents", "list", "--all")
    assert f"part of {STACK_ID}" in everything.out
    acked = desk.json("incidents", "ack", "orders")
    assert (acked["id"], acked["state"]) == (STACK_ID, "acknowledged")
    assert desk.json("incidents", "show", ORDERS_ID)["state"] == "acknowledged"
    part = desk.shell.run("incidents", "show", ORDERS_ID).out
    assert STACK_ID in part
    assert "acknowledged" in part
    lead = desk.shell.run("incidents", "show", STACK_ID).out
    assert "Table deleted: orders" in lead


def test_slack_out_of_reach_stops_no_decision(desk: Desk, shelf: Shelf) -> None:
    """It is stored, and said that the watcher will tell; exit code 0."""
    shelf.put(an_incident(**owing()))
    done = desk.shell.run("incidents", "ack", "orders", SAFETYNET_SLACK__TOKEN="xoxb-wrong")
    assert done.code == 0
    assert "slack was not told yet" in done.err
    assert "the watcher will" in done.err
    assert shelf.store.get(an_incident().id).state is IncidentState.ACKNOWLEDGED


def test_dismissing_says_why(desk: Desk, shelf: Shelf) -> None:
    """The reason is in the incident and on Slack; a second dismissal is told of the first."""
    shelf.put(an_incident(**owing()))
    over = desk.json("incidents", "dismiss", an_incident().id, "--reason", "planned in OPS-7")
    assert (over["state"], over["dismissed_because"]) == ("dismissed", "planned in OPS-7")
    (message,) = desk.slack.visible(CHANNEL)
    (reply,) = desk.slack.replies(CHANNEL, message.ts)
    assert message.text.startswith("⚪ Dismissed: orders")
    assert "planned in OPS-7" in reply.text
    again = desk.shell.run("incidents", "dismiss", an_incident().id, "--reason", "something else")
    assert again.code == 2
    assert "planned in OPS-7" in again.err
    by_name = desk.shell.run("incidents", "dismiss", "orders", "--reason", "x")
    assert by_name.code == 10
    assert "no incident about orders is open" in by_name.err


def a_deletion(table: str) -> Incident:
    """A deletion of that table, with the event and the facts that it was judged by."""
    event = parse_event_json(delete_table(table))
    note = an_event(
        id=event.id, time=event.time, event=kept_event(event), facts=dict(unlooked_facts(event).document)
    )
    return an_incident(
        id=incident_id(event),
        subject=Subject(type="table", name=table),
        actor=Person(
            label=event.actor.label, kind=event.actor.kind, arn=event.actor.arn, name=event.actor.name
        ),
        events=(note,),
        **owing(),
    )


def test_what_was_meant_becomes_a_rule_and_an_intent(desk: Desk, shelf: Shelf, tmp_path: Path) -> None:
    """A file to edit, which the checks take; and an intent by the same person about the same table."""
    shelf.put(a_deletion("preview-pr-42"))
    over = desk.json(
        "incidents", "dismiss", "preview-pr-42", "--reason", "preview cleanup",
        "--draft-rule", "previews.yaml", "--declare-intent", "--for", "30m",
    )  # fmt: skip
    assert over["state"] == "dismissed"
    assert over["drafted_rule"] == "previews.yaml"
    assert desk.shell.run("rules", "test", "previews.yaml").code == 0
    assert "preview cleanup" in (tmp_path / "previews.yaml").read_text("utf-8")
    (intent,) = desk.json("intent", "list")
    assert intent["id"] == over["declared_intent"]["id"]
    assert (intent["table"], intent["by"]) == ("preview-pr-42", "arn:aws:iam::123456789012:user/developer")


def test_what_must_not_be_silenced_is_refused_before_anything_is_written(
    desk: Desk, shelf: Shelf, tmp_path: Path
) -> None:
    """A rule for production, an intent for tampering, a file that is there, a time that is none: it stays open."""
    production = a_deletion("shop-prod-orders")
    incident = production.id
    facts = {"weight": Weight.TAMPERING.value, "change": "backup-deleted"}
    backup = an_incident(
        id="20261123T031207Z-carts-0000000c", title="Backup deleted",
        subject=Subject(type="backup", name="carts"), events=(an_event(name="DeleteBackup", facts=facts),),
    )  # fmt: skip
    shelf.put(production, backup)
    (tmp_path / "there.yaml").write_text("mine", encoding="utf-8")
    for which, options, code, said in (
        (incident, ["--draft-rule", "new.yaml"], 2, "looks like production"),
        (incident, ["--draft-rule", "there.yaml"], 2, "nothing is overwritten"),
        (incident, ["--declare-intent", "--for", "soon"], 2, "not a duration"),
        (backup.id, ["--declare-intent"], 2, "no intent silences that"),
        (backup.id, ["--reason", " "], 2, "needs a reason"),
    ):
        done = desk.shell.run("incidents", "dismiss", which, "--reason", "meant", *options)
        assert (done.code, said in done.err) == (code, True), done.err
        assert shelf.store.get(which).state is IncidentState.OPEN
    actor = an_incident().actor.model_copy(update={"arn": "arn:aws:iam::123456789012:user/developer"})
    over = an_incident(
        id="20261123T031207Z-users-0000000d",
        state=IncidentState.RECOVERED,
        actor=actor,
        events=(an_event(id="1"),),
    )
    shelf.put(over)
    done = desk.shell.run("incidents", "dismiss", over.id, "--reason", "meant", "--declare-intent")
    assert (done.code, "is recovered already" in done.err) == (2, True)
    assert desk.json("intent", "list") == []
    assert not (tmp_path / "new.yaml").exists()
    assert desk.shell.run("incidents", "dismiss", "carts", "--reason", "old backups").code == 0


def test_the_timeline_tells_all_in_order(desk: Desk, shelf: Shelf) -> None:
    """Moments of the lead and its members, and the messages: sent or why not, and why to whom."""
    lead, part = a_stack_with_its_table()
    told = an_entry(
        notifier="pager",
        key="pager:opened",
        state=AlertState.PENDING,
        last_error="HTTP 503",
        reason="severity",
    )
    lead = lead.with_entry(told).with_moment(lead.opened_at, "developer", "Stack deleted")
    part = part.with_moment(part.events[0].time, "cloudformation", "Table deleted")
    shelf.put(lead, part)
    desk.json("incidents", "ack", "shop")
    lines = desk.json("incidents", "timeline", "orders")
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    said = [(line["about"], line["what"]) for line in lines]
    assert ("shop", "Stack deleted") in said
    assert ("orders", "Table deleted") in said
    assert ("shop", "acknowledged") in said
    assert ("shop", "message opened to slack sent: the default") in said
    assert ("shop", "message opened to pager not sent yet: HTTP 503: severity") in said
    pending = [line["message"] for line in lines if line.get("pending")]
    assert pending[0] == "pager:opened"
    assert [key.rpartition(":")[0] for key in pending[1:]] == ["pager:acknowledged"]
    text = desk.shell.run("incidents", "timeline", "shop").out
    assert "orders: Table deleted" in text


@pytest.mark.parametrize("columns", ["80", "120"])
def test_it_fits_the_terminal(desk: Desk, shelf: Shelf, columns: str) -> None:
    """Nothing but ids and commands is wider than the terminal, and those are whole; hostile names stay on their line."""
    members = [
        a_member(
            "table-deleted",
            f"orders-{number}" + "x" * 200,
            number % 60,
            id=f"m{number}",
            who="a\nb [red]c[/red]",
        )
        for number in range(1, 70)
    ]
    shelf.put(
        a_lead("stack-deleted", "shop", *members, id=STACK_ID), an_incident(title="T [bold]", **owing())
    )
    for arguments in (
        ["list"],
        ["list", "--all"],
        ["show", STACK_ID],
        ["timeline", "orders"],
        ["ack", "orders"],
    ):
        done = desk.shell.run("incidents", *arguments, COLUMNS=columns)
        assert done.code == 0, done.err
        wide = [line for line in done.out.splitlines() if len(line) > int(columns)]
        assert [line for line in wide if "2026" not in line] == []
        if arguments[0] == "show":
            assert "and 19 more: see them all with --json" in done.out
            assert "a b [red]c[/red]" in done.out


def test_json_is_the_document(desk: Desk, shelf: Shelf) -> None:
    """What is listed and shown as JSON can be read as an incident again."""
    shelf.put(*a_stack_with_its_table())
    for arguments in (["list", "--all"], ["show", ORDERS_ID], ["ack", "shop"]):
        done = json.loads(desk.shell.run("incidents", *arguments, "--json").out)
        for document in done if isinstance(done, list) else [done]:
            Incident.model_validate(document)
