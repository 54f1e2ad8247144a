"""Delivers what incidents owe side by side, beside the intake: a notifier that is slow or down holds up nothing else."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watcher.alerts.outbox import Outbox
    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)

# Each waits for a notifier most of the time.
SENDERS = 8


class Senders:
    """A few threads. An incident that waits for one of them waits once, however often it is asked for.

    What waits is an id; the incident itself is read when its turn comes, unless it comes at once.
    """

    def __init__(self, outbox: Outbox, count: int = SENDERS) -> None:
        self._outbox = outbox
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="sender")
        self._waiting: set[str] = set()
        self._busy = 0
        self._lock = threading.Lock()

    def soon(self, incident: Incident) -> None:
        """Deliver what an incident that was just stored owes."""
        with self._lock:
            known = incident if self._busy + len(self._waiting) < self._count else None
        self._enqueue(incident.id, known)

    def all_soon(self, incident_ids: Iterable[str]) -> None:
        """Deliver what these incidents owe."""
        for incident_id in incident_ids:
            self._enqueue(incident_id, None)

    def close(self) -> None:
        """Wait for what is being sent; what waits is owed, and found by whoever comes next."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _enqueue(self, incident_id: str, known: Incident | None) -> None:
        with self._lock:
            if incident_id in self._waiting:
                return
            self._waiting.add(incident_id)
        try:
            self._pool.submit(self._send, incident_id, known)
        except RuntimeError:  # closed
            with self._lock:
                self._waiting.discard(incident_id)

    def _send(self, incident_id: str, known: Incident | None) -> None:
        with self._lock:
            # From now on there may be news that this turn does not see.
            self._waiting.discard(incident_id)
            self._busy += 1
        try:
            self._outbox.deliver(incident_id, known)
        except SafetyNetError as error:
            log.warning("incident %s: not delivered yet: %s", incident_id, error)
        except Exception:
            log.exception("incident %s: could not be delivered", incident_id)
        finally:
            with self._lock:
                self._busy -= 1
