"""Too many alerts at once: the first few are told one by one, the rest in one message that grows.

For each notifier a small document in the vault counts the first messages of the last minutes. Where there are more
than the settings allow, a *digest* is opened: an incident of its own, told to that notifier alone, whose members are
the incidents that it tells of. None is lost: each is in it before its own message counts as told, its severity is the
worst of them, and what becomes of each goes into the digest's thread. When nothing came for a while, the digest ends,
and the next alert is a message of its own again.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.clock import compact
from rules.verdicts import Severity, VerdictKind
from watcher.incidents.correlation import MOST_MEMBERS, member_of, with_members
from watcher.incidents.incident import Incident, IncidentState, Person, Subject, UtcTime, slug
from watcher.incidents.owing import Routing, owed_first
from watcher.stored_state import StoredState

if TYPE_CHECKING:
    from recovery.clock import Clock
    from recovery.vault.vault import Vault
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

DIGESTS = "watch/digests/"
DIGEST = "digest"
NOBODY = Routing({}, ())


class DigestState(BaseModel):
    """``watch/digests/<notifier>.json``: the incidents told one by one lately, and the digest that is open, or ""."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    notifier: str
    told: Annotated[dict[str, UtcTime], Field(max_length=2000)] = {}
    digest: str = ""
    members: int = 0
    last: UtcTime | None = None


@dataclass(frozen=True, slots=True)
class DigestPolicy:
    """More than ``more_than`` first messages of a notifier within ``window`` are too many."""

    more_than: int = 10
    window: timedelta = timedelta(minutes=5)


class Digests:
    """Decides which first messages are told in a digest, and keeps the digests. Safe from several threads and watchers."""

    def __init__(
        self, vault: Vault, incidents: IncidentStore, clock: Clock, policy: DigestPolicy | None = None
    ) -> None:
        self._vault = vault
        self._incidents = incidents
        self._clock = clock
        self._policy = policy or DigestPolicy()
        # One after another: of several threads that change the document only one would not do it in vain.
        self._turn = threading.Lock()

    def digest_for(self, incident: Incident, notifier: str) -> Incident | None:
        """The digest that tells of an incident from now on; None: it has a message of its own.

        The same answer for the same incident, however often it is asked. Raises as the vault does.
        """
        if incident.subject.type == DIGEST:
            return None
        now = self._clock()
        state = StoredState(self._vault, f"{DIGESTS}{slug(notifier)}.json", DigestState)
        with self._turn:
            placed = state.change(lambda old: self._placed(old, incident.id, notifier, now))
        if placed is None or incident.id in placed.told:
            return None
        return self._told_in(placed.digest, incident, notifier, now)

    def _placed(self, old: DigestState | None, incident_id: str, notifier: str, now: datetime) -> DigestState:
        state = old or DigestState(notifier=notifier)
        if incident_id in state.told:
            return state
        window = self._policy.window
        told = {one: time for one, time in state.told.items() if now - time < window}
        over = state.last is None or now - state.last >= window
        if state.digest and not over and state.members < MOST_MEMBERS:
            return state.model_copy(update={"told": told, "last": now, "members": state.members + 1})
        if len(told) < self._policy.more_than and (over or not state.digest):
            return DigestState(notifier=notifier, told={**told, incident_id: now})
        digest = _digest_id(notifier, now)
        return DigestState(notifier=notifier, told=told, digest=digest, members=1, last=now)

    def _told_in(self, digest_id: str, incident: Incident, notifier: str, now: datetime) -> Incident:
        """The digest, telling of the incident; made if it is not there yet."""
        if self._incidents.find(digest_id) is None:
            fresh = _digest(digest_id, incident, now)
            reason = f"more than {self._policy.more_than} alerts came within {self._policy.window}"
            self._incidents.create(owed_first(fresh, Routing({notifier: reason}, (reason,)), now))
            log.warning("too many alerts for %s: told in one message, incident %s", notifier, digest_id)

        def change(digest: Incident) -> Incident:
            grown = with_members(digest, [member_of(incident)], now, lambda _: NOBODY)
            # What it tells of is recovered incident by incident.
            return grown.model_copy(update={"recover_command": ""})

        return self._incidents.update(digest_id, change)


def _digest_id(notifier: str, now: datetime) -> str:
    digest = hashlib.sha256(f"digest\x1f{notifier}\x1f{now.isoformat()}".encode()).hexdigest()[:8]
    return f"{compact(now)}-many-alerts-{digest}"


def _digest(digest_id: str, first: Incident, now: datetime) -> Incident:
    return Incident(
        id=digest_id,
        state=IncidentState.OPEN,
        title="Many alerts at once",
        verdict=VerdictKind.SUSPICIOUS,
        severity=Severity.INFO,
        reasons=("Each of them is an incident of its own: safetynet incidents list",),
        account=first.account,
        region=first.region,
        subject=Subject(type=DIGEST, name=""),
        actor=Person(label="several", kind="unknown"),
        events=(),
        opened_at=now,
    )
