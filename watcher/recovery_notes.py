"""An incident's way through a recovery: started, verified or failed, each with a message into its thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.incidents import IncidentState, NoticeKind
from watcher.outbox import owed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import RecoveryReport
    from watcher.incident_store import IncidentStore
    from watcher.incidents import Incident


class RecoveryNotes:
    """Writes into one incident what a recovery does. Messages are owed, and sent by whoever has an outbox."""

    def __init__(self, incidents: IncidentStore, incident_id: str, clock: Clock, who: str) -> None:
        self._incidents = incidents
        self._id = incident_id
        self._clock = clock
        self._who = who

    def started(self, plan: RecoveryPlan) -> Incident:
        """The recovery has begun."""
        text = f"Recovery of {plan.target.name} from backup {plan.backup_id} started by {self._who}."
        return self._note(self._state(plan, IncidentState.RECOVERING), NoticeKind.RECOVERING, text)

    def recovered(self, plan: RecoveryPlan, report: RecoveryReport) -> Incident:
        """The table is back and verified."""
        text = (
            f"{plan.target.name} is back: {report.items_verified:,} items verified in {report.seconds:.0f} s, "
            f"{'definition equal' if not report.differences else 'definition differs'}."
        )
        if plan.loss_seconds is not None:
            text += f" Changes made after {plan.backup_time:%Y-%m-%d %H:%M:%S} UTC are lost."
        if report.follow_ups:
            text += " Still to do: " + ", ".join(step.setting for step in report.follow_ups) + "."
        return self._note(self._state(plan, IncidentState.RECOVERED), NoticeKind.RECOVERED, text)

    def failed(self, reason: str) -> Incident:
        """The recovery stopped; the same command continues it."""
        return self._note(IncidentState.OPEN, NoticeKind.RECOVERY_FAILED, f"The recovery stopped: {reason}")

    @staticmethod
    def _state(plan: RecoveryPlan, state: IncidentState) -> IncidentState | None:
        """A copy under another name or elsewhere leaves the lost table lost: the incident keeps its state."""
        return state if plan.under_own_name else None

    def _note(self, state: IncidentState | None, kind: NoticeKind, text: str) -> Incident:
        return self._incidents.update(self._id, self._change(state, kind, text, self._clock()))

    def _change(
        self, state: IncidentState | None, kind: NoticeKind, text: str, now: datetime
    ) -> Callable[[Incident], Incident]:
        def change(incident: Incident) -> Incident:
            notifiers = [entry.notifier for entry in incident.outbox if entry.kind is NoticeKind.OPENED]
            changes = {} if state is None else {"state": state}
            moved = incident.model_copy(update=changes).with_moment(now, self._who, text)
            return owed(moved, notifiers, kind, now, text)

        return change
