"""What happened shortly before a change comes from the incidents, and survives a restart."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recovery.backups.catalog import Catalog
from rules.errors import UnavailableError
from rules.events import parse_event_json
from rules.net import NetParts
from rules.rulefile import load_rules
from tests.watcher.watching import NOON, delete_stack, delete_table
from watcher.alerts.outbox import everybody
from watcher.facts.enrichment import VaultFacts
from watcher.facts.evidence import evidence
from watcher.facts.live_tables import NoLook
from watcher.incidents.incident import incident_id
from watcher.pipeline import Pipeline

if TYPE_CHECKING:
    import pytest

    from tests.watcher.watching import Parts
    from watcher.incidents.incident import Incident

OFF: dict[str, Any] = {
    "eventName": "UpdateTable",
    "requestParameters": {"tableName": "orders", "deletionProtectionEnabled": False},
    "responseElements": None,
}


def at(minutes: float) -> str:
    """An event time, some minutes after noon."""
    return f"{NOON + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def take(parts: Parts, body: bytes) -> Incident:
    """The message's own incident, told elsewhere or not; the watcher is a new one for each, as after a restart."""
    lead = parts.restart().pipeline.take(body)
    assert lead is not None
    event = parse_event_json(body)
    own = parts.incidents.find(incident_id(event)) or lead
    assert event.id in [note.id for note in own.events]
    return own


def recent(incident: Incident) -> dict[str, Any]:
    """The facts under ``facts.recent`` that the incident's last event was judged by."""
    found: dict[str, Any] = incident.events[-1].facts["recent"]
    return found


def test_a_burst_is_counted_over_incidents_and_restarts(parts: Parts) -> None:
    """The fifth table that one person deletes within minutes is told so; somebody else's count is his own."""
    names = [f"t{number}" for number in range(5)]
    incidents = [take(parts, delete_table(name, eventTime=at(number))) for number, name in enumerate(names)]
    assert [recent(one)["deletions"] for one in incidents] == [1, 2, 3, 4, 5]
    assert "deletion-burst" in incidents[-1].rules
    assert "deletion-burst" not in incidents[-2].rules
    other = {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/other", "userName": "other"}
    assert recent(take(parts, delete_table("t9", eventTime=at(5), userIdentity=other)))["deletions"] == 1
    assert recent(take(parts, delete_table("t8", eventTime=at(30))))["deletions"] == 1


def test_sessions_of_one_role_are_one_principal(parts: Parts) -> None:
    """A role that deletes under another session's name each time is told all the same."""
    arn = "arn:aws:sts::123456789012:assumed-role/evil"
    counts = [
        recent(
            take(
                parts,
                delete_table(
                    f"t{number}",
                    eventTime=at(number),
                    userIdentity={"type": "AssumedRole", "arn": f"{arn}/s{number}"},
                ),
            )
        )
        for number in range(3)
    ]
    assert [one["deletions"] for one in counts] == [1, 2, 3]


def test_the_worse_of_two_events_says_how_bad_an_incident_is(parts: Parts) -> None:
    """A second event of the same cause that is worse is not hidden behind the first one's title and severity."""
    update: dict[str, Any] = {"eventName": "UpdateTable", "eventTime": at(0)}
    stream = {"tableName": "orders", "streamSpecification": {"streamEnabled": False}}
    replica = {"tableName": "orders", "replicaUpdates": [{"delete": {"regionName": "eu-central-1"}}]}
    first = take(parts, delete_table("orders", **update, requestParameters=stream))
    second = take(parts, delete_table("orders", **update, requestParameters=replica))
    assert (second.id, first.severity.value, second.severity.value) == (first.id, "medium", "critical")
    assert second.title == "Replica removed"
    assert set(first.reasons) <= set(second.reasons)


def test_an_event_that_is_nested_absurdly_deep_is_stored_without_its_document(parts: Parts) -> None:
    """The incident and its alert are there; only the event itself is not kept."""
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"a": deep}
    incident = take(
        parts, delete_table("orders", eventTime=at(0), requestParameters={"tableName": "orders", "x": deep})
    )
    assert incident.alerted
    assert incident.events[0].event == {}


def test_the_same_event_again_is_no_burst(parts: Parts) -> None:
    """A message that comes five times is one deletion."""
    body = delete_table("orders", eventTime=at(0))
    assert {recent(take(parts, body))["deletions"] for _ in range(5)} == {1}


def test_a_protection_that_was_taken_off_before(parts: Parts) -> None:
    """It is told of the table it was taken off, for a day."""
    take(parts, delete_table("orders", eventTime=at(0), **OFF))
    gone = take(parts, delete_table("orders", eventTime=at(5)))
    assert recent(gone)["weakened"] == ["protection-off"]
    assert "weakened-before" in gone.rules
    assert recent(take(parts, delete_table("basket", eventTime=at(6))))["weakened"] == []


def test_the_stack_that_went_before(parts: Parts) -> None:
    """A table that goes with its stack is no replacement; one whose stack lives is."""
    by_stack: dict[str, Any] = {
        "type": "IAMUser",
        "arn": "arn:aws:iam::123456789012:user/developer",
        "invokedBy": "cloudformation.amazonaws.com",
    }
    nobody_knows = take(parts, delete_table("orders", eventTime=at(0), userIdentity=by_stack))
    assert "stackDeleted" not in recent(nobody_knows)
    assert "cloudformation-replacement" not in nobody_knows.rules
    take(parts, delete_stack("shop", eventTime=at(1)))
    status = {
        "version": "0", "id": "s-1", "detail-type": "CloudFormation Resource Status Change",
        "source": "aws.cloudformation", "account": "123456789012", "time": at(2), "region": "eu-west-1", "resources": [],
        "detail": {
            "stack-id": "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/0a1b", "logical-resource-id": "Orders",
            "physical-resource-id": "shop-orders", "resource-type": "AWS::DynamoDB::Table",
            "status-details": {"status": "DELETE_COMPLETE", "status-reason": ""}, "client-request-token": "",
        },
    }  # fmt: skip
    with_it = take(parts, json_of(status))
    assert recent(with_it)["stackDeleted"] is True
    assert with_it.events[0].facts["origin"]["stack"] == "shop"


def json_of(document: dict[str, Any]) -> bytes:
    """A message."""
    return json.dumps(document).encode()


def test_a_vault_that_cannot_be_listed_makes_them_unknown(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nobody knows, the reason is kept, and the alert comes all the same."""

    def fail(*_: object, **__: object) -> None:
        raise UnavailableError("the vault is slow today")

    monkeypatch.setattr(parts.incidents, "changed", fail)
    incident = parts.pipeline.take(delete_table("orders", eventTime=at(0)))
    assert incident is not None
    assert incident.alerted
    note = incident.events[0]
    assert note.facts["recent"] == {}
    assert note.unknown["recent.deletions"] == "the vault is slow today"


def test_an_incident_keeps_what_it_was_judged_by(parts: Parts) -> None:
    """The event and its facts come back whole from a stored incident, for explanations and for new rules."""
    body = delete_table("orders", eventTime=at(0))
    incident = take(parts, body)
    event, facts = evidence(parts.incidents.get(incident.id))
    assert event.envelope == parse_event_json(body).envelope
    assert facts.document["recent"]["deletions"] == 1
    assert "table.tags" in facts.unknown
    assert facts.unknown["table.recreated"] == NoLook().recreated(event).reason  # type: ignore[union-attr]


def test_tampering_is_told_from_other_peoples_buckets(parts: Parts) -> None:
    """An object of the vault that is deleted alerts at the highest severity, whatever was declared; others do not."""
    net = NetParts(vault_bucket="example-vault", vault_prefix="net")
    pipeline = Pipeline(
        parts.incidents,
        VaultFacts(Catalog(parts.vault), parts.intents, parts.incidents),
        load_rules([]).rule_set,
        parts.clock,
        everybody(parts.outbox.names),
        parts.causes,
        net=net,
    )
    call: dict[str, Any] = {
        "eventSource": "s3.amazonaws.com",
        "eventName": "DeleteObject",
        "responseElements": None,
    }
    key = "net/backups/123456789012/eu-west-1/orders/1/manifest.json"
    ours = delete_table(
        eventTime=at(0), **call, requestParameters={"bucketName": "example-vault", "key": key}
    )
    theirs = delete_table(eventTime=at(0), **call, requestParameters={"bucketName": "other", "key": key})
    incident = pipeline.take(ours)
    assert incident is not None
    assert (incident.severity.value, incident.rules) == ("critical", ("tampering",))
    assert pipeline.take(theirs) is None
