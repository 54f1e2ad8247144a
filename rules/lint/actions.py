"""Which watched actions a pattern leaves possible, and what is certain of an event that satisfies it.

The watcher judges an event only if it is one of the watched actions, and more than context for others. So a pattern
that asks for what none of them has never matches, and one that leaves a few says more than is written in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.actions import API_CALL, API_CALL_IN_CHINA, Action, Weight
from rules.lint.implies import accepts
from rules.watched import STATUS_CHANGES, WATCHED_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rules.patterns.structure import Combination

JUDGED: Final = tuple(action for action in WATCHED_ACTIONS if action.weight is not Weight.CONTEXT)
CALLED: Final = ("source", "detail-type", "detail.eventSource", "detail.eventName")
_DETAIL_TYPES: Final = {
    "StackStatusChange": "CloudFormation Stack Status Change",
    "ResourceStatusChange": "CloudFormation Resource Status Change",
    "ObjectDeleted": "Object Deleted",
}
# Of tables only, as `facts_of` has it; for anything else they are absent.
TABLE_FACTS: Final = ("facts.table.", "facts.backup.", "facts.recent.stackDeleted")
_ABSENT: Final = {"exists": False}
NOTHING: Final = "\0nothing"


def texts_of(action: Action) -> Mapping[str, frozenset[str]]:
    """For each path that tells actions apart the texts that an event of this one may have there; none: absent."""
    by_call = action.event_name not in STATUS_CHANGES
    # A record cut for its size does not say that it is about a stack set.
    types = {action.resource_type, "stack"} if action.resource_type == "stack-set" else {action.resource_type}
    return {
        "source": frozenset({"aws." + action.event_source.removesuffix(".amazonaws.com")}),
        "detail-type": frozenset(
            {API_CALL, API_CALL_IN_CHINA} if by_call else {_DETAIL_TYPES[action.event_name]}
        ),
        "detail.eventSource": frozenset({action.event_source} if by_call else ()),
        "detail.eventName": frozenset({action.event_name} if by_call else ()),
        "facts.change": frozenset({action.change}),
        "facts.weight": frozenset({action.weight.value}),
        "facts.resource.type": frozenset(types),
        "facts.net.part": frozenset({action.part.value} if action.part else ()),
    }


_TEXTS: Final = tuple(texts_of(action) for action in JUDGED)


def possible_actions(combination: Combination, ignoring: Collection[str] = ()) -> list[Action]:
    """The judged actions that a combination's conditions leave, but for those on the paths ``ignoring``."""
    asked = {
        path: _allowed(path, condition.written)
        for path, condition in combination.items()
        if path in _TEXTS[0] and path not in ignoring
    }
    about_tables = any(
        path.startswith(TABLE_FACTS) and _ABSENT not in condition.written and path not in ignoring
        for path, condition in combination.items()
    )
    return [
        action
        for action, texts in zip(JUDGED, _TEXTS, strict=True)
        if (not about_tables or action.resource_type == "table")
        and all((texts[path] or {NOTHING}) & allowed for path, allowed in asked.items())
    ]


def certain_texts(actions: Sequence[Action]) -> dict[str, frozenset[str]]:
    """For some paths the texts, one of which every event of one of these actions has there."""
    texts = [texts_of(action) for action in actions]
    return {
        path: frozenset().union(*(one[path] for one in texts))
        for path in (texts[0] if texts else ())
        if all(one[path] for one in texts)
    }


def known_texts(path: str) -> frozenset[str]:
    """All texts that judged events have at one of the paths that tell actions apart."""
    return frozenset().union(*(texts[path] for texts in _TEXTS))


def _allowed(path: str, written: Sequence[object]) -> frozenset[str]:
    """Those of the known texts at a path that a condition takes, with ``NOTHING`` if it takes that none is there."""
    texts = {text for text in known_texts(path) if accepts(written, text)}
    return frozenset(texts | ({NOTHING} if _ABSENT in written else set()))
