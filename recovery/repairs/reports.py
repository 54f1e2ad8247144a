"""What a repair, or its undoing, came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.repairs.documents import RepairResult

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.repairs.documents import RepairPlan
    from recovery.repairs.parts import Totals


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair, or its undoing, came to. Keys are in DynamoDB JSON, the first hundred of them.

    ``refused``: items that had changed since they were compared, and were left alone; ``overtaken``: items that were
    written and are something else by now; ``verified``: read back and found as written.
    """

    repair_id: str
    table: str
    journal: str
    written: int
    already: int
    refused: int
    verified: int
    overtaken: int
    refused_keys: tuple[bytes, ...]
    overtaken_keys: tuple[bytes, ...]
    started_at: datetime
    ended_at: datetime
    resumed: bool = False

    @property
    def complete(self) -> bool:
        """Whether every item that was asked for is what it should be."""
        return not self.refused and not self.overtaken


def result_from(repair_id: str, parts: list[int], totals: Totals, ended_at: datetime) -> RepairResult:
    """The document that ends a repair or its undoing."""
    return RepairResult(
        repair_id=repair_id,
        parts=len(parts),
        written=totals.written,
        already=totals.already,
        refused=totals.refused,
        verified=totals.verified,
        ended_at=ended_at,
    )


def report_from(
    plan: RepairPlan, totals: Totals, started_at: datetime, ended_at: datetime, *, resumed: bool
) -> RepairReport:
    """What people are told of it."""
    return RepairReport(
        repair_id=plan.repair_id,
        table=plan.target.name,
        journal=plan.journal,
        written=totals.written,
        already=totals.already,
        refused=totals.refused,
        verified=totals.verified,
        overtaken=totals.overtaken,
        refused_keys=tuple(totals.refused_keys),
        overtaken_keys=tuple(totals.overtaken_keys),
        started_at=started_at,
        ended_at=ended_at,
        resumed=resumed,
    )
