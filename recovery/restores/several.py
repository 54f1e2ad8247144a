"""Recoveries of several tables side by side: one that fails stops no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.errors import TableExistsError
from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import Recovery, RecoveryReport

PARALLEL = 4


@dataclass(frozen=True, slots=True)
class Recovered:
    """A table that is back."""

    plan: RecoveryPlan
    report: RecoveryReport

    @property
    def whole(self) -> bool:
        """Whether nothing of it is left to do."""
        return not self.report.follow_ups and not self.report.differences


@dataclass(frozen=True, slots=True)
class NotRecovered:
    """A table that is not back."""

    plan: RecoveryPlan
    error: SafetyNetError


Outcome = Recovered | NotRecovered


def recover_tables(
    recovery: Recovery,
    plans: Sequence[RecoveryPlan],
    started_by: str,
    parallel: int = PARALLEL,
    told: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Apply the plans, so many at a time; what became of each, in their order. ``told`` hears of each as it ends.

    KeyboardInterrupt stops those that are under way at their next step; running it again goes on with them.
    """
    if not plans:
        return []
    outcomes: dict[int, Outcome] = {}
    with ThreadPoolExecutor(min(len(plans), parallel), thread_name_prefix="recover") as pool:
        jobs = {pool.submit(_one, recovery, plan, started_by): number for number, plan in enumerate(plans)}
        try:
            for job in as_completed(jobs):
                outcome = outcomes[jobs[job]] = job.result()
                if told is not None:
                    told(outcome)
        except BaseException:
            # In this order: whoever stops makes room for the next one, which is not to begin.
            pool.shutdown(wait=False, cancel_futures=True)
            recovery.stop()
            raise
    return [outcomes[number] for number in range(len(plans))]


def _one(recovery: Recovery, plan: RecoveryPlan, started_by: str) -> Outcome:
    try:
        return Recovered(plan, recovery.apply(plan, started_by))
    except SafetyNetError as error:
        return NotRecovered(plan, error)


def refuse_existing(recovery: Recovery, plans: Sequence[RecoveryPlan]) -> None:
    """Before anybody is asked: raises TableExistsError naming the targets that are there and not our own half-made ones."""
    there = [plan for plan in plans if plan.target_exists and recovery.unfinished(plan) is None]
    if there:
        place = f"{there[0].target.account}/{there[0].target.region}"
        names = ", ".join(plan.target.name for plan in there)
        raise TableExistsError(
            f"table {names} exists in {place}" if len(there) == 1 else f"tables {names} exist in {place}"
        )
