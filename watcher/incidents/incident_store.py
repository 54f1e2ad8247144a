"""Where incidents are kept: one document each in the vault, changed only by who has seen the latest version."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from recovery.clock import compact
from recovery.errors import ConflictError, DamagedObjectError, ObjectNotFoundError
from recovery.vault.vault import body_of, document
from rules.errors import NotFoundError, UnavailableError
from watcher.incidents.incident import Incident, slug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from recovery.vault.vault import StoredObject, Vault

log = logging.getLogger(__name__)

INCIDENTS = "incidents/"
UPDATE_ATTEMPTS = 20
# Threads that change one incident take turns: of several conditional writes at once only one is not in vain.
TURNS = 64
# Bytes of JSON; what is made of them takes a few times as much.
PARSED_BYTES = 4_000_000
_DATED_ID = re.compile(r"^(\d{4})(\d{2})\d{2}T\d{6}Z-")


class IncidentStore:
    """All incidents of a vault. Threads may share it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._parsed = _Parsed(PARSED_BYTES)
        self._turns = tuple(threading.RLock() for _ in range(TURNS))

    def create(self, incident: Incident) -> tuple[Incident, bool]:
        """Store a new incident; (the stored one, whether it is new). Its id decides whether it is known."""
        key = self.key(incident.id)
        try:
            self._vault.put_new(key, body_of(incident))
        except ConflictError:
            return self._parsed.of(self._vault.get(key)), False
        return incident, True

    def check(self) -> None:
        """Whether the vault can be reached. Raises as the vault does: not found, access denied, unavailable."""
        next(iter(self._vault.folders(INCIDENTS)), None)

    def get(self, incident_id: str) -> Incident:
        """One incident. Raises NotFoundError, DamagedObjectError."""
        try:
            return self._parsed.of(self._vault.get(self.key(incident_id)))
        except ObjectNotFoundError as error:
            raise NotFoundError(
                f"no incident {incident_id}", hint="See `safetynet incidents list`."
            ) from error

    def find(self, incident_id: str) -> Incident | None:
        """One incident, None if there is none of that id. Raises DamagedObjectError."""
        try:
            return self._parsed.of(self._vault.get(self.key(incident_id)))
        except ObjectNotFoundError:
            return None

    def lead(self, incident_id: str) -> Incident:
        """The incident that tells of the change whose own that is: itself, or the one that it is part of.

        Raises as ``get``.
        """
        seen = {incident_id}
        incident = self.get(incident_id)
        while incident.part_of and incident.part_of not in seen:
            seen.add(incident.part_of)
            incident = self.get(incident.part_of)
        return incident

    def update(self, incident_id: str, change: Callable[[Incident], Incident]) -> Incident:
        """Change an incident; ``change`` is called again on the newest version where another writer was faster.

        Returns the incident as stored. Raises NotFoundError, UnavailableError if others are always faster.
        """
        key = self.key(incident_id)
        with self._turns[hash(key) % TURNS]:
            return self._update(key, incident_id, change)

    def _update(self, key: str, incident_id: str, change: Callable[[Incident], Incident]) -> Incident:
        for _ in range(UPDATE_ATTEMPTS):
            try:
                stored = self._vault.get(key)
            except ObjectNotFoundError as error:
                raise NotFoundError(f"no incident {incident_id}") from error
            old = self._parsed.of(stored)
            new = change(old)
            if new == old:
                return old
            try:
                self._vault.replace(key, body_of(new), stored.etag)
            except ConflictError:
                continue
            return new
        raise UnavailableError(f"incident {incident_id} changes faster than it can be updated")

    def all(self) -> Iterator[Incident | DamagedObjectError]:
        """Every incident, oldest first; one that cannot be read comes as the error that names it."""
        for info in self._vault.list(INCIDENTS):
            try:
                yield document(Incident, self._vault.get(info.key))
            except DamagedObjectError as error:
                yield error
            except ObjectNotFoundError:
                continue  # removed between the listing and the look

    def about(self, subject: str) -> Iterator[Incident]:
        """The incidents about that table or stack, newest first. Only documents whose id names it are read.

        One that cannot be read is logged and passed over: it must not stand in a recovery's way.
        """
        named = re.compile(rf"/\d{{8}}T\d{{6}}Z-{re.escape(slug(subject))}-[0-9a-f]{{8}}\.json$")
        keys = [info.key for info in self._vault.list(INCIDENTS) if named.search(info.key)]
        for key in reversed(keys):
            try:
                incident = document(Incident, self._vault.get(key))
            except DamagedObjectError as error:
                log.warning("passed over: %s", error)
                continue
            if incident.subject.name == subject:
                yield incident

    def changed(
        self, seen: dict[str, str], since: datetime | None = None
    ) -> Iterator[tuple[str, Incident | DamagedObjectError]]:
        """(key, incident) of every incident whose etag is not the one in ``seen``, which is brought up to date.

        So a watcher that looks again and again reads only what has changed since it last looked. With ``since``
        incidents that were opened earlier are passed over: their keys sort by that time.
        """
        after = f"{INCIDENTS}{since:%Y/%m}/{compact(since)}" if since is not None else ""
        for info in self._vault.list(INCIDENTS, after=after):
            if seen.get(info.key) == info.etag:
                continue
            try:
                found: Incident | DamagedObjectError = document(Incident, self._vault.get(info.key))
            except DamagedObjectError as error:
                found = error
            except ObjectNotFoundError:
                continue
            seen[info.key] = info.etag
            yield info.key, found

    @staticmethod
    def key(incident_id: str) -> str:
        """Where an incident is in the vault. Raises NotFoundError for what is no id of one."""
        match = _DATED_ID.match(incident_id)
        if match is None or "/" in incident_id:
            raise NotFoundError(f"not an incident id: {incident_id}", hint="See `safetynet incidents list`.")
        return f"{INCIDENTS}{match[1]}/{match[2]}/{incident_id}.json"


class _Parsed:
    """What was made of the documents that were read last: the same version needs not be parsed again.

    It is read again all the same; its etag says whether it is the same. An incident cannot be changed, so threads may
    share one.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[str, int, Incident]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, stored: StoredObject) -> Incident:
        """The incident in a document. Raises DamagedObjectError."""
        with self._lock:
            known = self._kept.get(stored.key)
            if known is not None and known[0] == stored.etag:
                self._kept.move_to_end(stored.key)
                return known[2]
        incident = document(Incident, stored)
        with self._lock:
            self._forget(stored.key)
            self._kept[stored.key] = (stored.etag, len(stored.body), incident)
            self._bytes += len(stored.body)
            while self._bytes > self._most_bytes:
                self._forget(next(iter(self._kept)))
        return incident

    def _forget(self, key: str) -> None:
        known = self._kept.pop(key, None)
        self._bytes -= known[1] if known is not None else 0
