"""Which incident tells of a change: changes that have one cause are told together.

    keys   what a change may have in common with others: the stack that took it along, the session that made the
           call, the table it is about
    key -> a small document in the vault that names the incident which tells of that cause, its *lead*
    lead   the oldest incident that any of the keys leads to; where they lead to several, those become part of it

A key is written by conditional writes only, and before the incident it names: two watchers that see two changes of
one cause in the same moment so agree on one lead. Where the lead's document is not there yet, its watcher is about to
write it; where it does not come, that watcher died, and its key is taken over.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.errors import ConflictError, DamagedObjectError, ObjectNotFoundError
from recovery.vault.vault import body_of, document
from rules.errors import NotFoundError, UnavailableError
from rules.intents import BY_CLOUDFORMATION
from watcher.incidents.correlation import MOST_MEMBERS
from watcher.incidents.incident import UtcTime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from recovery.clock import Sleep
    from recovery.vault.vault import StoredObject, Vault
    from rules.events import ChangeEvent
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

CAUSES = "causes/"
ATTEMPTS = 20
# A watcher that has claimed a cause writes its incident at once.
LOOKS, SECONDS_BETWEEN_LOOKS = 30, 0.05
# The session in which CloudFormation works with a service role: the same for all stacks.
SERVICE_ROLE_SESSION = "AWSCloudFormation"


class CauseKind(StrEnum):
    """What changes can have in common."""

    STACK = "stack"
    SESSION = "session"
    RESOURCE = "resource"


# How far apart two changes can be to have one cause; a session is a burst, a table has a history.
WITHIN: Final[Mapping[CauseKind, timedelta]] = {
    CauseKind.STACK: timedelta(hours=2),
    CauseKind.SESSION: timedelta(minutes=15),
    CauseKind.RESOURCE: timedelta(hours=24),
}


@dataclass(frozen=True, slots=True)
class CauseKey:
    """One thing that a change may have in common with others."""

    kind: CauseKind
    identity: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where its document is in the vault."""
        digest = hashlib.sha256("\x1f".join(self.identity).encode("utf-8", "replace")).hexdigest()
        return f"{CAUSES}{self.kind.value}/{digest[:32]}.json"


class Cause(BaseModel):
    """The document of a key: ``lead`` tells of what happened from ``first`` to ``last``, which are event times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    kind: CauseKind
    identity: tuple[str, ...]
    lead: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=400)]
    first: UtcTime
    last: UtcTime

    def reaches(self, time: datetime) -> bool:
        """Whether a change at that time may belong to it; events come in any order."""
        within = WITHIN[self.kind]
        return self.first - within <= time <= self.last + within


def cause_keys(event: ChangeEvent, stack: str) -> tuple[CauseKey, ...]:
    """What an event may have in common with others; ``stack`` is the name of its table's stack, "" if unknown."""
    place = (event.account, event.region)
    resource, actor = event.resource, event.actor
    keys = []
    if resource.type == "stack":
        stack = resource.name
    by_cloudformation = (
        actor.invoked_by in BY_CLOUDFORMATION or resource.type == "stack" or bool(resource.stack)
    )
    if stack and by_cloudformation:
        keys.append(CauseKey(CauseKind.STACK, (*place, stack)))
    # All stacks share the service role's session, so it tells something only where nobody knows the stack.
    if actor.arn and not (actor.session == SERVICE_ROLE_SESSION and stack):
        keys.append(CauseKey(CauseKind.SESSION, (*place, actor.arn)))
    if resource.name:
        kind = "table" if resource.type == "backup" else resource.type
        keys.append(CauseKey(CauseKind.RESOURCE, (*place, kind, resource.name)))
    return tuple(keys)


class Causes:
    """Finds, for a change, the incident that tells of it. Safe from several threads and watchers."""

    def __init__(self, vault: Vault, incidents: IncidentStore, sleep: Sleep) -> None:
        self._vault = vault
        self._incidents = incidents
        self._sleep = sleep

    def place(
        self,
        keys: Sequence[CauseKey],
        own_id: str,
        time: datetime,
        incarnation: str,
        merge: Callable[[str, str], None],
    ) -> str:
        """The id of the incident that tells of a change, whose own would be ``own_id``; the keys lead there afterwards.

        ``incarnation`` tells a table from an earlier one of its name: their deletions are two disasters.
        ``merge(other, lead)`` makes an incident part of another that the change shows to have the same cause. That is
        done before the keys forget the other one, so that who dies in between does it again.

        Raises as the vault does, and UnavailableError where others are always faster.
        """
        given_up: set[str] = set()
        for _ in range(ATTEMPTS):
            found = {key: self._read(key) for key in keys}
            leads = self._leads(found, own_id, time, incarnation)
            there = sorted(lead for lead, incident in leads.items() if incident is not None)
            coming = sorted(leads.keys() - there - given_up - {own_id})
            if coming:
                # Two that wait for each other: the one with the smaller id goes first.
                given_up |= {lead for lead in coming if not self._awaited(lead, patient=lead < own_id)}
                continue
            lead = there[0] if there else own_id
            for other in there[1:]:
                merge(other, lead)
            # Each, even where one before was claimed by another: what is won needs not be won again.
            claimed = [self._claim(key, found[key], lead, time) for key in keys]
            if all(claimed):
                return lead
        raise UnavailableError("a cause is claimed faster than it can be read")

    def lead_for(self, keys: Sequence[CauseKey], time: datetime) -> Incident | None:
        """The incident that tells of what happened to the same thing, for a change that only explains it."""
        leads = self._leads({key: self._read(key) for key in keys}, "", time, "")
        return next((incident for incident in leads.values() if incident is not None), None)

    def _read(self, key: CauseKey) -> tuple[Cause, StoredObject] | StoredObject | None:
        try:
            stored = self._vault.get(key.path)
        except ObjectNotFoundError:
            return None
        try:
            return document(Cause, stored), stored
        except DamagedObjectError as error:
            log.warning("a cause is damaged and made anew: %s", error)
            return stored

    def _leads(
        self,
        found: Mapping[CauseKey, tuple[Cause, StoredObject] | StoredObject | None],
        own_id: str,
        time: datetime,
        incarnation: str,
    ) -> dict[str, Incident | None]:
        """The incidents that the keys lead to and that can take the change in; None: not written yet."""
        leads: dict[str, Incident | None] = {}
        for key, known in found.items():
            if not isinstance(known, tuple) or not known[0].reaches(time):
                continue
            if known[0].lead == own_id:
                leads[own_id] = None
                continue
            try:
                incident = self._incidents.lead(known[0].lead)
            except NotFoundError:
                leads[known[0].lead] = None
                continue
            if incident.id == own_id or _takes(incident, key, incarnation):
                leads[incident.id] = incident
        return leads

    def _awaited(self, lead: str, *, patient: bool) -> bool:
        """Wait for an incident that another watcher is about to write; whether it came."""
        for _ in range(LOOKS * (2 if patient else 1)):
            self._sleep(SECONDS_BETWEEN_LOOKS)
            if self._incidents.find(lead) is not None:
                return True
        log.warning("incident %s was claimed and never written; going on without it", lead)
        return False

    def _claim(
        self,
        key: CauseKey,
        found: tuple[Cause, StoredObject] | StoredObject | None,
        lead: str,
        time: datetime,
    ) -> bool:
        """Have the key lead there; False where another watcher was faster."""
        fresh = Cause(kind=key.kind, identity=key.identity, lead=lead, first=time, last=time)
        try:
            if found is None:
                self._vault.put_new(key.path, body_of(fresh))
                return True
            if not isinstance(found, tuple):
                self._vault.replace(key.path, body_of(fresh), found.etag)
                return True
            cause, stored = found
            if cause.reaches(time):
                # Not with every event of a burst: a quarter of the window is soon enough.
                step = WITHIN[key.kind] / 4
                if cause.lead == lead and cause.first - step <= time <= cause.last + step:
                    return True
                fresh = fresh.model_copy(
                    update={"first": min(cause.first, time), "last": max(cause.last, time)}
                )
            self._vault.replace(key.path, body_of(fresh), stored.etag)
        except ConflictError:
            return False
        return True


def _takes(incident: Incident, key: CauseKey, incarnation: str) -> bool:
    """Whether an incident can take one more change in by that key."""
    if incident.is_over or not incident.alerted or len(incident.members) >= MOST_MEMBERS:
        return False
    if key.kind is not CauseKind.RESOURCE or not incarnation:
        return True
    # A table that was made anew and deleted again is another table.
    name = key.identity[-1]
    told = (incident.subject, *(member.subject for member in incident.members))
    return all(
        subject.type != "table" or subject.name != name or subject.incarnation in ("", incarnation)
        for subject in told
    )
