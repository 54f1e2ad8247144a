"""The compiled pattern, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from rules.errors import PatternError
from rules.patterns.alternatives import Alternatives
from rules.patterns.elements import ElementSearch
from rules.patterns.fields import Field, is_object
from rules.patterns.structure import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rules.patterns.conditions import Condition
    from rules.patterns.structure import Combination


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a pattern does not match: the first field that the event does not satisfy.

    ``condition`` is the field's array as written in the pattern, ``found`` every value that the event has at
    ``path`` (none if it is missing). ``other_element`` is true if one of them would do, but stands in another
    element of an array than the values of the fields before it.
    """

    path: str
    condition: tuple[object, ...]
    found: tuple[object, ...]
    other_element: bool = False


class Pattern:
    """A compiled event pattern. It never changes, and may be shared between threads.

    ``fields`` are the dotted paths that the pattern asks about, in any combination of its ``$or``.
    """

    __slots__ = ("_alternatives", "_exact", "_required", "fields")

    def __init__(self, combinations: list[Combination]) -> None:
        shared: dict[tuple[str, int], Field] = {}
        self._alternatives = Alternatives(
            [
                [_shared(shared, path, condition) for path, condition in combination.items()]
                for combination in combinations
            ]
        )
        self.fields = frozenset(path for combination in combinations for path in combination)
        self._exact = tuple(_exact_strings(fields) for fields in self._alternatives.combinations)
        self._required = _required_strings(self._exact)

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether the event, a JSON object as Python has it, satisfies the pattern.

        Never raises for values that are not JSON (NaN, dates): they exist, and equal nothing.
        """
        # The first question costs less than the second, and answers it nearly always.
        return (type(event) is dict or is_object(event)) and self._alternatives.satisfied_by(event)

    @property
    def conditions(self) -> tuple[Mapping[str, Condition], ...]:
        """For each combination of ``$or`` the condition at each path: what an index of many patterns is made of."""
        return tuple(
            MappingProxyType({field.path: field.condition for field in combination})
            for combination in self._alternatives.combinations
        )

    def could_match(self, event: Mapping[str, object], unknown: Callable[[str], bool]) -> bool:
        """Whether the event could satisfy the pattern if its unknown fields had whatever values it needs.

        ``unknown`` tells of a dotted path whether the event's values there are not known yet; what the event
        has there is not looked at. The unknown fields are left out of every combination of ``$or``, and a
        combination of nothing else is satisfied.
        """
        if not is_object(event):
            return False
        left_out = {path for path in self.fields if unknown(path)}
        alternatives = self._alternatives.without(left_out) if left_out else self._alternatives
        return alternatives.satisfied_by(event)

    @property
    def exact_fields(self) -> tuple[Mapping[str, frozenset[str]], ...]:
        """For each combination of ``$or``, the paths at which it asks for exact strings and nothing else.

        An event that satisfies the combination has one of the path's strings there, perhaps in an array. An IP
        address is no exact string: it has several spellings.
        """
        return self._exact

    def required_values(self, path: str) -> frozenset[str] | None:
        """The strings one of which an event must have at the path to match; None if they are not limited.

        They are limited only if every combination of ``$or`` asks for exact strings there and nothing else.
        An IP address is no exact string: it has several spellings. The event may hold the string in an array.
        """
        return self._required.get(path)

    def first_failure(self, event: Mapping[str, object]) -> Mismatch | None:
        """The first field that keeps the event from matching, or None if it matches.

        Of several combinations (``$or``) it is the one that comes closest, the first if there are more.
        """
        search = ElementSearch(event if is_object(event) else {})
        closest: tuple[int, Field, bool] | None = None
        for fields in self._alternatives.combinations:
            index = search.first_unsatisfied(fields)
            if index is None:
                return None
            failing = [field for field in fields if _fails_alone(search, field)]
            if closest is None or len(failing) < closest[0]:
                closest = (len(failing), failing[0] if failing else fields[index], not failing)
        if closest is None:  # a pattern has at least one combination
            return None
        _, field, alone_fine = closest
        found = search.values_of(field)
        return Mismatch(
            field.path, field.condition.written, tuple(found.values), alone_fine and found.accepted
        )

    def __repr__(self) -> str:
        return f"<Pattern on {', '.join(sorted(self.fields))}>"


def compile_pattern(pattern: Mapping[str, object]) -> Pattern:
    """Compile an event pattern, given as the Python form of its JSON.

    Raises PatternError, whose ``path`` is the place of the fault (``detail.eventName[0].prefix``), for
    whatever EventBridge refuses and for what is not JSON. Limits: 64 levels, 256 fields, 1,000 combinations
    of ``$or``.
    """
    if not isinstance(pattern, Mapping):
        raise PatternError(f"a pattern is an object, not {type(pattern).__name__}")
    return Pattern(flatten(pattern))


def _fails_alone(search: ElementSearch, field: Field) -> bool:
    found = search.values_of(field)
    return not found.accepted and not (field.absent and not found.values)


def _shared(fields: dict[tuple[str, int], Field], path: str, condition: Condition) -> Field:
    """One field object for one condition, so that combinations share what is known of it."""
    key = (path, id(condition))
    if key not in fields:
        fields[key] = Field(path, condition)
    return fields[key]


def _exact_strings(fields: Sequence[Field]) -> Mapping[str, frozenset[str]]:
    return MappingProxyType({field.path: field.strings for field in fields if field.strings is not None})


def _required_strings(exact: Sequence[Mapping[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    everywhere = set(exact[0]).intersection(*exact[1:])
    return {path: frozenset().union(*(one[path] for one in exact)) for path in everywhere}
