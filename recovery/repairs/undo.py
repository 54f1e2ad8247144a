"""Undoing a repair: the items that it wrote become again what they were, unless somebody has changed them since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.errors import DamagedObjectError
from recovery.repairs.documents import UNDONE, put_sealed, result_of
from recovery.repairs.fitness import refuse_unfit
from recovery.repairs.journal import Journal
from recovery.repairs.parts import PartTaker, Totals
from recovery.repairs.reports import report_from, result_from
from recovery.repairs.store import find_repair
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.repairs.documents import RepairPlan
    from recovery.repairs.repair import Repairs
    from recovery.repairs.reports import RepairReport


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What an undoing will do, as data.

    ``items`` were written by the repair; where it was interrupted (``interrupted``), some of them perhaps not. ``done``:
    it is undone already, and nothing will happen; ``resumes``: it was begun before and is continued.
    """

    repair: RepairPlan
    repaired_by: str
    repaired_at: datetime
    parts: int
    items: int
    interrupted: bool
    resumes: bool
    done: bool


def plan_undo(repairs: Repairs, wanted: str) -> UndoPlan:
    """The plan for a repair by its id, or for the newest one of a table. Writes nothing.

    Raises RepairNotFoundError, DamagedObjectError, UnsafeError, TableNotFoundError.
    """
    vault = repairs.catalog.vault
    stored = find_repair(vault, repairs.aws.account, repairs.aws.region, wanted)
    plan = stored.header.plan
    journal = Journal(vault, plan.folder)
    side = repairs.side(plan.target.name)
    items, numbers = 0, journal.numbers()
    if numbers != list(range(1, len(numbers) + 1)):
        raise DamagedObjectError(plan.folder, "a part of the journal is missing")
    for number in numbers:
        # All of it is looked at before the first item is written.
        result, steps = journal.result("results", number), journal.read(number)
        items += len(steps) - len(result.refused if result else ())
        try:
            for step in steps:
                side.key.of_item(step.key)
        except ValueError as error:
            raise UnsafeError(
                f"table {plan.target.name} has another key than when it was repaired"
            ) from error
    return UndoPlan(
        repair=plan,
        repaired_by=stored.header.started_by,
        repaired_at=stored.header.started_at,
        parts=len(numbers),
        items=items,
        interrupted=not stored.ended,
        resumes=stored.undoing and not stored.undone,
        done=stored.undone,
    )


def undo(repairs: Repairs, plan: UndoPlan, started_by: str) -> RepairReport:
    """Put the earlier images back, each only where the item still is what the repair wrote; verified like a repair.

    Running it again continues it; once it is done, it does nothing more. Raises LeaseHeldError, UnsafeError,
    DamagedObjectError, UnavailableError.
    """
    repair, vault = plan.repair, repairs.catalog.vault
    task = repair.target.name
    with repairs.holding(repair.target, started_by) as lease:
        started_at = repairs.clock()
        if plan.done:
            return _undone_before(repairs, plan, started_at)
        refuse_unfit(repairs.aws, task, repairs.sleep)
        side = repairs.side(task)
        taker = PartTaker(side, repairs.sleep, lease, repairs.progress)
        repairs.progress.start(task, f"undo the repair of {task}", plan.items)
        totals = _take_back(Journal(vault, repair.folder), taker)
        repairs.progress.finish(task)
        ended_at = repairs.clock()
        numbers = Journal(vault, repair.folder).numbers()
        put_sealed(vault, repair.folder + UNDONE, result_from(repair.repair_id, numbers, totals, ended_at))
    return report_from(repair, totals, started_at, ended_at, resumed=plan.resumes)


def _take_back(journal: Journal, taker: PartTaker) -> Totals:
    totals = Totals()
    # The last part first: an item may have been written twice, when a repair was continued.
    numbers = sorted(journal.numbers(), reverse=True)
    for number in numbers:
        steps = [step.reversed() for step in journal.read(number)]
        result = journal.result("undo", number)
        if result is None:
            result = taker.take(number, steps, _left_alone(journal, number))
            journal.note("undo", result)
        totals.count(result)
        totals.count_refused(result, steps)
    for number in numbers:
        result = journal.result("undo", number)
        alone = (*_left_alone(journal, number), *(result.refused if result else ()))
        taker.verify([step.reversed() for step in journal.read(number)], alone, totals)
    return totals


def _left_alone(journal: Journal, number: int) -> tuple[int, ...]:
    """The steps that the repair did not take: those items were somebody else's."""
    result = journal.result("results", number)
    return result.refused if result else ()


def _undone_before(repairs: Repairs, plan: UndoPlan, now: datetime) -> RepairReport:
    found = result_of(repairs.catalog.vault.get(plan.repair.folder + UNDONE))
    totals = Totals(
        written=found.written, already=found.written, refused=found.refused, verified=found.verified
    )
    return report_from(plan.repair, totals, now, found.ended_at, resumed=True)
