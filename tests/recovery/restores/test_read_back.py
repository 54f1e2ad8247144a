"""A table that is read back: the same items are found to be the same however they are spelled, others never."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from recovery.backups.digest import Content, ContentDigest
from recovery.backups.engine_scan import TableScan
from recovery.backups.fingerprint import MOST_KEPT, Fingerprint, raw_hashes
from recovery.errors import LeaseHeldError, RestoreMismatchError
from recovery.restores.read_back import ReadBack
from recovery.testing.equality import comparable
from recovery.testing.faults import Crash
from recovery.vault.leases import LEASE_SECONDS, take_lease
from recovery.wire import RawPage
from tests.recovery.recovering import WHO, all_items, make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from recovery.wire import RawTables
    from tests.recovery.recovering import Process

SEGMENTS = 3


def item(number: int, spelling: str = "%d") -> bytes:
    """An item; ``spelling`` is how its number is written."""
    return f'{{"pk":{{"S":"{number}"}},"n":{{"N":"{spelling % number}"}}}}'.encode()


@dataclass
class Pages:
    """Stands for RawTables: pages by segment; remembers which were read."""

    segments: list[list[list[bytes]]]
    read: list[tuple[int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def scan_page(self, table: str, *, segment: int, start_key: bytes, **rest: Any) -> RawPage:
        """See RawTables."""
        assert (table, rest["consistent"], rest["segments"]) == ("orders", True, len(self.segments))
        number = int(start_key or 0)
        with self.lock:
            self.read.append((segment, number))
        pages = self.segments[segment]
        more = b"%d" % (number + 1) if number + 1 < len(pages) else b""
        return RawPage(pages[number], more, 1.0)


def content_of(items: list[bytes]) -> Content:
    """Count and digest."""
    digest = ContentDigest()
    digest.add_all(items)
    return digest.content


@dataclass
class Asked:
    """A backup of these items; how often somebody wanted its digest."""

    items: list[bytes]
    times: int = 0

    def __call__(self) -> Content:
        """See ReadBack.difference."""
        self.times += 1
        return content_of(self.items)

    @property
    def letters(self) -> Fingerprint:
        """Of the items as they are spelled."""
        found = Fingerprint()
        found.add(raw_hashes(self.items))
        return found


@pytest.fixture
def read(net: Process) -> Callable[[Pages], ReadBack]:
    """Reads pages back while a lease is held."""
    lease = take_lease(net.store, net.clock, "recover-orders", WHO)

    def made(pages: Pages) -> ReadBack:
        return ReadBack(TableScan(cast("RawTables", pages), "orders", net.sleep), len(pages.segments), lease)

    return made


def spread(items: list[bytes], page_items: int) -> Pages:
    """Items in pages of three segments."""
    segments = [items[number::SEGMENTS] for number in range(SEGMENTS)]
    return Pages(
        [
            [some[start : start + page_items] for start in range(0, len(some), page_items)] or [[]]
            for some in segments
        ]
    )


MANY = 3 * MOST_KEPT // 2


def test_what_is_spelled_alike_is_read_once_and_not_digested(read: Callable[[Pages], ReadBack]) -> None:
    """The everyday case, and the one that is fast."""
    backup = Asked([item(number) for number in range(MANY)])
    pages = spread(backup.items[::-1], 500)
    assert read(pages).difference(backup.letters, backup) is None
    assert len(pages.read) == len(set(pages.read)) == sum(map(len, pages.segments))
    assert backup.times == 0


@pytest.mark.parametrize("count", [0, 1, MANY])
def test_another_spelling_is_no_difference(read: Callable[[Pages], ReadBack], count: int) -> None:
    """A table that spells every number otherwise holds the same items; hardly a page is read twice to find that."""
    backup = Asked([item(number) for number in range(count)])
    pages = spread([item(number, "%d.0") for number in range(count)], 500)
    assert read(pages).difference(backup.letters, backup) is None
    assert len(pages.read) <= sum(map(len, pages.segments)) + SEGMENTS


def test_a_spelling_that_changes_on_the_way(read: Callable[[Pages], ReadBack]) -> None:
    """What had been read by then is read again: no item is left out and none is counted twice."""
    backup = Asked([item(number) for number in range(MANY)])
    pages = spread([item(number, "%d" if number < MANY // 2 else "%d.0") for number in range(MANY)], 500)
    assert read(pages).difference(backup.letters, backup) is None
    assert backup.times == 1


def rare(letters: Fingerprint) -> int:
    """The number of an item that the fingerprint does not keep, so that another spelling of it goes unnoticed."""
    return next(number for number in range(MANY) if letters.may_hold(raw_hashes([item(number, "%d.0")])))


def test_a_single_item_in_another_spelling(read: Callable[[Pages], ReadBack]) -> None:
    """It shows only in the sum at the end, and then the digest says that nothing is amiss."""
    backup = Asked([item(number) for number in range(MANY)])
    odd = rare(backup.letters)
    table = [item(number, "%d.0" if number == odd else "%d") for number in range(MANY)]
    pages = spread(table, 500)
    assert read(pages).difference(backup.letters, backup) is None
    assert len(pages.read) == 2 * sum(map(len, pages.segments))


@pytest.mark.parametrize("spelling", ["%d", "%d.0"])
@pytest.mark.parametrize("known", [True, False])
def test_a_single_other_value_is_a_difference(
    read: Callable[[Pages], ReadBack], spelling: str, *, known: bool
) -> None:
    """However it is spelled, and whether or not the backup's letters are known."""
    backup = Asked([item(number) for number in range(MANY)])
    odd = rare(backup.letters)
    table = [item(number, spelling) for number in range(MANY) if number != odd]
    table.append(item(odd, "9%d"))
    found = read(spread(table, 500)).difference(backup.letters if known else None, backup)
    assert found is not None
    wanted, held = content_of(backup.items), content_of(table)
    assert found == (
        f"table orders holds {MANY} items with digest {held.digest[:12]}, the backup {MANY} with "
        f"{wanted.digest[:12]}"
    )


@pytest.mark.parametrize("spelling", ["%d", "%d.0"])
@pytest.mark.parametrize("change", ["lost", "twice", "instead"])
def test_a_wrong_number_of_items_is_a_difference(
    read: Callable[[Pages], ReadBack], spelling: str, change: str
) -> None:
    """One lost, one there twice, and one there twice in the place of another."""
    backup = Asked([item(number) for number in range(MANY)])
    table = [item(number, spelling) for number in range(MANY)]
    if change == "lost":
        del table[7]
    elif change == "twice":
        table.append(table[7])
    else:
        table[8] = table[7]
    found = read(spread(table, 500)).difference(backup.letters, backup)
    assert found is not None
    assert f"holds {len(table)} items" in found
    assert f"the backup {MANY}" in found


def test_a_lost_lease_stops_the_reading(net: Process, read: Callable[[Pages], ReadBack]) -> None:
    """Somebody else may be writing into the table by now."""
    backup = Asked([item(number) for number in range(100)])
    back = read(spread(backup.items, 10))
    net.clock.advance(LEASE_SECONDS)
    with pytest.raises(LeaseHeldError):
        back.difference(backup.letters, backup)


def reverse_attributes(answer: dict[str, Any]) -> None:
    """As a table might tell them: attributes the other way round."""
    answer["Items"] = [dict(reversed(item.items())) for item in answer["Items"]]


@pytest.fixture
def plan(net: Process, plain: DynamoDBClient, table: str) -> RecoveryPlan:
    """The plan for a lost table of 40 items."""
    make_table(plain, table, some_items(40))
    net.back_up(table)
    plain.delete_table(TableName=table)
    made = net.plan(table)
    net.faults.reset()
    return made


@pytest.mark.parametrize("first", [1, 3])
def test_a_recovery_into_a_table_that_spells_otherwise(
    net: Process, plain: DynamoDBClient, table: str, plan: RecoveryPlan, first: int
) -> None:
    """From the first page on, or from a later one: it is verified, and the digest is noted for a rerun."""
    net.faults.page_items = 10
    net.faults.change_answer("Scan", reverse_attributes, nth=first, times=50)
    report = net.recovery().apply(plan, WHO)
    assert report.items_verified == 40
    assert all_items(plain, table) == comparable(some_items(40))
    assert net.faults.calls.count("Scan") == (4 if first == 1 else 7)
    (record,) = [json.loads(net.store.get(info.key).body) for info in net.store.list("runs/recover")]
    assert record["expected"]["item_count"] == 40


def test_a_wrong_value_in_another_spelling_is_a_mismatch(net: Process, plan: RecoveryPlan) -> None:
    """Spelling is forgiven, content is not."""

    def change(answer: dict[str, Any]) -> None:
        reverse_attributes(answer)
        answer["Items"][0]["n"] = {"N": "41"}

    net.faults.change_answer("Scan", change)
    with pytest.raises(RestoreMismatchError, match="40 items with digest"):
        net.recovery().apply(plan, WHO)


def test_a_crash_between_load_and_verification(
    net: Process, plain: DynamoDBClient, table: str, plan: RecoveryPlan
) -> None:
    """What the backup holds to the letter is nowhere stored: the rerun reads it again, and loads nothing twice."""
    net.faults.crash("Scan")
    with pytest.raises(Crash):
        net.recovery().apply(plan, WHO)
    net.again()
    report = net.recovery().apply(plan, WHO)
    assert (report.resumed, report.items_verified) == (True, 40)
    assert "BatchWriteItem" not in net.faults.calls
    assert all_items(plain, table) == comparable(some_items(40))
