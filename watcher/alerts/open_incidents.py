"""Looks after the incidents that are open: who is told next when nobody acknowledges them."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from recovery.errors import DamagedObjectError
from watcher.alerts.escalation import escalated
from watcher.incidents.incident import IncidentState

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.clock import Clock
    from watcher.alerts.escalation import Policy
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

log = logging.getLogger(__name__)

# What nobody has looked at for so long, nobody will because of one more message.
ESCALATED_FOR = timedelta(days=14)


class OpenIncidents:
    """Escalates; what is due follows from what is stored, so several watchers owe the same messages once."""

    def __init__(
        self, incidents: IncidentStore, deliver: Callable[[Incident], object], policy: Policy, clock: Clock
    ) -> None:
        self._incidents = incidents
        self._deliver = deliver
        self._policy = policy
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._open: dict[str, Incident] = {}

    def escalate_due(self) -> int:
        """Owe and deliver what is due by now; returns how many incidents escalated. Raises as the vault does."""
        now = self._clock()
        for key, found in self._incidents.changed(self._seen, since=now - ESCALATED_FOR):
            if (
                isinstance(found, DamagedObjectError)
                or found.state is not IncidentState.OPEN
                or found.part_of
            ):
                self._open.pop(key, None)
            else:
                self._open[key] = found
        count = 0
        for incident in list(self._open.values()):
            if escalated(incident, self._policy, now) == incident:
                continue
            told = self._incidents.update(incident.id, lambda one: escalated(one, self._policy, now))
            log.warning("incident %s: %s", told.id, told.timeline[-1].what)
            self._deliver(told)
            count += 1
        return count
