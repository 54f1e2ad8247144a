"""Incidents and messages for the tests of the notifiers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rules.actions import Weight
from rules.verdicts import Severity, VerdictKind
from watcher.alerts.notifier import Notice
from watcher.incidents.incident import (
    EventNote,
    Incident,
    IncidentState,
    NoticeKind,
    OutboxEntry,
    Person,
    RecoveryPoint,
    Subject,
)

NIGHT = datetime(2026, 11, 23, 3, 12, 7, tzinfo=UTC)
INCIDENT_ID = "20261123T031207Z-orders-1a2b3c4d"
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


def an_event(**changes: Any) -> EventNote:
    """A DeleteTable."""
    fields: dict[str, Any] = {
        "id": "7c3c6f9e",
        "name": "DeleteTable",
        "time": NIGHT,
        "received": NIGHT,
        "facts": {"weight": Weight.DESTRUCTIVE.value, "change": "table-deleted"},
        "event": {"detail": {"requestParameters": {"tableName": "raw-content"}}},
    }
    return EventNote(**{**fields, **changes})


def an_incident(**changes: Any) -> Incident:
    """The table orders was deleted at night."""
    fields: dict[str, Any] = {
        "id": INCIDENT_ID,
        "state": IncidentState.OPEN,
        "title": "Table deleted",
        "verdict": VerdictKind.ACCIDENTAL,
        "severity": Severity.CRITICAL,
        "reasons": ("A person deleted a table by hand (rule by-hand)",),
        "account": "123456789012",
        "region": "eu-west-1",
        "subject": Subject(type="table", name="orders", arn=ARN, item_count=1234, size_bytes=2_300_000),
        "actor": Person(label="developer", kind="iam-user", tool="aws-cli", source_ip="203.0.113.7"),
        "events": (an_event(),),
        "opened_at": NIGHT,
        "recovery_points": (
            RecoveryPoint(
                source="s3-backup",
                backup_id="20261123T020000Z-abc",
                time=NIGHT - timedelta(hours=1),
                item_count=1234,
                loss_seconds=3600,
            ),
        ),
        "recover_command": f"safetynet recover {INCIDENT_ID}",
    }
    return Incident(**{**fields, **changes})


def an_entry(kind: NoticeKind = NoticeKind.OPENED, **changes: Any) -> OutboxEntry:
    """A message that is owed to ``oncall``."""
    fields: dict[str, Any] = {
        "key": f"oncall:{kind.value}",
        "notifier": "oncall",
        "kind": kind,
        "created_at": NIGHT,
    }
    return OutboxEntry(**{**fields, **changes})


def a_notice(
    kind: NoticeKind = NoticeKind.OPENED, incident: Incident | None = None, text: str = "", **changes: Any
) -> Notice:
    """A message to send."""
    earlier = changes.pop("earlier_attempt", None)
    entry = an_entry(kind, text=text, **changes)
    return Notice(incident or an_incident(), entry, earlier, None if kind is NoticeKind.OPENED else {})
