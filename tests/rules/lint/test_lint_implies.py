"""Implication of patterns: what is called certain is, for whatever event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rules.errors import PatternError
from rules.lint.implies import implies
from rules.patterns import compile_pattern
from rules.patterns.structure import flatten

LETTERS = st.text("abAB*", max_size=4)
NUMBERS = st.integers(-3, 3)
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.01", "10.1.2.3", "::ffff:10.0.0.1", "11.0.0.1"])
BLOCKS = st.sampled_from(["10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "11.0.0.0/31"])
IGNORING = LETTERS.map(lambda text: {"equals-ignore-case": text})
BOUND = st.tuples(st.sampled_from(["<", "<=", ">", ">=", "="]), NUMBERS).map(list)
RANGE = st.tuples(st.sampled_from([">", ">="]), NUMBERS, st.sampled_from(["<", "<="]), NUMBERS).map(list)
VALUES: st.SearchStrategy[Any] = st.one_of(
    LETTERS,
    NUMBERS,
    ADDRESSES,
    st.booleans(),
    st.none(),
    IGNORING,
    st.builds(lambda text: {"exactly": text}, LETTERS | ADDRESSES),
    st.builds(lambda name, text: {name: text}, st.sampled_from(["prefix", "suffix"]), LETTERS | IGNORING),
    LETTERS.map(lambda text: {"wildcard": text}),
    st.lists(LETTERS, min_size=1, max_size=3).map(lambda texts: {"anything-but": texts}),
    st.lists(NUMBERS, min_size=1, max_size=2).map(lambda numbers: {"anything-but": numbers}),
    st.builds(
        lambda name, text: {"anything-but": {name: text}},
        st.sampled_from(["prefix", "suffix", "wildcard"]),
        LETTERS,
    ),
    (BOUND | RANGE).map(lambda terms: {"numeric": terms}),
    BLOCKS.map(lambda block: {"cidr": block}),
    st.booleans().map(lambda exists: {"exists": exists}),
)
FIELD = st.lists(VALUES, min_size=1, max_size=2)
PATTERN = st.dictionaries(st.sampled_from(["a", "b", "c"]), FIELD, min_size=1, max_size=2)
OR = st.lists(PATTERN, min_size=2, max_size=2).map(lambda branches: {"$or": branches})
EVENT_VALUE = st.one_of(
    LETTERS, NUMBERS, ADDRESSES, st.booleans(), st.none(), st.lists(LETTERS | NUMBERS | st.none(), max_size=3)
)
EVENT = st.dictionaries(st.sampled_from(["a", "b", "c"]), EVENT_VALUE, max_size=3)


def certain(narrow: Any, wide: Any) -> bool:
    """Whether the first pattern is said to imply the second; either may be a field's array."""
    whole = [{"v": one} if isinstance(one, list) else one for one in (narrow, wide)]
    return implies(flatten(whole[0]), flatten(whole[1]))


@settings(max_examples=600, deadline=None)
@given(PATTERN | OR, PATTERN | OR, st.lists(EVENT, min_size=1, max_size=8))
def test_what_is_implied_is_matched(narrow: Any, wide: Any, events: list[dict[str, Any]]) -> None:
    """No event satisfies a pattern and not one that it is said to imply."""
    try:
        first, second = compile_pattern(narrow), compile_pattern(wide)
    except PatternError:
        assume(False)
        return
    if implies(flatten(narrow), flatten(wide)):
        for event in events:
            assert second.matches(event) or not first.matches(event)


@settings(max_examples=300, deadline=None)
@given(FIELD, st.lists(VALUES, max_size=2), st.lists(EVENT_VALUE, min_size=1, max_size=8))
def test_a_field_implies_what_is_built_around_it(
    field: list[Any], more: list[Any], values: list[Any]
) -> None:
    """With more alternatives it is implied, with fewer not known to be; and never against an event."""
    try:
        compile_pattern({"v": [*field, *more]})
    except PatternError:
        assume(False)
    assert certain(field, [*field, *more])
    if certain([*field, *more], field):
        wide, narrow = compile_pattern({"v": field}), compile_pattern({"v": [*field, *more]})
        assert all(wide.matches({"v": value}) or not narrow.matches({"v": value}) for value in values)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (["a"], ["b", "a"]),
        (["abc"], [{"prefix": "ab"}]),
        (["abc"], [{"wildcard": "a*c"}]),
        ([{"prefix": "abc"}], [{"prefix": "ab"}]),
        ([{"suffix": "abc"}], [{"suffix": "bc"}]),
        ([{"prefix": "prod-"}], [{"wildcard": "*prod*"}]),
        ([{"wildcard": "a*b*c"}], [{"wildcard": "a*c"}]),
        ([{"prefix": "ab"}], [{"prefix": {"equals-ignore-case": "A"}}]),
        ([{"equals-ignore-case": "PROD"}], [{"equals-ignore-case": "prod"}]),
        ([{"anything-but": ["a", "b"]}], [{"anything-but": ["b"]}]),
        ([{"prefix": "b"}], [{"anything-but": ["a"]}]),
        ([{"numeric": [">", 1, "<", 3]}], [{"numeric": [">=", 1]}]),
        ([{"numeric": ["=", 2]}], [{"numeric": ["<=", 2]}]),
        ([2], [{"numeric": ["<", 3]}]),
        ([{"cidr": "10.1.0.0/16"}], [{"cidr": "10.0.0.0/8"}]),
        (["10.0.0.1"], [{"cidr": "10.0.0.0/8"}]),
        (["10.0.0.1"], ["10.0.0.01"]),
        (["a", 1, None, {"prefix": "x"}], [{"exists": True}]),
        ([{"exists": False}, "a"], ["a", {"exists": False}]),
        ({"a": ["x"], "b": ["y"]}, {"a": ["x"]}),
        ({"$or": [{"a": ["x"]}, {"a": ["y"]}]}, {"a": ["y", "x"]}),
        ({"a": ["x"]}, {"$or": [{"a": ["x"]}, {"b": ["y"]}]}),
    ],
)
def test_what_is_seen(narrow: Any, wide: Any) -> None:
    """The cases that people write are decided, and not the other way round."""
    assert certain(narrow, wide)
    if (
        narrow not in (["10.0.0.1"], [{"equals-ignore-case": "PROD"}], [{"exists": False}, "a"])
        and "$or" not in narrow
    ):
        assert not certain(wide, narrow)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (["10.0.0.1"], [{"prefix": "10."}]),
        ([{"prefix": {"equals-ignore-case": "ab"}}], [{"prefix": "ab"}]),
        ([{"equals-ignore-case": "\u017f"}], [{"equals-ignore-case": "S"}]),
        ([{"exists": True}], ["a"]),
        ([{"numeric": [">=", 1]}], [{"numeric": [">", 1]}]),
        ([{"numeric": ["<=", 1]}], [{"numeric": ["<", 1]}]),
        ([{"numeric": [">", 1]}], [{"numeric": [">", 1, "<", 9]}]),
        ([{"wildcard": "a*"}], [{"wildcard": "a"}]),
        ([{"wildcard": "*ab"}], [{"wildcard": "*b*a"}]),
        ([{"cidr": "10.0.0.0/8"}], [{"cidr": "10.0.0.0/16"}]),
        ([{"anything-but": {"prefix": "ab"}}], [{"anything-but": ["a"]}]),
        (
            {"detail": {"resources": {"ARN": [{"exists": False}]}}},
            {"detail": {"resources": {"ARN": [{"exists": False}]}}},
        ),
        (
            {"detail": {"requestParameters": {"x": {"y": [{"exists": False}]}}}},
            {"detail": {"requestParameters": {"x": {"y": [{"exists": False}]}}}},
        ),
    ],
)
def test_where_nothing_is_said(narrow: Any, wide: Any) -> None:
    """Other spellings, letters of other cases, and what is absent below arrays: no claim."""
    assert not certain(narrow, wide)
