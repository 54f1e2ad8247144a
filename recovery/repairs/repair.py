"""Putting items of a backup back into a table that is there: just those that differ, and only if nobody is faster.

A plan is made from a comparison and applied by the same object. Apply writes the images of a batch into the journal,
then the batch, each item under a condition (``writing``), then what became of it; at the end it reads back all that
it wrote. Running it again after a crash first settles the batch that was under way: its items are either still what
they were, or already what they should be.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.backups.backup import tool_version
from recovery.repairs.differences import Kind, compare
from recovery.repairs.documents import (
    HEADER,
    RESULT,
    RepairHeader,
    RepairPlan,
    Selection,
    folder_of,
    new_repair_id,
    put_sealed,
)
from recovery.repairs.fitness import refuse_unfit
from recovery.repairs.journal import Journal, Step, parts_of
from recovery.repairs.key_file import read_keys
from recovery.repairs.parts import PartTaker, Totals
from recovery.repairs.reports import report_from, result_from
from recovery.repairs.sides import BackupSide, TableSide
from recovery.repairs.store import unfinished_repairs
from recovery.restores.plans import TableTarget
from recovery.restores.runs import lease_name
from recovery.vault.leases import holding, take_lease
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.clock import Clock, Sleep
    from recovery.progress import Progress
    from recovery.repairs.differences import Difference, Differences
    from recovery.repairs.reports import RepairReport
    from recovery.repairs.where import Where
    from recovery.vault.leases import Lease
    from recovery.wire import RawTables

SAMPLE_KEYS = 10
DEFAULT_KINDS = (Kind.REMOVED, Kind.CHANGED)  # to delete what was added must be asked for


@dataclass(frozen=True, slots=True)
class RepairWish:
    """What is asked for. ``table`` "" is the table of the backup; ``elsewhere`` allows another account or region.

    What ``kinds``, ``where`` and ``keys`` (a file) say must all hold of an item.
    """

    backup: Manifest
    table: str = ""
    kinds: tuple[Kind, ...] = DEFAULT_KINDS
    where: Where | None = None
    keys: Path | None = None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class PreparedRepair:
    """A plan and the items it is about, in a temporary file that is gone with the block it was made in."""

    plan: RepairPlan
    differences: Differences
    side: TableSide


class Repairs:
    """Plans and applies repairs in one account and region."""

    def __init__(
        self, *, aws: Aws, catalog: Catalog, tables: RawTables, clock: Clock, sleep: Sleep, progress: Progress
    ) -> None:
        self.aws = aws
        self.catalog = catalog
        self.clock = clock
        self.sleep = sleep
        self.progress = progress
        self._tables = tables

    @contextmanager
    def prepare(self, wish: RepairWish) -> Iterator[PreparedRepair]:
        """Compare and plan, writing nothing in AWS; apply works while the block runs.

        Raises UnsafeError for a table that must not be written to, KeyFileError, DamagedObjectError,
        TableNotFoundError, UnavailableError.
        """
        backup, where = wish.backup, wish.where
        target = TableTarget(
            account=self.aws.account, region=self.aws.region, name=wish.table or backup.table.name
        )
        if (target.account, target.region) != (backup.table.account, backup.table.region) and (
            not wish.elsewhere
        ):
            raise UnsafeError(
                f"the backup is of {backup.table.account}/{backup.table.region}, but the credentials at hand "
                f"are for {target.account}/{target.region}",
                hint="Use the right --profile and --region, or allow it with --elsewhere.",
            )
        warnings = refuse_unfit(self.aws, target.name, self.sleep)
        before = BackupSide(self.catalog, backup, self.progress)
        side = self.side(target.name)
        keys = read_keys(wish.keys, before.key) if wish.keys is not None else None
        with compare(before, side, keys=keys, kinds=wish.kinds) as differences:
            found = sum(differences.counts().values()) + differences.left_out
            if where is not None:
                differences.keep(where.matches)
            if where is not None and where.failures:
                warnings.append(
                    f"--where could not be evaluated on {where.failures:,} images: they do not match"
                )
            count, digest = differences.wanted_digest()
            selection = Selection(
                kinds=tuple(kind for kind in Kind if kind in wish.kinds),
                where=where.expression if where else "",
                keys=None if keys is None else count,
                keys_digest="" if keys is None else digest,
            )
            yield PreparedRepair(
                self._plan(backup, target, selection, differences, found, warnings), differences, side
            )

    def side(self, table: str) -> TableSide:
        """A live table, to be read and written item by item. Raises TableNotFoundError."""
        return TableSide(self.aws, self._tables, table, self.sleep, self.progress)

    @contextmanager
    def holding(self, target: TableTarget, started_by: str) -> Iterator[Lease]:
        """The lease of a table: nobody recovers or repairs it meanwhile. Raises LeaseHeldError."""
        with holding(take_lease(self.catalog.vault, self.clock, lease_name(target), started_by)) as lease:
            yield lease

    def apply(self, prepared: PreparedRepair, started_by: str) -> RepairReport:
        """Write the items of a plan, or go on with what an interrupted apply of it began.

        Raises LeaseHeldError, DamagedObjectError, UnavailableError; running it again completes it. Where there is nothing
        to write, nothing is written to the vault either.
        """
        plan = prepared.plan
        if not plan.writes and not plan.resumes:
            return report_from(plan, Totals(), self.clock(), self.clock(), resumed=False)
        with self.holding(plan.target, started_by) as lease:
            started_at = self._begin(plan, started_by)
            taker = PartTaker(prepared.side, self.sleep, lease, self.progress)
            journal = Journal(self.catalog.vault, plan.folder)
            task = plan.target.name
            self.progress.start(task, f"repair {task}", plan.writes)
            totals = self._take_all(prepared, journal, taker)
            numbers = journal.numbers()
            for number in numbers:
                result = journal.result("results", number)
                taker.verify(journal.read(number), result.refused if result else (), totals)
            self.progress.finish(task)
            ended_at = self.clock()
            put_sealed(
                self.catalog.vault,
                plan.folder + RESULT,
                result_from(plan.repair_id, numbers, totals, ended_at),
            )
        return report_from(plan, totals, started_at, ended_at, resumed=plan.resumes)

    def _begin(self, plan: RepairPlan, started_by: str) -> datetime:
        now = self.clock()
        if not plan.resumes:
            header = RepairHeader(
                plan=plan, started_by=started_by, started_at=now, tool_version=tool_version()
            )
            put_sealed(self.catalog.vault, plan.folder + HEADER, header)
        return now

    def _take_all(self, prepared: PreparedRepair, journal: Journal, taker: PartTaker) -> Totals:
        totals, number = Totals(), 0
        for number in journal.numbers():
            result = journal.result("results", number)
            if result is None:
                # The batch that was under way: what is in the journal is what the comparison of then has seen.
                steps = journal.read(number)
                result = taker.take(number, steps)
                journal.note("results", result)
                totals.count_refused(result, steps)
                prepared.differences.forget([step.key for step in steps])
            totals.count(result)
        for part in parts_of(map(step_of, prepared.differences.all())):
            number += 1
            journal.write(number, part)
            result = taker.take(number, part)
            journal.note("results", result)
            totals.count(result)
            totals.count_refused(result, part)
        return totals

    def _plan(
        self,
        backup: Manifest,
        target: TableTarget,
        selection: Selection,
        differences: Differences,
        found: int,
        warnings: list[str],
    ) -> RepairPlan:
        counts = differences.counts()
        begun = self._unfinished(target, backup, selection)
        repair_id = begun or new_repair_id(self.clock())
        sample: list[dict[str, Any]] = []
        for difference in differences.all():
            if len(sample) == SAMPLE_KEYS:
                break
            sample.append(json.loads(difference.key))
        return RepairPlan(
            repair_id=repair_id,
            backup_id=backup.backup_id,
            backup_time=backup.time,
            source=backup.table,
            target=target,
            selection=selection,
            to_put_back=counts[Kind.REMOVED],
            to_overwrite=counts[Kind.CHANGED],
            to_delete=counts[Kind.ADDED],
            data_bytes=differences.size_bytes(),
            not_asked=found - sum(counts.values()),
            unknown_keys=differences.unknown_keys(),
            journal=f"{self.catalog.vault.location}/{folder_of(target)}{repair_id}/",
            sample_keys=tuple(sample),
            resumes=bool(begun),
            warnings=tuple(warnings),
        )

    def _unfinished(self, target: TableTarget, backup: Manifest, selection: Selection) -> str:
        """The id of this very repair where it was begun and has not ended, "" where there is none."""
        for header in unfinished_repairs(self.catalog.vault, target):
            theirs = header.plan
            if (theirs.backup_id, theirs.source, theirs.selection) == (
                backup.backup_id,
                backup.table,
                selection,
            ):
                return theirs.repair_id
        return ""


def step_of(difference: Difference) -> Step:
    """From what the table holds to what the backup holds."""
    return Step(difference.key, difference.after, difference.before)
