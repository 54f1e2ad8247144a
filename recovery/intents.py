"""Where declared intents are kept: one document each in the vault, created once, changed only to revoke it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pydantic import ValidationError

from recovery.clock import compact
from recovery.errors import ConflictError, DamagedObjectError, ObjectNotFoundError
from recovery.vault.vault import body_of, document
from rules.actions import Weight
from rules.errors import NotFoundError, UnavailableError, UnsafeError, UsageError
from rules.intents import DELETE_STACK, DELETE_TABLE, NEW, Intent, fits_anybody, fits_anything
from rules.watched import WATCHED_ACTIONS

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.vault.vault import StoredObject, Vault

INTENTS = "intents/"
LONGEST = timedelta(days=7)
LATE_EVENTS = timedelta(days=7)
_DAMAGED = "It covers nothing. Declare anew what is still to come, and find out who wrote to the vault."
_SAY_WHY = "Say why with --reason; people will read it."
_ATTEMPTS = 20
_CLOSE = 0.6
_ONE_DAY = timedelta(days=1)
_ONE_HOUR = timedelta(hours=1)

# What can be declared, and what kinds of resources it is about.
OPERATIONS: dict[str, frozenset[str]] = {
    name: frozenset(action.resource_type for action in WATCHED_ACTIONS if action.event_name == name)
    for name in sorted(
        action.event_name
        for action in WATCHED_ACTIONS
        if action.resource_type in {"table", "backup", "stack"} and action.weight is not Weight.CONTEXT
    )
}
# Declared or not, these alert: no rule may silence them, and an intent speaks through a rule.
ALWAYS_ALERTING = frozenset(
    action.event_name for action in WATCHED_ACTIONS if action.weight is Weight.TAMPERING
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a person or job declares: a table or stack pattern, a principal pattern, for how long, and why.

    Without ``operations`` a table's deletion is meant, or, where only a stack is named, the stack's. Without
    ``starts`` it begins now.
    """

    table: str
    by: str
    lasts: timedelta
    reason: str
    operations: tuple[str, ...] = ()
    account: str = ""
    region: str = ""
    stack: str = ""
    starts: datetime | None = None
    max_changes: int | None = None
    ticket: str = ""
    session: str = ""
    source_identity: str = ""
    app: str = ""
    request_token: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Intents, oldest first, and what is wrong with those that cannot be read."""

    intents: tuple[Intent, ...]
    damaged: tuple[DamagedObjectError, ...] = ()


class IntentStore:
    """All intents of a vault. None lasts longer than ``longest``, from its declaration to its end."""

    def __init__(self, vault: Vault, clock: Clock, longest: timedelta = LONGEST) -> None:
        self._vault = vault
        self._clock = clock
        self.longest = longest

    def declare(self, declaration: Declaration, declared_by: str) -> Intent:
        """Store an intent.

        Raises UsageError for one that is too long, begins in the past, has no reason, names nothing, or is about
        operations that nobody watches; UnsafeError for one that would explain whatever is done, or whoever does it.
        """
        now = self._clock()
        starts = declaration.starts or now
        if starts < now:
            raise UsageError("an intent cannot begin in the past", hint="Leave --from out and it begins now.")
        if not timedelta() < declaration.lasts or starts + declaration.lasts - now > self.longest:
            raise UsageError(
                f"an intent ends within {_in_words(self.longest)} of its declaration",
                hint="The longest that is allowed is the setting intents.longest.",
            )
        if not declaration.reason.strip():
            raise UsageError("an intent needs a reason", hint=_SAY_WHY)
        _check_breadth(declaration)
        for _ in range(_ATTEMPTS):
            intent = _intent(declaration, declared_by, now)
            try:
                self._vault.put_new(_key(intent.id), body_of(intent))
            except ConflictError:
                continue  # the same second and the same random number
            return intent
        raise UnavailableError("no id for the intent is free")

    def all(self) -> Listing:
        """Every intent. Raises as the vault does."""
        return self._listing()

    def recent(self) -> Listing:
        """The intents that may still cover a change of the last days. Raises as ``all``.

        An intent's id begins with the time of its declaration, and none counts for longer than ``longest``,
        whoever wrote it there; the margin is for events that arrive late.
        """
        oldest = compact(self._clock() - self.longest - LATE_EVENTS)
        found = self._listing(after=f"{INTENTS}{oldest}")
        return replace(found, intents=tuple(map(self._bounded, found.intents)))

    def get(self, intent_id: str) -> Intent:
        """One intent. Raises NotFoundError, DamagedObjectError."""
        return self._stored(intent_id)[0]

    def revoke(self, intent_id: str, revoked_by: str) -> Intent:
        """End an intent now; what it covered before stays covered, and the first revocation counts.

        Raises NotFoundError, UnavailableError if others are always faster.
        """
        for _ in range(_ATTEMPTS):
            intent, etag = self._stored(intent_id)
            if intent.revoked_at is not None:
                return intent
            revoked = intent.model_copy(update={"revoked_at": self._clock(), "revoked_by": revoked_by})
            try:
                self._vault.replace(_key(intent_id), body_of(revoked), etag)
            except ConflictError:
                continue  # somebody else was faster: look at what it is now
            return revoked
        raise UnavailableError(f"intent {intent_id} changes faster than it can be revoked")

    def _listing(self, after: str = "") -> Listing:
        found: list[Intent] = []
        damaged: list[DamagedObjectError] = []
        for info in self._vault.list(INTENTS, after=after):
            try:
                found.append(_read(self._vault.get(info.key)))
            except ObjectNotFoundError:
                continue  # removed since it was listed
            except DamagedObjectError as error:
                damaged.append(error)
        return Listing(tuple(found), tuple(damaged))

    def _stored(self, intent_id: str) -> tuple[Intent, str]:
        try:
            stored = self._vault.get(_key(intent_id))
        except ObjectNotFoundError as error:
            raise NotFoundError(f"no intent {intent_id}", hint="See `safetynet intent list`.") from error
        return _read(stored), stored.etag

    def _bounded(self, intent: Intent) -> Intent:
        latest = intent.declared_at + self.longest
        return intent if intent.until <= latest else intent.model_copy(update={"until": latest})


def _key(intent_id: str) -> str:
    return f"{INTENTS}{intent_id}.json"


def _read(stored: StoredObject) -> Intent:
    """Raises DamagedObjectError, too, for a document that was copied: under two keys one intent would count twice."""
    try:
        intent = document(Intent, stored)
    except DamagedObjectError as error:
        error.hint = _DAMAGED
        raise
    if _key(intent.id) != stored.key:
        raise DamagedObjectError(stored.key, f"says that it is intent {intent.id}", hint=_DAMAGED)
    return intent


def _check_breadth(declaration: Declaration) -> None:
    """Raises UnsafeError for patterns that would silence the net as a whole."""
    if fits_anybody(declaration.by):
        raise UnsafeError(
            f"--by {declaration.by} is everybody: whoever does it, it would not alert",
            hint="Name who does it with --by: a role, a user or a person, or an ARN.",
        )
    both = bool(declaration.table and declaration.stack)
    for kind, pattern, other in (
        ("table", declaration.table, "stack"),
        ("stack", declaration.stack, "table"),
    ):
        if fits_anything(pattern):
            leave = f", or leave it out: --{other} is enough" if both else ""
            raise UnsafeError(
                f"--{kind} {pattern} is every {kind}: whichever it is, it would not alert",
                hint=f"Say at least how the name of the {kind} begins: --{kind} 'preview-*'{leave}.",
            )


def _intent(declaration: Declaration, declared_by: str, now: datetime) -> Intent:
    # CloudTrail's times are whole seconds: a change in this very second counts as after it.
    second = now.replace(microsecond=0)
    try:
        return Intent.model_validate(
            {
                "id": f"{compact(now)}-{secrets.token_hex(4)}",
                "table": declaration.table,
                "stack": declaration.stack,
                "by": declaration.by,
                "session": declaration.session,
                "source_identity": declaration.source_identity,
                "app": declaration.app,
                "request_token": declaration.request_token,
                "operations": _operations(declaration),
                "max_changes": declaration.max_changes,
                "account": declaration.account,
                "region": declaration.region,
                "starts": declaration.starts or second,
                "until": (declaration.starts or now) + declaration.lasts,
                "reason": declaration.reason,
                "ticket": declaration.ticket,
                "declared_by": declared_by,
                "declared_at": second,
            },
            context=NEW,
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = f"{place}: {first['msg']}" if place else first["msg"].removeprefix("Value error, ")
        hint = _SAY_WHY if "reason" in said else ""
        raise UsageError(f"cannot declare this intent: {said}", hint=hint) from error


def _operations(declaration: Declaration) -> tuple[str, ...]:
    """The declared operations, each once, or the usual one. Raises UsageError for what cannot be declared."""
    if not declaration.operations:
        return (DELETE_TABLE,) if declaration.table or not declaration.stack else (DELETE_STACK,)
    for name in declaration.operations:
        if name not in OPERATIONS:
            by_lower = {known.lower(): known for known in OPERATIONS}
            close = get_close_matches(name.lower(), by_lower, n=1, cutoff=_CLOSE)
            hint = f"Did you mean {by_lower[close[0]]}?" if close else f"Known are {', '.join(OPERATIONS)}."
            raise UsageError(f"not an operation that can be declared: {name!r}", hint=hint)
        if not declaration.stack and OPERATIONS[name] == {"stack"}:
            raise UsageError(f"{name} is about a stack, and none is named", hint="Name it with --stack.")
    return tuple(dict.fromkeys(declaration.operations))


def _in_words(span: timedelta) -> str:
    """``7 days``, ``12 hours``, ``1.5 hours``."""
    unit, name = (_ONE_HOUR, "hour") if span % _ONE_DAY else (_ONE_DAY, "day")
    return f"{span / unit:g} {name}{'' if span == unit else 's'}"
