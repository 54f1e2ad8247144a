"""The content digest: equal for equal content, different for everything else."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recovery.backups.digest import ContentDigest, canonical_number

if TYPE_CHECKING:
    import random

EXAMPLES = settings(max_examples=40, deadline=None)

numbers = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=6).map(str),
    st.builds(lambda digits, power: f"{digits}E{power}", st.integers(1, 99999), st.integers(-100, 100)),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
binaries = st.binary(max_size=8).map(lambda value: base64.b64encode(value).decode())


def _sets(kind: str, members: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    def by(member: str) -> object:
        return Decimal(member) if kind == "NS" else member

    return st.lists(members, min_size=1, max_size=4, unique_by=by).map(lambda value: {kind: value})


scalars = st.one_of(
    texts.map(lambda value: {"S": value}),
    numbers.map(lambda value: {"N": value}),
    binaries.map(lambda value: {"B": value}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    _sets("SS", texts),
    _sets("NS", numbers),
    _sets("BS", binaries),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda value: {"L": value}),
        st.dictionaries(texts, inner, max_size=3).map(lambda value: {"M": value}),
    ),
    max_leaves=8,
)
items = st.dictionaries(texts, values, min_size=1, max_size=4)


def digest(*content: Any) -> tuple[int, str]:
    """Count and digest of items given as Python objects."""
    found = ContentDigest()
    for item in content:
        found.add(json.dumps(item).encode())
    return found.item_count, found.value


def respelled(text: str, rng: random.Random) -> str:
    """The same number, written differently."""
    number = Decimal(text)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    padded = f"{'-' if sign else ''}{''.join(map(str, digits))}00E{exponent - 2}"
    return rng.choice(
        [text, str(number), f"{number:f}", padded, f"{number:E}", f"0{text}" if text[0].isdigit() else text]
    )


def reordered(value: Any, rng: random.Random) -> Any:
    """The same attribute value, with everything that does not count changed."""
    ((kind, content),) = value.items()
    if kind == "M":
        names = rng.sample(sorted(content), len(content))
        return {kind: {name: reordered(content[name], rng) for name in names}}
    if kind == "L":
        return {kind: [reordered(member, rng) for member in content]}
    if kind == "N":
        return {kind: respelled(content, rng)}
    if kind == "NS":
        return {kind: [respelled(member, rng) for member in rng.sample(content, len(content))]}
    if kind in {"SS", "BS"}:
        return {kind: rng.sample(content, len(content))}
    return value


@EXAMPLES
@given(st.lists(items, max_size=5), st.randoms(use_true_random=False))
def test_order_and_spelling_do_not_count(content: list[Any], rng: random.Random) -> None:
    """Items, attributes and set members in any order, numbers in any spelling: the digest stays."""
    other = [reordered({"M": item}, rng)["M"] for item in rng.sample(content, len(content))]
    assert digest(*other) == digest(*content)


@EXAMPLES
@given(items, st.randoms(use_true_random=False))
def test_how_the_json_is_laid_out_does_not_count(item: Any, rng: random.Random) -> None:
    """Compact as DynamoDB writes it, or with spaces, line ends and escapes: the short way and the long way agree."""
    other = reordered({"M": item}, rng)["M"]
    found = set()
    for content in (item, other):
        for separators in ((",", ":"), (", ", ": "), (",\n", ":"), (",", ":\t")):
            for ascii_only in (True, False):
                digested = ContentDigest()
                text = json.dumps(content, separators=separators, ensure_ascii=ascii_only)
                digested.add(text.encode())
                found.add(digested.value)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            b'{"pk":{"S":"a"},"n":{"N":"1.50"}}',
            "067bf769d1b68b907bb506ff0312a710e8f0ee6bd1c8e905ada34bd37cbf2d3c",
        ),
        (
            b'{"b":{"SS":["y","x\\"]}","x,y"]},"a":{"L":[{"NS":["10","9.0"]},{"BS":["Yg==","YQ=="]}]}}',
            "cf3a7d633b8b2452f6e7e574c1f8acfa2c0b108df4db57d82194f344f87ee9ab",
        ),
        (
            '{"ü":{"S":"S\\":["},"SS":{"M":{"N":{"SS":["ä","z"]}}}}'.encode(),
            "c8691623b3da194a3a19e0abc3d089a8a1c277b4ece9e5c882637993b6b9957b",
        ),
    ],
)
def test_the_digest_stays_what_it_was(item: bytes, expected: str) -> None:
    """Digests are stored beside backups: another value for the same item would be told as a damaged table."""
    digested = ContentDigest()
    digested.add(item)
    assert digested.value == expected


def meaning(value: Any) -> Any:
    """What an attribute value means, computed independently of the digest."""
    ((kind, content),) = value.items()
    if kind == "M":
        return kind, frozenset((name, meaning(child)) for name, child in content.items())
    if kind == "L":
        return kind, tuple(meaning(child) for child in content)
    if kind == "N":
        return kind, Decimal(content)
    if kind == "NS":
        return kind, frozenset(map(Decimal, content))
    return kind, frozenset(content) if kind in {"SS", "BS"} else content


@EXAMPLES
@given(items, items)
def test_items_that_mean_something_else_differ(one: Any, other: Any) -> None:
    """Two items have the same digest only when they mean the same."""
    assume(meaning({"M": one}) != meaning({"M": other}))
    assert digest(one) != digest(other)


@EXAMPLES
@given(items, st.data())
def test_a_changed_attribute_is_seen(item: Any, data: st.DataObject) -> None:
    """Another value for one attribute, one attribute less, or one more: the digest changes."""
    name = data.draw(st.sampled_from(sorted(item)))
    value = data.draw(values)
    assume(meaning(value) != meaning(item[name]))
    less = {key: kept for key, kept in item.items() if key != name}
    more = {**item, name + "+": value}
    assert len({digest(item), digest({**item, name: value}), digest(less)}) == 3
    assume(name + "+" not in item)
    assert digest(more) != digest(item)


@EXAMPLES
@given(st.lists(items, min_size=1, max_size=5), st.data())
def test_missing_and_doubled_items_are_seen(content: list[Any], data: st.DataObject) -> None:
    """One item less or one twice changes both the count and the digest."""
    place = data.draw(st.integers(0, len(content) - 1))
    whole = digest(*content)
    for other in (content[:place] + content[place + 1 :], [*content, content[place]]):
        assert digest(*other)[0] != whole[0]
        assert digest(*other)[1] != whole[1]


@EXAMPLES
@given(st.lists(items, max_size=6), st.integers(0, 6))
def test_parts_add_up(content: list[Any], cut: int) -> None:
    """Digests of parts, merged, are the digest of the whole: segments may be digested side by side."""
    left, right = ContentDigest(), ContentDigest()
    for number, item in enumerate(content):
        (left if number < cut else right).add(json.dumps(item).encode())
    left.merge(right)
    assert (left.item_count, left.value) == digest(*content)


@pytest.mark.parametrize(
    "alike",
    [
        ["1.5", "1.500", "15E-1", "+1.5", "0.15e1", "01.5"],
        ["0", "-0", "0.000", "0E+50", "00"],
        ["100", "1E2", "1e+2", "100.0", "0100"],
        ["12345678901234567890123456789012345678", "12345678901234567890123456789012345678.0"],
        ["1E-130", "0.1E-129"],
        ["9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999E+88"],
    ],
)
def test_one_spelling_for_each_number(alike: list[str]) -> None:
    """All spellings of a number, edges of DynamoDB's range included, become one."""
    assert len({canonical_number(text) for text in alike}) == 1


def test_neighbouring_numbers_of_38_digits_differ() -> None:
    """Nothing is rounded: the last of 38 digits counts."""
    assert canonical_number("1" * 37 + "1") != canonical_number("1" * 37 + "2")
    assert canonical_number("1" * 37 + "0") != canonical_number("1" * 37 + "1")


def test_types_count() -> None:
    """The text 1, the number 1, a set, a list, a binary and a map of it are all different."""
    one = [
        {"S": "1"},
        {"N": "1"},
        {"NS": ["1"]},
        {"SS": ["1"]},
        {"L": [{"S": "1"}]},
        {"B": "MQ=="},
        {"BS": ["MQ=="]},
    ]
    assert len({digest({"a": value}) for value in one}) == len(one)
    assert digest({"a": {"BOOL": True}}) != digest({"a": {"BOOL": False}})


def test_nothing_has_a_digest_too() -> None:
    """An empty table: no items and 64 zeros."""
    assert digest() == (0, "0" * 64)


@pytest.mark.parametrize("bad", [b"", b"{", b'{"a":"x"}', b'{"a":{"S":"x","NS":["1.0"]}}', b"[]"])
def test_what_is_no_item_is_an_error(bad: bytes) -> None:
    """A broken item is an error and not an item that silently counts."""
    with pytest.raises((msgspec.DecodeError, ValueError)):
        ContentDigest().add(bad)
