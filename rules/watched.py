"""Everything that is watched: which action a call is, and which events must reach the watcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.actions import API_CALL, API_CALL_IN_CHINA, TABLE_AND_STACK_ACTIONS, Action, Weight
from rules.net_actions import NET_ACTIONS, OBJECT_CALLS

if TYPE_CHECKING:
    from collections.abc import Mapping

WATCHED_ACTIONS: tuple[Action, ...] = (*TABLE_AND_STACK_ACTIONS, *NET_ACTIONS)

# Where one request does several things (a replica and an index removed), the first of the list is named.
ACTIONS_BY_CALL: dict[tuple[str, str], tuple[Action, ...]] = {}
for _action in WATCHED_ACTIONS:
    _call = (_action.event_source, _action.event_name)
    ACTIONS_BY_CALL[_call] = (*ACTIONS_BY_CALL.get(_call, ()), _action)

# What the parser calls the status changes that no API call is behind.
STATUS_CHANGES = frozenset({"StackStatusChange", "ResourceStatusChange", "ObjectDeleted"})


def watched_action(event_source: str, event_name: str, request: Mapping[str, Any]) -> Action | None:
    """The watched action of a call, or None where the call is none of ours.

    The service is always compared too: Glue, Keyspaces and S3 Tables have a ``DeleteTable`` of their own.
    """
    for action in ACTIONS_BY_CALL.get((event_source, event_name), ()):
        if action.is_made_by(request):
            return action
    return None


def watched_event_pattern() -> dict[str, Any]:
    """The EventBridge event pattern that lets every watched call through that can alert, and little else.

    Every source passes with every name, and UpdateTable whatever it updates: ``watched_action`` is the precise
    filter. Exact values only, since that is what emulators match as AWS does. Failed calls pass too: an attempt
    is worth knowing. China regions name the detail type differently. Left out are what only gives context, the
    status changes (a second channel for what the calls tell already), and S3's data events.
    """
    asked = [
        action
        for action in WATCHED_ACTIONS
        if action.weight is not Weight.CONTEXT and action.event_name not in STATUS_CHANGES | OBJECT_CALLS
    ]
    return {
        "detail-type": [API_CALL, API_CALL_IN_CHINA],
        "detail": {
            "eventSource": sorted({action.event_source for action in asked}),
            "eventName": sorted({action.event_name for action in asked}),
        },
    }
