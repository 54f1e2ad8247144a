"""What sources without a queue of their own give up: kept in the vault, so that it is never dropped.

A queue has SQS's dead-letter queue; CloudTrail's event history and a trail of the past have none.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from watcher.incidents.incident import slug

if TYPE_CHECKING:
    from recovery.vault.vault import Vault

DEAD_LETTERS = "watch/dead-letters/"


class DeadLetters:
    """The messages that were given up, each under a name made from its content: the same one is kept once."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def put(self, source: str, body: bytes) -> str:
        """Keep a message as it came; returns its key. Raises as the vault does."""
        key = f"{DEAD_LETTERS}{slug(source)}/{hashlib.sha256(body).hexdigest()[:32]}.json"
        self._vault.put_new(key, body)
        return key

    def count(self) -> int:
        """How many there are, of all sources. Raises as the vault does."""
        return sum(1 for _ in self._vault.list(DEAD_LETTERS))
