"""The fingerprint: equal for the same items to the letter, and quick to notice items that are spelled otherwise."""

from __future__ import annotations

from itertools import accumulate, pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.backups.fingerprint import MOST_KEPT, Fingerprint, raw_hashes

EXAMPLES = settings(max_examples=40, deadline=None)
# Few different ones, so that equal items are met.
some = st.lists(st.sampled_from([b'{"pk":{"S":"%d"}}' % number for number in range(6)]), max_size=12)


def fingerprint(*parts: list[bytes]) -> Fingerprint:
    """Of items that were read in several parts."""
    whole = Fingerprint()
    for part in parts:
        read = Fingerprint()
        read.add(raw_hashes(part))
        whole.merge(read)
    return whole


@EXAMPLES
@given(some, some)
def test_it_is_equal_for_the_same_items_and_for_no_others(one: list[bytes], other: list[bytes]) -> None:
    """As multisets: the order does not count, how often an item is there does."""
    assert fingerprint(one).same_as(fingerprint(other)) is (sorted(one) == sorted(other))


@EXAMPLES
@given(some, st.lists(st.integers(0, 12), max_size=3))
def test_it_does_not_depend_on_who_read_what(items: list[bytes], cuts: list[int]) -> None:
    """Files and segments are read side by side, in any order."""
    ends = [0, *sorted(cuts), len(items)]
    parts = [items[start:end] for start, end in pairwise(ends)]
    whole = [item for part in reversed(parts) for item in part]
    assert sorted(whole) == sorted(items)
    assert fingerprint(*parts).same_as(fingerprint(whole))
    assert fingerprint(*parts).item_count == len(items)


def test_raw_items_of_an_answer_are_taken_as_they_are() -> None:
    """A piece of a decoded answer and the same bytes are the same item; one more space is another one."""
    raw = msgspec.json.decode(b'[{"pk":{"S":"a"}}]', type=list[msgspec.Raw])
    assert raw_hashes(raw) == raw_hashes([b'{"pk":{"S":"a"}}']) != raw_hashes([b'{"pk": {"S":"a"}}'])


def numbered(first: int, count: int) -> list[bytes]:
    """So many different items."""
    return [b'{"pk":{"N":"%d"}}' % number for number in range(first, first + count)]


@pytest.mark.parametrize(
    "sizes", [[50_000], [10_000] * 5, [1_000, 49_000], [49_000, 1_000]], ids=["one", "equal", "less", "more"]
)
def test_other_items_are_noticed_early_and_the_same_never(sizes: list[int]) -> None:
    """Whatever the number of items, a bounded sample is kept: none of the own is missed, of strange ones soon one is.

    Of 50,000 items at least one in 32 is kept, so that among 2,000 strange ones none were found once in 10**27 runs.
    """
    ends = [0, *accumulate(sizes)]
    parts = [numbered(start, end - start) for start, end in pairwise(ends)]
    whole = fingerprint(*parts)
    assert whole.item_count == sum(sizes)
    assert all(whole.may_hold(raw_hashes(part)) for part in parts)
    assert not whole.may_hold(raw_hashes(numbered(10**6, 2_000)))
    assert len(whole._kept) <= MOST_KEPT  # noqa: SLF001 - memory is flat, which nothing else shows


def test_a_small_table_knows_each_of_its_items() -> None:
    """Up to a few thousand items all are kept: a single strange one is noticed at once."""
    whole = fingerprint(numbered(0, MOST_KEPT))
    assert whole.may_hold(raw_hashes(numbered(0, MOST_KEPT)))
    assert not whole.may_hold(raw_hashes(numbered(MOST_KEPT, 1)))
    assert not Fingerprint().may_hold(raw_hashes(numbered(0, 1)))
