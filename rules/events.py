"""Change events: what came from the trail, in the product's own words."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from rules.actions import CLOUDFORMATION, DYNAMODB, Action, watched_action
from rules.actors import Actor, Tool, actor_of, tool_of
from rules.errors import EventError
from rules.records import CloudTrailRecord, EventEnvelope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_API_CALL, _API_CALL_IN_CHINA = "AWS API Call via CloudTrail", "Amazon API Call via CloudTrail"
API_CALL_DETAIL_TYPES = frozenset({_API_CALL, _API_CALL_IN_CHINA})
READ_ONLY_PREFIXES = ("Describe", "List", "Get", "BatchGet", "Query", "Scan")
_READ_ONLY_NAME = re.compile(rf"(?:{'|'.join(READ_ONLY_PREFIXES)})(?![a-z])")
_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_MESSAGE = 900
_TABLE = ":table/"

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a change event is about. ``type`` is "table", "stack", "backup", or "" where nobody watches.

    For a backup, ``name`` is its table's and ``arn`` its own.
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
    return parse_event(read_json_object(body))


def read_json_object(body: str | bytes) -> dict[str, Any]:
    """The JSON object (RFC 8259, in UTF-8) in a text.

    Raises EventError for anything else, also for what Python would let pass: NaN and numbers beyond a float,
    names that stand twice, halves of characters. Two readers could take such a text for two different events.
    """
    try:
        text = body if isinstance(body, str) else body.decode("utf-8-sig")
        document = json.loads(
            text, object_pairs_hook=_each_once, parse_constant=_no_constant, parse_float=_finite
        )
        if isinstance(body, str):
            body.encode()
        if _HALF_A_CHARACTER.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise EventError(_short(f"not JSON: {error}")) from error
    if not isinstance(document, dict):
        raise EventError(f"expected a JSON object, found {type(document).__name__}")
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number


def parse_event(document: Mapping[str, Any]) -> ChangeEvent:
    """The change event in an EventBridge envelope or a bare CloudTrail record.

    Raises EventError where fields are missing or of the wrong type, or the kind of event is unknown.
    """
    if "detail-type" in document or "detail" in document:
        envelope = _validated(EventEnvelope, document, "EventBridge envelope")
        if envelope.detail_type not in API_CALL_DETAIL_TYPES:
            raise EventError(_short(f"unknown kind of event: detail-type '{envelope.detail_type}'"))
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
    said = record.read_only
    return ChangeEvent(
        id=record.event_id,
        time=record.event_time,
        account=record.recipient_account_id or account or record.user_identity.account_id,
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
        # What is watched changes something, whatever its record says; records of 2015 say nothing.
        read_only=action is None
        and (_READ_ONLY_NAME.match(record.event_name) is not None if said is None else said),
        envelope=envelope,
    )


def _resource_of(record: CloudTrailRecord) -> Resource:
    request, response = record.request_parameters, record.response_elements
    if record.event_source == DYNAMODB and record.event_name == "DeleteBackup":
        return _backup_of(record, request, response)
    if record.event_source == DYNAMODB:
        return _table_of(record, request, response)
    if record.event_source == CLOUDFORMATION:
        stack = _str(request, "stackName") or _str(response, "stackId")
        return Resource("stack", _stack_name(stack), stack if _is_arn(stack) else "", _stack_id(stack))
    return Resource("", "")


def _table_of(record: CloudTrailRecord, request: Mapping[str, Any], response: Mapping[str, Any]) -> Resource:
    """The table of a DynamoDB record: large requests are cut to ``{"omitted": true}``, old ones lack the name."""
    described = _dict(response, "tableDescription")
    asked = _str(request, "tableName") or _str(described, "tableName")
    arns = [_str(described, "tableArn"), asked, *_arns(record)]
    arn = next((_table_arn(arn) for arn in arns if _is_arn(arn) and _TABLE in arn), "")
    return Resource("table", table_name(asked) or table_name(arn), arn, _str(described, "tableId"))


def _backup_of(record: CloudTrailRecord, request: Mapping[str, Any], response: Mapping[str, Any]) -> Resource:
    """The backup of a DeleteBackup record. It is its own incarnation: a table has many, and each is a loss."""
    description = _dict(response, "backupDescription")
    arns = [
        _str(request, "backupArn"),
        _str(_dict(description, "backupDetails"), "backupArn"),
        *_arns(record),
    ]
    arn = next((arn for arn in arns if _is_arn(arn) and "/backup/" in arn), "")
    source = _dict(description, "sourceTableDetails")
    name = table_name(arn) or _str(source, "tableName") or table_name(next(iter(_arns(record)), ""))
    return Resource("backup", name, arn, arn.rpartition("/")[2])


def _arns(record: CloudTrailRecord) -> list[str]:
    return [resource.arn for resource in record.resources or [] if _TABLE in resource.arn]


def table_name(name_or_arn: str) -> str:
    """The bare table name in a name or an ARN (``arn:aws:dynamodb:<region>:<account>:table/<name>[/...]``)."""
    if not _is_arn(name_or_arn):
        return name_or_arn
    return name_or_arn.partition(_TABLE)[2].split("/", 1)[0]


def _table_arn(arn: str) -> str:
    """The table's own ARN in that of its index, stream or backup."""
    before, mark, path = arn.partition(_TABLE)
    return before + mark + path.split("/", 1)[0]


def _is_arn(text: str) -> bool:
    return text.startswith("arn:")


def _stack_name(name_or_arn: str) -> str:
    """The name in ``arn:aws:cloudformation:<region>:<account>:stack/<name>/<id>``, or the name as it is."""
    parts = name_or_arn.split("/")
    return parts[1] if _is_arn(name_or_arn) and len(parts) > 1 else name_or_arn


def _stack_id(name_or_arn: str) -> str:
    parts = name_or_arn.split("/")
    return parts[2] if _is_arn(name_or_arn) and len(parts) > 2 else ""  # noqa: PLR2004 - the third part


def _dict(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _str(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _envelope_of(record: CloudTrailRecord, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": record.event_id,
        "detail-type": _API_CALL_IN_CHINA if record.aws_region.startswith("cn-") else _API_CALL,
        "source": "aws." + record.event_source.removesuffix(".amazonaws.com"),
        "account": record.recipient_account_id or record.user_identity.account_id,
        "time": record.event_time.replace(microsecond=0, tzinfo=None).isoformat() + "Z",
        "region": record.aws_region,
        "resources": [],
        "detail": dict(document),
    }


def _validated(model: type[ModelT], document: Mapping[str, Any], what: str) -> ModelT:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {_plainly(fault['msg'])}"
            for fault in error.errors(include_url=False, include_input=False)[:5]
        )
        raise EventError(_short(f"not a usable {what}: {faults}")) from error


def _plainly(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _short(message: str) -> str:
    """A message for logs and Slack: what a stranger wrote into an event must neither fill nor forge a line."""
    printable = "".join(
        character if character.isprintable() else "?" for character in message[:_LONGEST_MESSAGE]
    )
    return printable if len(message) <= _LONGEST_MESSAGE else printable + "..."
