"""The calls that are watched, each with its weight.

One list for everything: the event rule of a deployment, the parser and the default rules are made from it.
Sources: the service authorization reference for the names, FACTS on which of them CloudTrail records.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DYNAMODB = "dynamodb.amazonaws.com"
CLOUDFORMATION = "cloudformation.amazonaws.com"


class Weight(StrEnum):
    """How bad a change is, were it not meant."""

    DESTRUCTIVE = "destructive"  # data is gone
    WEAKENING = "weakening"  # data is still there, a protection of it is gone
    TAMPERING = "tampering"  # a part of the safety net itself is gone; no rule may silence that


@dataclass(frozen=True, slots=True)
class Action:
    """One watched call.

    ``past`` and ``attempt`` are how the message names it ("Table deleted", "Attempt to delete a table").
    ``applies`` looks at the request: UpdateTable is watched only when it switches a protection off. CloudTrail
    cuts large requests to ``{"omitted": true}``: what cannot be seen might be it, so it is watched.
    """

    event_source: str
    event_name: str
    resource_type: str
    weight: Weight
    past: str
    attempt: str
    applies: Callable[[Mapping[str, Any]], bool] | None = None


def _protection_off(request: Mapping[str, Any]) -> bool:
    return _omitted(request) or request.get("deletionProtectionEnabled") is False


def _pitr_off(request: Mapping[str, Any]) -> bool:
    specification = request.get("pointInTimeRecoverySpecification")
    return _omitted(request) or (
        isinstance(specification, dict) and specification.get("pointInTimeRecoveryEnabled") is False
    )


def _omitted(request: Mapping[str, Any]) -> bool:
    return request.get("omitted") is True


WATCHED_ACTIONS: tuple[Action, ...] = (
    Action(
        DYNAMODB, "DeleteTable", "table", Weight.DESTRUCTIVE, "Table deleted", "Attempt to delete a table"
    ),
    Action(
        DYNAMODB, "DeleteBackup", "backup", Weight.TAMPERING, "Backup deleted", "Attempt to delete a backup"
    ),
    Action(
        DYNAMODB,
        "UpdateTable",
        "table",
        Weight.WEAKENING,
        "Deletion protection switched off",
        "Attempt to switch deletion protection off",
        _protection_off,
    ),
    Action(
        DYNAMODB,
        "UpdateContinuousBackups",
        "table",
        Weight.TAMPERING,
        "Point-in-time recovery switched off",
        "Attempt to switch point-in-time recovery off",
        _pitr_off,
    ),
    Action(
        CLOUDFORMATION,
        "DeleteStack",
        "stack",
        Weight.DESTRUCTIVE,
        "Stack deleted",
        "Attempt to delete a stack",
    ),
)

_BY_CALL = {(action.event_source, action.event_name): action for action in WATCHED_ACTIONS}


def watched_action(event_source: str, event_name: str, request: Mapping[str, Any]) -> Action | None:
    """The watched action of a call, or None where the call is none of ours.

    The service is always compared too: Glue, Keyspaces and S3 Tables have a ``DeleteTable`` of their own.
    """
    action = _BY_CALL.get((event_source, event_name))
    if action is None or (action.applies is not None and not action.applies(request)):
        return None
    return action


def watched_event_pattern() -> dict[str, Any]:
    """The EventBridge event pattern that lets every watched call through, and little else.

    Every source passes with every name, and UpdateTable whatever it updates: ``watched_action`` is the precise
    filter. Exact values only, since that is what emulators match as AWS does. Failed calls pass too: an attempt
    is worth knowing. China regions name the detail type differently.
    """
    return {
        "detail-type": ["AWS API Call via CloudTrail", "Amazon API Call via CloudTrail"],
        "detail": {
            "eventSource": sorted({action.event_source for action in WATCHED_ACTIONS}),
            "eventName": sorted({action.event_name for action in WATCHED_ACTIONS}),
        },
    }
