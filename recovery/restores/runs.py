"""Run records: how far an apply has come, so that the same command continues it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.backups.digest import Content
from recovery.backups.manifest import UtcTime
from recovery.clock import compact
from recovery.restores.plans import RecoveryPlan
from recovery.vault.vault import body_of, document

if TYPE_CHECKING:
    from recovery.clock import Clock
    from recovery.restores.plans import TableTarget
    from recovery.vault.vault import Vault

RUNS = "runs/"


class RunRecord(BaseModel):
    """``runs/<run id>.json``: a plan and the steps of it that are done.

    ``expected`` is what the backup holds, as found when it was checked. ``operation`` is the ARN or id of the long
    operation of AWS that was begun for it (import, bulk load, restore), "" where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    plan: RecoveryPlan
    started_by: str
    started_at: UtcTime
    expected: Content | None = None
    operation: str = ""
    loaded_files: tuple[str, ...] = ()
    loaded: bool = False
    verified: bool = False
    settled: bool = False
    ended_at: UtcTime | None = None

    @property
    def mark(self) -> str:
        """What the table says of itself while it is recovered: a tag's value has 256 characters, an id may have more."""
        return self.run_id.rpartition(".")[2]


class Run:
    """A run under way: every step it notes is in the vault before the next begins."""

    def __init__(self, vault: Vault, record: RunRecord, etag: str) -> None:
        self._vault = vault
        self._etag = etag
        self.record = record

    def note(self, **changes: object) -> None:
        """Store changed fields. Raises ConflictError where another runner wrote meanwhile."""
        record = self.record.model_copy(update=changes)
        self._etag = self._vault.replace(f"{RUNS}{record.run_id}.json", body_of(record), self._etag)
        self.record = record

    def forget(self) -> None:
        """Note that nothing is done yet: what was loaded is gone, or cannot be trusted."""
        self.note(operation="", loaded_files=(), loaded=False, verified=False, settled=False)


def unfinished_run(vault: Vault, plan: RecoveryPlan) -> Run | None:
    """The newest run into the plan's target, from its backup, which has not ended."""
    found = None
    for info in vault.list(_prefix(plan.target)):
        stored = vault.get(info.key)
        record = document(RunRecord, stored)
        theirs = record.plan
        if _what(theirs) == _what(plan) and record.ended_at is None:
            found = Run(vault, record, stored.etag)
    return found


def start_run(vault: Vault, clock: Clock, plan: RecoveryPlan, started_by: str) -> Run:
    """A new run record."""
    now = clock()
    run_id = f"{_prefix(plan.target).removeprefix(RUNS)}{compact(now)}-{secrets.token_hex(4)}"
    record = RunRecord(run_id=run_id, plan=plan, started_by=started_by, started_at=now)
    return Run(vault, record, vault.put_new(f"{RUNS}{run_id}.json", body_of(record)))


def running(vault: Vault, target: TableTarget) -> RunRecord | None:
    """The newest run into a target that has not ended, whatever it is from."""
    records = [document(RunRecord, vault.get(info.key)) for info in vault.list(_prefix(target))]
    # The keys of table `shop` begin as those of table `shop.eu` do.
    mine = (record for record in reversed(records) if record.plan.target == target)
    return next((record for record in mine if record.ended_at is None), None)


def told(record: RunRecord) -> str:
    """How far a run is, for whoever else wants to begin it."""
    plan = record.plan
    if record.settled:
        step = "settings are on"
    elif record.verified:
        step = "verified, settings are put on"
    elif record.loaded:
        step = "loaded, being verified"
    elif record.operation:
        step = f"DynamoDB is at it ({record.operation})"
    else:
        step = f"{len(record.loaded_files)} files loaded"
    since = f"since {record.started_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"recovery of {plan.target.name} by {record.started_by} {since}, {step}"


def lease_name(target: TableTarget) -> str:
    """The lease that whoever brings a table back, or writes into it, holds."""
    return f"recover-{target.account}-{target.region}-{target.name}"


def _what(plan: RecoveryPlan) -> tuple[object, ...]:
    """What makes two plans the same recovery. The engine is not part of it: the begun one goes on with its own."""
    return (plan.target, plan.source, plan.backup_id, plan.point.kind, plan.point.id)


def _prefix(target: TableTarget) -> str:
    return f"{RUNS}recover.{target.account}.{target.region}.{target.name}."
