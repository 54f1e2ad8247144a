"""AWS Health's events about DynamoDB (AWS Health user guide, 'AWS Health events Amazon EventBridge schema').

An issue comes as an event with status ``open``, is told of again while it lasts, and ends with one of status
``closed``. The impacted region is ``detail.eventRegion``: the event itself may be delivered to another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rules.errors import EventError
from watcher.incidents.incident import UtcTime

DETAIL_TYPE = "AWS Health Event"
_SOURCE = b"aws.health"
_SERVICE = "DYNAMODB"


def _human_time(written: object) -> object:
    """``Mon, 23 Nov 2026 02:02:00 GMT``, as AWS Health writes times; what is not that is left to pydantic."""
    if not isinstance(written, str):
        return written
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return written
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


HealthTime = Annotated[UtcTime, BeforeValidator(_human_time)]


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """An issue of DynamoDB in a region. ``time`` is the event's, ``started`` and ``ended`` are the issue's.

    ``ended`` is ``time`` where AWS gives no end.
    """

    id: str
    arn: str
    code: str
    account: str
    region: str
    time: datetime
    started: datetime
    ended: datetime
    closed: bool


class _Detail(BaseModel):
    model_config = ConfigDict(frozen=True)

    arn: Annotated[str, Field(alias="eventArn", min_length=1, max_length=1600)]
    service: str
    code: Annotated[str, Field(alias="eventTypeCode", pattern=r"^[A-Z0-9_]{3,100}$")]
    category: Annotated[str, Field(alias="eventTypeCategory")] = ""
    region: Annotated[str, Field(alias="eventRegion", pattern=r"^[a-z0-9-]{0,40}$")] = ""
    status: Annotated[Literal["open", "closed", "upcoming"], Field(alias="statusCode")]
    started: Annotated[HealthTime | None, Field(alias="startTime")] = None
    ended: Annotated[HealthTime | None, Field(alias="endTime")] = None
    updated: Annotated[HealthTime | None, Field(alias="lastUpdatedTime")] = None


class _Glance(BaseModel):
    model_config = ConfigDict(frozen=True)

    detail_type: Annotated[str, Field(alias="detail-type")]
    source: str
    detail: dict[str, object] = {}


class _Envelope(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    account: Annotated[str, Field(max_length=20)] = ""
    time: UtcTime
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    detail: _Detail


def health_event(body: bytes) -> HealthEvent | None:
    """The issue of DynamoDB that a message tells of; None for every other message, scheduled changes too.

    Raises EventError for one that is about DynamoDB's health and cannot be understood.
    """
    if _SOURCE not in body or _SERVICE.encode() not in body:
        return None
    try:
        glance = _Glance.model_validate_json(body)
    except ValidationError:
        return None
    if (glance.source, glance.detail_type) != (_SOURCE.decode(), DETAIL_TYPE):
        return None
    if glance.detail.get("service") != _SERVICE or glance.detail.get("eventTypeCategory", "issue") != "issue":
        return None
    try:
        envelope = _Envelope.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EventError(f"not a usable AWS Health event: {place}: {first['msg']}") from error
    detail = envelope.detail
    if detail.status == "upcoming":
        return None
    return HealthEvent(
        id=envelope.id,
        arn=detail.arn,
        code=detail.code,
        account=envelope.account,
        region=detail.region or envelope.region,
        time=detail.updated or envelope.time,
        started=detail.started or envelope.time,
        ended=detail.ended or detail.updated or envelope.time,
        closed=detail.status == "closed",
    )
