"""The bulk engine, on a stand-in that really moves the data: the same table, whatever happens on the way."""

from __future__ import annotations

import gzip
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.compression import Compression
from recovery.definitions.definition import RUN_TAG
from recovery.errors import AwsError, DamagedObjectError, LeaseHeldError, RestoreMismatchError
from recovery.progress import NoProgress
from recovery.restores.engine import Load, RestoreEngineName
from recovery.restores.engine_bulk import BulkEngine, BulkOptions
from recovery.restores.restore import Engines, Recovery
from recovery.restores.runs import start_run, unfinished_run
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.testing.managed_operation import Script
from recovery.vault.leases import LEASE_SECONDS, take_lease
from rules.errors import CancelledError, UnavailableError, UnsafeError, UsageError
from tests.recovery.managed import Told, backup_of, fill, lost
from tests.recovery.recovering import WHO, all_items, definition_of, key, make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.backups.manifest import Manifest
    from recovery.restores.plans import RecoveryPlan
    from recovery.testing.managed_loads import ManagedLoads
    from tests.recovery.recovering import Process

SECRET = "nobody-may-read-this"


def apply(net: Process, plan: RecoveryPlan, options: BulkOptions | None = None) -> Any:
    """The command with the bulk engine, run once."""
    engine = BulkEngine(net.aws, net.sleep, options or BulkOptions())
    return Recovery(
        aws=net.aws,
        catalog=net.catalog,
        tables=net.tables,
        engines=Engines({RestoreEngineName.BULK: engine}),
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
    return lost(managed, plain, table, RestoreEngineName.BULK)


def begun(net: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> Load:
    """What the engine itself is given: the table is there, nothing is loaded."""
    make_table(plain, plan.target.name)
    run = start_run(net.vault, net.clock, plan, WHO)
    lease = take_lease(net.vault, net.clock, "bulk", WHO)
    return Load(net.catalog, backup_of(net, plan), run, lease, NoProgress())


@pytest.mark.parametrize("compression", list(Compression))
def test_the_same_table_with_its_local_index(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, table: str, compression: Compression
) -> None:
    """Items of every type, indexes, tags: compared by plain boto3 with what was there before."""
    local = {"KeySchema": [*key("pk")["KeySchema"], {"AttributeName": "n", "KeyType": "RANGE"}]}
    make_table(
        plain,
        table,
        AttributeDefinitions=[
            *key("pk", "sk")["AttributeDefinitions"],
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        KeySchema=key("pk", "sk")["KeySchema"],
        LocalSecondaryIndexes=[{"IndexName": "by-n", "Projection": {"ProjectionType": "ALL"}, **local}],
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    every_type: dict[str, Any] = {
        "b": {"B": b"\x00\xff"},
        "bs": {"BS": [b"1", b"\x80"]},
        "bool": {"BOOL": False},
        "list": {"L": [{"B": b"\x01"}, {"NULL": True}, {"M": {"deep": {"BS": [b"\xfe"]}}}]},
        "n": {"N": "12345678901234567890123456789012345678"},
        "ns": {"NS": ["1", "-1E+100"]},
        "ss": {"SS": ["", "\u2028"]},
        "text": {"S": 'line\nbreak "quoted" \U0001f600'},
    }
    for number in range(25):
        plain.put_item(
            TableName=table, Item={"pk": {"S": f"p{number % 3}"}, "sk": {"S": str(number)}, **every_type}
        )
    items, definition = all_items(plain, table), definition_of(plain, table)
    plan = lost(managed, plain, table, RestoreEngineName.BULK, compression)
    report = apply(managed, plan)
    assert (report.differences, report.items_verified) == ((), 25)
    assert all_items(plain, table) == items
    assert definition_of(plain, table) == definition
    (operation,) = loads.operations
    assert operation.request["InputS3Configuration"]["InputCompressionType"] == compression.upper()
    assert "BatchWriteItem" not in managed.faults.calls


def test_what_dynamodb_is_asked_for(managed: Process, loads: ManagedLoads, plan: RecoveryPlan) -> None:
    """The data prefix and nothing around it, the settings, and a report beside the runs instead of among them."""
    apply(managed, plan, BulkOptions(2048, "ACCELERATED", kms_key="alias/vault"))
    (operation,) = loads.operations
    folder = managed.store.full_key(backup_of(managed, plan).folder)
    request = dict(operation.request)
    assert request.pop("ClientToken").startswith("2026")
    source, output = request.pop("InputS3Configuration"), request.pop("OutputS3Configuration")
    assert source.pop("S3KeyPrefix").startswith(f"{folder}AWSDynamoDB/")
    assert source == {
        "S3Bucket": "vault",
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
    }
    assert output.pop("S3KeyPrefix").startswith(f"net/reports/recover.{plan.target.account}.")
    assert output == {
        "S3Bucket": "vault",
        "OutputType": ["ERROR"],
        "S3SseAlgorithm": "KMS",
        "S3SseKmsKeyId": "alias/vault",
    }
    assert request == {
        "TableName": plan.target.name,
        "MaxWriteRequestUnits": 2048,
        "PerformanceTier": "ACCELERATED",
    }


def test_progress_is_what_dynamodb_has_processed(
    managed: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """Each round tells what is new since the one before; together that is everything, once."""
    told = Told()
    BulkEngine(managed.aws, managed.sleep).load(replace(begun(managed, plain, plan), progress=told))
    assert [items for items, _ in told.advances] == [15, 15, 10]
    assert all(size > 0 for _, size in told.advances)
    assert managed.sleep.slept == [10.0, 10.0]


def test_a_rate_below_the_least_is_refused() -> None:
    """DynamoDB takes 1,024 units a second and more; less is told before anything begins."""
    with pytest.raises(UsageError, match="1024"):
        BulkOptions(max_write_request_units=1023)


@pytest.mark.parametrize("fault", ["lose", "ThrottlingException", "LimitExceededException"])
@pytest.mark.parametrize("operation", ["StartBulkPutItems", "DescribeBulkOperation"])
def test_lost_answers_and_throttling_are_waited_out(
    managed: Process,
    plain: DynamoDBClient,
    loads: ManagedLoads,
    plan: RecoveryPlan,
    operation: str,
    fault: str,
) -> None:
    """The same token is the same operation: one load, in one run. A quota that is used up is waited for."""
    if fault == "lose":
        managed.faults.lose_answer(operation, times=2)
    else:
        managed.faults.fail(operation, times=3, code=fault)
    BulkEngine(managed.aws, managed.sleep).load(begun(managed, plain, plan))
    assert all_items(plain, plan.target.name) == comparable(some_items(40))
    assert len(loads.operations) == 1


@pytest.mark.parametrize("after_items", [0, 17])
def test_a_failed_operation_is_told_and_a_rerun_begins_another(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan, after_items: int
) -> None:
    """FailureCode and FailureMessage come out; what was put in part stays, for puts are idempotent."""
    loads.script(Script(after_items=after_items, code="AccessDenied", message="no permission for the bucket"))
    with pytest.raises(
        AwsError, match=f"failed after {after_items} of 40 items: AccessDenied: no perm"
    ) as caught:
        apply(managed, plan)
    assert caught.value.code == "AccessDenied"
    assert plain.scan(TableName=plan.target.name)["Count"] == after_items
    tags = dict(definition_of(plain, plan.target.name)["tags"])
    assert RUN_TAG in tags
    managed.again()
    assert apply(managed, plan).resumed
    assert all_items(plain, plan.target.name) == comparable(some_items(40))
    tokens = [operation.request["ClientToken"] for operation in loads.operations]
    assert len(set(tokens)) == 2


def test_a_cancelled_operation_is_told(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """Somebody cancels it at the console: that is no success, and the next run begins another one."""
    load = begun(managed, plain, plan)
    client: Any = managed.aws.dynamodb()

    def cancel(seconds: float) -> None:
        client.cancel_bulk_operation(BulkOperationArn=loads.operations[0].arn)

    with pytest.raises(AwsError, match="was cancelled after 15 of 40 items: CancelledByUser"):
        BulkEngine(managed.aws, cancel).load(load)
    BulkEngine(managed.aws, managed.sleep).load(load)
    assert all_items(plain, plan.target.name) == comparable(some_items(40))
    assert [operation.status for operation in loads.operations] == ["CANCELLED", "COMPLETED"]


def test_an_operation_that_ends_short_is_not_called_complete(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """COMPLETED with fewer items than the manifest counts; a rerun does not believe in it either."""
    loads.script(Script("COMPLETED", after_items=39, code=""))
    with pytest.raises(RestoreMismatchError, match="with 39 items; the backup holds 40"):
        apply(managed, plan)
    managed.again()
    assert apply(managed, plan).items_verified == 40
    assert len(loads.operations) == 2


def test_refused_items_are_counted_by_kind_and_not_shown(
    managed: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """COMPLETED_WITH_ERRORS: how many, which kinds, where the report is; never what an item holds."""
    load = begun(managed, plain, plan)
    bad = json.dumps({"Item": {"other": {"S": SECRET}}}).encode()
    wrong_type = json.dumps({"Item": {"pk": {"N": "1"}, "x": {"S": SECRET}}}).encode()
    load = replace(load, backup=changed(managed, load.backup, bad + b"\n" + wrong_type + b"\n"))
    with pytest.raises(RestoreMismatchError, match="could not put 2 of 42 items") as caught:
        BulkEngine(managed.aws, managed.sleep).load(load)
    assert "2 ValidationException; reported in reports/recover." in str(caught.value)
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    (report,) = (info.key for info in managed.store.list("reports/") if "manifest" not in info.key)
    assert report in str(caught.value)
    assert SECRET in gzip.decompress(managed.store.get(report).body).decode()
    unfinished = unfinished_run(managed.store, plan)
    assert unfinished is not None
    assert not unfinished.record.loaded


def changed(net: Process, backup: Manifest, more: bytes, items: int = 2) -> Manifest:
    """The backup with more lines in its last data file."""
    last = backup.data_objects[-1]
    body = gzip.compress(gzip.decompress(net.store.get(backup.folder + last.key).body) + more)
    net.store.put(backup.folder + last.key, body)
    entry = last.model_copy(update={"size": len(body), "items": (last.items or 0) + items})
    objects = [entry if one.key == last.key else one for one in backup.objects]
    return backup.model_copy(update={"objects": tuple(objects), "item_count": backup.item_count + items})


def test_a_malformed_line_ends_its_object(
    managed: Process, plain: DynamoDBClient, plan: RecoveryPlan
) -> None:
    """DynamoDB skips what follows it; that is an error of the load, and the line is not quoted."""
    load = begun(managed, plain, plan)
    more = b'{"Item": ' + SECRET.encode() + b'}\n{"Item": {"pk": {"S": "skipped"}}}\n'
    with pytest.raises(
        RestoreMismatchError, match=r"could not put 1 of 42 items.* 1 MalformedInput"
    ) as caught:
        BulkEngine(managed.aws, managed.sleep).load(replace(load, backup=changed(managed, load.backup, more)))
    assert SECRET not in str(caught.value)
    assert plain.scan(TableName=plan.target.name)["Count"] == 40


def test_what_is_not_of_the_backup_is_not_loaded(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """DynamoDB reads all that lies under the prefix: one object too many, cut or gone stops it before it begins."""
    load = begun(managed, plain, plan)
    folder = load.backup.folder
    data = folder + load.backup.data_objects[0].key
    body = managed.store.get(data).body
    engine = BulkEngine(managed.aws, managed.sleep)
    managed.store.put(f"{data}.left-over", b"")
    with pytest.raises(DamagedObjectError, match="left-over: is not in the manifest"):
        engine.load(load)
    managed.store.delete(f"{data}.left-over")
    managed.store.put(data, body[:-1])
    with pytest.raises(DamagedObjectError, match="bytes, the manifest says"):
        engine.load(load)
    managed.store.delete(data)
    with pytest.raises(DamagedObjectError, match="is missing"):
        engine.load(load)
    assert loads.operations == []


def test_an_incremental_backup_is_refused(
    managed: Process, plain: DynamoDBClient, plan: RecoveryPlan, loads: ManagedLoads
) -> None:
    """Its changes have to be put together, which DynamoDB does not do."""
    load = begun(managed, plain, plan)
    increment = {"base_id": plan.backup_id, "changed_from": plan.backup_time, "changed_to": plan.backup_time}
    backup = type(load.backup).model_validate({**load.backup.model_dump(), "increment": increment})
    with pytest.raises(UnsafeError, match="incremental"):
        BulkEngine(managed.aws, managed.sleep).load(replace(load, backup=backup))
    assert loads.operations == []


def test_a_backup_without_items_needs_no_operation(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, table: str
) -> None:
    """There is nothing under the prefix that DynamoDB could read."""
    make_table(plain, table)
    plan = lost(managed, plain, table, RestoreEngineName.BULK)
    assert apply(managed, plan).items_verified == 0
    assert loads.operations == []


def test_data_that_was_adopted_in_another_bucket(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """It is read where it lies, with the account of that bucket; the report still comes into the vault."""
    load = begun(managed, plain, plan)
    backup = load.backup
    theirs = managed.store.at("their-exports", "old")
    for entry in backup.data_objects:
        theirs.put(entry.key, managed.store.get(backup.folder + entry.key).body)
    adopted = type(backup).model_validate(
        {**backup.model_dump(), "data": {"bucket": "their-exports", "prefix": "old"}}
    )
    BulkEngine(managed.aws, managed.sleep, BulkOptions(bucket_owner="210987654321")).load(
        replace(load, backup=adopted)
    )
    source = loads.operations[0].request["InputS3Configuration"]
    assert (source["S3Bucket"], source["S3BucketOwner"]) == ("their-exports", "210987654321")
    assert source["S3KeyPrefix"].startswith("old/AWSDynamoDB/")
    assert loads.operations[0].request["OutputS3Configuration"]["S3Bucket"] == "vault"
    assert all_items(plain, plan.target.name) == comparable(some_items(40))


def test_a_lost_lease_leaves_the_operation_running(
    managed: Process,
    plain: DynamoDBClient,
    loads: ManagedLoads,
    plan: RecoveryPlan,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever has the lease now follows it; it is not begun twice, and it is not cancelled."""
    load = begun(managed, plain, plan)

    def oversleep(seconds: float) -> None:
        managed.clock.advance(LEASE_SECONDS)

    with pytest.raises(LeaseHeldError), caplog.at_level(logging.WARNING):
        BulkEngine(managed.aws, oversleep).load(load)
    assert "goes on loading" in caplog.text
    assert [operation.status for operation in loads.operations] == ["IN_PROGRESS"]
    lease = take_lease(managed.vault, managed.clock, "bulk", WHO)
    BulkEngine(managed.aws, managed.sleep).load(replace(load, lease=lease))
    assert [operation.status for operation in loads.operations] == ["COMPLETED"]


@pytest.mark.parametrize("how", ["ctrl-c", "stop"])
def test_whoever_stops_following_is_told_that_dynamodb_goes_on(
    managed: Process,
    plain: DynamoDBClient,
    loads: ManagedLoads,
    plan: RecoveryPlan,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    """Ctrl-C and stop end the following only. When it is run again, DynamoDB may be through already."""
    load = begun(managed, plain, plan)

    def stop(seconds: float) -> None:
        if how == "ctrl-c":
            raise KeyboardInterrupt
        load.lease.give_up()

    with caplog.at_level(logging.WARNING), pytest.raises((KeyboardInterrupt, CancelledError)) as caught:
        BulkEngine(managed.aws, stop).load(load)
    assert "goes on loading" in f"{caught.value} {caplog.text}"
    loads.finish()
    calls = len(managed.faults.calls)
    lease = take_lease(managed.vault, managed.clock, "bulk again", WHO)
    BulkEngine(managed.aws, managed.sleep).load(replace(load, lease=lease))
    assert "StartBulkPutItems" not in managed.faults.calls[calls:]
    assert all_items(plain, plan.target.name) == comparable(some_items(40))


def test_settings_that_were_changed_after_a_lost_answer_find_the_same_operation(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """The token was used with other parameters: the operation it stands for is looked up, on whichever page it is."""
    load = begun(managed, plain, plan)
    managed.faults.crash("StartBulkPutItems", after=True)
    with pytest.raises(Crash):
        BulkEngine(managed.aws, managed.sleep).load(load)
    managed.again()
    (ours,) = loads.operations
    loads.operations.extend(
        replace(ours, arn=f"{ours.arn}{number}", request={"ClientToken": str(number)}, status="FAILED")
        for number in range(3)
    )
    lease = take_lease(managed.vault, managed.clock, "bulk again", WHO)
    BulkEngine(managed.aws, managed.sleep, BulkOptions(4096)).load(replace(load, lease=lease))
    assert len(loads.operations) == 4
    assert load.run.record.operation == ours.arn
    assert all_items(plain, plan.target.name) == comparable(some_items(40))


def test_a_region_without_bulk_loads_says_so(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """AWS's answer comes out with its code; nothing was begun."""
    loads.offers_bulk = False
    with pytest.raises(AwsError) as caught:
        BulkEngine(managed.aws, managed.sleep).load(begun(managed, plain, plan))
    assert caught.value.code == "UnknownOperationException"


def test_a_deleted_table_is_loaded_anew(
    managed: Process, plain: DynamoDBClient, loads: ManagedLoads, plan: RecoveryPlan
) -> None:
    """The operation of the record loaded a table that is gone: it says COMPLETED, and another one is begun."""
    managed.faults.crash("Scan")
    with pytest.raises(Crash):
        apply(managed, plan)
    plain.delete_table(TableName=plan.target.name)
    managed.again()
    assert apply(managed, plan).items_verified == 40
    assert [operation.status for operation in loads.operations] == ["COMPLETED", "COMPLETED"]


def test_throttling_without_end_gives_up(managed: Process, plain: DynamoDBClient, plan: RecoveryPlan) -> None:
    """After a quarter of an hour the command ends, resumable."""
    load = begun(managed, plain, plan)
    managed.faults.fail("DescribeBulkOperation", times=100)
    with pytest.raises(UnavailableError):
        BulkEngine(managed.aws, managed.sleep).load(load)
    assert load.run.record.operation
