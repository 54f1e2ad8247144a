"""A load of DynamoDB's own that does not work out is gone on with by another engine, where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recovery.errors import AwsError
from recovery.progress import NoProgress
from recovery.restores.engine import RestoreEngineName
from recovery.restores.engine_bulk import BulkEngine
from recovery.restores.engine_choice import ASKED_FOR
from recovery.restores.engine_import import ImportEngine
from recovery.restores.engine_write import WriteEngine
from recovery.restores.restore import Engines, Recovery
from recovery.restores.runs import unfinished_run
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.testing.managed_operation import Script
from rules.errors import LockedError
from tests.recovery.managed import lost
from tests.recovery.recovering import WHO, all_items, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import RecoveryReport
    from recovery.testing.managed_loads import ManagedLoads
    from tests.recovery.recovering import Process

WRITE, BULK, IMPORT = RestoreEngineName.WRITE, RestoreEngineName.BULK, RestoreEngineName.IMPORT
BEGINS = {BULK: "StartBulkPutItems", IMPORT: "ImportTable"}


@pytest.fixture(params=[BULK, IMPORT])
def plan(request: pytest.FixtureRequest, managed: Process, plain: DynamoDBClient, table: str) -> RecoveryPlan:
    """The plan to bring six items back by one of DynamoDB's own loads."""
    make_table(plain, table, some_items(6), Tags=[{"Key": "team", "Value": "shop"}])
    return lost(managed, plain, table, request.param, file_items=2)


def apply(net: Process, plan: RecoveryPlan, engine: RestoreEngineName | None = None) -> RecoveryReport:
    """The command, run once; ``engine`` is what ``--engine`` says."""
    asked = {"engine": engine, "engine_why": ASKED_FOR} if engine else {"engine_why": "it is faster"}
    return Recovery(
        aws=net.aws,
        catalog=net.catalog,
        tables=net.tables,
        engines=Engines(
            {WRITE: WriteEngine(net.tables, net.sleep, workers=2), BULK: BulkEngine(net.aws, net.sleep)},
            {IMPORT: ImportEngine(net.aws, net.catalog, net.sleep, intents=net.intents)},
        ),
        clock=net.clock,
        sleep=net.sleep,
        progress=NoProgress(),
        intents=net.intents,
    ).apply(plan.model_copy(update=asked), WHO)


@pytest.mark.parametrize("after_items", [0, 3])
def test_what_the_hint_of_a_failure_says_works(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan, after_items: int
) -> None:
    """DynamoDB may not read the bucket, say: ``--engine write`` finishes the same run in the same table."""
    loads.script(Script(after_items=after_items, code="S3AccessDenied", message="no permission"))
    with pytest.raises(AwsError) as caught:
        apply(managed, plan)
    assert "--engine write" in caught.value.hint
    managed.again()
    report = apply(managed, plan, WRITE)
    assert (report.resumed, report.differences, report.items_verified) == (True, (), 6)
    assert all_items(plain, plan.target.name) == comparable(some_items(6))
    assert not {*BEGINS.values(), "CreateTable", "DeleteTable"} & set(managed.faults.calls)


@pytest.mark.parametrize("known", [True, False], ids=["followed before", "its answer was lost"])
def test_not_while_dynamodb_goes_on_loading(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan, known: bool
) -> None:
    """What it still puts could come over newer items: locked, until it has ended; then nothing is in the way."""
    loads.step = 1
    if known:
        managed.faults.crash(f"Describe{'BulkOperation' if plan.engine is BULK else 'Import'}", nth=2)
    else:
        managed.faults.crash(BEGINS[plan.engine], after=True)
    with pytest.raises(Crash):
        apply(managed, plan)
    managed.again()
    with pytest.raises(LockedError, match="is still loading") as caught:
        apply(managed, plan, WRITE)
    assert "without --engine" in caught.value.hint
    assert "BatchWriteItem" not in managed.faults.calls
    managed.again()
    assert apply(managed, plan).differences == ()
    assert len(loads.operations) == 1
    assert all_items(plain, plan.target.name) == comparable(some_items(6))


def test_an_engine_that_was_not_asked_for_changes_nothing(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """A later plan may choose another one by itself: what was begun is finished as it was begun."""
    managed.faults.crash(BEGINS[plan.engine], after=True)
    with pytest.raises(Crash):
        apply(managed, plan)
    managed.again()
    apply(managed, plan.model_copy(update={"engine": WRITE}))
    assert "BatchWriteItem" not in managed.faults.calls
    assert len(loads.operations) == 1


def test_a_load_that_never_began(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """The region does not offer it after all: nothing is under way, and the other engine begins."""
    managed.faults.fail(BEGINS[plan.engine], code="UnknownOperationException")
    with pytest.raises(AwsError):
        apply(managed, plan)
    managed.again()
    assert apply(managed, plan, WRITE).items_verified == 6
    assert loads.operations == []
    assert unfinished_run(managed.store, plan) is None
    assert all_items(plain, plan.target.name) == comparable(some_items(6))
