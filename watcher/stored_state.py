"""A small document of the watcher in the vault, which several watchers may change at the same time.

Such a document is bookkeeping (a heartbeat, the canary, a region's availability): one that is damaged is told of
and begun anew, for it must not stop the watcher. Whoever reads it for people hears that it is damaged.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from recovery.errors import ConflictError, DamagedObjectError, ObjectNotFoundError
from recovery.vault.vault import body_of, document
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from recovery.vault.vault import StoredObject, Vault

log = logging.getLogger(__name__)

DocumentT = TypeVar("DocumentT", bound=BaseModel)
CHANGE_ATTEMPTS = 10


class StoredState(Generic[DocumentT]):
    """One document under one key, changed only by who has seen the latest version."""

    def __init__(self, vault: Vault, key: str, model: type[DocumentT]) -> None:
        self._vault = vault
        self._key = key
        self._model = model

    def read(self) -> DocumentT | None:
        """The document, None where there is none. Raises DamagedObjectError, and as the vault does."""
        try:
            return document(self._model, self._vault.get(self._key))
        except ObjectNotFoundError:
            return None

    def change(self, change: Callable[[DocumentT | None], DocumentT | None]) -> DocumentT | None:
        """Put what ``change`` makes of the document in its place; it is called again where another was faster.

        ``change`` gives back what it was given where there is nothing to change. Returns the document as stored.
        Raises as the vault does, UnavailableError if others are always faster.
        """
        for _ in range(CHANGE_ATTEMPTS):
            stored = self._stored()
            old = self._understood(stored)
            new = change(old)
            if new is None or new == old:
                return old
            try:
                if stored is None:
                    self._vault.put_new(self._key, body_of(new))
                else:
                    self._vault.replace(self._key, body_of(new), stored.etag)
            except ConflictError:
                continue
            return new
        raise UnavailableError(f"{self._key} changes faster than it can be updated")

    def _stored(self) -> StoredObject | None:
        try:
            return self._vault.get(self._key)
        except ObjectNotFoundError:
            return None

    def _understood(self, stored: StoredObject | None) -> DocumentT | None:
        if stored is None:
            return None
        try:
            return document(self._model, stored)
        except DamagedObjectError as error:
            log.error("begun anew: %s", error)  # noqa: TRY400 - no traceback
            return None


def stored_under(
    vault: Vault, prefix: str, model: type[DocumentT]
) -> Iterator[tuple[str, DocumentT | DamagedObjectError]]:
    """(key, document) of each under a prefix; one that cannot be read comes as the error that names it."""
    for info in vault.list(prefix):
        try:
            yield info.key, document(model, vault.get(info.key))
        except DamagedObjectError as error:
            yield info.key, error
        except ObjectNotFoundError:
            continue  # removed between the listing and the look
