"""Writing one item only while it still is what was seen.

Before: a condition on everything that was seen (``conditions``). After: the image that was overwritten comes back
with the answer (``ReturnValues: ALL_OLD``), and where an attribute had appeared in it that no condition could name,
it is put back at once, on the condition that the item still is what was just written.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from recovery.errors import AwsError
from recovery.pacing import patient
from recovery.repairs.conditions import absent, still
from recovery.repairs.journal import Step
from recovery.repairs.table_key import same_item

if TYPE_CHECKING:
    from threading import Event

    from recovery.clock import Sleep
    from recovery.repairs.conditions import Condition
    from recovery.repairs.sides import TableSide

REFUSED_CODE = "ConditionalCheckFailedException"


class Outcome(StrEnum):
    """What became of a step. ``ALREADY``: the item was what it should be, or a call of ours had lost its answer."""

    WRITTEN = "written"
    ALREADY = "already"
    REFUSED = "refused"


class ItemWriter:
    """Takes steps in one table. Safe from several threads."""

    def __init__(self, side: TableSide, sleep: Sleep) -> None:
        self._side = side
        self._sleep = sleep

    def take(self, step: Step, stop: Event) -> Outcome:
        """Write what the step says, unless the item has changed. Taking a step twice does no more than once.

        Raises UnavailableError, TableNotFoundError, AccessDeniedError, AwsError.
        """
        replaced, found = self._attempt(step, stop)
        if replaced is None:
            return Outcome.ALREADY if same_item(found, step.after) else Outcome.REFUSED
        if same_item(replaced, step.before):
            return Outcome.WRITTEN
        # Somebody had added an attribute. Whoever writes after us wins: then their item stays.
        self._attempt(Step(step.key, step.after, replaced), stop)
        return Outcome.REFUSED

    def _attempt(self, step: Step, stop: Event) -> tuple[bytes | None, bytes]:
        """Write under each condition in turn, until one holds: the image that was replaced.

        Where none does: None, and the item as it is.
        """
        found = b""
        for condition in self._conditions(step):
            if not condition.whole:
                # The rest is compared just before, and again in the answer.
                found = self._side.one(step.key, stop)
                if not same_item(found, step.before):
                    break
            replaced = self._write(step, condition, stop)
            if replaced is not None:
                return replaced, b""
            found = self._side.one(step.key, stop)
            if not same_item(found, step.before):
                break
        return None, found

    def _conditions(self, step: Step) -> tuple[Condition, ...]:
        if not step.before:
            return (absent(self._side.key.names),)
        coming = step.after or b"{}"
        # The second is for an endpoint that refuses the first although nothing has changed: some compare documents
        # and sets in a way of their own.
        return still(step.before, coming), still(step.before, coming, documents=False)

    def _write(self, step: Step, condition: Condition, stop: Event) -> bytes | None:
        """Put or delete; the image that was there, None where the condition did not hold."""
        table, tries = self._side.table, patient(self._sleep, stop)
        try:
            if step.after:
                return tries(self._side.items.put, table, step.after, condition)
            return tries(self._side.items.delete, table, step.key, condition)
        except AwsError as error:
            if error.code != REFUSED_CODE:
                raise
            return None
