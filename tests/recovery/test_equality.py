"""The independent comparison that the demo and the tests rest on."""

from __future__ import annotations

import pytest

from recovery.testing.equality import different_items

ITEM = {"pk": {"S": "a"}, "n": {"N": "1.5"}, "s": {"SS": ["x", "y"]}}


def test_spelling_and_order_do_not_count() -> None:
    """Another spelling of a number, another order of a set or of the items is no difference."""
    other = {"s": {"SS": ["y", "x"]}, "n": {"N": "1.500"}, "pk": {"S": "a"}}
    more = {"pk": {"S": "b"}}
    assert different_items([ITEM, more], [more, other]) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {**ITEM, "n": {"N": "1.6"}},
        {**ITEM, "n": {"S": "1.5"}},
        {**ITEM, "s": {"SS": ["x"]}},
        {**ITEM, "more": {"NULL": True}},
        {"pk": {"S": "a"}},
    ],
)
def test_one_changed_item_is_one_difference(changed: dict[str, object]) -> None:
    """Values, types, added and missing attributes count."""
    assert different_items([ITEM], [changed]) == 1


def test_missing_added_and_doubled_items_count() -> None:
    """The number of items counts too, and so does how often each is there."""
    assert different_items([ITEM, ITEM], [ITEM]) == 1
    assert different_items([], [ITEM, {"pk": {"S": "b"}}]) == 2


def test_all_38_digits_count() -> None:
    """A difference in the last digit that DynamoDB keeps is one."""
    first, second = ({"pk": {"S": "a"}, "n": {"N": "1" * 37 + digit}} for digit in "12")
    assert different_items([first], [second]) == 1
