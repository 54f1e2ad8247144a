"""The import engine, on a stand-in that really moves the data: the same table, and nobody else's deleted."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import RUN_TAG
from recovery.errors import (
    AwsError,
    DamagedObjectError,
    LeaseHeldError,
    RestoreMismatchError,
    TableExistsError,
)
from recovery.progress import NoProgress
from recovery.restores.engine import RestoreEngineName
from recovery.restores.engine_import import ImportEngine
from recovery.restores.restore import Engines, Recovery
from recovery.restores.runs import Run, start_run
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.testing.managed_operation import Script
from recovery.vault.leases import LEASE_SECONDS, take_lease
from rules.errors import AccessDeniedError, CancelledError, UnsafeError
from tests.recovery.managed import Told, backup_of, fill, lost
from tests.recovery.recovering import WHO, all_items, definition_of, key, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.clock import Sleep
    from recovery.restores.plans import RecoveryPlan
    from recovery.testing.managed_loads import ManagedLoads
    from recovery.vault.leases import Lease
    from tests.recovery.recovering import Process

SECRET = "nobody-may-read-this"
THEIRS = [{"pk": {"S": "theirs"}}]


def apply(net: Process, plan: RecoveryPlan) -> Any:
    """The command with the import engine, run once."""
    engine = ImportEngine(net.aws, net.catalog, net.sleep, intents=net.intents)
    return Recovery(
        aws=net.aws,
        catalog=net.catalog,
        tables=net.tables,
        engines=Engines({}, {RestoreEngineName.IMPORT: engine}),
        clock=net.clock,
        sleep=net.sleep,
        progress=NoProgress(),
        intents=net.intents,
    ).apply(plan, WHO)


@pytest.fixture
def plan(managed: Process, plain: DynamoDBClient, table: str) -> RecoveryPlan:
    """The plan for a lost table of 40 items in four data files."""
    make_table(plain, table, Tags=[{"Key": "team", "Value": "shop"}])
    fill(plain, table, some_items(40))
    return lost(managed, plain, table, RestoreEngineName.IMPORT)


@pytest.fixture
def run(managed: Process, plan: RecoveryPlan) -> Run:
    """A run that has just begun."""
    return start_run(managed.vault, managed.clock, plan, WHO)


def make(net: Process, run: Run, sleep: Sleep | None = None, lease: Lease | None = None) -> None:
    """The engine alone, run once."""
    lease = lease or take_lease(net.vault, net.clock, f"import-{len(net.faults.calls)}", WHO)
    ImportEngine(net.aws, net.catalog, sleep or net.sleep, intents=net.intents).make(run, lease, NoProgress())


def mark_of(plain: DynamoDBClient, table: str) -> str | None:
    """The run that a table says it is of."""
    return dict(definition_of(plain, table)["tags"]).get(RUN_TAG)


def test_the_same_table(managed: Process, plain: DynamoDBClient, loads: ManagedLoads, table: str) -> None:
    """Items, global index, throughput and tags: compared by plain boto3 with what was there before."""
    throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}
    make_table(
        plain,
        table,
        some_items(30),
        AttributeDefinitions=[
            *key("pk")["AttributeDefinitions"],
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PROVISIONED",
        ProvisionedThroughput=throughput,
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-n",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": throughput,
            }
        ],
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    plain.put_item(TableName=table, Item={"pk": {"S": "b"}, "l": {"L": [{"BS": [b"\xfe"]}]}})
    items, definition = all_items(plain, table), definition_of(plain, table)
    plan = lost(managed, plain, table, RestoreEngineName.IMPORT)
    report = apply(managed, plan)
    assert (report.differences, report.follow_ups, report.items_verified) == ((), (), 31)
    assert all_items(plain, table) == items
    assert definition_of(plain, table) == definition
    (operation,) = loads.operations
    assert (operation.request["InputFormat"], operation.request["InputCompressionType"]) == (
        "DYNAMODB_JSON",
        "GZIP",
    )
    assert operation.request["S3BucketSource"]["S3KeyPrefix"].endswith("/data/")
    assert not {"CreateTable", "BatchWriteItem"} & set(managed.faults.calls)


def test_progress_is_what_dynamodb_has_processed(managed: Process, run: Run) -> None:
    """Each round tells what is new since the one before; together that is everything, once."""
    told = Told()
    lease = take_lease(managed.vault, managed.clock, "import", WHO)
    ImportEngine(managed.aws, managed.catalog, managed.sleep).make(run, lease, told)
    assert [items for items, _ in told.advances] == [15, 15, 10]
    assert managed.sleep.slept[:2] == [10.0, 10.0]


def test_local_indexes_are_refused(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """ImportTable has no word for them: nothing is begun, and the way that works is named."""
    request = {**plan.create_table, "LocalSecondaryIndexes": [{"IndexName": "by-n"}]}
    run = start_run(
        managed.vault,
        managed.clock,
        plan.model_copy(update={"create_table": request, "created_as": None}),
        WHO,
    )
    with pytest.raises(UnsafeError, match="local secondary indexes") as caught:
        make(managed, run)
    assert "--engine write" in caught.value.hint
    assert (loads.operations, run.record.operation) == ([], "")


def test_the_table_class_goes_on_afterwards(
    managed: Process, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """ImportTable refuses it, so it is not asked for."""
    request = {**plan.create_table, "TableClass": "STANDARD_INFREQUENT_ACCESS"}
    changed = plan.model_copy(update={"create_table": request, "created_as": None})
    make(managed, start_run(managed.vault, managed.clock, changed, WHO))
    assert "TableClass" not in loads.operations[0].request["TableCreationParameters"]
    assert loads.operations[0].status == "COMPLETED"


@pytest.mark.parametrize("fault", ["lose", "ThrottlingException", "LimitExceededException"])
@pytest.mark.parametrize("operation", ["ImportTable", "DescribeImport", "DescribeTable", "TagResource"])
def test_lost_answers_and_throttling_are_waited_out(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run, operation: str, fault: str
) -> None:
    """The same token is the same import: one table, in one run. Fifty imports at once are waited for."""
    if fault == "lose":
        managed.faults.lose_answer(operation, times=2)
    else:
        managed.faults.fail(operation, times=3, code=fault)
    make(managed, run)
    assert all_items(plain, run.record.plan.target.name) == comparable(some_items(40))
    assert mark_of(plain, run.record.plan.target.name) == run.record.mark
    assert len(loads.operations) == 1


def test_an_answer_that_was_lost_eight_hours_ago_is_found(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run
) -> None:
    """The token is forgotten and the table is in the way: the import is looked up by its table and token."""
    managed.faults.crash("ImportTable", after=True)
    with pytest.raises(Crash):
        make(managed, run)
    loads.finish()
    loads.let_tokens_expire()
    managed.again()
    make(managed, run)
    assert len(loads.operations) == 1
    assert run.record.operation == loads.operations[0].arn
    assert mark_of(plain, run.record.plan.target.name) == run.record.mark


@pytest.mark.parametrize("after_items", [0, 17])
def test_a_failed_import_is_told_and_what_it_left_is_made_anew(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan, after_items: int
) -> None:
    """The partial table says that it is of this run; the next run deletes that very table and imports again."""
    table = plan.target.name
    loads.script(Script(after_items=after_items, code="S3AccessDenied", message="no permission"))
    with pytest.raises(
        AwsError, match=f"FAILED, {after_items} of 40 items imported, 0 errors: S3Acc"
    ) as caught:
        apply(managed, plan)
    assert caught.value.code == "S3AccessDenied"
    assert plain.scan(TableName=table)["Count"] == after_items
    assert mark_of(plain, table)
    managed.again()
    report = apply(managed, plan)
    assert (report.resumed, report.differences) == (True, ())
    assert all_items(plain, table) == comparable(some_items(40))
    assert [operation.status for operation in loads.operations] == ["FAILED", "COMPLETED"]
    assert managed.faults.calls.count("DeleteTable") == 1
    (intent,) = [one for one in managed.intents.all().intents if "DeleteTable" in one.operations]
    assert (intent.table, intent.max_changes) == (table, 1)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("operation", ["DescribeImport", "DescribeTable", "DeleteTable", "ImportTable"])
def test_a_crash_while_a_failed_import_is_made_anew(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run, operation: str, *, after: bool
) -> None:
    """Whether the partial table was deleted already or not, the next run ends with the whole one."""
    loads.script(Script(after_items=17))
    with pytest.raises(AwsError):
        make(managed, run)
    managed.again()
    managed.faults.crash(operation, after=after)
    with pytest.raises(Crash):
        make(managed, run)
    managed.again()
    make(managed, run)
    assert all_items(plain, run.record.plan.target.name) == comparable(some_items(40))
    assert [one.status for one in loads.operations] == ["FAILED", "COMPLETED"]


def test_a_table_in_place_of_a_failed_import_is_not_deleted(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run
) -> None:
    """Somebody has cleared the partial table away and made one of their own: its TableId is another."""
    table = run.record.plan.target.name
    loads.script(Script(after_items=17))
    with pytest.raises(AwsError):
        make(managed, run)
    plain.delete_table(TableName=table)
    make_table(plain, table, THEIRS)
    with pytest.raises(TableExistsError, match="no import of this run"):
        make(managed, run)
    assert all_items(plain, table) == comparable(THEIRS)
    assert "DeleteTable" not in managed.faults.calls


@pytest.mark.parametrize("when", ["before", "while starting"])
def test_a_table_that_is_there_is_refused(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run, when: str
) -> None:
    """Whoever made it, it was not this run."""
    table = run.record.plan.target.name
    if when == "while starting":
        managed.faults.crash("ImportTable")
        with pytest.raises(Crash):
            make(managed, run)
        managed.again()
    make_table(plain, table, THEIRS)
    with pytest.raises(TableExistsError):
        make(managed, run)
    assert all_items(plain, table) == comparable(THEIRS)
    assert not {"DeleteTable", "TagResource"} & set(managed.faults.calls)


def test_a_partial_table_that_is_gone_is_made_anew(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run
) -> None:
    """There is nothing to delete; the next import begins at once."""
    loads.script(Script("CANCELLED", after_items=3, code=""))
    with pytest.raises(AwsError, match="ended as CANCELLED, 3 of 40 items") as caught:
        make(managed, run)
    assert caught.value.code == "CANCELLED"
    plain.delete_table(TableName=run.record.plan.target.name)
    make(managed, run)
    assert all_items(plain, run.record.plan.target.name) == comparable(some_items(40))


def test_a_complete_table_that_is_gone_is_made_anew(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run
) -> None:
    """The import of the record is complete, but its table was deleted since."""
    make(managed, run)
    plain.delete_table(TableName=run.record.plan.target.name)
    make(managed, run)
    assert [operation.status for operation in loads.operations] == ["COMPLETED", "COMPLETED"]
    assert all_items(plain, run.record.plan.target.name) == comparable(some_items(40))


def replace_last_line(net: Process, plan: RecoveryPlan, line: bytes | None) -> None:
    """Another line in the place of the last one of the backup, None for the first one again; its manifest says so."""
    backup = backup_of(net, plan)
    last = backup.data_objects[-1]
    place = backup.folder + last.key
    lines = gzip.decompress(net.store.get(place).body).splitlines()
    packed = gzip.compress(b"\n".join([*lines[:-1], line or lines[0]]) + b"\n")
    net.store.put(place, packed)
    entry = last.model_copy(update={"size": len(packed)})
    objects = tuple(entry if one.key == last.key else one for one in backup.objects)
    changed = backup.model_copy(update={"objects": objects}).sealed()
    net.store.put(f"{backup.folder}manifest.json", changed.model_dump_json().encode())


def test_bad_items_fail_the_import_and_are_not_shown(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan, run: Run
) -> None:
    """DynamoDB skips them and says FAILED, with the other items in the table: counted, never quoted."""
    bad = json.dumps({"Item": {"pk": {"N": "1"}, "x": {"S": SECRET}}}).encode()
    replace_last_line(managed, plan, bad)
    with pytest.raises(AwsError, match="39 of 40 items imported, 1 errors: ItemValidationError") as caught:
        make(managed, run)
    assert SECRET not in str(caught.value)
    assert plain.scan(TableName=plan.target.name)["Count"] == 39


def test_duplicates_are_seen_by_the_counts(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan, run: Run
) -> None:
    """Of two items with one key one is left, and DynamoDB calls that COMPLETED; the manifest counts both.

    The table has to be deleted by hand: the hint names it and ends with the command.
    """
    replace_last_line(managed, plan, None)
    with pytest.raises(
        RestoreMismatchError, match="is complete, but 39 of 40 items imported, 0 errors"
    ) as caught:
        make(managed, run)
    assert caught.value.hint.startswith(f"Table {plan.target.name} ")
    assert caught.value.hint.endswith(
        f"again: aws dynamodb delete-table --region eu-west-1 --table-name {plan.target.name}"
    )
    assert mark_of(plain, plan.target.name) == run.record.mark
    with pytest.raises(RestoreMismatchError):
        make(managed, run)
    assert len(loads.operations) == 1


def test_what_is_not_of_the_backup_is_not_imported(
    managed: Process, loads: ManagedLoads, plan: RecoveryPlan, run: Run
) -> None:
    """DynamoDB reads all that lies under the prefix: one object too many stops it before it begins."""
    backup = backup_of(managed, plan)
    managed.store.put(f"{backup.folder}{backup.data_objects[0].key}.left-over", b"")
    with pytest.raises(DamagedObjectError, match="left-over"):
        make(managed, run)
    assert loads.operations == []


def test_a_table_of_this_run_whose_content_did_not_fit_is_left_to_the_comparison(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """Somebody wrote into it before it was verified: it is told as long as it is so, and nothing is deleted."""
    managed.faults.crash("Scan")
    with pytest.raises(Crash):
        apply(managed, plan)
    plain.put_item(TableName=plan.target.name, Item=THEIRS[0])
    for _ in range(2):
        managed.again()
        with pytest.raises(RestoreMismatchError, match="holds 41 items"):
            apply(managed, plan)
    plain.delete_item(TableName=plan.target.name, Key=THEIRS[0])
    managed.again()
    assert apply(managed, plan).items_verified == 40
    assert len(loads.operations) == 1


def test_whoever_stops_following_leaves_the_import_running(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, run: Run
) -> None:
    """A lost lease and a stop end the following only; while it is CREATING the table cannot be touched."""
    loads.step = 5

    def oversleep(seconds: float) -> None:
        managed.clock.advance(LEASE_SECONDS)

    with pytest.raises(LeaseHeldError):
        make(managed, run, oversleep)
    table = run.record.plan.target.name
    assert managed.aws.dynamodb().describe_table(TableName=table)["Table"]["TableStatus"] == "CREATING"
    lease = take_lease(managed.vault, managed.clock, "stopped", WHO)
    with pytest.raises(CancelledError, match="goes on loading"):
        make(managed, run, lambda _: lease.give_up(), lease)
    assert [operation.status for operation in loads.operations] == ["IN_PROGRESS"]
    loads.finish()
    make(managed, run)
    assert "ImportTable" not in managed.faults.calls[-8:]
    assert all_items(plain, table) == comparable(some_items(40))


def test_a_missing_permission_is_told(managed: Process, loads: ManagedLoads, run: Run) -> None:
    """It is no reason to try for a quarter of an hour; the run stays as it is."""
    managed.faults.fail("ImportTable", code="AccessDeniedException", message="not authorized")
    with pytest.raises(AccessDeniedError, match="not authorized"):
        make(managed, run)
    assert loads.operations == []
    assert managed.faults.calls.count("ImportTable") == 1


def test_adopted_data_is_read_with_the_account_of_its_bucket(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan, run: Run
) -> None:
    """An export in a bucket of another account: named with its owner, for DynamoDB takes it to be the caller's."""
    backup = backup_of(managed, plan)
    theirs = managed.store.at("their-exports", "old")
    for entry in backup.data_objects:
        theirs.put(entry.key, managed.store.get(backup.folder + entry.key).body)
    adopted = type(backup).model_validate(
        {**backup.model_dump(), "data": {"bucket": "their-exports", "prefix": "old"}}
    )
    managed.store.put(f"{backup.folder}manifest.json", adopted.sealed().model_dump_json().encode())
    lease = take_lease(managed.vault, managed.clock, "import", WHO)
    ImportEngine(managed.aws, managed.catalog, managed.sleep, "210987654321").make(run, lease, NoProgress())
    source = loads.operations[0].request["S3BucketSource"]
    assert (source["S3Bucket"], source["S3BucketOwner"]) == ("their-exports", "210987654321")
    assert all_items(plain, plan.target.name) == comparable(some_items(40))
