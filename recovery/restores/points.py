"""Recovery points: anything that a table can be brought back from, whoever keeps it.

A port with an adapter per file: the vault's backups (``points_vault``), DynamoDB's own point-in-time recovery
(``points_pitr``), its on-demand and system backups (``points_backups``), AWS Backup (``points_aws_backup``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict

from recovery.backups.manifest import UtcTime

if TYPE_CHECKING:
    from datetime import datetime


class PointKind(StrEnum):
    """Who keeps a recovery point. The words are those of ``--source``."""

    VAULT = "vault"
    PITR = "pitr"
    SYSTEM = "system"
    ON_DEMAND = "on-demand"
    AWS_BACKUP = "aws-backup"


class RecoveryPoint(BaseModel):
    """One recovery point.

    ``id``: the backup id of the vault; the ARN of a backup of DynamoDB or of a recovery point of AWS Backup; the
    ARN of the table for point-in-time recovery. ``time`` is the newest moment it can give, ``earliest`` the
    oldest one where it gives any moment in between (None: only ``time``). ``lacks`` says in plain words what it
    cannot bring back by itself. ``seconds`` and ``dollars`` are estimates of a recovery from it, None where
    nobody can tell. ``expires``: when it will be gone by itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: PointKind
    id: str
    time: UtcTime
    earliest: UtcTime | None = None
    item_count: int | None = None
    size_bytes: int | None = None
    lacks: tuple[str, ...] = ()
    seconds: float | None = None
    dollars: float | None = None
    expires: UtcTime | None = None

    def loss_seconds(self, deleted_at: datetime | None) -> float | None:
        """How much of the time before the deletion is lost with it, None where that time is unknown."""
        return None if deleted_at is None else max(0.0, (deleted_at - self.time).total_seconds())


@dataclass(frozen=True, slots=True)
class LostTable:
    """The table that is looked for. ``deleted_at`` None: nobody knows, or it is still there."""

    account: str
    region: str
    name: str
    deleted_at: datetime | None = None


class PointSource(Protocol):
    """Finds the recovery points of some kinds."""

    kinds: tuple[PointKind, ...]

    def find(self, lost: LostTable) -> list[RecoveryPoint]:
        """All points from before the deletion, newest first. Writes nothing.

        Raises SafetyNetError where they cannot be looked at: the caller notes why, it is never 'none'.
        """
        ...
