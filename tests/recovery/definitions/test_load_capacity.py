"""A table that is loaded next is created with a capacity fit for that, and with nothing that would be in the way."""

from __future__ import annotations

from typing import Any

import pytest

from recovery.definitions.load_capacity import for_load
from recovery.definitions.put_table import throughput_update

KEY = {"TableName": "orders", "KeySchema": [], "AttributeDefinitions": []}


def provisioned(reads: int, writes: int) -> dict[str, Any]:
    """Units of a table or an index."""
    return {"ProvisionedThroughput": {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}}


def table(*, writes: int = 5, index_writes: int = 5) -> dict[str, Any]:
    """A provisioned table with an index."""
    index = {"IndexName": "by-g", **provisioned(1, index_writes)}
    return {**KEY, "BillingMode": "PROVISIONED", **provisioned(2, writes), "GlobalSecondaryIndexes": [index]}


def test_provisioned_capacity_is_raised_for_table_and_indexes() -> None:
    """An index that is slower than its table throttles the table; reads stay."""
    wanted = table()
    assert for_load(wanted, write_units=4000, warm=True) == table(writes=4000, index_writes=4000)
    assert wanted == table(), "the request that was asked about was changed"


def test_capacity_that_is_enough_stays() -> None:
    """It is never lowered for a load."""
    assert for_load(table(writes=9000), write_units=4000, warm=False) == table(writes=9000, index_writes=4000)


def test_the_pass_lowers_what_was_raised() -> None:
    """One UpdateTable for table and index, to just what the table had."""
    update = throughput_update(table(), for_load(table(), write_units=4000, warm=False))
    assert update == {
        **provisioned(2, 5),
        "GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": "by-g", **provisioned(1, 5)}}],
    }


@pytest.mark.parametrize(
    ("write_units", "warm", "expected"),
    [
        (40_000, True, {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 40_000}),
        (40_000, False, None),
        (4_000, True, None),
        (None, True, None),
    ],
)
def test_an_on_demand_table_is_warmed_only_where_asked(
    write_units: int | None, *, warm: bool, expected: dict[str, int] | None
) -> None:
    """It costs money, and up to 4,000 units a second come by themselves."""
    request = {**KEY, "BillingMode": "PAY_PER_REQUEST", "GlobalSecondaryIndexes": [{"IndexName": "by-g"}]}
    found = for_load(request, write_units=write_units, warm=warm)
    assert found.get("WarmThroughput") == expected
    assert found["GlobalSecondaryIndexes"][0].get("WarmThroughput") == expected


def test_a_limit_that_would_slow_the_load_down_is_raised_and_put_back() -> None:
    """MaxWriteRequestUnits caps the load; reads keep theirs."""
    limits = {"OnDemandThroughput": {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}}
    request = {**KEY, "BillingMode": "PAY_PER_REQUEST", **limits}
    found = for_load(request, write_units=3000, warm=False)
    assert found["OnDemandThroughput"] == {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 3000}
    assert throughput_update(request, found) == limits
    assert for_load(request, write_units=15, warm=False) == request


def test_what_comes_after_the_data_is_not_in_it() -> None:
    """A stream would replay the load, TTL would delete of it, protection would keep a half table."""
    later = {
        "StreamSpecification": {"StreamEnabled": True},
        "DeletionProtectionEnabled": True,
        "ResourcePolicy": "{}",
        "Tags": [],
    }
    assert for_load({**table(), **later}, write_units=None, warm=False) == table()
