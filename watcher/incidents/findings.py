"""Findings of the nightly backup as incidents: a table that shrank is a disaster nobody may have seen yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.verdicts import Severity, VerdictKind
from watcher.incidents.incident import (
    Incident,
    IncidentState,
    NoticeKind,
    Person,
    RecoveryPoint,
    Subject,
    slug,
)
from watcher.incidents.owing import owed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recovery.backups.manifest import Finding, Manifest
    from watcher.incidents.incident_store import IncidentStore

BACKUP = "nightly backup"
BESIDE = "-before"
LONGEST_NAME = 255  # CreateTable


def open_finding(
    incidents: IncidentStore, backup: Manifest, finding: Finding, notifiers: Sequence[str], now: datetime
) -> Incident:
    """Store the incident of a finding about a backup; the same finding again is the same incident."""
    table = backup.table
    incident = Incident(
        id=f"{backup.backup_id.partition('-')[0]}-{slug(table.name)}-{backup.backup_id[-8:]}",
        state=IncidentState.OPEN,
        title="Table lost many items",
        verdict=VerdictKind.SUSPICIOUS,
        severity=Severity.HIGH,
        reasons=(
            finding.message,
            "Retention of its backups is frozen, so that the older ones stay.",
        ),
        account=table.account,
        region=table.region,
        subject=Subject(type="table", name=table.name, arn=table.arn, item_count=finding.items_before),
        actor=Person(label="unknown", kind="unknown"),
        events=(),
        opened_at=backup.time,
        recovery_points=(
            RecoveryPoint(
                source="s3-backup",
                backup_id=finding.compared_with,
                time=finding.compared_at,
                item_count=finding.items_before,
                loss_seconds=(backup.time - finding.compared_at).total_seconds(),
            ),
        ),
        recover_command=_command(table.name, finding.compared_with),
    ).with_moment(now, BACKUP, finding.message)
    stored, _ = incidents.create(owed(incident, notifiers, NoticeKind.OPENED, now))
    return stored


def _command(table: str, backup_id: str) -> str:
    """The table is there, so what it held is brought back beside it; "" where that name would be too long."""
    beside = f"{table}{BESIDE}"
    return (
        f"safetynet recover {table} --backup {backup_id} --as {beside}" if len(beside) <= LONGEST_NAME else ""
    )
