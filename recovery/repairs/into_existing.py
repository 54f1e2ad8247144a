"""A backup into a table that is there: ``recover --into-existing``, by the same comparison, conditions and journal.

So it can be undone like any repair, and continues like one. Who calls this has had the table's name typed and the
account compared: nothing here asks.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from recovery.repairs.differences import ALL_KINDS, Kind
from recovery.repairs.repair import RepairWish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.backups.manifest import Manifest
    from recovery.repairs.repair import PreparedRepair, Repairs
    from recovery.repairs.reports import RepairReport


class IntoExisting(StrEnum):
    """What may happen to the items of the table. The words are those of ``--into-existing``."""

    MERGE = "merge"  # every item of the backup is put, others stay
    REPLACE_ITEMS = "replace-items"  # the table holds what the backup holds, and nothing else
    ONLY_MISSING = "only-missing"  # what is there stays as it is


KINDS = {
    IntoExisting.MERGE: (Kind.REMOVED, Kind.CHANGED),
    IntoExisting.REPLACE_ITEMS: ALL_KINDS,
    IntoExisting.ONLY_MISSING: (Kind.REMOVED,),
}


@dataclass(frozen=True, slots=True)
class IntoExistingReport:
    """What it came to. ``left``: items that a second comparison found to differ from what was asked for.

    Every item that was written has been read back before, so those are items that others wrote meanwhile.
    """

    repair: RepairReport
    left: int

    @property
    def complete(self) -> bool:
        """Whether nothing is left of what was asked for."""
        return self.repair.complete and not self.left


@contextmanager
def plan_into_existing(
    repairs: Repairs, backup: Manifest, mode: IntoExisting, *, table: str = "", elsewhere: bool = False
) -> Iterator[PreparedRepair]:
    """The plan (``.plan``), and while the block runs what applies it. ``table`` "" is the backup's own.

    Raises as ``Repairs.prepare``.
    """
    wish = RepairWish(backup=backup, table=table, kinds=KINDS[mode], elsewhere=elsewhere)
    with repairs.prepare(wish) as prepared:
        yield prepared


def apply_into_existing(repairs: Repairs, prepared: PreparedRepair, started_by: str) -> IntoExistingReport:
    """Apply it, and compare once more. Raises as ``Repairs.apply``; running it again completes it."""
    report = repairs.apply(prepared, started_by)
    plan = prepared.plan
    source = plan.source
    backup = repairs.catalog.get(source.account, source.region, source.name, plan.backup_id)
    again = RepairWish(backup=backup, table=plan.target.name, kinds=plan.selection.kinds, elsewhere=True)
    with repairs.prepare(again) as after:
        return IntoExistingReport(report, after.plan.writes)
