"""An incident's way through a recovery: started, under way, verified or failed, each told in its thread."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from recovery.restores.several import NotRecovered
from watcher.incidents.incident import IncidentState, NoticeKind
from watcher.incidents.owing import notifiers_told, owed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.progress import Progress
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.several import Outcome
    from watcher.incidents.incident import Incident
    from watcher.incidents.incident_store import IncidentStore

PROGRESS_EVERY = timedelta(minutes=1)
_SHOWN_TABLES = 10


class RecoveryNotes:
    """Writes into one incident what a recovery does. Messages are owed, and sent by whoever has an outbox."""

    def __init__(self, incidents: IncidentStore, incident_id: str, clock: Clock, who: str) -> None:
        self._incidents = incidents
        self._id = incident_id
        self._clock = clock
        self._who = who

    def started(self, plans: Sequence[RecoveryPlan]) -> Incident:
        """The recovery has begun."""
        what = f" of {_names(plans)} from {_points(plans)}" if plans else ""
        text = f"Recovery{what} started by {self._who}."
        return self._note(self._state(plans, IncidentState.RECOVERING), NoticeKind.RECOVERING, text)

    def under_way(self, text: str) -> Incident:
        """How far it is."""
        return self._note(None, NoticeKind.PROGRESS, text)

    def ended(
        self,
        outcomes: Sequence[Outcome],
        also: Sequence[str] = (),
        *,
        stacks: Sequence[str] = (),
        failed: bool = False,
    ) -> Incident:
        """What became of it. ``also``: what there is to say beside the tables, a line each; some of it ``failed``.

        ``stacks`` are those that are back. An incident that lost more than that is open until that is back, too.
        """
        back = [
            f"table:{outcome.plan.source.name}"
            for outcome in outcomes
            if not isinstance(outcome, NotRecovered) and (outcome.plan.under_own_name or outcome.plan.fills)
        ]
        back += [f"stack:{name}" for name in stacks]
        failed = failed or any(isinstance(outcome, NotRecovered) for outcome in outcomes)
        lines = [_told(outcome) for outcome in outcomes] + list(also)
        now = self._clock()

        def change(incident: Incident) -> Incident:
            recovered = tuple(dict.fromkeys((*incident.recovered, *back)))
            incident = incident.model_copy(update={"recovered": recovered})
            if failed:
                text = "\n".join(["The recovery stopped; the same command continues it.", *lines])
                return self._noted(incident, IncidentState.OPEN, NoticeKind.RECOVERY_FAILED, text, now)
            lost = [f"{loss.type} {loss.name}" for loss in incident.still_lost]
            state = self._state([outcome.plan for outcome in outcomes], IncidentState.RECOVERED)
            if state is None or not lost:
                return self._noted(incident, state, NoticeKind.RECOVERED, "\n".join(lines), now)
            more = f"Still lost: {', '.join(lost[:_SHOWN_TABLES])}"
            more += f" and {len(lost) - _SHOWN_TABLES} more." if len(lost) > _SHOWN_TABLES else "."
            text = "\n".join([*lines, more])
            return self._noted(incident, IncidentState.OPEN, NoticeKind.RECOVERED, text, now)

        return self._incidents.update(self._id, change)

    def failed(self, reason: str) -> Incident:
        """The recovery stopped; the same command continues it."""
        return self._note(IncidentState.OPEN, NoticeKind.RECOVERY_FAILED, f"The recovery stopped: {reason}")

    @staticmethod
    def _state(plans: Sequence[RecoveryPlan], state: IncidentState) -> IncidentState | None:
        """A copy under another name or elsewhere leaves the lost table lost: the incident keeps its state."""
        return state if all(plan.under_own_name for plan in plans) else None

    def _note(self, state: IncidentState | None, kind: NoticeKind, text: str) -> Incident:
        now = self._clock()
        return self._incidents.update(self._id, lambda one: self._noted(one, state, kind, text, now))

    def _noted(
        self, incident: Incident, state: IncidentState | None, kind: NoticeKind, text: str, now: datetime
    ) -> Incident:
        notifiers = notifiers_told(incident)
        changes: dict[str, object] = {} if state is None else {"state": state}
        moved = incident.revised(**changes).with_moment(now, self._who, text)
        return owed(moved, notifiers, kind, now, text)


class NotedProgress:
    """Progress that goes on to somebody else, and tells of each quarter, once a minute at most."""

    def __init__(self, inner: Progress, clock: Clock, tell: Callable[[str], None]) -> None:
        self._inner = inner
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._totals: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._quarters: dict[str, int] = {}
        self._last = clock()

    def start(self, task: str, label: str, total_items: int | None) -> None:
        """See Progress."""
        self._inner.start(task, label, total_items)
        with self._lock:
            self._totals[task] = total_items or 0

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """See Progress."""
        self._inner.advance(task, items, size_bytes)
        if (line := self._line(task, items)) is not None:
            self._tell(line)

    def finish(self, task: str) -> None:
        """See Progress."""
        self._inner.finish(task)

    def _line(self, task: str, items: int) -> str | None:
        with self._lock:
            done = self._done[task] = self._done.get(task, 0) + items
            total = self._totals.get(task, 0)
            quarter = 4 * done // total if total else 0
            now = self._clock()
            if not self._quarters.get(task, 0) < quarter < 4 or now - self._last < PROGRESS_EVERY:  # noqa: PLR2004
                return None
            self._quarters[task] = quarter
            self._last = now
        return f"{task}: {done:,} of {total:,} items loaded ({100 * done // total} %)."


def _told(outcome: Outcome) -> str:
    plan = outcome.plan
    if isinstance(outcome, NotRecovered):
        return f"{plan.target.name}: {outcome.error}"
    report = outcome.report
    verified = (
        f"{report.items_verified:,} items verified"
        if report.items_verified is not None
        else "restored by AWS"
    )
    text = (
        f"{plan.target.name} is back: {verified} in {report.seconds:.0f} s, "
        f"{'definition equal' if not report.differences else 'definition differs'}."
    )
    if plan.loss_seconds is not None:
        text += f" Changes made after {plan.backup_time:%Y-%m-%d %H:%M:%S} UTC are lost."
    if report.follow_ups:
        text += " Still to do: " + ", ".join(step.setting for step in report.follow_ups) + "."
    return text


def _names(plans: Sequence[RecoveryPlan]) -> str:
    names = [plan.target.name for plan in plans]
    if len(names) > _SHOWN_TABLES:
        names = [*names[:_SHOWN_TABLES], f"{len(names) - _SHOWN_TABLES} more"]
    return ", ".join(names)


def _points(plans: Sequence[RecoveryPlan]) -> str:
    if len(plans) > 1:
        return f"{len(plans)} recovery points"
    return " ".join(
        f"backup {plan.backup_id}"
        if plan.from_vault
        else f"{plan.point.kind} as of {plan.backup_time:%Y-%m-%d %H:%M:%S} UTC"
        for plan in plans
    )
