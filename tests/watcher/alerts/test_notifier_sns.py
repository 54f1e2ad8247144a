"""An SNS topic gets messages that mail and SMS can carry and subscribers can filter."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from recovery.aws import Aws, AwsSettings
from rules.errors import AccessDeniedError, NotFoundError, SafetyNetError, UnavailableError, UsageError
from rules.verdicts import Severity
from tests.watcher.alerting import INCIDENT_ID, NIGHT, a_notice, an_incident
from watcher.alerts.alert_text import message_text
from watcher.alerts.notifier_sns import SnsNotifier
from watcher.incidents.incident import NoticeKind, Person, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from watcher.alerts.notifier import Notifier

ARN = "arn:aws:sns:eu-west-1:123456789012:alerts"


class Topic:
    """What was asked of a topic that takes everything."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def publish(self, **request: Any) -> Mapping[str, Any]:
        """See SnsPublisher."""
        self.requests.append(request)
        return {"MessageId": "m1"}


class Subscribed:
    """A topic on the embedded AWS, and a queue that gets what a filter policy lets through."""

    def __init__(self, endpoint: EmbeddedEndpoint, policy: dict[str, Any]) -> None:
        aws = endpoint.aws()
        self.sns: Any = aws.session.client("sns", endpoint_url=endpoint.url)
        self._sqs = aws.sqs()
        self.topic = self.sns.create_topic(Name=f"topic-{uuid.uuid4().hex}")["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex}")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        self.sns.subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=attributes["Attributes"]["QueueArn"],
            Attributes={"FilterPolicy": json.dumps(policy)},
        )

    def received(self) -> list[dict[str, Any]]:
        """What came through, as SNS wraps it."""
        found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def test_it_is_a_notifier() -> None:
    """The adapter fits the port, and goes by the name it was given."""
    port: Notifier = SnsNotifier(Topic(), ARN, name="mail")
    assert port.name == "mail"


def test_subscribers_get_what_they_filter_for(endpoint: EmbeddedEndpoint) -> None:
    """Severity, verdict, account, region, kind and incident can be asked for; the rest does not come."""
    # SNS takes five keys in one policy, and there are six.
    wanted = {"severity": ["critical"], "verdict": ["accidental"], "account": ["123456789012"]}
    wanted |= {"kind": ["opened"], "incident": [INCIDENT_ID]}
    subscribed = Subscribed(endpoint, wanted)
    notifier = SnsNotifier(subscribed.sns, subscribed.topic)
    notifier.send(a_notice(incident=an_incident(severity=Severity.HIGH)))
    notifier.send(a_notice(NoticeKind.RECOVERED))
    reference = notifier.send(a_notice())
    (message,) = subscribed.received()
    assert message["Subject"] == "[safetynet] CRITICAL: Table deleted: orders (eu-west-1)"
    assert message["Message"] == message_text(a_notice())
    assert message["MessageAttributes"]["region"] == {"Type": "String", "Value": "eu-west-1"}
    assert reference == {"message_id": message["MessageId"]}


def test_sms_get_the_reliable_delivery_and_a_short_text() -> None:
    """A long text is no SMS, and SNS takes a message for an advertisement unless it is told otherwise."""
    topic = Topic()
    SnsNotifier(topic, ARN, short=True).send(a_notice())
    (request,) = topic.requests
    assert request["MessageAttributes"]["AWS.SNS.SMS.SMSType"]["StringValue"] == "Transactional"
    assert len(request["Message"]) < 600
    assert request["Message"].startswith("CRITICAL: Table deleted: orders\nby developer")
    assert "MessageStructure" not in request


def test_what_nobody_understands_can_be_published(endpoint: EmbeddedEndpoint) -> None:
    """SNS refuses empty attributes, so an incident without account and region has none of those."""
    subscribed = Subscribed(endpoint, {"severity": [{"exists": True}]})
    incident = an_incident(
        account="",
        region="",
        events=(),
        subject=Subject(type="message", name=""),
        actor=Person(label="unknown", kind="unknown"),
    )
    SnsNotifier(subscribed.sns, subscribed.topic).send(a_notice(incident=incident))
    (message,) = subscribed.received()
    assert {"account", "region"} & set(message["MessageAttributes"]) == set()


def test_a_fifo_topic_drops_the_repetition(endpoint: EmbeddedEndpoint) -> None:
    """The same message again has the same deduplication id, another one has its own; one incident is one group."""
    topic = Topic()
    notifier = SnsNotifier(topic, ARN + ".fifo")
    for notice in (
        a_notice(),
        a_notice(earlier_attempt=NIGHT),
        a_notice(NoticeKind.RECOVERED),
    ):
        notifier.send(notice)
    ids = [request["MessageDeduplicationId"] for request in topic.requests]
    assert ids[0] == ids[1] != ids[2]
    assert len({request["MessageGroupId"] for request in topic.requests}) == 1
    assert max(map(len, ids)) <= 128


def test_a_repetition_on_a_standard_topic_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing can be looked up there: it is sent again, and the log says so."""
    topic = Topic()
    SnsNotifier(topic, ARN).send(a_notice(earlier_attempt=NIGHT))
    assert len(topic.requests) == 1
    assert "may come twice" in caplog.text


def test_a_topic_that_is_not_there(endpoint: EmbeddedEndpoint) -> None:
    """It is not found, with the setting to look at."""
    sns = endpoint.aws().session.client("sns", endpoint_url=endpoint.url)
    with pytest.raises(NotFoundError) as error:
        SnsNotifier(sns, "arn:aws:sns:eu-west-1:123456789012:nobody").send(a_notice())
    assert "ARN of a topic" in error.value.hint


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AuthorizationError", 403, AccessDeniedError),
        ("KMSAccessDenied", 400, AccessDeniedError),
        ("InvalidClientTokenId", 403, AccessDeniedError),
        ("NotFound", 404, NotFoundError),
        ("KMSThrottling", 400, UnavailableError),
        ("Throttled", 429, UnavailableError),
        ("InternalError", 500, UnavailableError),
        ("InvalidParameter", 400, SafetyNetError),
    ],
)
def test_errors_of_sns(code: str, status: int, kind: type[SafetyNetError]) -> None:
    """The errors of the service model, in the words of the product's tree."""
    client = boto3.client("sns", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_client_error("publish", code, "said SNS", http_status_code=status)
        with pytest.raises(SafetyNetError, match="said SNS") as error:
            SnsNotifier(client, ARN).send(a_notice())
    assert error.value.exit_code == kind.exit_code
    assert error.value.hint or kind in {SafetyNetError, UnavailableError}


def test_an_endpoint_out_of_reach_is_unavailable() -> None:
    """A refused connection is told as such, so that the outbox tries again."""
    aws = Aws(AwsSettings(region="eu-west-1", access_key="a", secret_key="b", max_attempts=1))
    client = aws.session.client("sns", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(UnavailableError):
        SnsNotifier(client, ARN).send(a_notice())


@pytest.mark.parametrize("arn", ["", "alerts", "arn:aws:sqs:eu-west-1:123456789012:alerts", ARN + "\n"])
def test_what_is_no_topic_is_refused(arn: str) -> None:
    """At once, and not when the first alert is due."""
    with pytest.raises(UsageError, match="mail: not the ARN of an SNS topic"):
        SnsNotifier(Topic(), arn, name="mail")


def test_nothing_is_brought_up_to_date() -> None:
    """What was published stays as it was."""
    topic = Topic()
    SnsNotifier(topic, ARN).refresh(an_incident(), {})
    assert topic.requests == []
