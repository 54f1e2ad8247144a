"""Change events: what came from the trail, in the product's own words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from rules.actions import DYNAMODB, Action, watched_action
from rules.actors import Actor, Tool, actor_of, tool_of
from rules.errors import EventError
from rules.records import CloudTrailRecord, EventEnvelope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

API_CALL_DETAIL_TYPES = frozenset({"AWS API Call via CloudTrail", "Amazon API Call via CloudTrail"})
READ_ONLY_PREFIXES = ("Describe", "List", "Get", "BatchGet", "Query", "Scan")

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a change event is about. ``type`` is "table", "stack" or "backup".

    ``incarnation`` tells two tables of the same name apart: DynamoDB's TableId, the unique end of a stack's
    ARN, or "" where the record does not say.
    """

    type: str
    name: str
    arn: str = ""
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One management call about a watched resource, or about something nobody watches (``action`` None).

    ``envelope`` is the EventBridge document that rules match; for a bare CloudTrail record it is made as
    EventBridge would have made it. All times are UTC.
    """

    id: str
    time: datetime
    account: str
    region: str
    event_source: str
    event_name: str
    resource: Resource
    actor: Actor
    tool: Tool
    action: Action | None
    user_agent: str
    error_code: str
    error_message: str
    read_only: bool
    envelope: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """A call that AWS refused is an attempt, not a change."""
        return bool(self.error_code)

    @property
    def title(self) -> str:
        """What happened, in three words: ``Table deleted``."""
        if self.action is None:
            return f"{self.event_name} on {self.event_source}"
        return self.action.attempt if self.failed else self.action.past


def parse_event_json(body: str | bytes) -> ChangeEvent:
    """The change event in a queue message or file.

    Raises EventError for anything that is not one event in JSON: the text is never guessed at.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise EventError(f"expected a JSON object, found {type(document).__name__}")
    return parse_event(document)


def parse_event(document: Mapping[str, Any]) -> ChangeEvent:
    """The change event in an EventBridge envelope or a bare CloudTrail record.

    Raises EventError where fields are missing or of the wrong type, or the kind of event is unknown.
    """
    if "detail-type" in document or "detail" in document:
        envelope = _validated(EventEnvelope, document, "EventBridge envelope")
        if envelope.detail_type not in API_CALL_DETAIL_TYPES:
            raise EventError(f"unknown kind of event: detail-type {envelope.detail_type!r}")
        record = _validated(CloudTrailRecord, envelope.detail, "CloudTrail record in the envelope")
        return _from_record(record, document, envelope.account)
    if "eventName" in document or "eventVersion" in document:
        record = _validated(CloudTrailRecord, document, "CloudTrail record")
        return _from_record(record, _envelope_of(record, document), "")
    raise EventError(
        "neither an EventBridge envelope (detail-type, detail) nor a CloudTrail record (eventName)"
    )


def _from_record(record: CloudTrailRecord, envelope: Mapping[str, Any], account: str) -> ChangeEvent:
    action = watched_action(record.event_source, record.event_name, record.request_parameters)
    owner = record.recipient_account_id or account or record.user_identity.account_id
    return ChangeEvent(
        id=record.event_id,
        time=record.event_time,
        account=owner,
        region=record.aws_region,
        event_source=record.event_source,
        event_name=record.event_name,
        resource=_resource_of(record),
        actor=actor_of(record),
        tool=tool_of(record),
        action=action,
        user_agent=record.user_agent,
        error_code=record.error_code,
        error_message=record.error_message,
        read_only=record.read_only is True or record.event_name.startswith(READ_ONLY_PREFIXES),
        envelope=envelope,
    )


def _resource_of(record: CloudTrailRecord) -> Resource:
    request, response = record.request_parameters, record.response_elements
    if record.event_source == DYNAMODB:
        return _table_of(record, request, response)
    stack = _str(request, "stackName") or _str(response, "stackId")
    return Resource("stack", _stack_name(stack), stack if stack.startswith("arn:") else "", _stack_id(stack))


def _table_of(record: CloudTrailRecord, request: Mapping[str, Any], response: Mapping[str, Any]) -> Resource:
    """The table of a DynamoDB record: large requests are cut to ``{"omitted": true}``, old ones lack the name."""
    description = response.get("tableDescription")
    described = description if isinstance(description, dict) else {}
    arns = [
        resource.arn
        for resource in record.resources or []
        if resource.arn.startswith("arn:") and ":table/" in resource.arn
    ]
    asked = _str(request, "tableName") or _str(described, "tableName")
    arn = _str(described, "tableArn") or (asked if asked.startswith("arn:") else "") or next(iter(arns), "")
    if not arn:
        arn = next((value for value in (_str(request, "backupArn"),) if value), "")
    name = table_name(asked) or table_name(arn)
    kind = "backup" if record.event_name == "DeleteBackup" else "table"
    return Resource(kind, name, arn, _str(described, "tableId"))


def table_name(name_or_arn: str) -> str:
    """The bare table name in a name or an ARN (``arn:aws:dynamodb:<region>:<account>:table/<name>[/...]``)."""
    if not name_or_arn.startswith("arn:"):
        return name_or_arn
    _, _, path = name_or_arn.partition(":table/")
    return path.split("/", 1)[0]


def _stack_name(name_or_arn: str) -> str:
    return name_or_arn.split("/")[1] if name_or_arn.startswith("arn:") and "/" in name_or_arn else name_or_arn


def _stack_id(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else ""


def _str(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _envelope_of(record: CloudTrailRecord, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": record.event_id,
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws." + record.event_source.removesuffix(".amazonaws.com"),
        "account": record.recipient_account_id,
        "time": record.event_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": record.aws_region,
        "resources": [],
        "detail": dict(document),
    }


def _validated(model: type[ModelT], document: Mapping[str, Any], what: str) -> ModelT:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].lower()}"
            for fault in error.errors()[:5]
        )
        raise EventError(f"not a usable {what}: {faults}") from error
