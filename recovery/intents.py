"""Where declared intents are kept: one document each in the vault, created once, changed only to revoke it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from recovery.clock import compact
from recovery.errors import ObjectNotFoundError
from recovery.vault import body_of, document
from rules.errors import NotFoundError, UsageError
from rules.intents import Intent

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.vault import Vault

INTENTS = "intents/"
LONGEST = timedelta(days=7)
LATE_EVENTS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a person or job declares: a table pattern, a principal pattern, for how long, and why."""

    table: str
    by: str
    lasts: timedelta
    reason: str
    operations: tuple[str, ...] = ("DeleteTable",)
    account: str = ""
    region: str = ""


class IntentStore:
    """All intents of a vault."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def declare(self, declaration: Declaration, declared_by: str) -> Intent:
        """Store an intent that begins now. Raises UsageError for one that is too long or has no reason."""
        if not timedelta() < declaration.lasts <= LONGEST:
            raise UsageError(f"an intent lasts between a moment and {LONGEST.days} days")
        if not declaration.reason.strip():
            raise UsageError("an intent needs a reason", hint="Say why with --reason.")
        intent = _intent(declaration, declared_by, self._clock())
        self._vault.put_new(self._key(intent.id), body_of(intent))
        return intent

    def all(self) -> list[Intent]:
        """Every intent, oldest first. Raises DamagedObjectError naming one that cannot be read."""
        return [document(Intent, self._vault.get(info.key)) for info in self._vault.list(INTENTS)]

    def recent(self) -> list[Intent]:
        """The intents that may still cover a change of the last days. Raises as ``all``.

        An intent's id begins with the time of its declaration, and none lasts longer than ``LONGEST``; the
        margin is for events that arrive late.
        """
        oldest = compact(self._clock() - LONGEST - LATE_EVENTS)
        infos = self._vault.list(INTENTS, after=f"{INTENTS}{oldest}")
        return [document(Intent, self._vault.get(info.key)) for info in infos]

    def revoke(self, intent_id: str) -> Intent:
        """End an intent now; what it covered before stays covered. Raises NotFoundError."""
        try:
            stored = self._vault.get(self._key(intent_id))
        except ObjectNotFoundError as error:
            raise NotFoundError(f"no intent {intent_id}", hint="See `safetynet intent list`.") from error
        intent = document(Intent, stored)
        if intent.revoked_at is None:
            intent = intent.model_copy(update={"revoked_at": self._clock()})
            self._vault.replace(stored.key, body_of(intent), stored.etag)
        return intent

    @staticmethod
    def _key(intent_id: str) -> str:
        return f"{INTENTS}{intent_id}.json"


def _intent(declaration: Declaration, declared_by: str, now: datetime) -> Intent:
    # CloudTrail's times are whole seconds: a change in this very second counts as after it.
    second = now.replace(microsecond=0)
    try:
        return Intent(
            id=f"{compact(now)}-{secrets.token_hex(4)}",
            table=declaration.table,
            by=declaration.by,
            operations=declaration.operations,
            account=declaration.account,
            region=declaration.region,
            starts=second,
            until=now + declaration.lasts,
            reason=declaration.reason,
            declared_by=declared_by,
            declared_at=second,
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"cannot declare this intent: {place}: {first['msg']}") from error
