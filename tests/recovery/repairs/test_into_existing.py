"""A backup into a table that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recovery.repairs.differences import Kind
from recovery.repairs.into_existing import IntoExisting, apply_into_existing, plan_into_existing
from recovery.repairs.undo import plan_undo, undo
from tests.recovery.recovering import WHO, Process, all_items, make_table, some_items
from tests.recovery.repairs.repairing import ADDED, BROKEN, bad_writes, differences_of, repairs_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.mark.parametrize(
    ("mode", "left"),
    [
        (IntoExisting.MERGE, {Kind.ADDED}),
        (IntoExisting.ONLY_MISSING, {Kind.ADDED, Kind.CHANGED}),
        (IntoExisting.REPLACE_ITEMS, set()),
    ],
)
def test_modes(net: Process, plain: DynamoDBClient, table: str, mode: IntoExisting, left: set[Kind]) -> None:
    """What each puts, overwrites and deletes; nothing of what was asked is left, and all of it can be undone."""
    bad = bad_writes(net, plain, table)
    before = all_items(plain, table)
    repairs = repairs_of(net)
    with plan_into_existing(repairs, bad.backup, mode) as prepared:
        assert all_items(plain, table) == before
        report = apply_into_existing(repairs, prepared, WHO)
    assert (report.left, report.complete) == (0, True)
    assert {one.kind for one in differences_of(net, bad.backup, table)} == left
    assert bad.item("new") == (None if mode is IntoExisting.REPLACE_ITEMS else ADDED)
    assert bad.item("item-0001") == (BROKEN if mode is IntoExisting.ONLY_MISSING else some_items(2)[1])
    undo(repairs, plan_undo(repairs, report.repair.repair_id), WHO)
    assert all_items(plain, table) == before


def test_into_an_empty_table_of_another_name(net: Process, plain: DynamoDBClient, table: str) -> None:
    """All items are missing, so all are put."""
    make_table(plain, table, some_items(30))
    backup = net.back_up(table)
    make_table(plain, f"{table}-copy")
    repairs = repairs_of(net)
    with plan_into_existing(repairs, backup, IntoExisting.MERGE, table=f"{table}-copy") as prepared:
        assert prepared.plan.to_put_back == 30
        assert apply_into_existing(repairs, prepared, WHO).complete
    assert all_items(plain, f"{table}-copy") == all_items(plain, table)


def test_somebody_who_goes_on_writing_is_told_of(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The second comparison finds what they wrote."""
    bad = bad_writes(net, plain, table)
    repairs = repairs_of(net)
    with plan_into_existing(repairs, bad.backup, IntoExisting.MERGE) as prepared:
        bad.put({"pk": {"S": "item-0004"}, "n": {"N": "99"}})
        report = apply_into_existing(repairs, prepared, WHO)
    assert report.repair.complete
    assert (report.left, report.complete) == (1, False)
