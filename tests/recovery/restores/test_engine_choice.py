"""Which engine is taken, and what the plan says of the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recovery.backups.manifest import BackupObject, Consistency, Increment, Manifest, TableIdentity
from recovery.restores.engine import RestoreEngineName
from recovery.restores.engine_choice import LoadFacts, Offer, bulk_offered, choose_engine, load_facts
from recovery.restores.managed_loads import LARGEST_OBJECT_BYTES, MOST_OBJECTS
from rules.errors import UnsafeError, UsageError

if TYPE_CHECKING:
    from recovery.restores.plans import EngineOption
    from recovery.testing.managed_loads import ManagedLoads
    from tests.recovery.recovering import Process

WRITE, BULK, IMPORT = RestoreEngineName.WRITE, RestoreEngineName.BULK, RestoreEngineName.IMPORT
OFFERED, NOT_OFFERED = Offer(True), Offer(False, "eu-west-1 has no bulk loads")
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
WITH_LOCAL_INDEX = {**ON_DEMAND, "LocalSecondaryIndexes": [{"IndexName": "by-time"}]}
GB = 1_000_000_000
WHEN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def facts(items: int, size: int, bulk: Offer = OFFERED, **more: Any) -> LoadFacts:
    """A table on demand with items of one size."""
    return LoadFacts(items, items * size, more.pop("create_table", ON_DEMAND), bulk=bulk, **more)


def option(name: RestoreEngineName, of: LoadFacts) -> EngineOption:
    """What the plan says of one engine."""
    (found,) = [one for one in choose_engine(of).options if one.name is name]
    return found


@pytest.mark.parametrize(
    ("of", "taken", "why"),
    [
        (facts(0, 0), WRITE, "nothing to load"),
        (facts(10_000, 400), WRITE, "would not be faster than about"),
        (facts(100_000_000, 400), BULK, "instead of"),
        (facts(100_000_000, 400, create_table=WITH_LOCAL_INDEX), BULK, "by itself"),
        (facts(100_000_000, 400, NOT_OFFERED), IMPORT, "by itself"),
        (facts(100_000_000, 400, Offer(None, "no permission")), IMPORT, "by itself"),
        (
            facts(100_000_000, 400, NOT_OFFERED, create_table=WITH_LOCAL_INDEX),
            WRITE,
            "no bulk loads; import: the",
        ),
        (facts(100_000_000, 400, not_managed="the backup is incremental"), WRITE, "bulk: the backup is incr"),
        # As fast as DynamoDB by itself: a machine that writes quickly, into a table that takes it.
        (
            facts(
                40_000_000,
                400,
                create_table={"ProvisionedThroughput": {"WriteCapacityUnits": 400_000}},
                items_per_second=400_000,
            ),
            WRITE,
            "would not be faster",
        ),
        # Slow from here: the same table.
        (
            facts(
                1_000_000,
                400,
                create_table={"ProvisionedThroughput": {"WriteCapacityUnits": 400_000}},
                items_per_second=1000,
            ),
            BULK,
            "about 4 min instead of 18 min",
        ),
        # Held back by its own setting.
        (facts(100_000_000, 400, max_write_request_units=1024), WRITE, "would not be faster"),
    ],
)
def test_what_auto_takes(of: LoadFacts, taken: RestoreEngineName, why: str) -> None:
    """Written from here while that is quick; DynamoDB by itself above, with its reason."""
    choice = choose_engine(of)
    assert choice.name is taken
    assert why in choice.why


def test_cheaper_counts_only_where_it_is_hardly_slower() -> None:
    """Somebody is waiting: dollars are worth a quarter of the time at most, and no trifle."""
    quick = {"ProvisionedThroughput": {"WriteCapacityUnits": 100_000}}
    dear = facts(20_000_000, 1000, NOT_OFFERED, create_table=quick, items_per_second=17_000)
    assert choose_engine(dear).name is IMPORT
    assert "dollars instead of 12.50, and hardly slower" in choose_engine(dear).why
    much_slower = facts(20_000_000, 1000, NOT_OFFERED, create_table=quick, items_per_second=40_000)
    assert choose_engine(much_slower).name is WRITE
    trifle = facts(1_000_000, 1000, NOT_OFFERED, create_table=quick, items_per_second=3000)
    assert option(IMPORT, trifle).seconds == pytest.approx(410, abs=1)
    assert option(WRITE, trifle).seconds == pytest.approx(393, abs=1)
    assert choose_engine(trifle).name is WRITE


def test_time_and_cost_of_each() -> None:
    """Import has AWS's price per GB, bulk none that is known here unless a setting tells it; each has a duration."""
    of = facts(10_000_000, 1000)
    assert option(IMPORT, of).dollars == pytest.approx(1.5)
    assert option(WRITE, of).dollars == pytest.approx(6.25)
    assert option(BULK, of).dollars is None
    assert option(BULK, facts(10_000_000, 1000, bulk_dollars_per_gb=0.2)).dollars == pytest.approx(2.0)
    held_back = option(BULK, facts(10_000_000, 1000, max_write_request_units=1024))
    assert (held_back.seconds or 0) - (option(BULK, facts(0, 0)).seconds or 0) == pytest.approx(9766, abs=1)
    assert [(one.seconds or 0) > 0 for one in choose_engine(of).options] == [True] * 3


def test_what_is_asked_for_is_taken_where_it_can_be_had() -> None:
    """Even a small table in bulk, and where nobody knows whether the region has it; never what cannot work."""
    unknown = Offer(None, "no permission to ask")
    assert choose_engine(facts(10, 10), BULK).name is BULK
    assert choose_engine(facts(10, 10, unknown), BULK).name is BULK
    assert option(BULK, facts(10, 10, unknown)).not_offered == "no permission to ask"
    with pytest.raises(UnsafeError, match="eu-west-1 has no bulk loads"):
        choose_engine(facts(10, 10, NOT_OFFERED), BULK)
    with pytest.raises(UnsafeError, match="the backup is incremental"):
        choose_engine(facts(10, 10, unknown, not_managed="the backup is incremental"), BULK)
    with pytest.raises(UnsafeError, match="local secondary indexes"):
        choose_engine(facts(10, 10, create_table=WITH_LOCAL_INDEX), IMPORT)
    with pytest.raises(UsageError, match="restore"):
        choose_engine(facts(10, 10), RestoreEngineName.RESTORE)


def backup(keys: list[str], size: int = 100, increment: Increment | None = None) -> Manifest:
    """A manifest with such data files."""
    return Manifest(
        backup_id="20261123T020000Z-0a1b2c3d",
        table=TableIdentity(account="123456789012", region="eu-west-1", name="orders", arn="arn"),
        engine="scan",
        consistency=Consistency(kind="per-item", started=WHEN, ended=WHEN),
        item_count=len(keys),
        data_bytes=size * len(keys),
        consumed_read_units=0.0,
        export_id="0179-0a",
        objects=tuple(BackupObject(key=key, size=size, sha256="0" * 64, items=1) for key in keys),
        increment=increment,
        tool_version="0.1.0",
    )


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (backup(["data/a.json.gz", "data/b.json.gz"]), ""),
        (backup(["data/a.json"]), ""),
        (backup([]), "holds no items"),
        (backup(["data/a.json.gz", "data/b.json.zst"]), "different ways"),
        (backup(["data/a.json.gz", "more/b.json.gz"]), "several folders"),
        (backup(["data/a.json.gz"], LARGEST_OBJECT_BYTES + 1), "5 GB"),
        (backup([f"data/{number}.json.gz" for number in range(MOST_OBJECTS + 1)]), "50001 data files"),
        (
            backup(
                ["data/a.json.gz"],
                increment=Increment(base_id="20261122T020000Z-0a1b2c3d", changed_from=WHEN, changed_to=WHEN),
            ),
            "incremental",
        ),
    ],
)
def test_what_dynamodb_can_read(of: Manifest, why: str) -> None:
    """One folder, one compression, whole items, and no more than its quotas allow."""
    found = load_facts(of, ON_DEMAND, OFFERED, items_per_second=5000)
    assert why in found.not_managed
    assert bool(why) == bool(found.not_managed)
    assert (found.item_count, found.items_per_second) == (of.item_count, 5000)


def test_whether_the_region_has_bulk_loads(managed: Process, loads: ManagedLoads) -> None:
    """An answer is a yes, an unknown operation a no; whatever else means that nobody knows."""
    assert bulk_offered(managed.aws).offered is True
    loads.offers_bulk = False
    assert bulk_offered(managed.aws) == NOT_OFFERED
    loads.offers_bulk = True
    for code in ("AccessDeniedException", "ThrottlingException", "SomethingElse"):
        managed.faults.fail("ListBulkOperations", code=code, message="why it is so")
        offer = bulk_offered(managed.aws)
        assert offer.offered is None
        assert "why it is so" in offer.why
        managed.faults.reset()


def test_an_emulator_without_the_call_has_no_bulk_loads_as_far_as_anybody_knows(net: Process) -> None:
    """Moto fails at it: that is no reason to fail, nor to take it for a yes."""
    assert bulk_offered(net.aws).offered is None


@pytest.mark.parametrize("offer", [Offer(False, "no imports"), Offer(None, "access denied")])
def test_an_import_that_nobody_knows_of_is_not_taken(offer: Offer) -> None:
    """Where an import would be fastest and the endpoint has none, or does not say, the items are written from here."""
    slow = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    }
    facts = LoadFacts(1_000_000, 100_000_000, slow, bulk=Offer(False, "no bulk loads"), imports=offer)
    choice = choose_engine(facts)
    assert choice.name is RestoreEngineName.WRITE
    assert offer.why in choice.why
    assert choose_engine(replace(facts, imports=Offer(True))).name is RestoreEngineName.IMPORT
