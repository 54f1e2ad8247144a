"""Items that hypothesis makes up, within what DynamoDB takes; many at once, for one backup carries them all."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.engines.edge_items import KEY, Item

DIGITS = 38
LARGEST, NEAREST_TO_ZERO = 125, -130  # exponents of ten, of a number's first digit
_EXACT = Context(prec=DIGITS)

texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=12).filter(lambda name: name not in {KEY, "__proto__"})
binaries = st.binary(max_size=20)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number of up to 38 digits anywhere in the range, as people and programs spell it."""
    digits = draw(st.integers(1, 10**DIGITS - 1))
    first = draw(st.one_of(st.integers(-3, DIGITS), st.integers(NEAREST_TO_ZERO, LARGEST)))
    sign = draw(st.sampled_from(["", "-"]))
    number = Decimal(f"{sign}{digits}").scaleb(first - len(str(digits)) + 1, _EXACT)
    if draw(st.integers(0, 20)) == 0:
        return "0"
    return f"{number:f}" if -10 < first < DIGITS and draw(st.booleans()) else f"{number:E}"


def sets(members: st.SearchStrategy[Any], **how: Any) -> st.SearchStrategy[list[Any]]:
    """Up to five different members."""
    return st.lists(members, min_size=1, max_size=5, unique=True, **how)


def number_sets() -> st.SearchStrategy[list[str]]:
    """Numbers that differ by value, not by spelling alone."""
    return st.lists(numbers(), min_size=1, max_size=5, unique_by=Decimal)


leaves: st.SearchStrategy[Item] = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers().map(lambda number: {"N": number}),
    binaries.map(lambda value: {"B": value}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    sets(texts).map(lambda members: {"SS": members}),
    number_sets().map(lambda members: {"NS": members}),
    sets(binaries).map(lambda members: {"BS": members}),
)
values: st.SearchStrategy[Item] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda members: {"L": members}),
        st.dictionaries(names, inner, max_size=4).map(lambda members: {"M": members}),
    ),
    max_leaves=8,
)
attributes: st.SearchStrategy[Item] = st.dictionaries(names, values, max_size=5)
keys: dict[str, st.SearchStrategy[Item]] = {
    "S": st.text(min_size=1, max_size=30).map(lambda text: {"S": text}),
    "N": numbers().map(lambda number: {"N": number}),
    "B": st.binary(min_size=1, max_size=30).map(lambda value: {"B": value}),
}


def made_up(strategy: st.SearchStrategy[Item], count: int) -> list[Item]:
    """About ``count`` examples, other ones each time. A test that fails prints those that it failed on."""
    found: list[Item] = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: Item) -> None:
        found.append(example)

    collect()
    return found


def items_with_keys(kind: str, count: int) -> list[Item]:
    """Items of made-up attributes under made-up keys of a kind, S, N or B; no key twice."""
    made = made_up(st.builds(lambda rest, key: {**rest, KEY: key}, attributes, keys[kind]), count)
    return list({repr(_same(item[KEY])): item for item in made}.values())


def _same(key: Item) -> Any:
    """Numbers are one key however they are spelled."""
    return Decimal(key["N"]).normalize(_EXACT) if "N" in key else key
