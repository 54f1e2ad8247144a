"""Intents: planned changes, declared beforehand by a person or a job."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from rules.actors import ActorKind
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
# AWS's own roles are made under this path and nobody else's; a name that looks like one of them proves nothing.
_SSO_ROLE, _AWS_ROLES = "AWSReservedSSO_", ":role/aws-reserved/"
LEAST_REASON = 3
# In the context of a validation: the intent is being declared, and not one that was stored by an earlier version.
NEW = "new"
# A character class, or what stands for any text.
_WILDCARD = re.compile(r"\[!?\]?[^\]]*\]|[*?]")
_ESCAPED = re.compile(r"\[([*?[])\]")
_WORD = re.compile(r"\w+")
_WORDS_OF_ARNS = frozenset(
    {"arn", "aws", "iam", "sts", "role", "user", "assumed", "federated", "cn", "us", "gov"}
)

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

    ``names`` are what the actor can be named by (``names_of``). ``origin_stack`` is the name of the stack that the
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
        names=names_of(actor, at=event.account, account=actor.account),
        session=actor.session,
        source_identity=actor.source_identity,
        app=event.app,
        request_token=event.request_token,
        by_cloudformation=actor.invoked_by in BY_CLOUDFORMATION,
    )


class Named(Protocol):
    """What a principal can be named by, in an event or in what an incident keeps of it; "" where nobody knows."""

    @property
    def kind(self) -> str:
        """An ``ActorKind``."""

    @property
    def arn(self) -> str:
        """Its own, with the session where it has one."""

    @property
    def issuer(self) -> str:
        """The ARN of the role or user that its session is of."""

    @property
    def role(self) -> str:
        """The role's name."""

    @property
    def name(self) -> str:
        """The user's, or with single sign-on the person's."""


def names_of(who: Named, *, at: str, account: str = "") -> tuple[str, ...]:
    """What ``by`` is held against: what AWS set, and never what the caller chose himself.

    The ARNs of the principal and of the role (or user) that its session is of, the name of the role or the IAM
    user, and with single sign-on the person. A role session name and a federated user's name are free text, so
    they stand in the ARN alone. A bare name says nothing about the account: it counts only where the principal's
    own ``account`` is the one ``at`` which the change was made, or nobody knows it.
    """
    arns = tuple(one for one in (who.arn, who.issuer) if ":" in one)
    own = account or next((_account_of(one) for one in arns), "")
    if own not in {"", at}:
        return arns
    made_by_aws = not who.issuer or _AWS_ROLES in who.issuer
    by_name = who.kind == ActorKind.IAM_USER or (who.kind == ActorKind.SSO and made_by_aws)
    bare = (who.role, who.name if by_name else "")
    return (*arns, *dict.fromkeys(one for one in bare if one and ":" not in one))


def fits_anything(pattern: str) -> bool:
    """Whether a pattern of tables or stacks is nothing but wildcards. What is empty is no pattern."""
    return bool(pattern) and not _said(pattern)


def fits_anybody(pattern: str) -> bool:
    """Whether a pattern of principals says nothing of who: wildcards, and what stands in the ARN of everybody."""
    words = set(_WORD.findall(_said(pattern)))
    if {":", "/"}.intersection(pattern):
        words -= _WORDS_OF_ARNS
    return bool(pattern) and not words


def principal_of(arn: str) -> str:
    """Whose ARN it is, whatever the session: the role of a plain session; with single sign-on the person."""
    place, assumed, rest = arn.partition(":assumed-role/")
    if not assumed or rest.startswith(_SSO_ROLE):
        return arn
    return f"{place}{assumed}{rest.partition('/')[0]}"


class Intent(BaseModel):
    """Who plans to change what, until when, and why. Stored in the vault, never rewritten but to revoke it.

    All patterns are shell patterns (``preview-*``). ``table`` is held against the name of a table, ``stack``
    against that of a stack and of the stack that a table belonged to; with both, both must fit. ``by`` is held
    against the actor's ARNs where it has a colon, as every ARN has, and otherwise against his bare names
    (``names_of``). What is empty means any.
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

    @model_validator(mode="after")
    def _says_why(self, info: ValidationInfo) -> Self:
        """Asked of new ones only: what was declared by earlier versions stays on record as it is."""
        visible = sum(one.isprintable() and not one.isspace() for one in self.reason)
        if info.context == NEW and visible < LEAST_REASON:
            raise ValueError(f"the reason has fewer than {LEAST_REASON} visible characters")
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
        # Held against an ARN, a bare ``*/ci`` would fit what is in it of free text: anybody's session name.
        is_arn = ":" in self.by
        named = any((":" in name) is is_arn and _matches(self.by, name) for name in change.names)
        return named and all(
            _fits(pattern, said)
            for pattern, said in (
                (self.session, change.session),
                (self.source_identity, change.source_identity),
                (self.app, change.app),
                (self.request_token, change.request_token),
            )
        )


def _said(pattern: str) -> str:
    """What a pattern asks for by the letter; gaps are spaces. An escaped wildcard (``[*]``) is a letter."""
    kept = _ESCAPED.sub("_", pattern)
    return _WILDCARD.sub(" ", kept).strip()


def _account_of(arn: str) -> str:
    """``arn:partition:service:region:account:resource``."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 else ""  # noqa: PLR2004 - the six parts of an ARN


def _fits(pattern: str, value: str) -> bool:
    return not pattern or _matches(pattern, value)


def _matches(pattern: str, value: str) -> bool:
    """Whether a value is there and fits. A star does not fit what nobody knows.

    fnmatch makes regular expressions whose stars never backtrack (atomic groups), so that the time is bounded by
    the product of the two lengths, whatever the pattern.
    """
    return bool(value) and fnmatchcase(value, pattern)
