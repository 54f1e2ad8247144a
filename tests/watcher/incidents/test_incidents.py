"""The identity of incidents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rules.events import parse_event_json
from tests.watcher.watching import NOON, delete_table
from watcher.incidents.incident import incident_id, unreadable_incident_id


def identity(body: bytes) -> str:
    """The incident id of an envelope."""
    return incident_id(parse_event_json(body))


def test_the_id_sorts_by_time_and_names_the_table() -> None:
    """A person can read the id, and a listing is in order of time."""
    assert identity(delete_table("shop.orders")).startswith("20261123T115958Z-shop.orders-")


def test_one_life_of_a_table_is_one_incident() -> None:
    """Two records of the same deletion (same TableId) have the same id, whatever their event ids."""
    assert identity(delete_table()) == identity(delete_table())


def test_another_life_of_the_table_is_another_incident() -> None:
    """A table that was made again and deleted again has a new TableId, and so a new incident."""
    again = {"tableDescription": {"tableName": "orders", "tableId": "another"}}
    assert identity(delete_table()) != identity(delete_table(responseElements=again))


def test_without_a_table_id_the_event_itself_decides() -> None:
    """Old records have no TableId: the same event is one incident, two events are two."""
    bare: dict[str, Any] = {"responseElements": None}
    assert identity(delete_table(eventID="e-1", **bare)) == identity(delete_table(eventID="e-1", **bare))
    assert identity(delete_table(eventID="e-1", **bare)) != identity(delete_table(eventID="e-2", **bare))


def test_place_and_name_tell_incidents_apart() -> None:
    """Another table, region or account is another incident."""
    ids = {
        identity(delete_table()),
        identity(delete_table("carts")),
        identity(delete_table(awsRegion="us-east-1")),
        identity(delete_table(recipientAccountId="111122223333")),
    }
    assert len(ids) == 4


def test_attempts_of_one_actor_in_one_hour_are_one_incident() -> None:
    """A tool that tries a refused call again and again does not flood the channel."""
    denied: dict[str, Any] = {"errorCode": "AccessDenied", "responseElements": None}
    first = identity(delete_table(eventTime="2026-11-23T11:02:00Z", **denied))
    assert first == identity(delete_table(eventTime="2026-11-23T11:58:00Z", **denied))
    assert first != identity(delete_table(eventTime="2026-11-23T12:01:00Z", **denied))


def test_the_same_unreadable_text_on_one_day_is_one_incident() -> None:
    """A poison message that comes back does not become a second incident."""
    assert unreadable_incident_id(b"x", NOON) == unreadable_incident_id(b"x", NOON + timedelta(hours=2))
    assert unreadable_incident_id(b"x", NOON) != unreadable_incident_id(b"y", NOON)


def test_odd_names_make_safe_ids() -> None:
    """What comes from an event cannot climb out of the incidents' folder."""
    assert "/" not in identity(delete_table("../../leases/x"))
