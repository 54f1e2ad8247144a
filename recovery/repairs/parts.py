"""Taking the parts of a journal: every step of a part, several side by side, and reading them back afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recovery.repairs.documents import PartResult
from recovery.repairs.raw_items import MAX_BATCH_KEYS
from recovery.repairs.table_key import same_item
from recovery.repairs.writing import ItemWriter, Outcome
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from recovery.clock import Sleep
    from recovery.progress import Progress
    from recovery.repairs.journal import Step
    from recovery.repairs.sides import Row, TableSide
    from recovery.vault.leases import Lease

WORKERS = 8
KEPT_KEYS = 100


@dataclass(slots=True)
class Totals:
    """What became of all steps so far. Of the keys the first hundred are kept, in DynamoDB JSON.

    ``refused`` items had changed and were left alone; ``overtaken`` ones were written and have changed since.
    """

    written: int = 0
    already: int = 0
    refused: int = 0
    verified: int = 0
    overtaken: int = 0
    refused_keys: list[bytes] = field(default_factory=list)
    overtaken_keys: list[bytes] = field(default_factory=list)

    def count(self, result: PartResult) -> None:
        """Add what was written of a part."""
        self.written += result.written
        self.already += result.already

    def count_refused(self, result: PartResult, steps: Sequence[Step]) -> None:
        """Add what was refused of it."""
        self.refused += len(result.refused)
        room = KEPT_KEYS - len(self.refused_keys)
        self.refused_keys += [steps[number].key for number in result.refused[: max(0, room)]]


class PartTaker:
    """Takes steps in one table while a lease is held."""

    def __init__(
        self, side: TableSide, sleep: Sleep, lease: Lease, progress: Progress, workers: int = WORKERS
    ) -> None:
        self._side = side
        self._writer = ItemWriter(side, sleep)
        self._lease = lease
        self._progress = progress
        self._workers = workers

    def take(self, number: int, steps: Sequence[Step], skip: Sequence[int] = ()) -> PartResult:
        """Take every step but those of the numbers in ``skip``. Raises as ``ItemWriter.take``, LeaseHeldError."""
        left_out = frozenset(skip)
        chosen = [place for place in range(len(steps)) if place not in left_out]
        outcomes: dict[int, Outcome] = {}

        def some(worker: int, stop: Event) -> None:
            for place in chosen[worker :: self._workers]:
                if stop.is_set():
                    return
                self._lease.check()
                step = steps[place]
                outcomes[place] = self._writer.take(step, stop)
                self._progress.advance(self._side.table, 1, len(step.after))

        side_by_side(max(1, min(self._workers, len(chosen))), some, "repair")
        done = list(outcomes.values())
        return PartResult(
            part=number,
            written=done.count(Outcome.WRITTEN) + done.count(Outcome.ALREADY),
            already=done.count(Outcome.ALREADY),
            refused=tuple(place for place in chosen if outcomes[place] is Outcome.REFUSED),
        )

    def verify(self, steps: Sequence[Step], left_alone: Sequence[int], totals: Totals) -> None:
        """Read back what was written of a part, and compare. Raises UnavailableError, LeaseHeldError."""
        self._lease.check()
        alone = frozenset(left_alone)
        wanted = {step.key: step.after for place, step in enumerate(steps) if place not in alone}
        found: dict[bytes, bytes] = {}

        def take(rows: Sequence[Row]) -> None:
            # dict.update is one step of the interpreter: threads do not meet in it.
            found.update({key: bytes(item) for key, _, item in rows})

        keys = list(wanted)
        self._side.fetch(
            (keys[first : first + MAX_BATCH_KEYS] for first in range(0, len(keys), MAX_BATCH_KEYS)), take
        )
        for key, image in wanted.items():
            if same_item(found.get(key, b""), image):
                totals.verified += 1
            else:
                totals.overtaken += 1
                if len(totals.overtaken_keys) < KEPT_KEYS:
                    totals.overtaken_keys.append(key)
