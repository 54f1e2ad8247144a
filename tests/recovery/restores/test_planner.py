"""The whole plan: which point, which engine and why, what request makes the table, and what else there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.catalog import Catalog
from recovery.errors import BackupNotFoundError
from recovery.restores import planner as planner_module
from recovery.restores.engine import RestoreEngineName
from recovery.restores.planner import LoadCapacity, Planner, without_global_indexes
from recovery.restores.planning import RecoveryWish
from recovery.restores.points import LostTable, PointKind, RecoveryPoint
from recovery.restores.points_vault import VaultPoints
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.replica import copy_backup
from rules.errors import AccessDeniedError, UnsafeError, UsageError
from tests.recovery.recovering import key, make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.points import PointSource
    from tests.recovery.recovering import Process

INDEX: dict[str, Any] = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
INDEXED: dict[str, Any] = {
    "AttributeDefinitions": key("g", "pk")["AttributeDefinitions"],
    "KeySchema": key("pk")["KeySchema"],
    "GlobalSecondaryIndexes": [INDEX],
}
PROVISIONED: dict[str, Any] = {
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
}
ASKS = {"ListBulkOperations", "ListImports"}


@dataclass
class Points:
    """A source that has some points, or cannot be looked at; remembers who was looked for."""

    points: Sequence[RecoveryPoint] = ()
    error: Exception | None = None
    kinds: tuple[PointKind, ...] = (PointKind.PITR,)
    asked: list[LostTable] = field(default_factory=list)

    def find(self, lost: LostTable) -> list[RecoveryPoint]:
        """See PointSource.find."""
        self.asked.append(lost)
        if self.error is not None:
            raise self.error
        return list(self.points)


def planner(net: Process, *others: PointSource, capacity: LoadCapacity | None = None) -> Planner:
    """A planner that knows the vault, and other sources."""
    return Planner(
        aws=net.aws,
        catalog=net.catalog,
        sources=[VaultPoints(net.catalog), *others],
        clock=net.clock,
        sleep=net.sleep,
        capacity=capacity,
    )


def wish(table: str, **more: Any) -> RecoveryWish:
    """A table of this account and region."""
    return RecoveryWish(**{"table": table, "account": ACCOUNT, "region": REGION, **more})


def backed_up(net: Process, plain: DynamoDBClient, table: str, items: int = 3, **request: Any) -> str:
    """A lost table with a backup, whose id it gives; the record of calls is empty again."""
    make_table(plain, table, some_items(items), **request)
    backup = net.back_up(table)
    plain.delete_table(TableName=table)
    net.faults.reset()
    return backup.backup_id


def window(net: Process, table: str, **more: Any) -> RecoveryPoint:
    """Point-in-time recovery up to an hour after the backup."""
    made: dict[str, Any] = {
        "kind": PointKind.PITR,
        "id": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
        "time": net.clock.now + timedelta(hours=1),
        "seconds": 1800.0,
        "dollars": 0.5,
    }
    return RecoveryPoint(**{**made, **more})


def test_the_latest_backup_with_all_that_there_is_beside_it(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """The point of the vault is taken; the others are shown, with what to type for one that loses less."""
    backup_id = backed_up(net, plain, table)
    other = window(net, table)
    plan = planner(net, Points([other])).plan(wish(table, deleted_at=net.clock.now + timedelta(hours=2)))
    assert (plan.point.id, plan.point.kind, plan.backup_id) == (backup_id, PointKind.VAULT, backup_id)
    assert {point.id for point in plan.points} == {backup_id, other.id}
    assert plan.better == ("pitr would lose 1:00:00 less: --source pitr",)
    assert (plan.points_unread, plan.item_count) == ({}, 3)
    assert net.faults.writes == []


def test_every_source_hears_of_the_table_and_its_end(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Whoever keeps recovery points is told when the table was deleted: later ones are of another table."""
    backed_up(net, plain, table)
    source, deleted = Points(), net.clock.now + timedelta(hours=1)
    planner(net, source).plan(wish(table, deleted_at=deleted))
    assert source.asked == [LostTable(ACCOUNT, REGION, table, deleted)]


def test_a_source_that_cannot_be_looked_at_is_named(net: Process, plain: DynamoDBClient, table: str) -> None:
    """With the reason; the plan is made from what there is."""
    backed_up(net, plain, table)
    plan = planner(net, Points(error=AccessDeniedError("not for you"))).plan(wish(table))
    assert plan.point.kind is PointKind.VAULT
    assert list(plan.points_unread) == ["pitr"]
    assert "not for you" in plan.points_unread["pitr"]


def test_nothing_at_all(net: Process, table: str) -> None:
    """The error names table, place and vault; its hint says what there is instead."""
    with pytest.raises(
        BackupNotFoundError, match=rf"for table {table} in {ACCOUNT}/{REGION} \(memory:"
    ) as no:
        planner(net, Points([window(net, table)])).plan(wish(table))
    assert "--source pitr" in no.value.hint


def test_a_backup_that_only_the_replica_has(net: Process, plain: DynamoDBClient, table: str) -> None:
    """It is found, and the way to it is told, for this planner reads the first vault."""
    make_table(plain, table)
    older, newer = net.back_up(table), net.back_up(table)
    replica = MemoryVault(bucket="copy")
    copy_backup(net.catalog, newer, replica)
    net.store.delete(f"{newer.folder}manifest.json")
    plain.delete_table(TableName=table)
    source = VaultPoints(Catalog(replica), label="replica memory://copy")
    with pytest.raises(BackupNotFoundError, match="is only in the replica memory://copy") as caught:
        planner(net, source).plan(wish(table))
    assert "--vault replica" in caught.value.hint
    assert planner(net, source).plan(wish(table, backup_id=older.backup_id)).backup_id == older.backup_id


def test_a_point_of_awss_own(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Restored by AWS, in the time and for the money that the point says; the vault tells the settings."""
    backup_id = backed_up(net, plain, table)
    other = window(net, table)
    plan = planner(net, Points([other])).plan(wish(table, source="pitr", as_name=f"{table}.copy"))
    assert (plan.engine, plan.point) == (RestoreEngineName.RESTORE, other)
    assert plan.engine_why.startswith("point-in-time recovery, as of ")
    assert (plan.seconds, plan.dollars, plan.backup_id) == (1800.0, 0.5, backup_id)
    assert plan.create_table["TableName"] == f"{table}.copy"


def test_a_point_of_awss_own_without_any_backup(net: Process, table: str) -> None:
    """Nobody can tell the settings, which is said; and nothing can be checked of a request that is not known."""
    plan = planner(net, Points([window(net, table)])).plan(wish(table, source="pitr"))
    assert (plan.backup_id, plan.create_table) == ("", {})
    assert [line for line in plan.warnings if "settings are as the restore leaves them" in line]


def test_a_small_backup_is_written_and_nobody_asked(net: Process, plain: DynamoDBClient, table: str) -> None:
    """What takes a minute from here is not worth a call to a region that may be slow."""
    backed_up(net, plain, table)
    plan = planner(net).plan(wish(table))
    assert (plan.engine, plan.engine_why) == (RestoreEngineName.WRITE, "it is small")
    assert not ASKS & set(net.faults.calls)
    assert plan.seconds is not None


def test_an_empty_backup(net: Process, plain: DynamoDBClient, table: str) -> None:
    """There is nothing to load, and that is the reason."""
    backed_up(net, plain, table, items=0)
    assert planner(net).plan(wish(table)).engine_why == "there is nothing to load"


def test_a_large_backup_asks_what_the_region_has(
    managed: Process, plain: DynamoDBClient, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the size on where DynamoDB may be faster, each managed load is asked for once; the options say it."""
    backed_up(managed, plain, table)
    size = planner(managed).plan(wish(table)).data_bytes
    managed.faults.reset()
    monkeypatch.setattr(planner_module, "ASK_FOR_BULK_BYTES", size + 1)
    assert not ASKS & set(planned_calls(managed, table))
    monkeypatch.setattr(planner_module, "ASK_FOR_BULK_BYTES", size)
    assert sorted(ASKS & set(planned_calls(managed, table))) == sorted(ASKS)
    options = planner(managed).plan(wish(table)).engine_options
    assert {option.name: option.not_offered for option in options} == dict.fromkeys(
        (RestoreEngineName.WRITE, RestoreEngineName.BULK, RestoreEngineName.IMPORT), ""
    )


def planned_calls(net: Process, table: str) -> list[str]:
    """The calls that a plan takes."""
    net.faults.reset()
    planner(net).plan(wish(table))
    return list(net.faults.calls)


@pytest.mark.parametrize(
    "engine", [RestoreEngineName.BULK, RestoreEngineName.IMPORT, RestoreEngineName.WRITE]
)
def test_the_engine_that_was_asked_for(
    managed: Process, plain: DynamoDBClient, table: str, engine: RestoreEngineName
) -> None:
    """However small the backup is: it is taken, with its own estimate."""
    backed_up(managed, plain, table)
    plan = planner(managed).plan(wish(table, engine=engine))
    assert (plan.engine, plan.engine_why) == (engine, "asked for")
    (option,) = (option for option in plan.engine_options if option.name is engine)
    assert (plan.seconds, plan.dollars) == (option.seconds, option.dollars)


def test_an_engine_that_cannot_be_had(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Refused with the reason, before anything is made; ``restore`` is no way to load a backup."""
    local = {**INDEX, "IndexName": "by-l", "KeySchema": key("pk", "g")["KeySchema"]}
    shape: dict[str, Any] = {**INDEXED, "GlobalSecondaryIndexes": [], "LocalSecondaryIndexes": [local]}
    backed_up(net, plain, table, **{k: v for k, v in shape.items() if v})
    with pytest.raises(UnsafeError, match="local secondary indexes"):
        planner(net).plan(wish(table, engine=RestoreEngineName.IMPORT))
    with pytest.raises(UsageError):
        planner(net).plan(wish(table, engine=RestoreEngineName.RESTORE))


def created(net: Process, table: str, capacity: LoadCapacity | None = None, **more: Any) -> RecoveryPlan:
    """The plan with a capacity for the load."""
    return planner(net, capacity=capacity).plan(wish(table, **more))


def test_more_capacity_for_the_load(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The table is created with more, and the plan still says what it shall have in the end."""
    backed_up(net, plain, table, **PROVISIONED)
    assert created(net, table).created_as is None
    plan = created(net, table, LoadCapacity(write_units=500))
    assert plan.create_table["ProvisionedThroughput"] == PROVISIONED["ProvisionedThroughput"]
    assert plan.create_request["ProvisionedThroughput"] == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 500}


def test_indexes_that_come_later(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Created without them and without what only they need; in the end the table shall have them."""
    backed_up(net, plain, table, **INDEXED)
    plan = created(net, table, defer_indexes=True)
    assert plan.create_table["GlobalSecondaryIndexes"] == [INDEX]
    assert "GlobalSecondaryIndexes" not in plan.create_request
    assert [one["AttributeName"] for one in plan.create_request["AttributeDefinitions"]] == ["pk"]
    assert created(net, table).created_as is None


def test_what_local_indexes_need_stays() -> None:
    """CreateTable refuses attributes that nothing is of, and a local index without its own."""
    local = {"IndexName": "by-l", "KeySchema": key("pk", "l")["KeySchema"]}
    request = {
        "TableName": "orders",
        "AttributeDefinitions": key("g", "l", "pk")["AttributeDefinitions"],
        "KeySchema": key("pk")["KeySchema"],
        "GlobalSecondaryIndexes": [INDEX],
        "LocalSecondaryIndexes": [local],
    }
    kept = without_global_indexes(request)
    assert kept["AttributeDefinitions"] == [
        one for one in request["AttributeDefinitions"] if one["AttributeName"] != "g"
    ]
    assert kept["LocalSecondaryIndexes"] == [local]
    assert "GlobalSecondaryIndexes" in request, "what was given is changed"


def test_what_is_likely_to_go_wrong_is_said_after_the_rest(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """A key that is gone by now is told in the plan, not by CreateTable at 3 a.m."""
    gone = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/6b8e2d1c-0000-4000-8000-000000000000"
    sse = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": gone}
    backed_up(net, plain, table, SSESpecification=sse)
    plan = planner(net).plan(wish(table))
    assert [line for line in plan.warnings if gone in line and "does not exist" in line]
