"""A lock is a lease: an owner, a generation and an expiry in the vault, moved by conditional writes only."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from recovery.errors import ConflictError, LeaseHeldError, ObjectNotFoundError
from recovery.vault.vault import body_of, document
from rules.errors import CancelledError, SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.vault.vault import Vault

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]

log = logging.getLogger(__name__)

LEASE_SECONDS = 60
RENEWALS_PER_TERM = 3


class LeaseRecord(BaseModel):
    """``leases/<name>.json``. ``generation`` rises with every taking, so a stale holder can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    name: str
    owner: str
    token: str
    generation: int
    expires: UtcTime


class Lease:
    """A lease that is held. ``check`` says whether it still is."""

    def __init__(self, vault: Vault, clock: Clock, key: str, record: LeaseRecord, etag: str) -> None:
        self._vault = vault
        self._clock = clock
        self._key = key
        self._record = record
        self._etag = etag
        self._lock = threading.Lock()
        self._lost = self._given_up = False

    @property
    def name(self) -> str:
        """What it is for."""
        return self._record.name

    def give_up(self) -> None:
        """From another thread: the work is not wanted any more; ``check`` tells it so."""
        self._given_up = True

    def check(self) -> None:
        """Raises LeaseHeldError once the lease is lost or run out, CancelledError once it was given up: stop working."""
        if self._given_up:
            raise CancelledError(f"{self._record.name} was stopped; run the command again to continue")
        if self._lost or self._clock() >= self._record.expires:
            raise LeaseHeldError(f"the lease {self._record.name} was lost to somebody else or ran out")

    def renew(self) -> None:
        """Move the expiry. Losing the race marks the lease as lost; ``check`` then stops the work."""
        self._move(self._clock() + timedelta(seconds=LEASE_SECONDS))

    def release(self) -> None:
        """Let it run out now. A lease that was lost is left to its new owner.

        Never raises: the work is done or has failed by itself, and the lease runs out anyway.
        """
        try:
            self._move(self._clock())
        except SafetyNetError as error:
            log.warning("the lease %s could not be released: %s", self._record.name, error)

    def _move(self, expires: datetime) -> None:
        with self._lock:
            record = self._record.model_copy(update={"expires": expires})
            body = body_of(record)
            try:
                try:
                    etag = self._vault.replace(self._key, body, self._etag)
                except ConflictError:
                    # A renewal of our own may have succeeded and lost its answer: the token tells.
                    stored = self._vault.get(self._key)
                    if document(LeaseRecord, stored).token != record.token:
                        raise
                    etag = self._vault.replace(self._key, body, stored.etag)
            except (ConflictError, ObjectNotFoundError):
                self._lost = True
                return
            self._etag, self._record = etag, record


def take_lease(vault: Vault, clock: Clock, name: str, owner: str) -> Lease:
    """Take a lease that is free or has run out. Raises LeaseHeldError naming who holds it."""
    key = f"leases/{name}.json"
    now = clock()
    record = LeaseRecord(
        name=name,
        owner=f"{owner} on {socket.gethostname()}",
        token=secrets.token_hex(8),
        generation=1,
        expires=now + timedelta(seconds=LEASE_SECONDS),
    )
    try:
        stored = vault.get(key)
    except ObjectNotFoundError:
        try:
            return Lease(vault, clock, key, record, vault.put_new(key, body_of(record)))
        except ConflictError:
            stored = vault.get(key)
    old = document(LeaseRecord, stored)
    if old.expires > now:
        raise _held(old)
    record = record.model_copy(update={"generation": old.generation + 1})
    try:
        return Lease(vault, clock, key, record, vault.replace(key, body_of(record), stored.etag))
    except ConflictError as error:
        raise _held(document(LeaseRecord, vault.get(key))) from error


def _held(record: LeaseRecord) -> LeaseHeldError:
    return LeaseHeldError(
        f"{record.owner} is already working on {record.name} (lease until {record.expires:%H:%M:%S} UTC)"
    )


@contextmanager
def holding(lease: Lease, renew_seconds: float = LEASE_SECONDS / RENEWALS_PER_TERM) -> Iterator[Lease]:
    """Renew a lease in the background while the block runs, and release it at the end, however it ends."""
    done = threading.Event()

    def keep() -> None:
        while not done.wait(renew_seconds):
            try:
                lease.renew()
            except SafetyNetError as error:
                # Not fatal yet: the next renewal may succeed, and if none does, ``check`` stops the work.
                log.warning("the lease could not be renewed: %s", error)

    keeper = threading.Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        done.set()
        keeper.join()
        lease.release()
