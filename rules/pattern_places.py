"""Where in a written pattern a fault is: the keys and indexes that lead there, through ``$or`` too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.errors import PatternError
from rules.named_lists import list_name, lists_in
from rules.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OR = "$or"
Steps = list[str | int]


def steps_to(pattern: Any, path: str) -> Steps:
    """The steps along a PatternError's path (``detail.$or[1].eventName[0].prefix``), as far as they exist.

    A key with a dot in it may lead where nested ones do; of several such fields the first that is refused is meant.
    """
    ways = sorted(_ways(pattern, path, [], None), key=lambda way: len(way[1]))
    furthest = [(steps, field) for steps, rest, field in ways if len(rest) == len(ways[0][1])]
    return next((steps for steps, field in furthest if field and _refused(field)), furthest[0][0])


def empty_lists(pattern: Any, lists: Mapping[str, list[Any]]) -> Iterator[tuple[str, Steps]]:
    """Every list without values that is all an array has, or an operator's value, with the steps to it.

    Written out it leaves an empty array, which no longer says where it came from.
    """
    for name, steps in lists_in(pattern):
        if lists.get(name) != []:
            continue
        beside = pattern
        for step in steps[:-1]:
            beside = beside[step]
        in_array = beside if isinstance(beside, list) else []
        if all(lists.get(list_name(one) or "") == [] for one in in_array):
            yield name, steps


def _ways(
    node: Any, rest: str, steps: Steps, field: list[Any] | None
) -> Iterator[tuple[Steps, str, list[Any] | None]]:
    """Every way along the path: the steps, what is left of the path, and the field's array that it leads into."""
    onward = list(_onward(node, rest, steps))
    if not onward:
        yield steps, rest, field
    for child, left, further in onward:
        is_field = isinstance(child, list) and isinstance(node, dict) and further[-1] != _OR
        yield from _ways(child, left, further, child if is_field and field is None else field)


def _onward(node: Any, rest: str, steps: Steps) -> Iterator[tuple[Any, str, Steps]]:
    """One step on: the child, what is left of the path then, and the steps up to it."""
    if isinstance(node, dict):
        for key in node:
            if isinstance(key, str) and _leads_on(rest, key):
                yield node[key], rest.removeprefix(key).removeprefix("."), [*steps, key]
    elif isinstance(node, list) and rest.startswith("["):
        number, _, after = rest[1:].partition("]")
        if number.isdecimal() and int(number) < len(node):
            yield node[int(number)], after.removeprefix("."), [*steps, int(number)]


def _leads_on(rest: str, key: str) -> bool:
    """Whether the path goes on with this key, and not just with one that begins like it."""
    return bool(key) and rest.startswith(key) and rest[len(key) : len(key) + 1] in ("", ".", "[")


def _refused(condition: list[Any]) -> bool:
    try:
        compile_pattern({"v": condition})
    except PatternError:
        return True
    return False
