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


Text = Annotated[str, BeforeValidator(_text)]
Object = Annotated[dict[str, Any], BeforeValidator(_object)]
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class _Element(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class SessionIssuer(_Element):
    """The role behind temporary credentials."""

    type: Text = ""
    arn: Text = ""
    account_id: Text = ""
    user_name: Text = ""


class SessionAttributes(_Element):
    """``mfaAuthenticated`` is the text "true" or "false"."""

    mfa_authenticated: Text = ""


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
    event_time: UtcTime
    event_source: Annotated[str, Field(min_length=1)]
    event_name: Annotated[str, Field(min_length=1)]
    aws_region: Annotated[str, Field(min_length=1)]
    recipient_account_id: Text = ""
    user_identity: UserIdentity = UserIdentity()
    source_ip_address: Annotated[Text, Field(alias="sourceIPAddress")] = ""
    user_agent: Text = ""
    request_parameters: Object = {}
    response_elements: Object = {}
    resources: list[RecordResource] | None = None
    error_code: Text = ""
    error_message: Text = ""
    read_only: bool | None = None
    session_credential_from_console: Text = ""


class EventEnvelope(_Element):
    """An event as EventBridge delivers it (EventBridge guide, 'Events')."""

    id: Text = ""
    detail_type: Annotated[str, Field(alias="detail-type", min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    account: Text = ""
    region: Text = ""
    time: datetime | str | None = None
    detail: dict[str, Any]
