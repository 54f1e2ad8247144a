"""Which files of a trail a message tells of: the notifications of S3, of EventBridge and of CloudTrail itself.

S3 guide, 'Event message structure' (keys are URL-encoded) and 'EventBridge event message structure' (they are not);
CloudTrail guide, 'Configuring SNS notifications'. Each may come wrapped by SNS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

_S3_CREATED = "ObjectCreated:"
_MOST_NESTED = 3

Name = Annotated[str, Field(min_length=1, max_length=1024)]


@dataclass(frozen=True, slots=True)
class CreatedObject:
    """An object that S3 or CloudTrail says it has written."""

    bucket: str
    key: str


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Bucket(_Part):
    name: Name


class _Object(_Part):
    key: Name


class _Stored(_Part):
    bucket: _Bucket
    object: _Object


class _S3Record(_Part):
    event_source: Literal["aws:s3"] = Field(alias="eventSource")
    event_name: Annotated[str, Field(alias="eventName")]
    s3: _Stored


class _S3Notification(_Part):
    """``Records``: in practice always one."""

    records: Annotated[tuple[_S3Record, ...], Field(alias="Records", min_length=1)]

    def objects(self) -> tuple[CreatedObject, ...] | None:
        """None where something else than a creation is among them."""
        if not all(record.event_name.startswith(_S3_CREATED) for record in self.records):
            return None
        return tuple(
            CreatedObject(record.s3.bucket.name, unquote_plus(record.s3.object.key))
            for record in self.records
        )


class _S3TestEvent(_Part):
    """What S3 sends when notifications are set up."""

    event: Literal["s3:TestEvent"] = Field(alias="Event")

    def objects(self) -> tuple[CreatedObject, ...]:
        """None: it is a test."""
        return ()


class _EventBridgeEvent(_Part):
    detail_type: Literal["Object Created"] = Field(alias="detail-type")
    source: Literal["aws.s3"]
    detail: _Stored

    def objects(self) -> tuple[CreatedObject, ...]:
        """The one."""
        return (CreatedObject(self.detail.bucket.name, self.detail.object.key),)


class _TrailNotification(_Part):
    bucket: Name = Field(alias="s3Bucket")
    keys: Annotated[tuple[Name, ...], Field(alias="s3ObjectKey")]

    def objects(self) -> tuple[CreatedObject, ...]:
        """All of them."""
        return tuple(CreatedObject(self.bucket, key) for key in self.keys)


class _SnsNotification(_Part):
    type: Literal["Notification"] = Field(alias="Type")
    message: str = Field(alias="Message")


_NOTIFICATIONS: TypeAdapter[
    _S3Notification | _S3TestEvent | _EventBridgeEvent | _TrailNotification | _SnsNotification
] = TypeAdapter(_S3Notification | _S3TestEvent | _EventBridgeEvent | _TrailNotification | _SnsNotification)


def created_objects(body: bytes) -> tuple[CreatedObject, ...] | None:
    """The objects that a message tells of; none for a test message; None for a message that tells of no creation."""
    text: str | bytes = body
    for _ in range(_MOST_NESTED):
        try:
            found = _NOTIFICATIONS.validate_json(text)
        except ValidationError:
            return None
        if not isinstance(found, _SnsNotification):
            return found.objects()
        text = found.message
    return None
