"""Telling an incident's thread how its recovery goes, beside it: a slow or broken Slack never holds a recovery up."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from watcher.alerts.outbox import Outbox
    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)


class Teller:
    """Notes and sends in the order in which it is asked to; use it in a ``with``, whose end waits for the last."""

    def __init__(self, outbox: Callable[[], Outbox]) -> None:
        self._outbox = outbox
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tell")

    def __enter__(self) -> Teller:  # noqa: PYI034 - never subclassed
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all is told. What could not be sent is owed, and sent by the watcher."""
        self._pool.shutdown(wait=True)

    def send(self, incident: Incident) -> None:
        """Send what the incident owes by now."""
        self.tell(lambda: incident)

    def tell(self, note: Callable[[], Incident]) -> None:
        """Note something down that is not worth failing for, then send what the incident owes."""
        self._pool.submit(self._tell, note)

    def _tell(self, note: Callable[[], Incident]) -> None:
        try:
            self._outbox().deliver(note().id)
        except SafetyNetError as error:
            log.warning("the incident's thread was not told: %s", error)
