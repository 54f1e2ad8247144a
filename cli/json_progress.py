"""The Progress port as JSON lines on stdout, for machines: an event a line."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

from cli.backing_up import Failure

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.backups.backup import BackupReport
    from recovery.clock import Clock

EVERY_SECONDS = 1.0


class JsonLines:
    """``started`` and, about once a second for each table, ``progress``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._done: dict[str, tuple[int, int]] = {}
        self._said: dict[str, datetime] = {}

    def say(self, document: dict[str, Any]) -> None:
        """One line, with the time in it."""
        line = json.dumps({"time": self._clock().isoformat(), **document}, default=str)
        with self._lock:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def start(self, task: str, label: str, total_items: int | None) -> None:
        """See Progress."""
        del label
        self._said[task] = self._clock()
        self.say({"event": "started", "table": task, "items_expected": total_items})

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """See Progress."""
        now = self._clock()
        with self._lock:
            before = self._done.get(task, (0, 0))
            done = self._done[task] = (before[0] + items, before[1] + size_bytes)
            due = (now - self._said.get(task, now)).total_seconds() >= EVERY_SECONDS
            if due:
                self._said[task] = now
        if due:
            self.say({"event": "progress", "table": task, "items": done[0], "bytes": done[1]})

    def finish(self, task: str) -> None:
        """See Progress."""


def backup_event(outcome: BackupReport | Failure) -> dict[str, Any]:
    """``done`` or ``failed``."""
    if isinstance(outcome, Failure):
        error = outcome.error
        return {
            "event": "failed",
            "what": outcome.what,
            "error": str(error),
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
    manifest = outcome.manifest
    return {
        "event": "done",
        "table": manifest.table.name,
        "backup_id": manifest.backup_id,
        "engine": manifest.engine,
        "items": manifest.item_count,
        "bytes": manifest.data_bytes,
        "vault_bytes": manifest.size,
        "read_units": manifest.consumed_read_units,
        "seconds": (outcome.ended_at - outcome.started_at).total_seconds(),
        "resumed": outcome.resumed,
        "unknown": outcome.definition.unknown,
        "findings": [finding.model_dump(mode="json") for finding in manifest.findings],
    }
