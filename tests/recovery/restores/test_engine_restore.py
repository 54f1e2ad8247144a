"""DynamoDB's own restores, on moto: begun once, followed, marked, and never into anybody else's table.

Moto restores at once and takes no overrides: what it is asked for is checked against the service model, and a restore
that takes its time is told by changed answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.validate import validate_parameters

from recovery.definitions.definition import RUN_TAG
from recovery.errors import AwsError, BackupNotFoundError, LeaseHeldError, TableExistsError
from recovery.progress import NoProgress
from recovery.restores.engine_restore import RestoreEngine
from recovery.restores.points import LostTable, PointKind, RecoveryPoint
from recovery.restores.points_backups import BackupPoints
from recovery.restores.points_pitr import PitrPoints
from recovery.restores.restore_requests import overrides, restore_call
from recovery.restores.runs import start_run, unfinished_run
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.vault.leases import LEASE_SECONDS, take_lease
from rules.errors import SafetyNetError, UnavailableError, UnsafeError, UsageError
from tests.recovery.recovering import WHO, all_items, key, make_table, some_items
from tests.recovery.restores.native_plans import native_plan, target

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.runs import Run
    from tests.recovery.recovering import Process

RESTORES = ("RestoreTableFromBackup", "RestoreTableToPointInTime")


def index(name: str, *names: str, **more: Any) -> dict[str, Any]:
    """A secondary index of everything."""
    return {
        "IndexName": name,
        "KeySchema": key(*names)["KeySchema"],
        "Projection": {"ProjectionType": "ALL"},
        **more,
    }


INDEXES = [index("by-a", "a"), index("by-b", "b")]
SHAPE = {
    **key("pk"),
    "AttributeDefinitions": key("pk", "a", "b")["AttributeDefinitions"],
    "GlobalSecondaryIndexes": INDEXES,
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def plan(net: Process, plain: DynamoDBClient, table: str) -> RecoveryPlan:
    """A plan for a deleted table from its on-demand backup."""
    net.clock.now = datetime.now(UTC)  # that of moto, which says when a table was made
    make_table(plain, table, some_items(10), **SHAPE)
    plain.create_backup(TableName=table, BackupName="by-hand")
    plain.delete_table(TableName=table)
    (point,) = BackupPoints(net.aws, net.sleep).find(LostTable(ACCOUNT, REGION, table))
    net.faults.reset()
    return native_plan(table, point=point, create_table={"TableName": table, **SHAPE})


@pytest.fixture
def windowed(net: Process, plain: DynamoDBClient, table: str) -> RecoveryPlan:
    """A plan for a copy of a live table, as of the latest moment of its window."""
    net.clock.now = datetime.now(UTC)
    make_table(plain, table, some_items(10), **SHAPE)
    plain.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    (point,) = PitrPoints(net.aws, net.sleep).find(LostTable(ACCOUNT, REGION, table))
    net.faults.reset()
    copy = f"{table}.copy"
    return native_plan(table, point=point, target=target(copy), create_table={"TableName": copy, **SHAPE})


@dataclass
class Told:
    """What a progress was told."""

    items: int = 0

    def start(self, task: str, label: str, total_items: int | None) -> None:
        """See Progress."""

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """See Progress."""
        self.items += items

    def finish(self, task: str) -> None:
        """See Progress."""


def make(net: Process, plan: RecoveryPlan, sleep: Callable[[float], None] | None = None) -> Run:
    """What a recovery does with the engine: continue the run, or begin one."""
    lease = take_lease(net.vault, net.clock, "recover", WHO)
    run = unfinished_run(net.vault, plan) or start_run(net.vault, net.clock, plan, WHO)
    RestoreEngine(net.aws, sleep or net.sleep).make(run, lease, NoProgress())
    return run


def tags_of(client: DynamoDBClient, plan: RecoveryPlan) -> dict[str, str]:
    """The target's tags."""
    arn = client.describe_table(TableName=plan.target.name)["Table"]["TableArn"]
    return {tag["Key"]: tag["Value"] for tag in client.list_tags_of_resource(ResourceArn=arn)["Tags"]}


def assert_restored(client: DynamoDBClient, plan: RecoveryPlan, run: Run) -> None:
    """All items are there, and the table says whose it is."""
    assert all_items(client, plan.target.name) == comparable(some_items(10))
    assert tags_of(client, plan) == {**plan.tags, RUN_TAG: run.record.mark}
    assert run.record.operation.endswith(f":table/{plan.target.name}")


def slowly(polls: int) -> Callable[[dict[str, Any]], None]:
    """DescribeTable of a restore that is under way for so many polls."""
    left = [polls]

    def change(answer: dict[str, Any]) -> None:
        if "Table" in answer and left[0]:
            left[0] -= 1
            answer["Table"]["TableStatus"] = "CREATING"
            answer["Table"]["RestoreSummary"]["RestoreInProgress"] = True

    return change


def test_from_a_backup(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """The table is there under its own name, with the plan's tags and the run's."""
    run = make(net, plan)
    assert_restored(plain, plan, run)
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == [
        "RestoreTableFromBackup",
        "TagResource",
    ]


def test_to_a_point_in_time(net: Process, plain: DynamoDBClient, windowed: RecoveryPlan) -> None:
    """A copy beside the live table, of the latest moment there is."""
    run = make(net, windowed)
    assert_restored(plain, windowed, run)
    assert net.faults.calls.count("RestoreTableToPointInTime") == 1


def test_a_crash_at_any_call_is_completed_by_running_it_again(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Killed before any one of its calls, which is after the one before: the rerun ends in the same table."""
    make(net, plan)
    calls = list(net.faults.calls)
    assert {"RestoreTableFromBackup", "TagResource", "DescribeTable"} <= set(calls)
    for nth in range(1, len(calls) + 1):
        plain.delete_table(TableName=plan.target.name)
        for place in ("runs/", "leases/"):
            for info in list(net.store.list(place)):
                net.store.delete(info.key)
        net.faults.reset()
        net.clock.now = datetime.now(UTC)
        net.faults.crash(nth=nth)
        with pytest.raises(Crash):
            make(net, plan)
        net.again()
        assert_restored(plain, plan, make(net, plan))
        assert len([*net.store.list("runs/")]) == 1, f"killed before call {nth}, {calls[nth - 1]}"


@pytest.mark.parametrize("fault", ["lose_answer", "crash", "throttle", "limit", "busy"])
def test_a_fault_of_the_restore_itself(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan, fault: str
) -> None:
    """Begun once, whether its answer was lost, the process died, or AWS said that it was too much at that time."""
    call = "RestoreTableFromBackup"
    codes = {
        "throttle": "ThrottlingException",
        "limit": "LimitExceededException",
        "busy": "BackupInUseException",
    }
    if fault == "lose_answer":
        net.faults.lose_answer(call)
    elif fault == "crash":
        net.faults.crash(call, after=True)
        with pytest.raises(Crash):
            make(net, plan)
        net.again()
    else:
        net.faults.fail(call, times=5, code=codes[fault])
    assert_restored(plain, plan, make(net, plan))
    assert net.faults.calls.count(call) == {"lose_answer": 2, "crash": 0}.get(fault, 6)


@pytest.mark.parametrize("moved", [timedelta(0), timedelta(minutes=3)])
def test_a_lost_answer_of_a_window(
    net: Process, plain: DynamoDBClient, windowed: RecoveryPlan, moved: timedelta
) -> None:
    """The latest moment is later by the time of the restore than it was in the plan: it is ours all the same."""
    point = windowed.point.model_copy(update={"time": windowed.point.time - moved})
    asked = windowed.model_copy(update={"point": point})
    net.faults.lose_answer("RestoreTableToPointInTime")
    assert_restored(plain, asked, make(net, asked))


def fixed(plan: RecoveryPlan, time: datetime) -> RecoveryPlan:
    """A plan for one moment of the window."""
    return plan.model_copy(update={"point": plan.point.model_copy(update={"time": time, "earliest": None})})


@pytest.mark.parametrize(("off", "ours"), [(0.4, True), (-0.4, True), (90, False), (-90, False)])
def test_a_lost_answer_of_a_moment(
    net: Process, plain: DynamoDBClient, windowed: RecoveryPlan, off: float, *, ours: bool
) -> None:
    """The table of a run that asked for one moment is of that second, and of no other."""
    asked = fixed(windowed, windowed.point.time - timedelta(hours=1))

    def of_that_moment(answer: dict[str, Any]) -> None:
        if "Table" in answer and "RestoreSummary" in answer["Table"]:
            answer["Table"]["RestoreSummary"]["RestoreDateTime"] = asked.point.time.timestamp() + off

    net.faults.lose_answer("RestoreTableToPointInTime")
    net.faults.change_answer("DescribeTable", of_that_moment, times=1000)
    if ours:
        assert_restored(plain, asked, make(net, asked))
    else:
        with pytest.raises(TableExistsError):
            make(net, asked)


def test_a_restore_that_takes_its_time(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """Asked after ever more seldom, up to every twenty seconds; a tag is only put on once it is ACTIVE."""
    net.faults.change_answer("DescribeTable", slowly(12), nth=2, times=1000)
    run = make(net, plan)
    assert net.sleep.slept == [1, 2, 4, 8, 16, 20, 20, 20, 20, 20, 20, 20]
    assert_restored(plain, plan, run)
    assert net.faults.calls.index("TagResource") > 12


def test_progress_is_told_to_the_end(net: Process, plan: RecoveryPlan) -> None:
    """DynamoDB counts items seldom: in the end all of them are done, and none is told twice."""
    net.faults.change_answer("DescribeTable", slowly(3), nth=2, times=1000)
    told = Told()
    lease = take_lease(net.vault, net.clock, "recover", WHO)
    RestoreEngine(net.aws, net.sleep).make(start_run(net.vault, net.clock, plan, WHO), lease, told)
    assert told.items == plan.item_count


def test_a_restore_is_continued_by_following_it(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """A rerun in the middle asks for nothing new, even if the backup is gone by then."""
    net.faults.crash("DescribeTable", nth=5)
    net.faults.change_answer("DescribeTable", slowly(1000), nth=2, times=1000)
    with pytest.raises(Crash):
        make(net, plan)
    net.again()
    plain.delete_backup(BackupArn=plan.point.id)
    net.faults.change_answer("DescribeTable", slowly(4), times=1000)
    assert_restored(plain, plan, make(net, plan))
    assert not set(net.faults.calls) & {*RESTORES, "DescribeBackup"}


def test_a_lost_lease_stops_it(net: Process, plan: RecoveryPlan) -> None:
    """Whoever has the lease now follows the restore; this one puts no tag on."""
    net.faults.change_answer("DescribeTable", slowly(1000), nth=2, times=1000)
    with pytest.raises(LeaseHeldError):
        make(net, plan, lambda _: net.clock.advance(LEASE_SECONDS))
    assert "TagResource" not in net.faults.calls


def test_an_existing_table_is_refused(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """Nothing is asked for, and nothing of the table is touched."""
    theirs = [{"pk": {"S": "theirs"}}]
    make_table(plain, plan.target.name, theirs)
    with pytest.raises(TableExistsError):
        make(net, plan)
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == []
    assert all_items(plain, plan.target.name) == comparable(theirs)


def test_a_table_that_was_restored_before_the_run_is_refused(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Even from the very backup: somebody did that by hand, and may be at work in it."""
    plain.restore_table_from_backup(TargetTableName=plan.target.name, BackupArn=plan.point.id)
    with pytest.raises(TableExistsError):
        make(net, plan)
    assert tags_of(plain, plan) == {}


def another_backup(client: DynamoDBClient, plan: RecoveryPlan) -> None:
    """A table from another backup."""
    client.create_table(TableName=plan.target.name, BillingMode="PAY_PER_REQUEST", **key("pk"))
    backup = client.create_backup(TableName=plan.target.name, BackupName="other")["BackupDetails"]
    client.delete_table(TableName=plan.target.name)
    client.restore_table_from_backup(TargetTableName=plan.target.name, BackupArn=backup["BackupArn"])


def by_hand(client: DynamoDBClient, plan: RecoveryPlan) -> None:
    """A table that was not restored at all."""
    make_table(client, plan.target.name)


def of_another_run(client: DynamoDBClient, plan: RecoveryPlan) -> None:
    """A table from the same backup that another run has marked."""
    client.restore_table_from_backup(TargetTableName=plan.target.name, BackupArn=plan.point.id)
    arn = client.describe_table(TableName=plan.target.name)["Table"]["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": RUN_TAG, "Value": "another"}])


@pytest.mark.parametrize("put", [another_backup, by_hand, of_another_run])
@pytest.mark.parametrize("when", ["before the call", "after a crash"])
def test_somebody_was_faster(
    net: Process,
    plain: DynamoDBClient,
    plan: RecoveryPlan,
    put: Callable[[DynamoDBClient, RecoveryPlan], None],
    when: str,
) -> None:
    """A table of that name which is not from this run's restore is refused, and gets no tag of ours."""
    net.faults.crash("RestoreTableFromBackup")
    with pytest.raises(Crash):
        make(net, plan)
    net.again()
    put(plain, plan)
    if when == "before the call":
        # It was not there when the run looked, and AWS then refuses the restore.
        net.faults.fail("DescribeTable", code="ResourceNotFoundException")
    before = tags_of(plain, plan)
    with pytest.raises(TableExistsError):
        make(net, plan)
    assert tags_of(plain, plan) == before
    assert net.faults.calls.count("RestoreTableFromBackup") == (1 if when == "before the call" else 0)


def test_who_was_faster_is_not_waited_for(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """Their table is still being made: it is refused as soon as AWS says that it is there."""
    make_table(plain, plan.target.name)

    def creating(answer: dict[str, Any]) -> None:
        answer["Table"]["TableStatus"] = "CREATING"

    net.faults.fail("DescribeTable", code="ResourceNotFoundException")
    net.faults.change_answer("DescribeTable", creating, nth=2, times=1000)
    with pytest.raises(TableExistsError):
        make(net, plan)
    assert net.sleep.slept == []


def test_a_table_from_before_the_run_is_not_the_one_that_it_began(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Of the very backup, but older than the run: it is not the answer that was lost."""
    net.faults.crash("RestoreTableFromBackup", after=True)
    with pytest.raises(Crash):
        make(net, plan)
    net.again()

    def older(answer: dict[str, Any]) -> None:
        answer["Table"]["CreationDateTime"] -= 3600

    net.faults.change_answer("DescribeTable", older, times=1000)
    with pytest.raises(TableExistsError):
        make(net, plan)
    assert "TagResource" not in net.faults.calls


def test_a_table_that_takes_the_place_in_the_middle_is_refused(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """The restored table is deleted while it is followed, and another one made: that is nobody's but theirs."""
    net.faults.change_answer("DescribeTable", slowly(3), nth=2, times=1000)

    def replace(_: float) -> None:
        if len(net.sleep.slept) == 2:
            plain.delete_table(TableName=plan.target.name)
            make_table(plain, plan.target.name)
            net.faults.reset()
        net.sleep(1)

    with pytest.raises(TableExistsError):
        make(net, plan, replace)
    assert tags_of(plain, plan) == {}


def test_a_table_that_is_marked_as_ours_is_ours(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Where the run died right after the tag, nothing is restored again."""
    net.faults.crash("TagResource", after=True)
    with pytest.raises(Crash):
        make(net, plan)
    net.again()
    assert_restored(plain, plan, make(net, plan))
    assert not set(net.faults.calls) & set(RESTORES)


def test_a_table_that_is_being_deleted_is_waited_for(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """The lost table may not be quite gone yet."""
    make_table(plain, plan.target.name)

    def deleting(answer: dict[str, Any]) -> None:
        answer["Table"]["TableStatus"] = "DELETING"

    net.faults.change_answer("DescribeTable", deleting, times=3)

    def gone(seconds: float) -> None:
        net.sleep(seconds)
        if len(net.sleep.slept) == 2:
            plain.delete_table(TableName=plan.target.name)

    assert_restored(plain, plan, make(net, plan, gone))


def test_a_restored_table_that_is_gone_again(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """Told after a while, for a new table may not be seen at once; the next run restores it once more."""
    net.faults.fail("DescribeTable", nth=2, times=100, code="ResourceNotFoundException")
    with pytest.raises(AwsError, match="is not there"):
        make(net, plan)
    assert len(net.sleep.slept) == 8
    plain.delete_table(TableName=plan.target.name)
    net.again()
    assert_restored(plain, plan, make(net, plan))


def test_a_new_table_may_not_be_seen_at_once(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """DescribeTable is eventually consistent."""
    net.faults.fail("DescribeTable", nth=2, times=3, code="ResourceNotFoundException")
    assert_restored(plain, plan, make(net, plan))


@pytest.mark.parametrize("status", ["INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVED", "DELETING"])
def test_a_restore_that_cannot_end_well(net: Process, plan: RecoveryPlan, status: str) -> None:
    """Told at once with its status, and not waited for."""

    def change(answer: dict[str, Any]) -> None:
        answer["Table"]["TableStatus"] = status

    net.faults.change_answer("DescribeTable", change, nth=2, times=1000)
    with pytest.raises(AwsError, match=status):
        make(net, plan)


@pytest.mark.parametrize(
    ("code", "error", "hint"),
    [
        ("BackupNotFoundException", BackupNotFoundError, "another point"),
        ("PointInTimeRecoveryUnavailableException", BackupNotFoundError, "is off"),
        ("InvalidRestoreTimeException", UsageError, "--at"),
        ("TableNotFoundException", BackupNotFoundError, "--source system"),
        ("ValidationException", AwsError, ""),
    ],
)
def test_refusals_say_what_helps(
    net: Process, windowed: RecoveryPlan, code: str, error: type[SafetyNetError], hint: str
) -> None:
    """Each error of the model with a hint of its own; no table is left behind."""
    net.faults.fail("RestoreTableToPointInTime", code=code)
    with pytest.raises(error) as caught:
        make(net, windowed)
    assert hint in caught.value.hint
    assert "TagResource" not in net.faults.calls


def test_a_backup_that_is_gone(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """Found before anything is asked for."""
    plain.delete_backup(BackupArn=plan.point.id)
    with pytest.raises(BackupNotFoundError):
        make(net, plan)
    assert not set(net.faults.calls) & set(RESTORES)


def test_throttling_without_end_leaves_it_to_be_continued(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Patience has an end; the next run completes it."""
    net.faults.fail("RestoreTableFromBackup", times=100, code="LimitExceededException")
    with pytest.raises(UnavailableError):
        make(net, plan)
    net.again()
    assert_restored(plain, plan, make(net, plan))


def test_an_endpoint_without_tags_is_refused(net: Process, plan: RecoveryPlan) -> None:
    """A table that does not say that it is unfinished would be backed up as if it were whole."""

    def none(answer: dict[str, Any]) -> None:
        answer["Tags"] = []

    net.faults.change_answer("ListTagsOfResource", none, times=100)
    with pytest.raises(UnsafeError, match="keeps no tag"):
        make(net, plan)


def test_a_table_that_is_only_just_active(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """It may not take its tag at once."""
    net.faults.fail("TagResource", times=3, code="ResourceInUseException")
    assert_restored(plain, plan, make(net, plan))


def test_a_backup_of_the_vault_is_not_restored_by_aws(net: Process, plan: RecoveryPlan) -> None:
    """A plan that names the wrong engine does nothing."""
    point = plan.point.model_copy(update={"kind": PointKind.VAULT, "id": plan.backup_id})
    with pytest.raises(UsageError):
        make(net, plan.model_copy(update={"point": point}))
    assert [call for call in net.faults.writes if not call.startswith("vault.")] == []


def valid(net: Process, call: str, request: dict[str, Any]) -> dict[str, Any]:
    """The request, which the service model takes."""
    client: Any = net.aws.dynamodb()
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[call]).input_shape
    validate_parameters(request, shape)
    assert set(request) <= set(shape.members)
    return request


def test_what_is_asked_of_a_backup(net: Process, plan: RecoveryPlan) -> None:
    """What can be said at the restore is said, so that the table equals the definition of the vault."""
    call, request = restore_call(net.aws, plan)
    assert (call, valid(net, call, request)) == (
        "restore_table_from_backup",
        {
            "TargetTableName": plan.target.name,
            "BackupArn": plan.point.id,
            "BillingModeOverride": "PAY_PER_REQUEST",
            "SSESpecificationOverride": {"Enabled": False},
        },
    )


def test_what_is_asked_of_a_window(net: Process, table: str, windowed: RecoveryPlan) -> None:
    """The latest moment, or one; by name at home, by ARN from another region."""
    call, request = restore_call(net.aws, windowed)
    assert call == "restore_table_to_point_in_time"
    assert valid(net, call, request)["UseLatestRestorableTime"] is True
    assert request["SourceTableName"] == table
    moment = datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)
    _, request = restore_call(net.aws, fixed(windowed, moment))
    assert valid(net, call, request)["RestoreDateTime"] == moment
    assert "UseLatestRestorableTime" not in request
    away = windowed.point.model_copy(update={"id": windowed.point.id.replace(REGION, "us-east-1")})
    _, request = restore_call(net.aws, windowed.model_copy(update={"point": away}))
    assert valid(net, call, request)["SourceTableArn"] == away.id
    assert "SourceTableName" not in request


GSI = index("by-a", "a", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
OTHER_GSI = index("by-b", "b", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
LSI = index("by-c", "pk", "c")
WHOLE: dict[str, Any] = {
    "TableName": "orders",
    **key("pk"),
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    "GlobalSecondaryIndexes": [GSI, OTHER_GSI],
    "LocalSecondaryIndexes": [LSI],
    "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/shop"},
}
BASE: dict[str, Any] = {
    "BillingModeOverride": "PROVISIONED",
    "ProvisionedThroughputOverride": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    "SSESpecificationOverride": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/shop"},
}


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, {}),
        ({"GlobalSecondaryIndexes": [GSI]}, {"GlobalSecondaryIndexOverride": [GSI]}),
        ({"GlobalSecondaryIndexes": []}, {"GlobalSecondaryIndexOverride": []}),
        ({"LocalSecondaryIndexes": []}, {"LocalSecondaryIndexOverride": []}),
        ({"GlobalSecondaryIndexes": [GSI, OTHER_GSI, index("new", "n")]}, {}),
        (
            {"GlobalSecondaryIndexes": [{**GSI, "ProvisionedThroughput": {}}, OTHER_GSI]},
            {"GlobalSecondaryIndexOverride": [{**GSI, "ProvisionedThroughput": {}}, OTHER_GSI]},
        ),
    ],
)
def test_indexes_are_told_where_they_are_to_differ(change: dict[str, Any], more: dict[str, Any]) -> None:
    """Left out or with another throughput; one that the point does not have cannot be asked for."""
    assert overrides({**WHOLE, **change}, WHOLE) == {**BASE, **more}


def test_other_overrides() -> None:
    """The limits of an on-demand table; without a definition nothing; of a far table no indexes."""
    limits = {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}
    on_demand = {**key("pk"), "BillingMode": "PAY_PER_REQUEST", "OnDemandThroughput": limits}
    assert overrides(on_demand, WHOLE)["OnDemandThroughputOverride"] == limits
    assert overrides({"TableName": "orders"}, WHOLE) == {}
    assert overrides({**WHOLE, "GlobalSecondaryIndexes": []}, None) == BASE


def test_an_index_that_the_plan_leaves_out(net: Process, plan: RecoveryPlan) -> None:
    """Found by what DynamoDB says of the backup; the service model takes it."""

    def features(answer: dict[str, Any]) -> None:
        answer["BackupDescription"]["SourceTableFeatureDetails"] = {
            "GlobalSecondaryIndexes": [index("by-a", "a"), index("by-b", "b")]
        }

    net.faults.change_answer("DescribeBackup", features, times=2)
    assert "GlobalSecondaryIndexOverride" not in restore_call(net.aws, plan)[1]
    (by_a, _) = plan.create_table["GlobalSecondaryIndexes"]
    fewer = {**plan.create_table, "GlobalSecondaryIndexes": [by_a]}
    call, request = restore_call(net.aws, plan.model_copy(update={"create_table": fewer}))
    assert valid(net, call, request)["GlobalSecondaryIndexOverride"] == [by_a]


def test_a_snapshot_of_aws_backup_is_restored_by_dynamodb(
    net: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Where its ARN is DynamoDB's no role is needed and all overrides can be given."""
    point = RecoveryPoint(kind=PointKind.AWS_BACKUP, id=plan.point.id, time=plan.point.time)
    asked = plan.model_copy(update={"point": point})
    assert_restored(plain, asked, make(net, asked))
