"""Where in a written pattern a fault is: the keys and indexes that lead there, through ``$or`` too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.errors import PatternError
from rules.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

_OR = "$or"
Steps = list[str | int]


def steps_to(pattern: Any, path: str) -> Steps:
    """The steps along a PatternError's path (``detail.eventName[0].prefix``), as far as they exist.

    The path says nothing of ``$or``, so several alternatives may have it; the first one that is refused when
    it stands alone is meant.
    """
    found = sorted(_walk(pattern, path, []), key=lambda way: len(way[1]))
    if not found:
        return []
    shortest = len(found[0][1])
    ways = [way for way in found if len(way[1]) == shortest]
    return next((steps for steps, _, refused in ways if refused), ways[0][0])


def _walk(
    node: Any, rest: str, steps: Steps, *, in_condition: bool = False
) -> Iterator[tuple[Steps, str, bool]]:
    """Every way along the path: the steps, what is left of the path, whether the condition there is refused."""
    ways = list(_onward(node, rest, steps))
    if not ways:
        yield steps, rest, not in_condition and _refused(node)
    for child, left, further in ways:
        for found, remaining, refused in _walk(
            child, left, further, in_condition=in_condition or isinstance(node, list)
        ):
            yield (
                found,
                remaining,
                refused or (isinstance(node, list) and not in_condition and _refused(node)),
            )


def _onward(node: Any, rest: str, steps: Steps) -> Iterator[tuple[Any, str, Steps]]:
    """One step on: the child, what is left of the path then, and the steps up to it."""
    if isinstance(node, dict):
        for key in node:
            if isinstance(key, str) and _leads_on(rest, key):
                yield node[key], rest.removeprefix(key).removeprefix("."), [*steps, key]
        alternatives = node.get(_OR)
        if isinstance(alternatives, list) and rest and not _leads_on(rest, _OR):
            for index, alternative in enumerate(alternatives):
                yield alternative, rest, [*steps, _OR, index]
    elif isinstance(node, list) and rest.startswith("["):
        number, _, after = rest[1:].partition("]")
        if number.isdecimal() and int(number) < len(node):
            yield node[int(number)], after.removeprefix("."), [*steps, int(number)]


def _leads_on(rest: str, key: str) -> bool:
    """Whether the path goes on with this key, and not just with one that begins like it."""
    return bool(key) and rest.startswith(key) and rest[len(key) : len(key) + 1] in ("", ".", "[")


def _refused(condition: Any) -> bool:
    try:
        compile_pattern({"v": condition})
    except PatternError:
        return True
    return False
