"""Intents: planned changes, declared beforehand by a person or a job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rules.utc_time import UtcTime

if TYPE_CHECKING:
    from datetime import datetime

    from rules.events import ChangeEvent

LONGEST_PATTERN = 512
DELETE_TABLE, DELETE_STACK = "DeleteTable", "DeleteStack"
BY_CLOUDFORMATION = frozenset({"cloudformation.amazonaws.com", "cloudformation.amazonaws.com.cn"})
# What CloudFormation does, and is told to have done, when it carries out a DeleteStack.
_OF_A_STACKS_DELETION = frozenset({DELETE_TABLE, "ResourceStatusChange", "StackStatusChange"})
_NAMED_BY_THEIR_TABLE = frozenset({"table", "backup"})

Pattern = Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)]
AnyOr = Annotated[str, Field(max_length=LONGEST_PATTERN)]


class IntentState(StrEnum):
    """planned -> active -> over; or revoked, whenever."""

    PLANNED = "planned"
    ACTIVE = "active"
    OVER = "over"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Change:
    """What an intent is held against: one change, made of an event or of what an incident keeps of it.

    ``names`` are the actor's ARN, name, role and session name. ``origin_stack`` is the name of the stack that the
    table belonged to, "" where it was none's or nobody knows. ``by_cloudformation`` is what AWS itself says, not
    the user agent. ``stack_intents`` are the intents that covered the deletion of the stack, where this is a call
    that CloudFormation made to carry it out.
    """

    event_name: str
    time: datetime
    account: str
    region: str
    resource_type: str
    resource_name: str
    origin_stack: str = ""
    names: tuple[str, ...] = ()
    session: str = ""
    source_identity: str = ""
    app: str = ""
    request_token: str = ""
    by_cloudformation: bool = False
    stack_intents: tuple[str, ...] = ()


def change_of(event: ChangeEvent, origin_stack: str = "") -> Change:
    """The change in an event. ``origin_stack``: the name of the stack that the table belonged to, if known."""
    actor = event.actor
    return Change(
        event_name=event.event_name,
        time=event.time,
        account=event.account,
        region=event.region,
        resource_type=event.resource.type,
        resource_name=event.resource.name,
        origin_stack=origin_stack,
        names=(actor.arn, actor.name, actor.role, actor.session),
        session=actor.session,
        source_identity=actor.source_identity,
        app=event.app,
        request_token=event.request_token,
        by_cloudformation=actor.invoked_by in BY_CLOUDFORMATION,
    )


class Intent(BaseModel):
    """Who plans to change what, until when, and why. Stored in the vault, never rewritten but to revoke it.

    All patterns are shell patterns (``preview-*``). ``table`` is held against the name of a table, ``stack``
    against that of a stack and of the stack that a table belonged to; with both, both must fit. ``by`` is held
    against the actor's ARN, name, role and session name. What is empty means any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")]
    table: AnyOr = ""
    stack: AnyOr = ""
    by: Pattern
    session: AnyOr = ""
    source_identity: AnyOr = ""
    app: AnyOr = ""
    request_token: AnyOr = ""
    operations: tuple[str, ...] = (DELETE_TABLE,)
    max_changes: Annotated[int, Field(ge=1)] | None = None
    account: str = ""
    region: str = ""
    starts: UtcTime
    until: UtcTime
    reason: Annotated[str, Field(min_length=1)]
    ticket: str = ""
    declared_by: str
    declared_at: UtcTime
    revoked_at: UtcTime | None = None
    revoked_by: str = ""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.table and not self.stack:
            raise ValueError("a table or a stack must be named")
        return self

    def covers(self, change: Change | ChangeEvent, already: int = 0) -> bool:
        """Whether this intent explains the change: what, by whom, where and when, and within its number.

        ``already`` is how many changes that count (``counts``) it has covered before. What CloudFormation does to
        carry out a stack's deletion that this intent covered is covered too, however many tables there are.
        """
        one = change if isinstance(change, Change) else change_of(change)
        carried_out = self.id in one.stack_intents
        return self.in_force(one.time) and self.fits(one) and (carried_out or not self.used_up(already))

    def fits(self, change: Change) -> bool:
        """Whether operation, resource, place and actor are those that were declared, at whatever time."""
        return (
            (self.counts(change) or self._carries_out_a_deletion(change))
            and self.account in ("", change.account)
            and self.region in ("", change.region)
            and self._is_about(change)
            and (self.id in change.stack_intents or self._is_by(change))
        )

    def in_force(self, time: datetime) -> bool:
        """Whether it can explain a change made at that time: never one from before it was declared."""
        return (
            self.starts <= time <= self.until
            and self.declared_at <= time
            and (self.revoked_at is None or time < self.revoked_at)
        )

    def used_up(self, already: int) -> bool:
        """Whether as many changes as it allows are covered."""
        return self.max_changes is not None and already >= self.max_changes

    def counts(self, change: Change) -> bool:
        """Whether a change that it covers is one of ``max_changes``. The tables of a stack are not: it is one."""
        return change.event_name in self.operations

    def state(self, now: datetime) -> IntentState:
        """How far it is."""
        if self.revoked_at is not None:
            return IntentState.REVOKED
        if now < self.starts:
            return IntentState.PLANNED
        return IntentState.ACTIVE if now <= self.until else IntentState.OVER

    def active(self, now: datetime) -> bool:
        """Whether it can still cover a change made at ``now``."""
        return self.state(now) is IntentState.ACTIVE

    def _carries_out_a_deletion(self, change: Change) -> bool:
        """A table is deleted by its stack when the stack is, so who declares the one means the other."""
        return (
            change.by_cloudformation
            and DELETE_STACK in self.operations
            and change.event_name in _OF_A_STACKS_DELETION
        )

    def _is_about(self, change: Change) -> bool:
        if change.resource_type == "stack":
            return _matches(self.stack, change.resource_name)
        if change.resource_type not in _NAMED_BY_THEIR_TABLE:
            return False
        return _fits(self.table, change.resource_name) and _fits(self.stack, change.origin_stack)

    def _is_by(self, change: Change) -> bool:
        return any(_matches(self.by, name) for name in change.names) and all(
            _fits(pattern, said)
            for pattern, said in (
                (self.session, change.session),
                (self.source_identity, change.source_identity),
                (self.app, change.app),
                (self.request_token, change.request_token),
            )
        )


def _fits(pattern: str, value: str) -> bool:
    return not pattern or _matches(pattern, value)


def _matches(pattern: str, value: str) -> bool:
    """Whether a value is there and fits. A star does not fit what nobody knows.

    fnmatch makes regular expressions whose stars never backtrack (atomic groups), so that the time is bounded by
    the product of the two lengths, whatever the pattern.
    """
    return bool(value) and fnmatchcase(value, pattern)
