"""One field of a pattern: where its values are in an event, and whether they do."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from rules.patterns.conditions import Condition

MISSING: Final = object()
# Where the JSON parser of AWS's matcher gives up. Deeper values count as missing.
DEEPEST_ARRAYS: Final = 1_000
_PLAIN: Final = frozenset({bool, int, float, NoneType})
_ARRAYS: Final = (list, tuple)
_NO_OBJECTS: Final = (str, int, float, NoneType, list, tuple)


def is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether the value is a JSON object. Facts may hold read-only mappings, so those count as well."""
    # Asking for an abstract class is slow, so it is the last question.
    return isinstance(value, dict) or (not isinstance(value, _NO_OBJECTS) and isinstance(value, Mapping))


def is_array(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Whether the value is a JSON array; a tuple counts as one."""
    return isinstance(value, _ARRAYS)


class Field:
    """A dotted path and the condition on the values there.

    ``keys[n]`` are the keys to try in an object that ``n`` steps of the path have led to, each with the
    number of steps taken then: ``a.b.c`` may be three nested keys, but also ``"a.b"`` holding ``"c"``.
    ``strings`` are the strings asked for, if the condition asks for nothing else.
    """

    __slots__ = (
        "_accepts_string", "_last", "_nested", "absent", "accepts", "condition", "keys", "path", "steps", "strings",
    )  # fmt: skip

    def __init__(self, path: str, condition: Condition) -> None:
        steps = path.split(".")
        self.path = path
        self.condition = condition
        self.absent = condition.absent
        self.accepts = condition.accepts
        self.strings = condition.only_strings()
        self.steps = len(steps)
        self.keys = tuple(
            tuple((".".join(steps[start:end]), end) for end in range(start + 1, len(steps) + 1))
            for start in range(len(steps))
        )
        self._accepts_string = condition.string_test
        # Each key but the last, and the longer ones with dots that could stand in its place.
        self._nested = tuple(
            (keys[0][0], tuple(key for key, _ in keys[1:])) for keys in self.keys[: self.steps - 1]
        )
        self._last = steps[-1]

    def satisfied(self, event: Mapping[str, object]) -> bool | None:
        """Whether the event has what the field asks; None if an array of objects is on the way.

        Under an array of objects the answer depends on the other fields of the pattern: see ``elements``.
        """
        # The common case, in as few steps as can be: one value, below nested objects, no dots in keys.
        holder = event
        for key, dotted in self._nested:
            for longer in dotted:
                if longer in holder:
                    return self._satisfied_anywhere(event)
            below = holder.get(key)
            if type(below) is not dict:
                return self.absent if below is None else self._satisfied_anywhere(event)
            holder = below
        value = holder.get(self._last, MISSING)
        if type(value) is str:
            return self._accepts_string(value)
        if value is MISSING:
            return self.absent
        return self.accepts(value) if type(value) in _PLAIN else self._satisfied_anywhere(event)

    def _satisfied_anywhere(self, event: Mapping[str, object]) -> bool | None:
        """The same by looking everywhere; with a list, for an event may be nested deeper than calls may."""
        present = accepted = in_elements = False
        # A value, the steps of the path taken to it, and the arrays it is in.
        waiting: list[tuple[object, int, int]] = [(event, 0, 0)]
        while waiting:
            value, taken, depth = waiting.pop()
            if is_array(value):
                if depth <= DEEPEST_ARRAYS:
                    waiting += [(element, taken, depth + 1) for element in value]
                    in_elements |= any(is_array(element) or is_object(element) for element in value)
            elif is_object(value):
                for key, reached in self.keys[taken] if taken < self.steps else ():
                    below = value.get(key, MISSING)
                    if below is not MISSING:
                        waiting.append((below, reached, depth))
            elif taken == self.steps:
                present = True
                accepted = accepted or self.accepts(value)
        if not present:
            return self.absent
        if accepted or self.absent:
            return None if in_elements else accepted
        return False
