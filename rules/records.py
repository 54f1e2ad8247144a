"""The documents that carry change events, validated where they enter.

Shapes: CloudTrail user guide, 'CloudTrail record contents'; EventBridge reference, 'AWS service events'.
Only what the product reads is named here; the rest of a record stays in the raw document for rules to match.

These are msgspec structs and not pydantic models: every record of a back-test passes here, and validation is
seven times as fast (docs/decisions/0006-msgspec-records.md). CloudTrail writes null, or leaves the key out, where
it has nothing to say; both read as None here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from rules.errors import EventError

_BEFORE_HOURS = ("T", "t", " ")

Said = Annotated[str, msgspec.Meta(min_length=1)]
# CloudTrail's flags are the texts "true" and "false"; a real boolean means the same.
Flag = str | bool | None


class _Element(msgspec.Struct, frozen=True, rename="camel"):
    """What of a document is read; other keys are passed over."""


class SessionIssuer(_Element, frozen=True):
    """The role behind temporary credentials."""

    type: str | None = None
    arn: str | None = None
    account_id: str | None = None
    user_name: str | None = None


class SessionAttributes(_Element, frozen=True):
    """``mfaAuthenticated`` is the text "true" or "false"."""

    mfa_authenticated: Flag = None


class SessionContext(_Element, frozen=True):
    """How a session came to be."""

    attributes: SessionAttributes | None = SessionAttributes()
    session_issuer: SessionIssuer | None = SessionIssuer()
    source_identity: str | None = None


class UserIdentity(_Element, frozen=True):
    """CloudTrail's ``userIdentity`` element."""

    type: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    account_id: str | None = None
    user_name: str | None = None
    invoked_by: str | None = None
    session_context: SessionContext | None = SessionContext()


class RecordResource(_Element, frozen=True):
    """One entry of a record's ``resources``; most services write ``ARN``, some ``arn``."""

    upper_arn: str | None = msgspec.field(name="ARN", default=None)
    lower_arn: str | None = msgspec.field(name="arn", default=None)

    @property
    def arn(self) -> str:
        """The resource's ARN, "" where it has none."""
        return self.upper_arn or self.lower_arn or ""


NOBODY = UserIdentity()


class CloudTrailRecord(_Element, frozen=True, kw_only=True):
    """One management event as CloudTrail writes it."""

    event_id: Said = msgspec.field(name="eventID")
    event_time: datetime
    event_source: Said
    event_name: Said
    aws_region: Said
    recipient_account_id: str | None = None
    user_identity: UserIdentity | None = NOBODY
    source_ip_address: str | None = msgspec.field(name="sourceIPAddress", default=None)
    user_agent: str | None = None
    request_parameters: dict[str, Any] | None = None
    response_elements: dict[str, Any] | None = None
    resources: list[RecordResource] | None = None
    error_code: str | None = None
    error_message: str | None = None
    read_only: bool | None = None
    session_credential_from_console: Flag = None

    @property
    def identity(self) -> UserIdentity:
        """Who called; an identity that says nothing where there is none."""
        return self.user_identity or NOBODY

    @property
    def request(self) -> dict[str, Any]:
        """``requestParameters``, empty where there are none."""
        return self.request_parameters or {}

    @property
    def response(self) -> dict[str, Any]:
        """``responseElements``, empty where there are none."""
        return self.response_elements or {}


class EventEnvelope(_Element, frozen=True):
    """An event as EventBridge delivers it (EventBridge guide, 'Events')."""

    detail_type: Said = msgspec.field(name="detail-type")
    source: Said
    detail: dict[str, Any]
    id: str | None = None
    account: str | None = None
    region: str | None = None
    time: Any = None


class ApiCallEnvelope(_Element, frozen=True):
    """An envelope of ``AWS API Call via CloudTrail``."""

    detail: CloudTrailRecord
    source: Said
    detail_type: Said = msgspec.field(name="detail-type")
    account: str | None = None


def recorded_time(written: object, key: str) -> datetime:
    """The UTC time in a text like ``2026-01-31T09:30:00Z``.

    CloudTrail's times are UTC by definition; tools that pass records on leave the Z out. Bare days, bare numbers
    and human text are refused. Raises EventError, which names ``key``.
    """
    try:
        if not isinstance(written, str) or written[4:5] != "-" or written[10:11] not in _BEFORE_HOURS:
            raise ValueError("not written like that")  # noqa: TRY301 - one message for all of them
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise EventError(f"{key}: a time like 2026-01-31T09:30:00Z is needed") from error


def flag(value: Flag) -> str:
    """CloudTrail's flag as the text "true", "false" or ""."""
    return str(value).lower() if isinstance(value, bool) else (value or "")
