"""The compiled pattern, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.errors import PatternError
from rules.patterns.elements import ElementSearch
from rules.patterns.fields import Field, is_object
from rules.patterns.structure import flatten

if TYPE_CHECKING:
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

    __slots__ = ("_combinations", "_required", "_sorted", "fields")

    def __init__(self, combinations: list[Combination]) -> None:
        fields: dict[tuple[str, int], Field] = {}
        written = [
            tuple(_shared(fields, path, combination) for path in combination) for combination in combinations
        ]
        # Cheap fields first: most events fail one of them, and then nothing else is looked at.
        self._combinations = tuple(tuple(sorted(one, key=_cost)) for one in written)
        self._sorted = tuple(tuple(sorted(one, key=_java_order)) for one in written)
        self._required = _required_strings(combinations)
        self.fields = frozenset(path for combination in combinations for path in combination)

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether the event, a JSON object as Python has it, satisfies the pattern.

        Never raises for values that are not JSON (NaN, dates): they exist, and equal nothing.
        """
        if not is_object(event):
            return False
        undecided: list[int] = []
        if len(self._combinations) == 1:
            verdict = _without_arrays(self._combinations[0], event)
            if verdict is not None:
                return verdict
            undecided.append(0)
        else:
            known: dict[Field, bool | None] = {}
            for index, fields in enumerate(self._combinations):
                verdict = _without_arrays(fields, event, known)
                if verdict:
                    return True
                if verdict is None:
                    undecided.append(index)
        if not undecided:
            return False
        search = ElementSearch(event)
        return any(search.first_unsatisfied(self._sorted[index]) is None for index in undecided)

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
        for fields in self._sorted:
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


def _without_arrays(
    fields: tuple[Field, ...], event: Mapping[str, object], known: dict[Field, bool | None] | None = None
) -> bool | None:
    """Whether the event satisfies the fields; None if that hangs on the elements of arrays."""
    undecided = False
    for field in fields:
        if known is None:
            satisfied = field.satisfied(event)
        elif field in known:
            satisfied = known[field]
        else:
            satisfied = known[field] = field.satisfied(event)
        if satisfied is None:
            undecided = True
        elif not satisfied:
            return False
    return None if undecided else True


def _fails_alone(search: ElementSearch, field: Field) -> bool:
    found = search.values_of(field)
    return not found.accepted and not (field.absent and not found.values)


def _shared(fields: dict[tuple[str, int], Field], path: str, combination: Combination) -> Field:
    """One field object for one condition, so that combinations share what is known of it."""
    condition = combination[path]
    key = (path, id(condition))
    if key not in fields:
        fields[key] = Field(path, condition)
    return fields[key]


def _cost(field: Field) -> tuple[bool, int]:
    return field.condition.only_strings() is None, field.steps


def _java_order(field: Field) -> bytes:
    # AWS's matcher is Java, whose strings sort by UTF-16 units.
    return field.path.encode("utf-16-be", "surrogatepass")


def _required_strings(combinations: list[Combination]) -> dict[str, frozenset[str]]:
    required: dict[str, frozenset[str]] = {}
    for path in combinations[0]:
        limits = [
            combination[path].only_strings() if path in combination else None for combination in combinations
        ]
        known = [limit for limit in limits if limit is not None]
        if len(known) == len(limits):
            required[path] = frozenset().union(*known)
    return required
