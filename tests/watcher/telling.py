"""Incidents that tell of several changes, for the tests of what people see of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rules.actions import Weight
from rules.verdicts import Severity, VerdictKind
from tests.watcher.alerting import NIGHT, an_event, an_incident
from watcher.incidents.incident import Incident, Member, RecoveryPoint, Subject

# What happened -> (title, weight, type of what it happened to).
KINDS = {
    "table-deleted": ("Table deleted", Weight.DESTRUCTIVE, "table"),
    "stack-deleted": ("Stack deleted", Weight.DESTRUCTIVE, "stack"),
    "replica-removed": ("Replica removed", Weight.DESTRUCTIVE, "table"),
    "protection-off": ("Deletion protection switched off", Weight.WEAKENING, "table"),
    "pitr-off": ("Point-in-time recovery switched off", Weight.TAMPERING, "table"),
    "backup-deleted": ("Backup deleted", Weight.TAMPERING, "backup"),
    "trail-tampered": ("Trail stopped", Weight.TAMPERING, "trail"),
}


def a_point(hours: float = 1) -> RecoveryPoint:
    """A backup from so many hours before the night's incident."""
    return RecoveryPoint(
        source="s3-backup",
        backup_id="20261123T020000Z-abc",
        time=NIGHT - timedelta(hours=hours),
        item_count=10,
        loss_seconds=3600 * hours,
    )


def a_member(change: str = "table-deleted", name: str = "orders", second: int = 1, **changes: Any) -> Member:
    """A change that came so many seconds after the first; ``subject`` are further fields of what it is about."""
    title, weight, kind = KINDS[change]
    subject = Subject(**{"type": kind, "name": name, **changes.pop("subject", {})})
    fields: dict[str, Any] = {
        "id": f"20261123T0312{second:02d}Z-{name}-{second:08x}",
        "title": title,
        "time": NIGHT + timedelta(seconds=second),
        "who": "developer",
        "change": change,
        "weight": weight.value,
        "failed": False,
        "severity": Severity.HIGH,
        "verdict": VerdictKind.SUSPICIOUS,
        "subject": subject,
    }
    return Member(**{**fields, **changes})


def a_lead(change: str, name: str, *members: Member, **changes: Any) -> Incident:
    """An incident that began with that change and tells of the others."""
    title, weight, kind = KINDS[change]
    fields: dict[str, Any] = {
        "title": title,
        "subject": Subject(type=kind, name=name),
        "events": (an_event(facts={"weight": weight.value, "change": change}),),
        "recovery_points": (),
        "members": members,
    }
    return an_incident(**{**fields, **changes})
