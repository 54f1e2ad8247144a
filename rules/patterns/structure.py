"""The objects of a pattern, flattened: each field's dotted path with its condition, and ``$or`` expanded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rules.errors import PatternError
from rules.patterns.operators import compile_condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.patterns.conditions import Condition

    Combination = dict[str, Condition]

MOST_COMBINATIONS: Final = 1_000
MOST_FIELDS: Final = 256
DEEPEST: Final = 64
_OR: Final = "$or"
_TOO_DEEP = f"nested deeper than {DEEPEST} levels"
_SHOWN = 60
_OPERATORS = frozenset({
    "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but",
    "exists", "wildcard", "numeric", "cidr",
})  # fmt: skip
# Names that AWS keeps free for operators of today and tomorrow; under $or no field may be called so.
_RESERVED = _OPERATORS | {
    "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case",
    "date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range",
    "ip-address-in-range", "ip-address-not-in-range",
}  # fmt: skip


def flatten(pattern: Mapping[str, object]) -> list[Combination]:
    """The combinations of fields, one of which an event has to satisfy; more than one only with ``$or``.

    Where a ``$or`` cannot be the operator (not an array, or its objects hold operators), AWS takes every
    ``$or`` of the pattern for a field of that name, and so does this; if that fails, too, the first fault
    counts. Raises PatternError.
    """
    walk = _Walk(or_operator=True)
    try:
        return walk.combinations(pattern)
    except PatternError:
        if not walk.met_or:
            raise
        try:
            return _Walk(or_operator=False).combinations(pattern)
        except PatternError:
            # The fault of the reading in which $or is a field would mislead whoever meant the operator.
            pass
        raise


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the pattern the walk is: the field's path, and, for faults, the place, with ``$or`` in it.

    ``depth`` counts objects, those of ``$or`` too.
    """

    path: str = ""
    shown: str = ""
    depth: int = 1
    under_or: bool = False

    def below(self, name: str) -> _Place:
        path, shown = (f"{one}.{name}" if one else name for one in (self.path, self.shown))
        return _Place(path, shown, self.depth + 1, self.under_or)

    def alternative(self, index: int) -> _Place:
        """An object of a ``$or`` that stands here; it adds nothing to the field's path."""
        return _Place(self.path, f"{self.below(_OR).shown}[{index}]", self.depth + 1, under_or=True)


class _Walk:
    """Each method takes the combinations found so far and gives them with what its part asks."""

    def __init__(self, *, or_operator: bool) -> None:
        self._or_operator = or_operator
        self.met_or = False

    def combinations(self, pattern: Mapping[str, object]) -> list[Combination]:
        return self._object([{}], pattern, _Place())

    def _object(
        self, found: list[Combination], written: Mapping[str, object], place: _Place
    ) -> list[Combination]:
        if not written:
            raise PatternError("an empty object is refused", path=place.shown)
        if place.depth > DEEPEST:
            raise PatternError(_TOO_DEEP, path=place.shown[:_SHOWN])
        for name, value in written.items():
            if not isinstance(name, str):
                kind = type(name).__name__
                raise PatternError(f"the name of a field must be a string, not {kind}", path=place.shown)
            self.met_or |= name == _OR
            if self._or_operator and name == _OR:
                found = self._alternatives(found, value, place)
            else:
                found = self._entry(found, name, value, place)
        return found

    def _entry(self, found: list[Combination], name: str, value: object, place: _Place) -> list[Combination]:
        below = place.below(name)
        if below.path.count(".") >= DEEPEST:
            raise PatternError(_TOO_DEEP, path=below.shown[:_SHOWN])
        if place.under_or and name in _RESERVED:
            raise PatternError("an operator cannot stand where $or has fields", path=below.shown)
        if isinstance(value, dict):
            return self._object(found, value, below)
        if not isinstance(value, list):
            raise PatternError(_not_an_array(name), path=below.shown)
        condition = compile_condition(value, below.shown, or_is_field=not self._or_operator)
        for combination in found:
            # A path written twice (nested and dotted, or again after $or) counts as written last, as in AWS.
            combination[below.path] = condition
            if len(combination) > MOST_FIELDS:
                raise PatternError(f"more than {MOST_FIELDS} fields", path=below.shown)
        return found

    def _alternatives(self, found: list[Combination], written: object, place: _Place) -> list[Combination]:
        path = place.below(_OR).shown
        if not isinstance(written, list):
            raise PatternError("$or takes an array of objects", path=path)
        if len(written) < 2:  # noqa: PLR2004 - one alternative is none
            raise PatternError("$or takes at least two objects", path=path)
        combined: list[Combination] = []
        for index, alternative in enumerate(written):
            if not isinstance(alternative, dict):
                raise PatternError("$or takes objects only", path=f"{path}[{index}]")
            copies = [dict(combination) for combination in found]
            combined += self._object(copies, alternative, place.alternative(index))
            if len(combined) > MOST_COMBINATIONS:
                raise PatternError(f"more than {MOST_COMBINATIONS:,} combinations of $or", path=path)
        return combined


def _not_an_array(name: str) -> str:
    if name in _OPERATORS:
        return f'an operator stands in an array: [{{"{name}": ...}}]'
    return "must be an object or an array of values"
