"""Named lists in patterns: ``{list: ci-roles}`` stands for the values under ``lists:`` of that name.

In an array it stands for its values (``userName: [{list: ci-roles}, bob]``), as an operator's value for the array
of them (``{anything-but: {list: ci-roles}}``). What comes out is an event pattern that EventBridge knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LIST = "list"
Steps = list[str | int]


def list_name(value: object) -> str | None:
    """The name in ``{list: NAME}``; None for anything else (a field may be called ``list``, too)."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_LIST), str):
        return str(value[_LIST])
    return None


def lists_in(pattern: Any, steps: Steps | None = None) -> Iterator[tuple[str, Steps]]:
    """Every list that a pattern names, with the steps to the place."""
    waiting: list[tuple[Any, Steps]] = [(pattern, steps or [])]
    while waiting:
        node, place = waiting.pop()
        name = list_name(node)
        if name is not None:
            yield name, place
        elif isinstance(node, dict):
            waiting += [(child, [*place, key]) for key, child in node.items()]
        elif isinstance(node, list):
            waiting += [(child, [*place, index]) for index, child in enumerate(node)]


def with_lists(pattern: Any, lists: Mapping[str, list[Any]]) -> Any:
    """The pattern with every list written out. Raises PatternError for a list that does not exist.

    Recursive: what comes here has been read by ``read_nodes``, which limits the depth.
    """
    name = list_name(pattern)
    if name is not None:
        return list(_values(name, lists))
    if isinstance(pattern, dict):
        return {key: with_lists(value, lists) for key, value in pattern.items()}
    if isinstance(pattern, list):
        written: list[Any] = []
        for element in pattern:
            name = list_name(element)
            written += [with_lists(element, lists)] if name is None else _values(name, lists)
        return written
    return pattern


def written_steps(pattern: Any, steps: Steps, lists: Mapping[str, list[Any]]) -> Steps:
    """The steps in the pattern as it was written that lead where ``steps`` do in the one with its lists written out."""
    found: Steps = []
    node = pattern
    for step in steps:
        if list_name(node) is not None:
            break
        if isinstance(node, list) and isinstance(step, int):
            step = _written_index(node, step, lists)  # noqa: PLW2901 - the same step, as it was written
        found.append(step)
        try:
            node = node[step]
        except (LookupError, TypeError):
            break
    return found


def _written_index(array: list[Any], index: int, lists: Mapping[str, list[Any]]) -> int:
    passed = 0
    for at, element in enumerate(array):
        name = list_name(element)
        passed += 1 if name is None else len(lists.get(name, ()))
        if index < passed:
            return at
    return len(array)


def _values(name: str, lists: Mapping[str, list[Any]]) -> list[Any]:
    try:
        return lists[name]
    except KeyError:
        raise PatternError(f"no list of the name {name[:80]!r}") from None
