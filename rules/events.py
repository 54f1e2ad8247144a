"""Change events: what came from the trail, a bus or a file, in the product's own words."""

from __future__ import annotations

import re
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from rules.actions import API_CALL, API_CALL_IN_CHINA, Action, NetPart, Weight
from rules.actors import Actor, Tool, actor_of, app_of, tool_of
from rules.errors import EventError
from rules.json_documents import read_json_object, short
from rules.net import ANY_NET
from rules.records import ApiCallEnvelope, CloudTrailRecord, EventEnvelope
from rules.resources import Resource, resource_of
from rules.service_events import service_record
from rules.watched import watched_action

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rules.net import NetParts

API_CALL_DETAIL_TYPES = frozenset({API_CALL, API_CALL_IN_CHINA})
READ_ONLY_PREFIXES = ("Describe", "List", "Get", "BatchGet", "Query", "Scan")
_READ_ONLY_NAME = re.compile(rf"(?:{'|'.join(READ_ONLY_PREFIXES)})(?![a-z])")
_DRY_RUN_ERRORS = frozenset({"DryRunOperation", "Client.DryRunOperation"})
_AT = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")

# CloudTrail began in 2013; what lies this far off is no time, and the rest leaves room to look back and ahead.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_MISSING = re.compile(r"missing required field `(?P<key>[^`]*)`")

_DETAIL_TYPE = b'"detail-type"'
_RECORD = msgspec.json.Decoder(CloudTrailRecord)
_API_CALL = msgspec.json.Decoder(ApiCallEnvelope)

StructT = TypeVar("StructT", bound=msgspec.Struct)


class ChangeEvent(msgspec.Struct, frozen=True, dict=True):
    """One management call or status change, of something watched or of something nobody watches (``action`` None).

    ``envelope`` is the EventBridge document that rules match; for a bare CloudTrail record it is made as
    EventBridge would have made it. All times are UTC. What is read from ``record`` only when somebody asks is a
    property: most events of an archive are never asked. So is the document of an archived event: ``document`` is
    None, and ``text`` is what it is read from.
    """

    record: CloudTrailRecord
    source: str
    account: str
    action: Action | None
    read_only: bool
    document: dict[str, Any] | None
    text: bytes = b""

    @property
    def id(self) -> str:
        """CloudTrail's ``eventID``, or the id of a service's own event."""
        return self.record.event_id

    @property
    def time(self) -> datetime:
        """When it happened; ``NO_TIME`` for a service's event that nobody watches and that does not say."""
        return self.record.event_time

    @property
    def region(self) -> str:
        """Where it happened."""
        return self.record.aws_region

    @property
    def event_source(self) -> str:
        """The service: ``dynamodb.amazonaws.com``."""
        return self.record.event_source

    @property
    def event_name(self) -> str:
        """The call, or what the parser calls a status change (``rules.watched.STATUS_CHANGES``)."""
        return self.record.event_name

    @property
    def error_code(self) -> str:
        """AWS's error, "" for a call that succeeded."""
        return self.record.error_code or ""

    @property
    def failed(self) -> bool:
        """A call that AWS refused is an attempt, not a change."""
        return bool(self.record.error_code)

    @property
    def watched(self) -> bool:
        """Whether it is a change, or an attempt at one, that this net looks after."""
        return self.action is not None and not self.read_only

    @property
    def alerting(self) -> bool:
        """Whether it is watched for its own sake, and not only to understand other events."""
        return self.action is not None and not self.read_only and self.action.weight is not Weight.CONTEXT

    @property
    def title(self) -> str:
        """What happened, in three words: ``Table deleted``."""
        if self.action is None:
            return f"{self.event_name} on {self.event_source}"
        return self.action.attempt if self.failed else self.action.past

    @property
    def error_message(self) -> str:
        """Why AWS refused the call."""
        return self.record.error_message or ""

    @property
    def user_agent(self) -> str:
        """What the caller said it was."""
        return self.record.user_agent or ""

    @property
    def app(self) -> str:
        """The name that the calling application gave itself (``app/<id>`` in the user agent), or ""."""
        return app_of(self.user_agent)

    @property
    def request_token(self) -> str:
        """CloudFormation's client request token, common to one operation and what it causes, or ""."""
        token = self.record.request.get("clientRequestToken")
        return token if isinstance(token, str) else ""

    @cached_property
    def envelope(self) -> dict[str, Any]:
        """The event as EventBridge delivers it."""
        if self.document is not None:
            return self.document
        document: dict[str, Any] = msgspec.json.decode(self.text)
        document.pop("facts", None)
        return document if "detail-type" in document else _envelope_of(self.record, document)

    @cached_property
    def resource(self) -> Resource:
        """What it is about."""
        return resource_of(self.record)

    @cached_property
    def actor(self) -> Actor:
        """Who did it."""
        return actor_of(self.record)

    @cached_property
    def tool(self) -> Tool:
        """What it was done with."""
        return tool_of(self.record)


def parse_event_json(body: str | bytes, net: NetParts = ANY_NET) -> ChangeEvent:
    """The change event in a queue message or file.

    Raises EventError for anything that is not one event in JSON: the text is never guessed at.
    """
    return parse_event(read_json_object(body), net)


def parse_archived(text: bytes, net: NetParts = ANY_NET) -> ChangeEvent:
    """The same of a record or envelope out of an archive that CloudTrail wrote, three times as fast.

    What is not an API call, or not quite as it should be, is left to ``parse_event_json``, which has the last word.
    Only two things are taken on trust: no name stands twice in an object, and none of CloudTrail's own has a dot.
    """
    try:
        if _DETAIL_TYPE not in text:
            record = _in_utc(_RECORD.decode(text))
            return _event(record, _source_of(record), record.recipient_account_id, net, None, text)
        call = _API_CALL.decode(text)
        if call.detail_type in API_CALL_DETAIL_TYPES:
            record = _in_utc(call.detail)
            return _event(record, call.source, record.recipient_account_id or call.account, net, None, text)
    except (msgspec.DecodeError, EventError, RecursionError):
        pass  # said again, and better, below
    return parse_event_json(text, net)


def parse_event(document: Mapping[str, Any], net: NetParts = ANY_NET) -> ChangeEvent:
    """The change event in an EventBridge envelope or a bare CloudTrail record.

    A call that could tamper with a net is an action only where it hits a part of ``net``.
    Raises EventError where fields are missing or of the wrong type, or the kind of event is unknown.
    """
    _refuse_ambiguous(document)
    if "detail-type" in document or "detail" in document:
        if document.get("detail-type") in (API_CALL, API_CALL_IN_CHINA):
            call = _validated(ApiCallEnvelope, document, "EventBridge envelope with a CloudTrail record")
            record = _in_utc(call.detail)
            return _event(
                record, call.source, record.recipient_account_id or call.account, net, dict(document)
            )
        other = _validated(EventEnvelope, document, "EventBridge envelope")
        service = service_record(other)
        if service is None:
            raise EventError(short(f"unknown kind of event: detail-type '{other.detail_type}'"))
        return _event(service, other.source, service.recipient_account_id, net, dict(document))
    if "eventName" in document or "eventVersion" in document:
        record = _in_utc(_validated(CloudTrailRecord, document, "CloudTrail record"))
        return _event(
            record, _source_of(record), record.recipient_account_id, net, _envelope_of(record, document)
        )
    raise EventError(
        "neither an EventBridge envelope (detail-type, detail) nor a CloudTrail record (eventName)"
    )


def _refuse_ambiguous(document: Mapping[str, Any]) -> None:
    """Raise EventError for keys that a pattern would read in another way than the parser does.

    EventBridge takes a dotted key for nested ones; where AWS names the keys none has a dot, so one there was put in
    to be taken for another field. ``facts`` are ours.
    """
    detail = document.get("detail")
    record = detail if isinstance(detail, dict) else document
    identity = record.get("userIdentity")
    context = identity.get("sessionContext") if isinstance(identity, dict) else None
    parts = [document, record, identity, context]
    if isinstance(context, dict):
        parts += [context.get("sessionIssuer"), context.get("attributes")]
    for part in parts:
        if isinstance(part, dict) and "." in "".join(part):
            name = next(name for name in part if "." in name)
            raise EventError(short(f"a key with a dot where AWS writes none: {name!r}"))
    if "facts" in document:
        raise EventError("an event that brings facts of its own")


def _in_utc(record: CloudTrailRecord) -> CloudTrailRecord:
    """The record with its time in UTC, which CloudTrail's are by definition; some tools leave the Z out."""
    time = record.event_time
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise EventError(
            f"not a usable CloudTrail record: eventTime: outside the years {_FIRST_YEAR} to {_LAST_YEAR}"
        )
    if time.tzinfo is UTC:
        return record
    moved = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return msgspec.structs.replace(record, event_time=moved)


def _event(
    record: CloudTrailRecord,
    source: str,
    account: str | None,
    net: NetParts,
    document: dict[str, Any] | None,
    text: bytes = b"",
) -> ChangeEvent:
    action = watched_action(record.event_source, record.event_name, record.request)
    if action is not None and action.part is not None and not _ours(record, action.part, net):
        action = None
    read_only = _dry_run(record) or (action is None and _reads(record))
    account = account or record.identity.account_id or ""
    return ChangeEvent(record, source, account, action, read_only, document, text)


def _ours(record: CloudTrailRecord, part: NetPart, net: NetParts) -> bool:
    return net.owns(part, resource_of(record))


def _reads(record: CloudTrailRecord) -> bool:
    """Whether a call nobody watches only reads. What is watched changes something, whatever its record says."""
    # Records of 2015 say nothing.
    said = record.read_only
    return _READ_ONLY_NAME.match(record.event_name) is not None if said is None else said


def _dry_run(record: CloudTrailRecord) -> bool:
    """Whether the call only asked what would happen."""
    if record.error_code in _DRY_RUN_ERRORS:
        return True
    request = record.request_parameters
    return request is not None and (request.get("dryRun") is True or request.get("DryRun") is True)


def _source_of(record: CloudTrailRecord) -> str:
    return "aws." + record.event_source.removesuffix(".amazonaws.com")


def _envelope_of(record: CloudTrailRecord, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": record.event_id,
        "detail-type": API_CALL_IN_CHINA if record.aws_region.startswith("cn-") else API_CALL,
        "source": _source_of(record),
        "account": record.recipient_account_id or record.identity.account_id or "",
        "time": record.event_time.replace(microsecond=0, tzinfo=None).isoformat() + "Z",
        "region": record.aws_region,
        "resources": [],
        "detail": document,
    }


def _validated(model: type[StructT], document: Mapping[str, Any], what: str) -> StructT:
    try:
        return msgspec.convert(document, model)
    except msgspec.ValidationError as error:
        raise EventError(short(f"not a usable {what}: {_plainly(str(error))}")) from error


def _plainly(message: str) -> str:
    """``Expected `str`, got `int` - at `$.eventName` `` as ``eventName: expected str, got int``."""
    missing = _MISSING.search(message)
    found = _AT.search(message)
    place = found["place"] if found else ""
    if missing:
        return f"{place + '.' if place else ''}{missing['key']}: missing"
    reason = message[: found.start()] if found else message
    reason = reason[:1].lower() + reason[1:].replace("`", "")
    if "datetime" in reason:
        reason = "a time like 2026-01-31T09:30:00Z is needed"
    return f"{place}: {reason}" if place else reason
