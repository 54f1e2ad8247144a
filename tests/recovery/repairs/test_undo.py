"""Undoing a repair: back to what was there, unless somebody has changed it since."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.errors import DamagedObjectError
from recovery.repairs.differences import ALL_KINDS
from recovery.repairs.repair import RepairWish
from recovery.repairs.store import RepairNotFoundError
from recovery.repairs.undo import plan_undo, undo
from recovery.testing.faults import Crash
from rules.errors import UnavailableError, UnsafeError
from tests.recovery.recovering import WHO, Process, all_items, key, make_table, some_items
from tests.recovery.repairs.repairing import BROKEN, HOW, BadWrites, bad_writes, break_at, repairs_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.repairs.reports import RepairReport


@pytest.fixture
def bad(net: Process, plain: DynamoDBClient, table: str) -> BadWrites:
    """Five items, one of them changed, one removed, one added."""
    return bad_writes(net, plain, table)


def undo_it(bad: BadWrites, wanted: str = "") -> RepairReport:
    """As the command does; the newest repair of the table unless one is named."""
    repairs = repairs_of(bad.net)
    return undo(repairs, plan_undo(repairs, wanted or bad.table), WHO)


def test_every_kind_is_taken_back(bad: BadWrites) -> None:
    """What was put, overwritten and deleted: the table is what it was before the repair, item for item."""
    before = all_items(bad.plain, bad.table)
    report = bad.repair(kinds=ALL_KINDS)
    assert all_items(bad.plain, bad.table) != before
    back = undo_it(bad, report.repair_id)
    assert (back.written, back.refused, back.verified, back.complete) == (3, 0, 3, True)
    assert all_items(bad.plain, bad.table) == before


def test_undoing_twice_is_undoing_once(bad: BadWrites) -> None:
    """The second time nothing is written, also not over what somebody has repaired by hand."""
    repair_id = bad.repair().repair_id
    first = undo_it(bad, repair_id)
    bad.repair()
    bad.net.faults.reset()
    again = undo_it(bad, repair_id)
    assert (again.written, again.verified) == (first.written, first.verified)
    assert not {"PutItem", "DeleteItem"} & set(bad.net.faults.calls)
    assert bad.item("item-0001") == some_items(2)[1]


def test_what_has_changed_since_stays(bad: BadWrites) -> None:
    """It is listed; the rest is taken back."""
    bad.repair()
    theirs: dict[str, Any] = {"pk": {"S": "item-0001"}, "by": {"S": "them"}}
    bad.put(theirs)
    report = undo_it(bad)
    assert (report.written, report.refused) == (1, 1)
    assert list(map(json.loads, report.refused_keys)) == [{"pk": {"S": "item-0001"}}]
    assert bad.item("item-0001") == theirs
    assert bad.item("item-0002") is None


def test_what_the_repair_refused_is_not_undone(bad: BadWrites) -> None:
    """Somebody else had mended the item themselves, to the very same: it is theirs, and stays."""
    repairs = repairs_of(bad.net)
    with repairs.prepare(RepairWish(bad.backup)) as prepared:
        bad.put({"pk": {"S": "item-0001"}, "n": {"N": "5"}})
        assert repairs.apply(prepared, WHO).refused == 1
    bad.put(some_items(2)[1])
    report = undo_it(bad)
    assert (report.written, report.refused) == (1, 0)
    assert bad.item("item-0001") == some_items(2)[1]


def test_an_interrupted_repair_can_be_undone(bad: BadWrites) -> None:
    """What it had written is taken back, what it had not is as it was; the plan says that it was interrupted."""
    before = all_items(bad.plain, bad.table)
    bad.net.faults.crash("PutItem", nth=2, after=True)
    with pytest.raises(Crash):
        bad.repair()
    bad.net.again()
    plan = plan_undo(repairs_of(bad.net), bad.table)
    assert (plan.interrupted, plan.items, plan.parts) == (True, 2, 1)
    assert undo_it(bad).complete
    assert all_items(bad.plain, bad.table) == before
    with repairs_of(bad.net).prepare(RepairWish(bad.backup)) as prepared:
        assert not prepared.plan.resumes


@pytest.mark.parametrize("how", HOW)
def test_interrupted_at_every_single_call(net: Process, plain: DynamoDBClient, table: str, how: str) -> None:
    """Killed before or after any call, its answer lost, or throttled: running it again ends in the table from before the repair."""
    bad = bad_writes(net, plain, table, count=4)
    before = all_items(plain, table)
    repair_id = bad.repair(kinds=ALL_KINDS).repair_id
    net.again()
    undo_it(bad, repair_id)
    calls = len(net.faults.calls)
    assert calls > 12
    for nth in range(1, calls + 1):
        net.again()
        repair_id = bad.repair(kinds=ALL_KINDS).repair_id
        net.again()
        break_at(net, how, nth)
        try:
            undo_it(bad, repair_id)
        except (Crash, UnavailableError):
            net.again()
            assert undo_it(bad, repair_id).complete, f"call {nth}"
        assert all_items(plain, table) == before, f"call {nth}"


def test_a_damaged_journal_changes_nothing(bad: BadWrites) -> None:
    """All of it is looked at before the first item is written."""
    bad.repair()
    (part,) = [entry for entry in bad.net.store.writes if "/parts/" in entry]
    body = bytearray(bad.net.store.get(part).body)
    body[len(body) // 2] ^= 1
    bad.net.store.put(part, body)
    bad.net.faults.reset()
    with pytest.raises(DamagedObjectError, match="parts/000001"):
        undo_it(bad)
    assert "PutItem" not in bad.net.faults.calls


def test_a_header_that_was_changed(bad: BadWrites) -> None:
    """Its seal does not fit."""
    bad.repair()
    (header,) = {entry for entry in bad.net.store.writes if entry.endswith("/repair.json")}
    body = bad.net.store.get(header).body
    bad.net.store.put(header, body.replace(b"oncall", b"nobody"))
    with pytest.raises(DamagedObjectError, match="seal"):
        undo_it(bad)


def test_the_newest_repair_of_a_table_that_is_left(bad: BadWrites) -> None:
    """The one before it comes next, and then there is none."""
    first = bad.repair()
    bad.net.clock.advance(60)
    bad.put(BROKEN)
    second = bad.repair()
    assert undo_it(bad).repair_id == second.repair_id
    bad.repair(kinds=ALL_KINDS)
    assert plan_undo(repairs_of(bad.net), first.repair_id).repair.repair_id == first.repair_id
    with pytest.raises(RepairNotFoundError, match="no repair of table"):
        plan_undo(repairs_of(bad.net), "another")
    with pytest.raises(RepairNotFoundError, match="20000101T000000Z-00000000"):
        plan_undo(repairs_of(bad.net), "20000101T000000Z-00000000")


def test_a_table_that_was_made_anew_with_another_key(bad: BadWrites) -> None:
    """Refused before anything is written."""
    bad.repair()
    bad.plain.delete_table(TableName=bad.table)
    make_table(bad.plain, bad.table, **key("id"))
    with pytest.raises(UnsafeError, match="another key"):
        undo_it(bad)
