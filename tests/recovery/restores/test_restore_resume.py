"""Interrupted recoveries: whatever happened, running the command again completes it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import RUN_TAG
from recovery.errors import ConflictError, DamagedObjectError, LeaseHeldError, TableExistsError
from recovery.restores.runs import RunRecord, unfinished_run
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.vault.leases import LEASE_SECONDS
from recovery.vault.vault import document
from rules.errors import AccessDeniedError, UnavailableError
from tests.recovery.recovering import WHO, all_items, definition_of, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from tests.recovery.recovering import Process


@pytest.fixture
def plan(net: Process, plain: DynamoDBClient, table: str) -> RecoveryPlan:
    """The plan for a lost table of 40 items in several data files, with stream, TTL and a tag."""
    make_table(
        plain,
        table,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    plain.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    net.faults.page_items = 10
    for item in some_items(40):
        plain.put_item(TableName=table, Item=item)
    backup = net.back_up(table, file_raw_bytes=400)
    assert len(backup.data_objects) == 4
    plain.delete_table(TableName=table)
    made = net.plan(table)
    net.faults.reset()
    return made


def runs(net: Process, plan: RecoveryPlan) -> list[RunRecord]:
    """All run records of the plan's target."""
    prefix = f"runs/recover.{ACCOUNT}.{REGION}.{plan.target.name}."
    return [document(RunRecord, net.store.get(info.key)) for info in net.store.list(prefix)]


def apply(net: Process, plan: RecoveryPlan) -> Any:
    """The command, run once."""
    return net.recovery().apply(plan, WHO)


def forget_recovery(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """As if nothing had been recovered yet."""
    plain.delete_table(TableName=plan.target.name)
    for place in ("runs/", "leases/"):
        for info in list(net.store.list(place)):
            net.store.delete(info.key)


def test_a_crash_at_any_call_is_completed_by_running_it_again(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Killed before any one of its calls, to AWS or to the vault: the next run ends with the very same table.

    Before the next call is after the one before, so that every state which a kill can leave is met.
    """
    make_table(plain, table, some_items(2), Tags=[{"Key": "team", "Value": "shop"}])
    plain.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    items, definition = all_items(plain, table), definition_of(plain, table)
    net.back_up(table)
    plain.delete_table(TableName=table)
    plan = net.plan(table)
    net.faults.reset()
    apply(net, plan)
    calls = list(net.faults.calls)
    assert {"CreateTable", "BatchWriteItem", "UpdateTimeToLive", "UntagResource", "Scan"} <= set(calls)
    for nth in range(1, len(calls) + 1):
        forget_recovery(net, plain, plan)
        net.again()
        net.faults.crash(nth=nth)
        with pytest.raises(Crash):
            apply(net, plan)
        net.again()
        if any(run.ended_at for run in runs(net, plan)):
            # It was complete, only the lease was not let go of: the table is there and stays untouched.
            with pytest.raises(TableExistsError):
                apply(net, plan)
            assert calls[nth - 1 :] == ["vault.replace"]
        else:
            assert apply(net, plan).differences == ()
        where = f"killed before call {nth}, {calls[nth - 1]}"
        assert all_items(plain, table) == items, where
        assert definition_of(plain, table) == definition, where


WRITES = ["CreateTable", "BatchWriteItem", "UpdateTimeToLive", "UpdateTable", "UntagResource"]


@pytest.mark.parametrize("operation", WRITES)
def test_a_crash_right_after_a_write(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan, operation: str
) -> None:
    """AWS did it, and the process died before it heard so."""
    net.faults.crash(operation, after=True)
    with pytest.raises(Crash):
        apply(net, plan)
    net.again()
    report = apply(net, plan)
    assert (report.resumed, report.differences, report.follow_ups) == (True, (), ())
    assert all_items(plain, plan.target.name) == comparable(some_items(40))
    assert RUN_TAG not in dict(definition_of(plain, plan.target.name)["tags"])


@pytest.mark.parametrize("operation", [*WRITES, "vault.put_new", "vault.replace"])
@pytest.mark.parametrize("fault", ["lose_answer", "throttle", "deny"])
def test_a_fault_at_any_write(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan, operation: str, fault: str
) -> None:
    """Lost answers, throttling without end, no permission: at the latest the second run completes the table."""
    if fault == "lose_answer":
        net.faults.lose_answer(operation)
    else:
        code = "ThrottlingException" if fault == "throttle" else "AccessDeniedException"
        net.faults.fail(operation, times=50, code=code)
    try:
        report = apply(net, plan)
    except (UnavailableError, AccessDeniedError, ConflictError, LeaseHeldError):
        net.again()
        report = apply(net, plan)
    assert report.differences == () or report.follow_ups
    assert all_items(plain, plan.target.name) == comparable(some_items(40))


def test_a_crash_in_the_middle_of_the_load_loads_only_what_is_missing(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Files that were noted as loaded are not loaded again; the second run says that it continued the first."""
    net.faults.crash("BatchWriteItem", nth=3)
    with pytest.raises(Crash):
        apply(net, plan)
    (run,) = runs(net, plan)
    assert (len(run.loaded_files), run.loaded, run.verified) == (2, False, False)
    assert run.started_by == WHO
    net.again()
    report = apply(net, plan)
    assert (report.resumed, report.run_id) == (True, run.run_id)
    assert net.faults.calls.count("BatchWriteItem") == 2
    assert net.faults.calls.count("CreateTable") == 0
    assert len(runs(net, plan)) == 1
    assert all_items(plain, plan.target.name) == comparable(some_items(40))


def test_a_killed_run_is_locked_until_its_lease_runs_out(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Nobody can know that it is dead before; afterwards it is taken over at once."""
    net.faults.crash("BatchWriteItem")
    with pytest.raises(Crash):
        apply(net, plan)
    net.faults.reset()
    net.clock.advance(LEASE_SECONDS - 1)
    with pytest.raises(LeaseHeldError):
        apply(net, plan)
    net.clock.advance(1)
    assert apply(net, plan).resumed


def test_ctrl_c_leaves_a_state_to_continue_from(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """KeyboardInterrupt while workers write: the lease is free at once, no worker is left, and a rerun completes it."""

    def interrupt(request: Any, **_: object) -> None:
        events.unregister("before-send.dynamodb.BatchWriteItem", interrupt)
        raise KeyboardInterrupt

    events = net.tables._client.meta.events  # noqa: SLF001 - batches are written by this client
    events.register_first("before-send.dynamodb.BatchWriteItem", interrupt)
    with pytest.raises(KeyboardInterrupt):
        apply(net, plan)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("write", "lease"))]
    assert apply(net, plan).resumed
    assert all_items(plain, plan.target.name) == comparable(some_items(40))


@pytest.mark.parametrize("operation", ["BatchWriteItem", "Scan", "UpdateTimeToLive", "UntagResource"])
def test_a_table_that_was_deleted_after_a_crash_is_loaded_in_full(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan, operation: str
) -> None:
    """Somebody clears the half recovered table away: what the record calls loaded and verified is gone with it."""
    net.faults.crash(operation, nth=3 if operation == "BatchWriteItem" else 1)
    with pytest.raises(Crash):
        apply(net, plan)
    plain.delete_table(TableName=plan.target.name)
    net.again()
    assert apply(net, plan).items_verified == 40
    assert all_items(plain, plan.target.name) == comparable(some_items(40))
    assert net.faults.calls.count("BatchWriteItem") == 4


def test_a_backup_that_was_damaged_after_a_crash_is_found(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """A run that is continued checks what it still has to load."""
    net.faults.crash("BatchWriteItem", nth=3)
    with pytest.raises(Crash):
        apply(net, plan)
    net.again()
    backup = net.catalog.get(ACCOUNT, REGION, plan.source.name, plan.backup_id)
    key = backup.folder + backup.data_objects[-1].key
    net.store.delete(key)
    net.faults.reset()
    with pytest.raises(DamagedObjectError) as caught:
        apply(net, plan)
    assert caught.value.key == key
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == []


def test_a_table_that_took_the_place_of_a_half_recovered_one_is_refused(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """An unfinished run is no leave to write into any table of that name: only into the one with its tag."""
    net.faults.crash("BatchWriteItem", nth=2)
    with pytest.raises(Crash):
        apply(net, plan)
    plain.delete_table(TableName=plan.target.name)
    theirs = [{"pk": {"S": "theirs"}}]
    make_table(plain, plan.target.name, theirs)
    net.again()
    with pytest.raises(TableExistsError):
        apply(net, plan)
    assert all_items(plain, plan.target.name) == comparable(theirs)


def test_a_finished_recovery_is_not_continued(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Once done, the same command meets an existing table and leaves it alone."""
    apply(net, plan)
    assert net.recovery().unfinished(plan) is None
    net.faults.reset()
    with pytest.raises(TableExistsError):
        apply(net, plan)
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == []


def test_another_backup_or_target_does_not_continue_a_run(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """A run belongs to one backup, one source and one target; names that begin alike are not alike."""
    net.faults.crash("BatchWriteItem")
    with pytest.raises(Crash):
        apply(net, plan)
    target, source = plan.target, plan.source
    others: list[dict[str, Any]] = [
        {"backup_id": "20261123T030000Z-00000000"},
        {"target": target.model_copy(update={"name": f"{target.name}.more"})},
        {"target": target.model_copy(update={"name": target.name[:-1]})},
        {"target": target.model_copy(update={"region": "us-east-1"})},
        {"source": source.model_copy(update={"name": "another"})},
    ]
    assert unfinished_run(net.store, plan) is not None
    assert [unfinished_run(net.store, plan.model_copy(update=other)) for other in others] == [None] * 5


def test_a_rerun_finishes_the_plan_that_was_begun(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """The new plan may differ, for the table exists by now: what was begun is what is finished."""
    net.faults.crash("BatchWriteItem", nth=2)
    with pytest.raises(Crash):
        apply(net, plan)
    net.again()
    later = net.plan(plan.target.name, extra_tags=(("late", "yes"),))
    assert later.target_exists
    assert apply(net, later).differences == ()
    assert definition_of(plain, plan.target.name)["tags"] == [("team", "shop")]


def test_a_lost_lease_stops_the_load(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """When the lease has run out, no further batch is written; whoever has it now can go on."""

    def run_out(request: Any, **_: object) -> None:
        net.clock.advance(LEASE_SECONDS)

    events = net.tables._client.meta.events  # noqa: SLF001 - batches are written by this client
    events.register_first("before-send.dynamodb.BatchWriteItem", run_out)
    try:
        with pytest.raises(LeaseHeldError, match="lost"):
            apply(net, plan)
    finally:
        events.unregister("before-send.dynamodb.BatchWriteItem", run_out)
    assert net.faults.calls.count("BatchWriteItem") < 4
    net.again()
    assert apply(net, plan).resumed


def test_two_runners_of_one_run_do_not_overwrite_each_other(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """A record that has moved on cannot be written by the one who was replaced."""
    net.faults.crash("BatchWriteItem")
    with pytest.raises(Crash):
        apply(net, plan)
    one, other = unfinished_run(net.store, plan), unfinished_run(net.store, plan)
    assert one is not None
    assert other is not None
    one.note(loaded=True)
    with pytest.raises(ConflictError):
        other.note(loaded=False, verified=True)
    one.forget()
    assert runs(net, plan)[0].model_dump(include={"loaded", "verified", "settled", "loaded_files"}) == {
        "loaded": False,
        "verified": False,
        "settled": False,
        "loaded_files": (),
    }


def test_a_damaged_run_record_is_named(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """A record that cannot be read is not skipped: it may say that a table is ours, or that it is not."""
    key = f"runs/recover.{ACCOUNT}.{REGION}.{plan.target.name}.20261123T030000Z-00000000.json"
    net.store.put_new(key, json.dumps({"plan": {}}).encode())
    with pytest.raises(DamagedObjectError) as caught:
        apply(net, plan)
    assert caught.value.key == key


def test_follow_ups_are_told_again_after_a_crash(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """A setting that failed is not forgotten because the process died before it could say so."""
    net.faults.fail("UpdateTimeToLive", code="AccessDeniedException")
    net.faults.crash("UntagResource")
    with pytest.raises(Crash):
        apply(net, plan)
    net.again()
    net.faults.fail("UpdateTimeToLive", code="AccessDeniedException")
    report = apply(net, plan)
    assert [step.setting for step in report.follow_ups] == ["ttl"]
    assert report.differences
    assert report.seconds == 120
