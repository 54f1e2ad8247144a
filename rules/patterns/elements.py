"""Matching across arrays of objects: all fields below one array have to be satisfied by one element of it.

The fields are tried in the order of their paths, as AWS's matcher does. After each, what is kept are the
choices of elements that satisfied the fields so far, cut down to the arrays that later fields pass through.
``exists: false`` looks at the choices of the fields before it and not at those after; so does AWS.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.patterns.fields import DEEPEST_ARRAYS, MISSING, is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rules.patterns.fields import Field

    # The element chosen in each of some arrays: (place of the array, index).
    Choice = tuple[tuple[int, int], ...]


@dataclass(slots=True, eq=False)
class _Node:
    """The values of one field that stand in the same array elements, and the arrays below.

    ``arrays`` has, for each array, its place and the node of each element that may hold values.
    """

    present: bool = False
    accepted: bool = False
    arrays: list[tuple[int, dict[int, _Node]]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class FieldValues:
    """What an event has at a field's path: all values, and where they are."""

    root: _Node = field(default_factory=_Node)
    values: list[object] = field(default_factory=list)
    places: set[int] = field(default_factory=set)
    accepted: bool = False


class ElementSearch:
    """One event being matched; what was found of a field is kept for the other combinations that ask it."""

    def __init__(self, event: Mapping[str, object]) -> None:
        self._event = event
        self._places = _Places()
        self._found: dict[Field, FieldValues] = {}

    def values_of(self, field: Field) -> FieldValues:
        """What the event has at the field's path."""
        found = self._found.get(field)
        if found is None:
            found = self._found[field] = _Collector(field, self._places).collect(self._event)
        return found

    def first_unsatisfied(self, fields: Sequence[Field]) -> int | None:
        """Index of the field at which no choice of elements is left, or None if the event satisfies them all.

        ``fields`` are in the order of their paths (UTF-16, as Java sorts).
        """
        found = [self.values_of(field) for field in fields]
        choices: set[Choice] = {()}
        for index, (asked, values) in enumerate(zip(fields, found, strict=True)):
            later = {place for following in found[index + 1 :] for place in following.places}
            left: set[Choice] = set()
            for choice in choices:
                left.update(_choices_after(choice, asked, values.root, later))
                if left and not later:
                    break
            if not left:
                return index
            choices = left
        return None


class _Places:
    """Numbers for the places of an event, so that two fields know that they pass through the same array.

    The identity of the list object would not do: one list may stand in several places.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str | int], int] = {}

    def below(self, place: int, step: str | int) -> int:
        """The place that a key or an index leads to."""
        return self._numbers.setdefault((place, step), len(self._numbers) + 1)


class _Collector:
    """Finds the values of one field; a queue, for an event may be nested deeper than Python's calls may."""

    def __init__(self, asked: Field, places: _Places) -> None:
        self._asked = asked
        self._places = places
        self._found = FieldValues()
        # A value, the steps of the path taken to it, its place, its node, and the arrays it is in.
        self._waiting: deque[tuple[object, int, int, _Node, int]] = deque()

    def collect(self, event: Mapping[str, object]) -> FieldValues:
        self._waiting.append((event, 0, 0, self._found.root, 0))
        while self._waiting:
            value, taken, place, node, depth = self._waiting.popleft()
            if is_array(value):
                self._enter_array(value, taken, place, node, depth)
            elif is_object(value):
                for key, reached in self._asked.keys[taken] if taken < self._asked.steps else ():
                    below = value.get(key, MISSING)
                    if below is not MISSING:
                        self._waiting.append((below, reached, self._places.below(place, key), node, depth))
            elif taken == self._asked.steps:
                self._add(node, value)
        return self._found

    def _enter_array(
        self, array: list[object] | tuple[object, ...], taken: int, place: int, node: _Node, depth: int
    ) -> None:
        elements: dict[int, _Node] = {}
        for index, element in enumerate(array):
            if is_array(element) or is_object(element):
                if depth < DEEPEST_ARRAYS:
                    below = elements[index] = _Node()
                    self._waiting.append((element, taken, self._places.below(place, index), below, depth + 1))
            elif taken == self._asked.steps:
                # A plain element belongs to no element of its own array, only to those of the arrays around.
                self._add(node, element)
        if elements:
            node.arrays.append((place, elements))
            self._found.places.add(place)

    def _add(self, node: _Node, value: object) -> None:
        self._found.values.append(value)
        node.present = True
        if not node.accepted and self._asked.accepts(value):
            node.accepted = self._found.accepted = True


def _choices_after(choice: Choice, asked: Field, root: _Node, later: set[int]) -> Iterator[Choice]:
    """The choices that this one becomes when the field is satisfied, too, cut down to ``later`` arrays."""
    kept = tuple(pair for pair in choice if pair[0] in later)
    present = False
    for node, added in _consistent(root, dict(choice), later):
        present |= node.present
        if node.accepted:
            yield kept + added
    if asked.absent and not present:
        yield kept


def _consistent(root: _Node, chosen: dict[int, int], later: set[int]) -> Iterator[tuple[_Node, Choice]]:
    """The nodes that the elements chosen so far allow, each with the choices it adds in ``later`` arrays."""
    waiting: list[tuple[_Node, Choice]] = [(root, ())]
    while waiting:
        node, added = waiting.pop()
        yield node, added
        for place, elements in node.arrays:
            if place in chosen:
                element = elements.get(chosen[place])
                if element is not None:
                    waiting.append((element, added))
            elif place in later:
                waiting += [(element, (*added, (place, index))) for index, element in elements.items()]
            else:
                waiting += [(element, added) for element in elements.values()]
