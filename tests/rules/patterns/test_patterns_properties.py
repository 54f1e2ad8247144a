"""Event patterns over generated JSON: nothing but PatternError, and the verdicts of a slow, plain matcher."""

from __future__ import annotations

import fnmatch
import json
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.patterns import Pattern, PatternError, compile_pattern

NAMES = st.sampled_from(["a", "b", "c", "a.b", "$or", "", "b.", "é"])
OPERATORS = st.sampled_from(
    [
        "prefix",
        "suffix",
        "equals-ignore-case",
        "wildcard",
        "anything-but",
        "numeric",
        "cidr",
        "exists",
        "exactly",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        ["", "*", "a*b", "\\", "10.0.0.0/8", "10.1.2.3", "::1", "::/64", ">", "=", "<=", "ß", "İ", "\ud800"]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(NAMES, OPERATORS, TEXTS), inner, max_size=3)
    ),
    max_leaves=12,
)
CONDITIONS = st.lists(
    st.one_of(SCALARS, st.dictionaries(OPERATORS, JSON, min_size=1, max_size=1)), max_size=3
)
PATTERN_LIKE: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(NAMES, CONDITIONS, max_size=3),
    lambda inner: st.dictionaries(
        NAMES, st.one_of(inner, CONDITIONS, st.lists(inner, max_size=3)), max_size=3
    ),
    max_leaves=6,
)


def compiled(pattern: Any) -> Pattern | None:
    """The compiled pattern, or None if it is refused."""
    try:
        return compile_pattern(pattern)
    except PatternError:
        return None


@settings(max_examples=600, deadline=None)
@given(pattern=st.one_of(JSON, PATTERN_LIKE), event=JSON)
def test_any_json_compiles_or_is_refused(pattern: Any, event: Any) -> None:
    """Whatever the pattern, PatternError is all that can happen; whatever the event, the answer is a bool."""
    result = compiled(pattern)
    if result is not None:
        verdict = result.matches(event)
        assert isinstance(verdict, bool)
        if isinstance(event, dict):
            assert (result.first_failure(event) is None) is verdict


@settings(max_examples=300, deadline=None)
@given(value=SCALARS, others=CONDITIONS)
def test_more_alternatives_never_match_less(value: Any, others: list[Any]) -> None:
    """Adding alternatives to a field keeps what matched."""
    few, more = compiled({"v": [value]}), compiled({"v": [value, *others]})
    if few is not None and more is not None and few.matches({"v": value}):
        assert more.matches({"v": value})


@given(value=SCALARS)
def test_a_value_matches_itself_but_not_anything_but_itself(value: Any) -> None:
    """A plain value equals itself, wrapped in an array or not; anything-but it is the opposite."""
    same = compiled({"v": [value]})
    if same is not None:
        assert same.matches({"v": value})
        assert same.matches({"v": ["other", value]})
    different = compiled({"v": [{"anything-but": value}]})
    if different is not None:
        assert not different.matches({"v": value})


@given(number=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_survive_json(number: float) -> None:
    """A number in the pattern equals the same number in the event after a trip through JSON."""
    assert compile_pattern({"v": [number]}).matches(json.loads(json.dumps({"v": number})))


LETTERS = st.text(alphabet="ab", max_size=7)
GLOBS = st.text(alphabet="ab*", max_size=6).filter(lambda text: "**" not in text)


@given(glob=GLOBS, value=LETTERS)
def test_wildcard_agrees_with_fnmatch(glob: str, value: str) -> None:
    """The wildcard gives the verdict of the standard library's."""
    pattern = compiled({"v": [{"wildcard": glob}]})
    if pattern is not None:
        assert pattern.matches({"v": value}) is fnmatch.fnmatchcase(value, glob)


def test_no_letter_has_one_form_at_the_start_or_end_of_its_other() -> None:
    """Ignoring case reads letter by letter without going back; that is right as long as this holds."""
    for code in range(sys.maxunicode + 1):
        lower, upper = chr(code).lower(), chr(code).upper()
        if lower != upper:
            assert not upper.startswith(lower), hex(code)
            assert not lower.startswith(upper), hex(code)
            assert not upper.endswith(lower), hex(code)
            assert not lower.endswith(upper), hex(code)


Membership = dict[tuple[Any, ...], int]
FIELD_NAMES = st.sampled_from(["a", "b", "c", "a.b"])
VALUES = st.sampled_from([1, 2])
LEAVES = st.one_of(VALUES, st.lists(VALUES, max_size=2))
INNER = st.dictionaries(FIELD_NAMES, LEAVES, max_size=3)
ELEMENT = st.dictionaries(FIELD_NAMES, st.one_of(LEAVES, INNER, st.lists(INNER, max_size=3)), max_size=3)
EVENTS = st.dictionaries(
    FIELD_NAMES,
    st.one_of(
        st.lists(ELEMENT, min_size=1, max_size=3), st.lists(st.lists(ELEMENT, max_size=2), max_size=2), LEAVES
    ),
    min_size=1,
    max_size=3,
)
ASKED = st.lists(
    st.sampled_from([1, 1, 2, 2, {"exists": True}, {"exists": False}, {"anything-but": 1}]),
    min_size=1,
    max_size=2,
)
PATHS = st.sampled_from(["a.a", "a.b", "a.c", "a", "b.a", "b.c", "a.b.a", "a.b.b", "a.b.c", "a.c.a", "a.c.b"])


def flat(
    value: Any, path: str, where: tuple[Any, ...], member: Membership
) -> list[tuple[str, Any, Membership]]:
    """Every leaf of an event with its path and, for each array around it, the index of its element."""
    leaves: list[tuple[str, Any, Membership]] = []
    if isinstance(value, dict):
        for name, below in value.items():
            leaves += flat(below, f"{path}.{name}" if path else name, (*where, name), member)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            inside = {**member, where: index} if isinstance(element, dict | list) else member
            leaves += flat(element, path, (*where, index), inside)
    else:
        leaves.append((path, value, member))
    return leaves


def agrees(one: Membership, other: Membership) -> bool:
    """Whether two leaves may go together: the same element of every array that holds both."""
    return all(other.get(array, index) == index for array, index in one.items())


def accepts(conditions: list[Any], value: Any) -> bool:
    """Whether one leaf satisfies the conditions used in this test."""
    return (
        value in conditions
        or {"exists": True} in conditions
        or ({"anything-but": 1} in conditions and value != 1)
    )


def slow_match(
    fields: list[tuple[str, list[Any]]], leaves: list[tuple[str, Any, Membership]], chosen: Membership
) -> bool:
    """Try every way to pick a leaf for each field."""
    if not fields:
        return True
    (path, conditions), *rest = fields
    open_leaves = [leaf for leaf in leaves if leaf[0] == path and agrees(leaf[2], chosen)]
    if not open_leaves and {"exists": False} in conditions and slow_match(rest, leaves, chosen):
        return True
    return any(
        slow_match(rest, leaves, {**chosen, **member})
        for _, value, member in open_leaves
        if accepts(conditions, value)
    )


@settings(max_examples=2000, deadline=None)
@given(event=EVENTS, fields=st.dictionaries(PATHS, ASKED, min_size=2, max_size=5))
def test_array_consistency_agrees_with_trying_everything(
    event: dict[str, Any], fields: dict[str, list[Any]]
) -> None:
    """Over nested arrays the verdict is that of a matcher that tries every choice of elements."""
    expected = slow_match(sorted(fields.items()), flat(event, "", (), {}), {})
    assert compile_pattern(fields).matches(event) is expected


@settings(max_examples=1000, deadline=None)
@given(event=EVENTS, fields=st.dictionaries(PATHS, ASKED, min_size=1, max_size=5), unknown=st.sets(PATHS))
def test_could_match_is_matching_without_the_unknown_fields(
    event: dict[str, Any], fields: dict[str, list[Any]], unknown: set[str]
) -> None:
    """The answer is that of the pattern without the unknown fields, and true if nothing is left of it."""
    known = {path: asked for path, asked in fields.items() if path not in unknown}
    expected = compile_pattern(known).matches(event) if known else True
    assert compile_pattern(fields).could_match(event, unknown.__contains__) is expected
