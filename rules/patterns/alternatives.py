"""The combinations of fields that ``$or`` leaves open, one of which an event has to satisfy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.patterns.elements import ElementSearch

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from rules.patterns.fields import Field


class Alternatives:
    """Combinations of fields, made for saying no at the first field that an event fails.

    ``combinations`` has the fields of each, in the order of their paths.
    """

    __slots__ = ("_needed", "_rest", "combinations")

    def __init__(self, combinations: Sequence[Iterable[Field]]) -> None:
        self.combinations = tuple(tuple(sorted(fields, key=_java_order)) for fields in combinations)
        # Cheap fields first: most events fail one of them, and then nothing else is looked at.
        cheapest = [sorted(fields, key=_cost) for fields in self.combinations]
        shared = set(cheapest[0]).intersection(*cheapest[1:])
        self._needed = tuple(field for field in cheapest[0] if field in shared)
        self._rest = tuple(tuple(field for field in fields if field not in shared) for fields in cheapest)

    def satisfied_by(self, event: Mapping[str, object]) -> bool:
        """Whether the event satisfies one of the combinations."""
        undecided: list[Field] = []
        for field in self._needed:
            satisfied = field.satisfied(event)
            if satisfied is None:
                undecided.append(field)
            elif not satisfied:
                return False
        if len(self._rest) > 1:
            return self._one_satisfied(event, undecided)
        return not undecided or _in_elements(ElementSearch(event), self.combinations[0], set(undecided))

    def _one_satisfied(self, event: Mapping[str, object], open_fields: list[Field]) -> bool:
        """Whether the event satisfies the rest of a combination, and with it the needed fields not decided yet."""
        known: dict[Field, bool | None] = {}
        open_combinations: list[tuple[Field, ...]] = []
        for rest, combination in zip(self._rest, self.combinations, strict=True):
            decided = not open_fields
            for field in rest:
                satisfied = (
                    known[field] if field in known else known.setdefault(field, field.satisfied(event))
                )
                if satisfied is None:
                    decided = False
                elif not satisfied:
                    break
            else:
                if decided:
                    return True
                open_combinations.append(combination)
        if not open_combinations:
            return False
        undecided = {*open_fields, *(field for field, satisfied in known.items() if satisfied is None)}
        search = ElementSearch(event)
        return any(_in_elements(search, combination, undecided) for combination in open_combinations)

    def without(self, paths: Container[str]) -> Alternatives:
        """The same without some fields."""
        return Alternatives(
            [[field for field in fields if field.path not in paths] for fields in self.combinations]
        )


def _in_elements(search: ElementSearch, fields: tuple[Field, ...], undecided: Container[Field]) -> bool:
    # A field that is decided has no values in arrays of objects, so it binds no other field to an element.
    return search.first_unsatisfied([field for field in fields if field in undecided]) is None


def _cost(field: Field) -> tuple[bool, int]:
    return field.strings is None, field.steps


def _java_order(field: Field) -> bytes:
    # AWS's matcher is Java, whose strings sort by UTF-16 units.
    return field.path.encode("utf-16-be", "surrogatepass")
