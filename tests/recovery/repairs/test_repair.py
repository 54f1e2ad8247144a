"""Repairs: just the items that were asked for, only if nobody was faster, journalled before they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.errors import DamagedObjectError, LeaseHeldError, TableNotFoundError
from recovery.repairs.differences import ALL_KINDS, Kind
from recovery.repairs.documents import RepairPlan, header_of, result_of
from recovery.repairs.journal import Journal
from recovery.repairs.repair import RepairWish
from recovery.repairs.where import Where
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.faults import Crash
from recovery.vault.leases import take_lease
from rules.errors import UnavailableError, UnsafeError
from tests.recovery.recovering import WHO, Process, all_items, copy_to_account, some_items
from tests.recovery.repairs.repairing import (
    ADDED,
    BROKEN,
    HOW,
    BadWrites,
    bad_writes,
    break_again,
    break_at,
    differences_of,
    repairs_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def bad(net: Process, plain: DynamoDBClient, table: str) -> BadWrites:
    """Five items, one of them changed, one removed, one added."""
    return bad_writes(net, plain, table)


def test_removed_and_changed_items_come_back(bad: BadWrites) -> None:
    """And only those: what was added stays, what was equal is not written."""
    report = bad.repair()
    assert (report.written, report.already, report.refused, report.verified) == (2, 0, 0, 2)
    assert report.complete
    assert [bad.item(f"item-{number:04}") for number in range(5)] == some_items(5)
    assert bad.item("new") == ADDED
    assert bad.net.faults.calls.count("PutItem") == 2
    assert [one.kind for one in differences_of(bad.net, bad.backup, bad.table)] == [Kind.ADDED]


@pytest.mark.parametrize("kind", list(Kind))
def test_only_one_kind(bad: BadWrites, kind: Kind) -> None:
    """The other kinds stay as they are, and the plan says how many were not asked for."""
    with repairs_of(bad.net).prepare(RepairWish(bad.backup, kinds=(kind,))) as prepared:
        plan = prepared.plan
    assert (plan.writes, plan.not_asked) == (1, 2)
    bad.repair(kinds=(kind,))
    left = {one.kind for one in differences_of(bad.net, bad.backup, bad.table)}
    assert left == set(Kind) - {kind}


def test_all_kinds_make_the_table_what_it_was(bad: BadWrites) -> None:
    """Added items are deleted where that is asked for by name."""
    bad.repair(kinds=ALL_KINDS)
    assert bad.item("new") is None
    assert differences_of(bad.net, bad.backup, bad.table) == []


def test_the_plan_is_what_is_done_and_planning_writes_nothing(bad: BadWrites) -> None:
    """Counts, keys and the journal's place are there beforehand; AWS and the vault are only read."""
    repairs = repairs_of(bad.net)
    writes = list(bad.net.store.writes)
    with repairs.prepare(RepairWish(bad.backup)) as prepared:
        plan = prepared.plan
        assert bad.net.faults.writes == []
        assert bad.net.store.writes == writes
        report = repairs.apply(prepared, WHO)
    assert RepairPlan.model_validate_json(plan.model_dump_json()) == plan
    assert (plan.to_put_back, plan.to_overwrite, plan.to_delete, plan.not_asked) == (1, 1, 0, 1)
    assert plan.sample_keys == ({"pk": {"S": "item-0001"}}, {"pk": {"S": "item-0002"}})
    assert plan.journal == f"{bad.net.store.location}/{plan.folder}"
    assert (report.journal, report.written) == (plan.journal, plan.writes)
    assert header_of(bad.net.store.get(f"{plan.folder}repair.json")).plan == plan
    assert result_of(bad.net.store.get(f"{plan.folder}result.json")).written == 2


def test_nothing_to_do_writes_nothing(bad: BadWrites) -> None:
    """A second repair finds nothing, and leaves no second journal."""
    first = bad.repair()
    writes = list(bad.net.store.writes)
    second = bad.repair()
    assert (second.written, second.complete) == (0, True)
    assert second.repair_id != first.repair_id
    assert bad.net.store.writes == writes


def test_images_are_journalled_before_anything_is_written(bad: BadWrites) -> None:
    """Both images of each item are in the vault when the first of them is put."""
    bad.net.faults.crash("PutItem")
    with pytest.raises(Crash):
        bad.repair()
    assert bad.item("item-0001") == BROKEN
    (key,) = [key for key in bad.net.store.writes if "/parts/" in key]
    steps = Journal(bad.net.store, key.partition("parts/")[0]).read(1)
    assert [(step.before and json.loads(step.before), json.loads(step.after)) for step in steps] == [
        (BROKEN, some_items(5)[1]),
        (b"", some_items(5)[2]),
    ]


def test_items_that_change_meanwhile_are_left_alone_and_listed(bad: BadWrites) -> None:
    """Between the comparison and the write somebody else was faster: theirs stays."""
    repairs = repairs_of(bad.net)
    theirs = [{"pk": {"S": f"item-000{number}"}, "by": {"S": "them"}} for number in (1, 2)]
    with repairs.prepare(RepairWish(bad.backup)) as prepared:
        for item in theirs:
            bad.put(item)
        report = repairs.apply(prepared, WHO)
    assert (report.written, report.refused, report.complete) == (0, 2, False)
    assert list(map(json.loads, report.refused_keys)) == [
        {"pk": {"S": "item-0001"}},
        {"pk": {"S": "item-0002"}},
    ]
    assert [bad.item("item-0001"), bad.item("item-0002")] == theirs


def test_items_that_change_right_after_are_told(bad: BadWrites) -> None:
    """They are read back: what is something else by now is not called verified."""
    theirs = {"pk": {"S": "item-0001"}, "by": {"S": "them"}}

    def meanwhile(_: dict[str, Any]) -> None:
        bad.put(theirs)

    bad.net.faults.change_answer("PutItem", meanwhile, nth=2)
    report = bad.repair()
    assert (report.written, report.verified, report.overtaken, report.complete) == (2, 1, 1, False)
    assert list(map(json.loads, report.overtaken_keys)) == [{"pk": {"S": "item-0001"}}]


def test_where(bad: BadWrites) -> None:
    """Either image may match: the broken one in the table, or the one in the backup."""
    assert bad.repair(where=Where("n == `-1`")).written == 1
    assert bad.repair(where=Where("pk == 'item-0002'")).written == 1
    assert bad.repair(where=Where("n > `1000`")).written == 0


def test_where_that_does_not_fit_an_item_is_told(bad: BadWrites) -> None:
    """Images that it cannot be evaluated on do not match, and the plan warns."""
    with repairs_of(bad.net).prepare(
        RepairWish(bad.backup, where=Where("starts_with(gone, 'x')"))
    ) as prepared:
        assert prepared.plan.writes == 0
        assert "could not be evaluated on 3 images" in prepared.plan.warnings[0]


def test_keys(bad: BadWrites, tmp_path: Path) -> None:
    """Only those keys are looked at; one that nobody knows is told."""
    path = tmp_path / "keys.jsonl"
    path.write_text('{"pk": "item-0002"}\n{"pk": {"S": "nowhere"}}\n', encoding="utf-8")
    wish = RepairWish(bad.backup, keys=path)
    repairs = repairs_of(bad.net)
    with repairs.prepare(wish) as prepared:
        assert (prepared.plan.writes, prepared.plan.unknown_keys) == (1, 1)
        assert prepared.plan.selection.keys == 2
        repairs.apply(prepared, WHO)
    assert "Scan" not in bad.net.faults.calls
    assert bad.item("item-0001") == BROKEN
    assert bad.item("item-0002") == some_items(5)[2]


@pytest.mark.parametrize("how", HOW)
def test_interrupted_at_every_single_call(net: Process, plain: DynamoDBClient, table: str, how: str) -> None:
    """Killed before or after any call, its answer lost, or throttled: running it again ends in the same table, and says so."""
    bad = bad_writes(net, plain, table, count=4)
    bad.repair(kinds=ALL_KINDS)
    right, calls = all_items(plain, table), len(net.faults.calls)
    assert calls > 20
    for nth in range(1, calls + 1):
        for name in list(net.store.folders(f"repairs/{ACCOUNT}/{REGION}/{table}/")):
            forget(net, f"repairs/{ACCOUNT}/{REGION}/{table}/{name}/")
        break_again(plain, table)
        net.again()
        break_at(net, how, nth)
        try:
            bad.repair(kinds=ALL_KINDS)
        except (Crash, UnavailableError):
            net.again()
            report = bad.repair(kinds=ALL_KINDS)
            assert report.complete, f"call {nth}"
        assert all_items(plain, table) == right, f"call {nth}"


def forget(net: Process, folder: str) -> None:
    """As if that repair had never been."""
    for info in list(net.store.list(folder)):
        net.store.delete(info.key)


def test_a_continued_repair_is_one_repair(bad: BadWrites) -> None:
    """The same id; the batch under way is settled first, and what had been written is recognised."""
    bad.net.faults.crash("PutItem", nth=2, after=True)
    with pytest.raises(Crash):
        bad.repair()
    bad.net.again()
    with repairs_of(bad.net).prepare(RepairWish(bad.backup)) as prepared:
        assert prepared.plan.resumes
    report = bad.repair()
    assert report.resumed
    assert report.written == report.verified == 2
    assert report.already >= 1
    assert len(list(bad.net.store.folders(f"repairs/123456789012/eu-west-1/{bad.table}/"))) == 1


def test_another_selection_does_not_continue_it(bad: BadWrites) -> None:
    """What was interrupted with other options is another repair."""
    bad.net.faults.crash("PutItem")
    with pytest.raises(Crash):
        bad.repair()
    bad.net.again()
    with repairs_of(bad.net).prepare(RepairWish(bad.backup, kinds=(Kind.CHANGED,))) as prepared:
        assert not prepared.plan.resumes


def test_throttling_slows_it_down_and_loses_nothing(bad: BadWrites) -> None:
    """Every call may be throttled."""
    for operation in ("PutItem", "BatchGetItem", "Scan"):
        bad.net.faults.fail(operation, times=2, code="ProvisionedThroughputExceededException")
    assert bad.repair().verified == 2


def test_one_at_a_time(bad: BadWrites) -> None:
    """A recovery or another repair of the table holds the same lease."""
    take_lease(bad.net.vault, bad.net.clock, f"recover-123456789012-eu-west-1-{bad.table}", "somebody")
    with pytest.raises(LeaseHeldError, match="somebody"):
        bad.repair()
    assert bad.item("item-0001") == BROKEN


def test_a_damaged_backup_changes_nothing(bad: BadWrites) -> None:
    """It is read whole before the first write."""
    data = bad.backup.data_objects[-1]
    body = bytearray(bad.net.store.get(bad.backup.folder + data.key).body)
    body[-5] ^= 1
    bad.net.store.put(bad.backup.folder + data.key, body)
    with pytest.raises(DamagedObjectError, match=data.key):
        bad.repair()
    assert bad.item("item-0001") == BROKEN
    assert bad.net.faults.writes == []


def test_a_table_that_is_being_recovered_is_refused(bad: BadWrites) -> None:
    """Not all of it is there, so everything missing would look removed."""
    arn = bad.plain.describe_table(TableName=bad.table)["Table"]["TableArn"]
    bad.plain.tag_resource(ResourceArn=arn, Tags=[{"Key": "safetynet:run", "Value": "run"}])
    with pytest.raises(UnsafeError, match="is being recovered"):
        bad.repair()


def test_a_stream_is_warned_of(bad: BadWrites) -> None:
    """Its consumers see the repair."""
    bad.plain.update_table(
        TableName=bad.table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )
    with repairs_of(bad.net).prepare(RepairWish(bad.backup)) as prepared:
        assert any("stream" in warning for warning in prepared.plan.warnings)


def test_tags_that_may_not_be_read_are_a_warning(bad: BadWrites) -> None:
    """Unknown is told, not taken for absent."""
    bad.net.faults.fail("ListTagsOfResource", times=5, code="AccessDeniedException")
    with repairs_of(bad.net).prepare(RepairWish(bad.backup)) as prepared:
        assert any("could not be found out" in warning for warning in prepared.plan.warnings)


def test_a_backup_knows_whose_it_is(bad: BadWrites) -> None:
    """That of another account needs to be allowed."""
    copy_to_account(bad.net, bad.backup, "210987654321")
    theirs = bad.net.catalog.latest("210987654321", "eu-west-1", bad.table)
    repairs = repairs_of(bad.net)
    with pytest.raises(UnsafeError, match="210987654321"), repairs.prepare(RepairWish(theirs)):
        pass
    with repairs.prepare(RepairWish(theirs, elsewhere=True)) as prepared:
        assert prepared.plan.writes == 2


def test_a_table_that_is_gone(bad: BadWrites) -> None:
    """Repairing is not recovering."""
    bad.plain.delete_table(TableName=bad.table)
    with pytest.raises(TableNotFoundError):
        bad.repair()


def test_no_item_content_in_the_log(bad: BadWrites, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever happens; item content goes to stdout alone, and only when asked for."""
    caplog.set_level("DEBUG", logger="recovery")
    bad.net.faults.fail("PutItem", times=2)
    bad.repair()
    assert "item-0001" not in caplog.text
