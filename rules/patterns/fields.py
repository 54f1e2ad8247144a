"""One field of a pattern: where its values are in an event, and whether they do."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from rules.patterns.conditions import Condition

MISSING: Final = object()
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
    """

    __slots__ = ("absent", "accepts", "condition", "keys", "path", "steps")

    def __init__(self, path: str, condition: Condition) -> None:
        steps = path.split(".")
        self.path = path
        self.condition = condition
        self.absent = condition.absent
        self.accepts = condition.acceptor()
        self.steps = len(steps)
        self.keys = tuple(
            tuple((".".join(steps[start:end]), end) for end in range(start + 1, len(steps) + 1))
            for start in range(len(steps))
        )

    def satisfied(self, event: Mapping[str, object]) -> bool | None:
        """Whether the event has what the field asks; None if an array of objects is on the way.

        Under an array of objects the answer depends on the other fields of the pattern: see ``elements``.
        """
        found: list[object] = []
        if not self._gather(event, 0, found):
            return None
        if not found:
            return self.absent
        accepts = self.accepts
        return accepts(found[0]) if len(found) == 1 else any(accepts(value) for value in found)

    def _gather(self, holder: Mapping[str, object], taken: int, found: list[object]) -> bool:
        """Add the values below an object; False if some are in an array of objects or of arrays."""
        for key, reached in self.keys[taken]:
            value = holder.get(key, MISSING)
            if value is MISSING:
                continue
            if reached == self.steps:
                complete = _add_leaves(value, found)
            elif is_object(value):
                complete = self._gather(value, reached, found)
            else:
                complete = not is_array(value) or not value
            if not complete:
                return False
        return True


def _add_leaves(value: object, found: list[object]) -> bool:
    """Add what is a value at the end of a path; an object there is none. False for an array of arrays."""
    if is_array(value):
        if any(is_array(element) for element in value):
            return False
        found += [element for element in value if not is_object(element)]
    elif not is_object(value):
        found.append(value)
    return True
