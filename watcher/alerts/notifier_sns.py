"""The notifier that publishes to an SNS topic: e-mail, SMS, queues and functions subscribe to it.

Publish (API reference) has no idempotency key on a standard topic, and nothing can be looked up: a message whose
answer was lost may come twice. On a FIFO topic SNS itself drops the second one within five minutes. Short faults are
retried by botocore, as for any call.

The structure of the message is a string and not JSON with a text for each protocol: with JSON, SNS leaves out the
message attributes (developer guide, "Message attributes"), and with them what subscribers filter by.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any, Protocol

from recovery.aws import aws_errors
from recovery.errors import AwsError
from rules.errors import AccessDeniedError, NotFoundError, SafetyNetError, UnavailableError, UsageError
from watcher.alerts.addresses import topic_region
from watcher.alerts.alert_text import message_text, short_text, subject_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)

# Bytes, of message and attributes together: 256 KiB by default, of which this is far from.
MAX_MESSAGE = 200_000
_DENIED = frozenset({"AuthorizationError", "KMSAccessDenied", "KMSOptInRequired", "InvalidSecurity"})
_PASSING = frozenset({"KMSThrottling", "InternalError", "Throttled"})
_SET_TOPIC = "Set the ARN of a topic that exists, in the account and region of the ARN."
_PERMIT = "Allow the caller sns:Publish on the topic, and kms:GenerateDataKey and kms:Decrypt on its key."


class SnsPublisher(Protocol):
    """What is used of an SNS client."""

    def publish(self, **request: Any) -> Mapping[str, Any]:
        """Publish (API reference)."""
        ...


class SnsNotifier:
    """Publishes each message to one topic. See ``watcher.alerts.notifier.Notifier``.

    ``client`` must be of the topic's region (``topic_region``). ``short``: only the first lines are sent, as SMS needs
    it, of which SNS refuses more than 1,600 characters. Raises UsageError for what is no topic's ARN.
    """

    def __init__(
        self, client: SnsPublisher, topic_arn: str, *, name: str = "sns", short: bool = False
    ) -> None:
        try:
            topic_region(topic_arn)
        except ValueError as error:
            raise UsageError(f"{name}: {error}", hint=_SET_TOPIC) from None
        self.name = name
        self._client = client
        self._topic = topic_arn
        self._short = short

    def send(self, notice: Notice) -> dict[str, str]:
        """Publish it; gives ``{"message_id": id}``.

        Raises UnavailableError, AccessDeniedError, NotFoundError (no such topic), SafetyNetError.
        """
        if notice.earlier_attempt is not None and not self._fifo:
            log.warning("incident %s: %s may come twice on SNS", notice.incident.id, notice.entry.key)
        request: dict[str, Any] = {
            "TopicArn": self._topic,
            "Subject": subject_line(notice),
            "Message": self._text(notice),
            "MessageAttributes": _attributes(notice),
        }
        if self._fifo:
            request["MessageGroupId"] = _digest(notice.incident.id)
            request["MessageDeduplicationId"] = _digest(f"{notice.incident.id}/{notice.entry.key}")
        try:
            with aws_errors(f"publish to the SNS topic of {self.name}"):
                answer = self._client.publish(**request)
        except AwsError as error:
            raise _translated(error) from error
        return {"message_id": str(answer.get("MessageId", ""))}

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """Nothing: what was published cannot be changed."""

    @property
    def _fifo(self) -> bool:
        return self._topic.endswith(".fifo")

    def _text(self, notice: Notice) -> str:
        text = short_text(notice) if self._short else message_text(notice)
        return text.encode()[:MAX_MESSAGE].decode(errors="ignore")


def _attributes(notice: Notice) -> dict[str, dict[str, str]]:
    """What filter policies of subscriptions can ask for. SNS refuses empty values."""
    incident = notice.incident
    values = {
        "kind": notice.entry.kind.value,
        "severity": incident.severity.value,
        "verdict": incident.verdict.value,
        "account": incident.account,
        "region": incident.region,
        "incident": incident.id,
        # Without it SMS are "Promotional": the cheapest, not the most reliable delivery.
        "AWS.SNS.SMS.SMSType": "Transactional",
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}


def _digest(value: str) -> str:
    """Ids of FIFO topics have at most 128 characters."""
    return hashlib.sha256(value.encode()).hexdigest()


def _translated(error: AwsError) -> SafetyNetError:
    if error.code in _DENIED:
        return AccessDeniedError(str(error), hint=_PERMIT)
    if error.code == "NotFound":
        return NotFoundError(str(error), hint=_SET_TOPIC)
    if error.code in _PASSING:
        return UnavailableError(str(error))
    return error
