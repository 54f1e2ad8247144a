"""The calls and status changes that are watched, each with its weight.

One list for everything: the event rule of a deployment, the parser, the facts and the documents are made from it.
Sources: the service authorization reference and CloudTrail's own records for the names; 'CloudFormation events'
and 'S3 event message structure' of the EventBridge reference for the status changes, which the parser names
``StackStatusChange``, ``ResourceStatusChange`` and ``ObjectDeleted``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DYNAMODB = "dynamodb.amazonaws.com"
CLOUDFORMATION = "cloudformation.amazonaws.com"

API_CALL = "AWS API Call via CloudTrail"
API_CALL_IN_CHINA = "Amazon API Call via CloudTrail"


class Weight(StrEnum):
    """How bad a change is, were it not meant."""

    DESTRUCTIVE = "destructive"  # data is gone
    WEAKENING = "weakening"  # data is still there, a protection of it is gone, or it will go
    TAMPERING = "tampering"  # a part of the safety net itself is gone; no rule may silence that
    CONTEXT = "context"  # harmless by itself; it explains, or puts right, what else happens


class NetPart(StrEnum):
    """The kinds of parts that the net is made of, for actions that count only where they hit one of ours."""

    VAULT = "vault"
    KEY = "key"
    TRAIL = "trail"
    EVENT_RULE = "event-rule"
    QUEUE = "queue"
    FUNCTION = "function"
    BACKUP_VAULT = "backup-vault"


@dataclass(frozen=True, slots=True)
class Action:
    """One watched call, or one kind of it.

    ``change`` names what happened (``table-deleted``); ``past`` and ``attempt`` are how the message names it.
    ``applies`` looks at the request: UpdateTable is watched only when it takes something away. CloudTrail cuts
    large requests to ``{"omitted": true}``: what cannot be seen might be it, so it is watched.
    ``part`` is set where the action counts only if it hits a part of our own net.
    """

    event_source: str
    event_name: str
    change: str
    resource_type: str
    weight: Weight
    past: str
    attempt: str
    applies: Callable[[Mapping[str, Any]], bool] | None = None
    part: NetPart | None = None

    def is_made_by(self, request: Mapping[str, Any]) -> bool:
        """Whether a call with that request is this action."""
        return self.applies is None or request.get("omitted") is True or self.applies(request)


def member(request: Mapping[str, Any], *path: str) -> Any:
    """What stands at a path of nested objects; None where it leads nowhere."""
    node: Any = request
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _deletes_one_of(key: str) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a list of updates such as ``replicaUpdates`` holds a ``delete``."""

    def applies(request: Mapping[str, Any]) -> bool:
        updates = request.get(key)
        return isinstance(updates, list) and any(
            isinstance(update, dict) and update.get("delete") is not None for update in updates
        )

    return applies


def _is(value: object, *path: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda request: member(request, *path) is value


def _status(*statuses: str, of_type: tuple[str, ...] = ()) -> Callable[[Mapping[str, Any]], bool]:
    return lambda request: (
        request.get("status") in statuses and (not of_type or request.get("resourceType") in of_type)
    )


_TABLES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
_GOING = ("DELETE_IN_PROGRESS", "DELETE_FAILED")


def _dynamodb() -> tuple[Action, ...]:
    destructive, weakening, context = Weight.DESTRUCTIVE, Weight.WEAKENING, Weight.CONTEXT
    return tuple(
        Action(DYNAMODB, *row)
        for row in (
            ("DeleteTable", "table-deleted", "table", destructive,
             "Table deleted", "Attempt to delete a table"),
            ("DeleteTableReplica", "replica-removed", "table", destructive,
             "Replica removed", "Attempt to remove a replica"),
            ("UpdateTable", "replica-removed", "table", destructive,
             "Replica removed", "Attempt to remove a replica", _deletes_one_of("replicaUpdates")),
            ("UpdateTable", "protection-off", "table", weakening,
             "Deletion protection switched off", "Attempt to switch deletion protection off",
             _is(False, "deletionProtectionEnabled")),
            ("UpdateTable", "index-removed", "table", weakening,
             "Index removed", "Attempt to remove an index", _deletes_one_of("globalSecondaryIndexUpdates")),
            ("UpdateTable", "stream-off", "table", weakening,
             "Stream switched off", "Attempt to switch a stream off",
             _is(False, "streamSpecification", "streamEnabled")),
            ("UpdateGlobalTable", "replica-removed", "table", destructive,
             "Replica removed", "Attempt to remove a replica", _deletes_one_of("replicaUpdates")),
            ("UpdateTimeToLive", "ttl-on", "table", weakening,
             "Time to live switched on", "Attempt to switch time to live on",
             _is(True, "timeToLiveSpecification", "enabled")),
            ("PutResourcePolicy", "policy-changed", "table", weakening,
             "Resource policy changed", "Attempt to change a resource policy"),
            ("DeleteResourcePolicy", "policy-removed", "table", weakening,
             "Resource policy removed", "Attempt to remove a resource policy"),
            ("DeleteBackup", "backup-deleted", "backup", Weight.TAMPERING,
             "Backup deleted", "Attempt to delete a backup"),
            ("UpdateContinuousBackups", "pitr-off", "table", Weight.TAMPERING,
             "Point-in-time recovery switched off", "Attempt to switch point-in-time recovery off",
             _is(False, "pointInTimeRecoverySpecification", "pointInTimeRecoveryEnabled")),
            ("CreateTable", "table-created", "table", context,
             "Table created", "Attempt to create a table"),
            ("ImportTable", "table-imported", "table", context,
             "Table imported", "Attempt to import a table"),
            ("RestoreTableFromBackup", "table-restored", "table", context,
             "Table restored from a backup", "Attempt to restore a table"),
            ("RestoreTableToPointInTime", "table-restored", "table", context,
             "Table restored to a point in time", "Attempt to restore a table"),
        )
    )  # fmt: skip


def _cloudformation() -> tuple[Action, ...]:
    destructive, weakening, context = Weight.DESTRUCTIVE, Weight.WEAKENING, Weight.CONTEXT
    return tuple(
        Action(CLOUDFORMATION, *row)
        for row in (
            ("DeleteStack", "stack-deleted", "stack", destructive,
             "Stack deleted", "Attempt to delete a stack"),
            ("DeleteStackInstances", "stack-instances-deleted", "stack-set", destructive,
             "Stack instances deleted", "Attempt to delete stack instances",
             lambda request: request.get("retainStacks") is not True),
            ("UpdateTerminationProtection", "termination-protection-off", "stack", weakening,
             "Termination protection switched off", "Attempt to switch termination protection off",
             _is(False, "enableTerminationProtection")),
            ("UpdateStack", "stack-updated", "stack", context,
             "Stack updated", "Attempt to update a stack"),
            ("ExecuteChangeSet", "change-set-executed", "stack", context,
             "Change set executed", "Attempt to execute a change set"),
            ("DeleteChangeSet", "change-set-deleted", "stack", context,
             "Change set deleted", "Attempt to delete a change set"),
            ("StackStatusChange", "stack-deleted", "stack", destructive,
             "Stack deletion begun", "Stack deletion failed", _status(*_GOING)),
            ("StackStatusChange", "stack-deleted", "stack", destructive,
             "Stack deleted", "Stack deletion failed", _status("DELETE_COMPLETE")),
            ("ResourceStatusChange", "table-deleted", "table", destructive,
             "Deletion of a stack's table begun", "Deletion of a stack's table failed",
             _status(*_GOING, of_type=_TABLES)),
            ("ResourceStatusChange", "table-deleted", "table", destructive,
             "Table deleted by its stack", "Deletion of a stack's table failed",
             _status("DELETE_COMPLETE", of_type=_TABLES)),
        )
    )  # fmt: skip


TABLE_AND_STACK_ACTIONS: tuple[Action, ...] = (*_dynamodb(), *_cloudformation())
