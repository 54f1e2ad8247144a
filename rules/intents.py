"""Intents: planned changes, declared beforehand by a person or a job."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.records import UtcTime

if TYPE_CHECKING:
    from datetime import datetime

    from rules.actors import Actor
    from rules.events import ChangeEvent

Pattern = Annotated[str, Field(min_length=1, max_length=512)]


class Intent(BaseModel):
    """Who plans to change what, until when, and why. Stored in the vault, never rewritten but to revoke it.

    ``table`` and ``by`` are shell patterns (``preview-*``); ``by`` is held against the actor's ARN, name,
    role and session name. ``account`` and ``region`` empty mean any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")]
    table: Pattern
    by: Pattern
    operations: tuple[str, ...] = ("DeleteTable",)
    account: str = ""
    region: str = ""
    starts: UtcTime
    until: UtcTime
    reason: Annotated[str, Field(min_length=1)]
    declared_by: str
    declared_at: UtcTime
    revoked_at: UtcTime | None = None

    def covers(self, event: ChangeEvent) -> bool:
        """Whether this intent explains the event: right operation, table, actor, place and time.

        An intent that was declared after the fact explains nothing.
        """
        return (
            event.event_name in self.operations
            and self.starts <= event.time <= self.until
            and self.declared_at <= event.time
            and (self.revoked_at is None or event.time < self.revoked_at)
            and self.account in ("", event.account)
            and self.region in ("", event.region)
            and fnmatchcase(event.resource.name, self.table)
            and _is_by(self.by, event.actor)
        )

    def active(self, now: datetime) -> bool:
        """Whether it can still cover a change made at ``now``."""
        return self.revoked_at is None and self.starts <= now <= self.until


def _is_by(pattern: str, actor: Actor) -> bool:
    return any(
        fnmatchcase(name, pattern) for name in (actor.arn, actor.name, actor.role, actor.session) if name
    )
