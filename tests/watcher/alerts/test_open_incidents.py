"""What nobody acknowledges is told to the next, once, whoever watches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.watcher.watching import delete_table
from watcher.alerts.escalation import Policy, Step
from watcher.alerts.open_incidents import OpenIncidents
from watcher.incidents.incident import IncidentState, NoticeKind

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork, Parts

POLICY = Policy(steps=(Step(timedelta(minutes=10), ("recording",), None),))


def test_it_escalates_once_and_not_what_somebody_looks_at(parts: Parts, clock: Clockwork) -> None:
    """After ten minutes, by whichever of two watchers is first; never once it is acknowledged."""
    parts.source.put(delete_table())
    parts.watcher.drain()
    first, second = (OpenIncidents(parts.incidents, parts.watcher.deliver, POLICY, clock) for _ in range(2))
    assert first.escalate_due() == 0
    clock.now += timedelta(minutes=11)
    assert first.escalate_due() == 1
    assert second.escalate_due() == first.escalate_due() == 0
    kinds = [one.entry.kind for one in parts.notifier.sent]
    assert kinds == [NoticeKind.OPENED, NoticeKind.ESCALATED]
    other = parts.pipeline.take(delete_table("carts", eventTime="2026-11-23T18:00:00Z"))
    assert other is not None
    parts.incidents.update(other.id, lambda one: one.model_copy(update={"state": IncidentState.ACKNOWLEDGED}))
    clock.now += timedelta(hours=1)
    assert first.escalate_due() == 0
