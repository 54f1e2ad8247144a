"""Recoveries that are interrupted at one call, then run again: what may happen there, and four ways to recover.

DynamoDB's loads are the stand-in of ``managed_loads``, its restores are moto's. Moto makes no system backup of a deleted
table: an on-demand one takes its place, which is restored by the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from recovery.progress import NoProgress
from recovery.restores.engine import RestoreEngineName
from recovery.restores.engine_bulk import BulkEngine
from recovery.restores.engine_import import ImportEngine
from recovery.restores.engine_restore import RestoreEngine
from recovery.restores.planning import RecoveryWish, plan_native
from recovery.restores.points import LostTable, PointKind
from recovery.restores.points_backups import BackupPoints
from recovery.restores.points_pitr import PitrPoints
from recovery.restores.restore import Engines, Recovery
from recovery.restores.runs import unfinished_run
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from rules.errors import SafetyNetError
from tests.recovery.managed import forget, lost
from tests.recovery.recovering import WHO, all_items, definition_of, make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import RecoveryReport
    from recovery.testing.faults import Faults
    from recovery.testing.managed_loads import ManagedLoads
    from tests.recovery.recovering import Process

ITEMS = some_items(4)
# What happens at the n-th call of a recovery, whichever that is.
FAULTS: dict[str, Callable[[Faults, int], None]] = {
    "killed before": lambda faults, nth: faults.crash(nth=nth),
    "killed after": lambda faults, nth: faults.crash(nth=nth, after=True),
    "answer lost": lambda faults, nth: faults.lose_answer("", nth=nth),
    "throttled": lambda faults, nth: faults.fail("", nth=nth, code="ThrottlingException"),
    "refused": lambda faults, nth: faults.fail("", nth=nth, code="AccessDeniedException"),
}


@dataclass
class Scene:
    """A lost table and the plan to bring it back."""

    net: Process
    plain: DynamoDBClient
    loads: ManagedLoads
    plan: RecoveryPlan

    @property
    def table(self) -> str:
        """The table that comes back."""
        return self.plan.target.name

    def apply(self) -> RecoveryReport:
        """The command, run once, with every engine there is but ``write``."""
        net = self.net
        return Recovery(
            aws=net.aws,
            catalog=net.catalog,
            tables=net.tables,
            engines=Engines(
                {RestoreEngineName.BULK: BulkEngine(net.aws, net.sleep)},
                {
                    RestoreEngineName.IMPORT: ImportEngine(
                        net.aws, net.catalog, net.sleep, intents=net.intents
                    ),
                    RestoreEngineName.RESTORE: RestoreEngine(net.aws, net.sleep),
                },
            ),
            clock=net.clock,
            sleep=net.sleep,
            progress=NoProgress(),
            intents=net.intents,
        ).apply(self.plan, WHO)

    def forget(self) -> None:
        """As if nothing had been recovered yet."""
        forget(self.net, self.plain, self.loads, self.plan)
        self._begin()

    def _begin(self) -> None:
        self.net.faults.reset()
        # Two items at each look at a load, so that there are several.
        self.loads.step = 2
        # Moto dates what it makes by the real time, and a restore is told from another by its date.
        self.net.clock.now = datetime.now(UTC)

    def items(self) -> list[str]:
        """The table's items as plain boto3 sees them: one that is there twice, or lacks, is seen."""
        return all_items(self.plain, self.table)

    def definition(self) -> dict[str, Any]:
        """The table's definition as plain boto3 sees it, but for when it was restored."""
        found = definition_of(self.plain, self.table)
        found["table"].pop("RestoreSummary", None)
        # A tag that is put on again stays one tag; moto shows it twice.
        return {**found, "tags": dict(found["tags"])}

    def run_through(self) -> tuple[list[str], set[str]]:
        """The first recovery, which nobody disturbs: its calls in order, and those of them that change something."""
        self._begin()
        self.apply()
        return list(self.net.faults.calls), set(self.net.faults.writes)

    def interrupted(self, fault: str, nth: int) -> RecoveryReport | None:
        """A recovery with a fault at its n-th call, and another one where that did not complete it.

        The last report; None where the first run had done everything and could only not say so any more.
        """
        self.forget()
        FAULTS[fault](self.net.faults, nth)
        try:
            return self.apply()
        except Crash:
            assert fault.startswith("killed")
        except SafetyNetError:
            assert not fault.startswith("killed")
        self.net.again()
        # Where only the lease was not let go of any more, there is nothing to continue.
        return self.apply() if self._is_unfinished() else None

    def _is_unfinished(self) -> bool:
        runs = [*self.net.store.list("runs/")]
        return not runs or unfinished_run(self.net.store, self.plan) is not None


def make_and_fill(plain: DynamoDBClient, table: str) -> None:
    """A table with some items, a tag and a time to live."""
    make_table(plain, table, ITEMS, Tags=[{"Key": "team", "Value": "shop"}])
    plain.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )


def loaded(
    name: RestoreEngineName, net: Process, plain: DynamoDBClient, loads: ManagedLoads, table: str
) -> Scene:
    """A lost table that DynamoDB loads from the vault."""
    make_and_fill(plain, table)
    return Scene(net, plain, loads, lost(net, plain, table, name, file_items=2))


def restored(kind: PointKind, net: Process, plain: DynamoDBClient, loads: ManagedLoads, table: str) -> Scene:
    """A table that AWS restores from a point of its own keeping, with the settings that the vault tells."""
    net.clock.now = datetime.now(UTC)
    make_and_fill(plain, table)
    net.back_up(table)
    wish = RecoveryWish(table=table, account=ACCOUNT, region=REGION)
    lost_table = LostTable(ACCOUNT, REGION, table)
    if kind is PointKind.PITR:
        plain.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        (point,) = PitrPoints(net.aws, net.sleep).find(lost_table)
        wish = RecoveryWish(table=table, account=ACCOUNT, region=REGION, as_name=f"{table}.copy")
    else:
        plain.create_backup(TableName=table, BackupName="by-hand")
        plain.delete_table(TableName=table)
        (point,) = BackupPoints(net.aws, net.sleep).find(lost_table)
        point = point.model_copy(update={"kind": kind})
    return Scene(net, plain, loads, plan_native(net.aws, net.catalog, wish, point, point.time))


SCENES: dict[str, Callable[..., Scene]] = {
    "bulk": partial(loaded, RestoreEngineName.BULK),
    "import": partial(loaded, RestoreEngineName.IMPORT),
    "system": partial(restored, PointKind.SYSTEM),
    "pitr": partial(restored, PointKind.PITR),
}


# Each look at a load of the stand-in's finds it further on.
MOVING = frozenset({"DescribeBulkOperation", "DescribeImport"})
EVERYDAY = ("killed before", "answer lost", "throttled", "refused")


def is_worth_it(fault: str, call: str, writes: set[str]) -> bool:
    """Whether that fault at that call leaves another state than the same one elsewhere.

    Killed after a write is killed before the next one. A vault that refuses is as good as one that lost the answer.
    """
    if fault == "killed before":
        return call in writes | MOVING
    return call in writes and (fault == "answer lost" or not call.startswith("vault."))


def sweep(scene: Scene, fault: str, *, every: bool) -> int:
    """One fault at each call of a whole recovery, or where it ``is_worth_it``; at how many calls.

    Fails where what is there in the end, at the latest after a second run, is not what a recovery makes that nobody
    disturbs. A setting alone may be left to people, with the command that puts it on.
    """
    calls, writes = scene.run_through()
    items, definition = scene.items(), scene.definition()
    assert items == comparable(ITEMS)
    met = 0
    for nth, call in enumerate(calls, start=1):
        if not every and not is_worth_it(fault, call, writes):
            continue
        met += 1
        where = f"{fault} at call {nth}, {call}"
        report = scene.interrupted(fault, nth)
        assert scene.items() == items, where
        if report is None or not report.follow_ups:
            assert report is None or report.differences == (), where
            assert scene.definition() == definition, where
        assert len(scene.loads.operations) <= 1, f"{where}: begun twice"
        assert len([*scene.net.store.list("runs/")]) == 1, f"{where}: more than one run"
    return met
