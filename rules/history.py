"""What happened shortly before a change, remembered from a stream of events in the order of their times."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import timedelta
from typing import TYPE_CHECKING

from rules.actions import Weight
from rules.facts import NOT_LOOKED_UP, RecentFacts
from rules.resources import stack_name

if TYPE_CHECKING:
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.facts import Unknown

# How far back each of the ``facts.recent`` looks.
DELETIONS_WITHIN = timedelta(minutes=10)
WEAKENED_WITHIN = timedelta(hours=24)
STACK_DELETED_WITHIN = timedelta(hours=2)

_WEAKENING = (Weight.WEAKENING, Weight.TAMPERING)


class RecentChanges:
    """Gives each event its ``facts.recent`` and remembers it for those after it.

    Memory stays as small as what happened within the longest look back.
    """

    def __init__(self) -> None:
        self._deletions: dict[tuple[str, str], deque[datetime]] = defaultdict(deque)
        self._weakened: dict[tuple[str, str, str], deque[tuple[datetime, str]]] = defaultdict(deque)
        self._stacks: dict[tuple[str, str, str], datetime] = {}

    def take(self, event: ChangeEvent) -> RecentFacts:
        """The facts for an event that is no earlier than those before it; attempts that failed are not remembered."""
        weight = event.action.weight if event.action is not None and not event.failed else None
        place = (event.account, event.region, event.resource.name)
        # A role's sessions are one principal: their names are the caller's to choose.
        principal = event.actor.issuer or event.actor.role or event.actor.arn or event.actor.label
        deletions = self._deletions[event.account, principal]
        _forget(deletions, event.time - DELETIONS_WITHIN)
        if weight is Weight.DESTRUCTIVE:
            deletions.append(event.time)
        weakened = self._weakened[place]
        while weakened and weakened[0][0] < event.time - WEAKENED_WITHIN:
            weakened.popleft()
        before = tuple(change for _, change in weakened)
        if weight in _WEAKENING and event.action is not None:
            weakened.append((event.time, event.action.change))
        if weight is Weight.DESTRUCTIVE and event.resource.type == "stack":
            self._stacks[place] = event.time
        return RecentFacts(len(deletions), before, self._stack_deleted(event))

    def _stack_deleted(self, event: ChangeEvent) -> bool | Unknown:
        """Whether the stack of the event's table was deleted, where the event names its stack."""
        stack = event.resource.stack
        if not stack:
            return NOT_LOOKED_UP
        deleted = self._stacks.get((event.account, event.region, stack_name(stack)))
        return deleted is not None and event.time - deleted <= STACK_DELETED_WITHIN


def _forget(times: deque[datetime], before: datetime) -> None:
    while times and times[0] < before:
        times.popleft()
