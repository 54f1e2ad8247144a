"""The documents that carry change events, validated where they enter.

Shapes: CloudTrail user guide, 'CloudTrail record contents'; EventBridge reference, 'AWS service events'.
Only what the product reads is named here; the rest of a record stays in the raw document for rules to match.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel


def _text(value: object) -> object:
    """CloudTrail writes null, or leaves the key out, where it has nothing to say."""
    return "" if value is None else value


def _object(value: object) -> object:
    return {} if value is None else value


def _flag(value: object) -> object:
    """CloudTrail's flags are the texts "true" and "false"; a real boolean means the same."""
    return str(value).lower() if isinstance(value, bool) else _text(value)


_BEFORE_HOURS = ("T", "t", " ")


def _written_out(value: object) -> object:
    """A bare number would be taken for seconds since 1970; neither AWS nor we write times so."""
    if isinstance(value, datetime) or (
        isinstance(value, str) and value[4:5] == "-" and value[10:11] in _BEFORE_HOURS
    ):
        return value
    raise ValueError("a time like 2026-01-31T09:30:00Z is needed")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time outside the years 1 to 9999") from error


Text = Annotated[str, BeforeValidator(_text)]
Object = Annotated[dict[str, Any], BeforeValidator(_object)]


def _recorded(moment: datetime) -> datetime:
    """CloudTrail's times are UTC by definition; tools that pass records on leave the Z out."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else _in_utc(moment)


Flag = Annotated[str, BeforeValidator(_flag)]
UtcTime = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
RecordedTime = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_recorded)]


class _Element(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # what a request held may be somebody's data
    )


class SessionIssuer(_Element):
    """The role behind temporary credentials."""

    type: Text = ""
    arn: Text = ""
    account_id: Text = ""
    user_name: Text = ""


class SessionAttributes(_Element):
    """``mfaAuthenticated`` is the text "true" or "false"."""

    mfa_authenticated: Flag = ""


class SessionContext(_Element):
    """How a session came to be."""

    attributes: SessionAttributes | None = None
    session_issuer: SessionIssuer | None = None
    source_identity: Text = ""


class UserIdentity(_Element):
    """CloudTrail's ``userIdentity`` element."""

    type: Text = ""
    principal_id: Text = ""
    arn: Text = ""
    account_id: Text = ""
    user_name: Text = ""
    invoked_by: Text = ""
    session_context: SessionContext | None = None


class RecordResource(_Element):
    """One entry of a record's ``resources``."""

    arn: Annotated[Text, Field(alias="ARN")] = ""
    type: Text = ""
    account_id: Text = ""


class CloudTrailRecord(_Element):
    """One management event as CloudTrail writes it."""

    event_id: Annotated[str, Field(alias="eventID", min_length=1)]
    event_time: RecordedTime
    event_source: Annotated[str, Field(min_length=1)]
    event_name: Annotated[str, Field(min_length=1)]
    aws_region: Annotated[str, Field(min_length=1)]
    recipient_account_id: Text = ""
    user_identity: Annotated[UserIdentity, BeforeValidator(_object)] = UserIdentity()
    source_ip_address: Annotated[Text, Field(alias="sourceIPAddress")] = ""
    user_agent: Text = ""
    request_parameters: Object = {}
    response_elements: Object = {}
    resources: list[RecordResource] | None = None
    error_code: Text = ""
    error_message: Text = ""
    read_only: bool | None = None
    session_credential_from_console: Flag = ""


class EventEnvelope(_Element):
    """An event as EventBridge delivers it (EventBridge guide, 'Events')."""

    detail_type: Annotated[str, Field(alias="detail-type", min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    account: Text = ""
    detail: dict[str, Any]
