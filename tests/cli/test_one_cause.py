"""Several losses of one cause from the command line: one incident, one message, one command that brings them back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recovery.testing.embedded_aws import ACCOUNT
from tests.watcher.watching import by, delete_table

if TYPE_CHECKING:
    from tests.cli.conftest import Desk

CHANNEL = "C0ALERTS"


def lost(desk: Desk, *names: str) -> None:
    """Delete the tables, by one session, and have the queue told of it."""
    client: Any = desk.aws.dynamodb()
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for name in names:
        client.delete_table(TableName=name)
        who = by(f"somebody-of-{desk.table}")
        event = delete_table(
            name, eventTime=now, awsRegion=desk.aws.region, recipientAccountId=ACCOUNT, **who
        )
        desk.send(event.decode())


def made(desk: Desk, name: str) -> str:
    """Another table."""
    client: Any = desk.aws.dynamodb()
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName=name, Item={"id": {"S": "one"}})
    return name


def test_a_burst_is_one_incident_and_one_recovery(desk: Desk) -> None:
    """Three tables that one session deleted: one visible alert; its command brings back what can be, and tells the rest.

    The incident stays open while one of them is lost, and is acknowledged, told and dismissed by the same id.
    """
    other, never = made(desk, f"{desk.table}-two"), made(desk, f"{desk.table}-three")
    desk.backed_up(desk.table, other)
    before = desk.items(desk.table)
    lost(desk, desk.table, other, never)
    watched = desk.shell.run("watch", "--once")
    assert watched.code == 0, watched.err
    (incident,) = desk.json("incidents", "list")
    assert len(incident["members"]) == 2
    (message,) = desk.slack.visible(CHANNEL)
    assert "3 tables deleted" in message.text
    assert desk.shell.run("incidents", "ack", desk.table).code == 0
    plan = desk.json("recover", incident["id"], "--dry-run")
    assert sorted(table["target"]["name"] for table in plan["tables"]) == [desk.table, other]
    assert list(plan["without"]) == [never]
    done = desk.shell.run("recover", incident["id"], "--yes")
    assert done.code == 3, done.err
    assert f"{never}: " in done.err
    assert desk.items(desk.table) == before
    stored = desk.json("incidents", "show", incident["id"])
    assert stored["state"] == "open"
    assert sorted(stored["recovered"]) == sorted([f"table:{desk.table}", f"table:{other}"])
    told = desk.shell.run("incidents", "timeline", incident["id"])
    assert f"Still lost: table {never}" in " ".join(told.out.split())
    dismissed = desk.shell.run("incidents", "dismiss", incident["id"], "--reason", "it was empty")
    assert dismissed.code == 0, dismissed.err
    assert desk.json("incidents", "show", incident["id"])["state"] == "dismissed"


def test_one_of_them_by_its_own_name(desk: Desk) -> None:
    """A table is recovered by its name; the incident that tells of it knows, and its command brings back the other."""
    other = made(desk, f"{desk.table}-two")
    desk.backed_up(desk.table, other)
    lost(desk, desk.table, other)
    assert desk.shell.run("watch", "--once").code == 0
    (incident,) = desk.json("incidents", "list")
    assert desk.shell.run("recover", other, "--yes").code == 0
    assert desk.json("incidents", "show", incident["id"])["state"] == "open"
    plan = desk.json("recover", incident["id"], "--dry-run")
    assert plan["target"]["name"] == desk.table
    assert desk.shell.run("recover", incident["id"], "--yes").code == 0
    assert desk.json("incidents", "show", incident["id"])["state"] == "recovered"
    assert json.dumps(desk.slack.visible(CHANNEL)[0].blocks).count("Recovered") >= 1
