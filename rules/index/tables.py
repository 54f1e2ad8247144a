"""Tables: which alternatives of a rule set a value at one path lets through."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rules.patterns.conditions import Condition

# What few ask about is cheaper to look at when everything else matches already.
MOST_PATHS = 24
# How many texts a table keeps the answer for.
MOST_KEPT = 4096
_EXACT, _BEGINNING = "=", "^"


class Tables:
    """The tables of some alternatives by path, and what of each alternative is left to look at (``rest``).

    What is ``looked_up_last`` has a table only where several ask about it.
    """

    def __init__(
        self,
        alternatives: Sequence[Mapping[str, Condition]],
        can_be_looked_up: Callable[[str], bool],
        looked_up_last: Callable[[str], bool],
    ) -> None:
        asked: dict[str, dict[int, Condition]] = defaultdict(dict)
        for number, combination in enumerate(alternatives):
            for path, condition in combination.items():
                if can_be_looked_up(path):
                    asked[path][number] = condition
        worthwhile = [path for path in asked if len(asked[path]) > 1 or not looked_up_last(path)]
        chosen = sorted(worthwhile, key=lambda path: (-len(asked[path]), path))[:MOST_PATHS]
        everything = (1 << len(alternatives) + 1) - 1
        self.by_path = {path: Table(asked[path], everything) for path in chosen}
        self.rest = [{path: one[path] for path in one if path not in self.by_path} for one in alternatives]


class Table:
    """What one path lets through, as bits; ``free`` are those of alternatives that do not ask there.

    ``exact`` has them by whole text, the free ones added, and is all there is unless the table ``asks_more``:
    beginnings of texts, and tests.
    ``asking`` are the other ones. ``nothing`` is what passes where nothing stands, ``null`` where null does,
    ``nothing_or_null`` where nobody can tell which, and ``ambiguous`` are the alternatives for which they differ.
    """

    __slots__ = (
        "_beginnings", "_conditions", "_known", "_lengths", "_tested", "_unsure",
        "ambiguous", "asking", "asks_more", "exact", "free", "nothing", "nothing_or_null", "null",
    )  # fmt: skip

    def __init__(self, asking: Mapping[int, Condition], everything: int) -> None:
        self.asking = _bits(asking)
        masks: dict[str, int] = defaultdict(int)
        untold = 0  # asking for what no text and no beginning tells
        self._tested = 0
        self._known: dict[str, int] = {}
        self._unsure = everything >> 1
        for number, condition in asking.items():
            texts = _texts(condition)
            if texts is None:
                untold |= 1 << number
            for text in texts or ():
                masks[text] |= 1 << number
            if texts is None or not _is_whole(condition):
                self._tested |= 1 << number
        self._conditions = {1 << number: condition for number, condition in asking.items()}
        self.free = everything & ~self.asking | untold
        self.exact = {text[1:]: self.free | mask for text, mask in masks.items() if text[0] == _EXACT}
        self._beginnings = {text[1:]: mask for text, mask in masks.items() if text[0] == _BEGINNING}
        self._lengths = tuple(sorted({len(text) for text in self._beginnings}))
        self.asks_more = bool(self._lengths or self._tested)
        free = everything & ~self.asking
        null = _bits(number for number, condition in asking.items() if condition.accepts(None))
        absent = _bits(number for number, condition in asking.items() if condition.absent)
        self.nothing = free | absent
        self.null = free | null
        self.nothing_or_null = free | absent | null
        self.ambiguous = absent ^ null

    def passed(self, value: str) -> int:
        """What a text lets through. The same names, agents and addresses come again and again, so it is kept."""
        known = self._known.get(value)
        return self._look_up(value) if known is None else known

    def _look_up(self, value: str) -> int:
        passed = self.exact.get(value, self.free)
        for length in self._lengths:
            passed |= self._beginnings.get(value[:length], 0)
        open_bits = passed & self._tested
        while open_bits:
            lowest = open_bits & -open_bits
            if not self._conditions[lowest].string_test(value):
                passed &= ~lowest
            open_bits ^= lowest
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[value] = passed
        return passed

    def passed_other(self, value: object, bits: int) -> int:
        """What a number or a boolean lets through of the bits."""
        passed = ~self.asking
        open_bits = bits & self.asking
        while open_bits:
            lowest = open_bits & -open_bits
            if self._conditions[lowest].accepts(value):
                passed |= lowest
            open_bits ^= lowest
        return passed

    def passed_unless_text(self, value: object, bits: int) -> int:
        """What an attribute of a record lets through that is no text; None may stand for null or for nothing."""
        if value is not None:
            return self.passed_other(value, bits)
        if bits & self.ambiguous:
            return self.nothing_or_null & self._unsure
        return self.nothing


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


def _texts(condition: Condition) -> frozenset[str] | None:
    """``=text`` for each exact text and ``^text`` for each beginning, one of which a text must have; else None."""
    if condition.addresses:
        return None  # an address has many spellings
    found = set()
    for value in condition.written:
        text = _text(value)
        if not text:
            return None
        found.add(text)
    return frozenset(found)


def _text(value: object) -> str:
    if isinstance(value, str):
        return _EXACT + value
    if not isinstance(value, dict):
        return ""
    exactly, prefix, wildcard = value.get("exactly"), value.get("prefix"), value.get("wildcard")
    if isinstance(exactly, str):
        return _EXACT + exactly
    if isinstance(wildcard, str):
        # Up to the first star or escape it is certain; the rest is tested.
        prefix = wildcard.partition("*")[0].partition("\\")[0]
        if prefix == wildcard:
            return _EXACT + wildcard
    return _BEGINNING + prefix if isinstance(prefix, str) and prefix else ""


def _is_whole(condition: Condition) -> bool:
    """Whether its texts and beginnings are all that it asks: a wildcard asks more than its beginning."""
    return all(
        isinstance(value, str) or (isinstance(value, dict) and next(iter(value)) in ("exactly", "prefix"))
        for value in condition.written
    )
