"""--where: JMESPath over plain JSON."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.backups.digest import canonical_number
from recovery.repairs.differences import Difference, Kind
from recovery.repairs.where import Where, plain_item, plain_number
from rules.errors import UsageError

ITEM = json.dumps(
    {
        "pk": {"S": "order-1"},
        "qty": {"N": "12"},
        "price": {"N": "1.10"},
        "big": {"N": "12345678901234567890123456789012345678"},
        "open": {"BOOL": False},
        "gone": {"NULL": True},
        "raw": {"B": "AP8="},
        "tags": {"SS": ["b", "a"]},
        "sizes": {"NS": ["10", "2"]},
        "lines": {"L": [{"M": {"sku": {"S": "x"}, "n": {"N": "3"}}}]},
        "a-b": {"S": "dash"},
    }
).encode()


def test_an_item_as_plain_json() -> None:
    """What an expression sees."""
    assert plain_item(ITEM) == {
        "pk": "order-1",
        "qty": 12,
        "price": 1.1,
        "big": 12345678901234567890123456789012345678,
        "open": False,
        "gone": None,
        "raw": "AP8=",
        "tags": ["a", "b"],
        "sizes": [2, 10],
        "lines": [{"sku": "x", "n": 3}],
        "a-b": "dash",
    }


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ("pk == 'order-1'", True),
        ("pk == 'order-2'", False),
        ("qty > `5` && price < `2`", True),
        ("price == `1.1`", True),
        ("qty == '12'", False),
        ("big > `12345678901234567890123456789012345677`", True),
        ("lines[?sku=='x'].n | [0] == `3`", True),
        ("lines[?sku=='y']", False),
        ("contains(tags, 'a')", True),
        ("starts_with(pk, 'order-')", True),
        ("open", False),
        ("!open", True),
        ("missing", False),
        ("missing == null", True),
        ("missing > `1`", False),
        ("\"a-b\" == 'dash'", True),
        ("raw == 'AP8='", True),
        ("`0`", True),  # JMESPath calls 0 true
    ],
)
def test_what_matches(expression: str, *, matches: bool) -> None:
    """As the AWS CLI's --query would judge."""
    assert Where(expression).holds_of(ITEM) is matches


def test_either_image_may_match() -> None:
    """The one in the backup, or the one in the table."""
    old, new = b'{"pk":{"S":"a"},"v":{"N":"1"}}', b'{"pk":{"S":"a"},"v":{"N":"2"}}'
    changed = Difference(b'{"pk":{"S":"a"}}', Kind.CHANGED, old, new)
    assert [Where(f"v == `{number}`").matches(changed) for number in (1, 2, 3)] == [True, True, False]


def test_what_cannot_be_evaluated_is_counted_and_does_not_match() -> None:
    """A function over an attribute that an item does not have."""
    where = Where("starts_with(missing, 'x')")
    assert not where.holds_of(ITEM)
    assert where.failures == 1


@pytest.mark.parametrize("expression", ["", "pk =", "pk == 'a", "nofunction(pk) |"])
def test_no_jmespath(expression: str) -> None:
    """Refused before anything is read."""
    with pytest.raises(UsageError, match="no JMESPath"):
        Where(expression)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8) | st.integers().map(Decimal))
def test_numbers_keep_their_value(number: Decimal) -> None:
    """Whatever Python type they become."""
    if len(number.normalize().as_tuple().digits) <= 38:
        plain = plain_number(str(number))
        assert canonical_number(
            str(Decimal(repr(plain)) if isinstance(plain, float) else plain)
        ) == canonical_number(str(number))
