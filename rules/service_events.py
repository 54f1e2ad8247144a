"""Events that no API call is behind, read as the records that CloudTrail would have written of them.

Shapes: EventBridge reference, 'CloudFormation events', 'Amazon S3 events', 'AWS Health events'. CloudFormation's
and S3's say what AWS did and name no person, so the service itself is the one that did it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rules.actions import CLOUDFORMATION, member
from rules.errors import EventError
from rules.net_actions import S3
from rules.records import CloudTrailRecord, SessionContext, UserIdentity, recorded_time
from rules.watched import ACTIONS_BY_CALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.records import EventEnvelope

HEALTH = "health.amazonaws.com"
# What nobody watches need not have a time: it is only counted.
NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


def service_record(envelope: EventEnvelope) -> CloudTrailRecord | None:
    """The record of a service event; None for a kind of event that is not known.

    Raises EventError where a known kind lacks what makes it an event.
    """
    known = _KINDS.get(envelope.detail_type)
    if known is None:
        return None
    source, name, request_of = known
    request = request_of(envelope.detail)
    status = request.get("status")
    return CloudTrailRecord(
        event_id=_needed(envelope.id, "id"),
        event_time=_time(envelope.time, watched=(source, name) in ACTIONS_BY_CALL),
        event_source=source,
        event_name=name or _text(request.get("eventTypeCode")) or envelope.detail_type,
        aws_region=_needed(envelope.region, "region"),
        recipient_account_id=envelope.account,
        user_identity=_by(source, _text(envelope.detail.get("requester"))),
        source_ip_address=_text(envelope.detail.get("source-ip-address")) or source,
        user_agent=source,
        request_parameters=request,
        error_code=status if status == "DELETE_FAILED" else None,
        error_message=_text(request.get("statusReason")) or None,
        read_only=False,
    )


def _time(written: object, *, watched: bool) -> datetime:
    """The time of a service's event; ``NO_TIME`` where it is none and nobody watches the event."""
    try:
        return recorded_time(written, "time")
    except EventError as error:
        if watched:
            raise EventError(f"not a usable EventBridge envelope: {error}") from error
        return NO_TIME


def _by(source: str, requester: str) -> UserIdentity:
    """CloudFormation acts itself; S3 names the account or the service that asked, but no principal."""
    account = requester if requester.isdecimal() else None
    kind = "AWSAccount" if account else "AWSService"
    return UserIdentity(
        type=kind, account_id=account, invoked_by=None if account else requester or source,
        session_context=SessionContext(),
    )  # fmt: skip


def _stack_change(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "stackName": _needed(_text(detail.get("stack-id")), "detail.stack-id"),
        "status": _text(member(detail, "status-details", "status")),
        "statusReason": _text(member(detail, "status-details", "status-reason")),
        "clientRequestToken": _text(detail.get("client-request-token")),
    }


def _resource_change(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        **_stack_change(detail),
        "logicalResourceId": _text(detail.get("logical-resource-id")),
        "physicalResourceId": _text(detail.get("physical-resource-id")),
        "resourceType": _text(detail.get("resource-type")),
    }


def _stack_set_change(detail: dict[str, Any]) -> dict[str, Any]:
    arn = _text(detail.get("stack-set-arn"))
    return {"stackSetName": arn.partition(":stackset/")[2]}


def _object_change(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "bucketName": _needed(_text(member(detail, "bucket", "name")), "detail.bucket.name"),
        "key": _needed(_text(member(detail, "object", "key")), "detail.object.key"),
        "versionId": _text(member(detail, "object", "version-id")),
        "reason": _text(detail.get("reason")),
        "deletionType": _text(detail.get("deletion-type")),
    }


def _health(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "service": _text(detail.get("service")),
        "eventTypeCode": _text(detail.get("eventTypeCode")),
        "statusCode": _text(detail.get("statusCode")),
    }


_KINDS: dict[str, tuple[str, str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "CloudFormation Stack Status Change": (CLOUDFORMATION, "StackStatusChange", _stack_change),
    "CloudFormation Resource Status Change": (CLOUDFORMATION, "ResourceStatusChange", _resource_change),
    "CloudFormation Drift Detection Status Change": (CLOUDFORMATION, "DriftDetectionStatusChange", _stack_change),
    "CloudFormation StackSet Status Change": (CLOUDFORMATION, "StackSetStatusChange", _stack_set_change),
    "CloudFormation StackSet Operation Status Change": (
        CLOUDFORMATION, "StackSetOperationStatusChange", _stack_set_change,
    ),
    "CloudFormation StackSet StackInstance Status Change": (
        CLOUDFORMATION, "StackSetStackInstanceStatusChange", _stack_set_change,
    ),
    "Object Created": (S3, "ObjectCreated", _object_change),
    "Object Deleted": (S3, "ObjectDeleted", _object_change),
    "AWS Health Event": (HEALTH, "", _health),
}  # fmt: skip


def _needed(value: str | None, key: str) -> str:
    if not value:
        raise EventError(f"not a usable EventBridge envelope: {key}: missing or empty")
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
