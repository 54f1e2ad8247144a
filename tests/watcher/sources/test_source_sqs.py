"""The SQS adapter on the embedded AWS."""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.aws import Aws, AwsSettings
from recovery.testing.faults import Faults
from rules.errors import NotFoundError, UnavailableError
from watcher.sources.source_sqs import SqsSource
from watcher.sources.visibility import LONGEST_WORK, SQS_DEFAULT_SECONDS, Visibility

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from tests.watcher.watching import Clockwork
    from watcher.sources.source import Delivery


@pytest.fixture
def client(endpoint: EmbeddedEndpoint) -> SQSClient:
    """An SQS client."""
    return endpoint.aws().sqs()


def a_queue(client: SQSClient, **attributes: str) -> str:
    """A new queue's URL; what is received comes back at once."""
    name = f"queue-{uuid.uuid4().hex}"
    wanted: Any = {"VisibilityTimeout": "0", **attributes}
    return client.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"]


def a_held_message(
    client: SQSClient, clock: Clockwork, **attributes: str
) -> tuple[Visibility, Delivery, str]:
    """A message of a queue with a timeout of ten minutes that is being worked on: its thread sleeps for minutes."""
    queue = a_queue(client, **{"VisibilityTimeout": "600", **attributes})
    client.send_message(QueueUrl=queue, MessageBody="{}")
    (delivery,) = SqsSource(client, queue, wait_seconds=0).receive()
    visibility = Visibility(client, queue, clock)
    visibility.hold([delivery])
    return visibility, delivery, queue


def extensions(client: SQSClient) -> list[list[int]]:
    """The timeouts of each request to come that extends messages."""
    found: list[list[int]] = []
    client.meta.events.register(
        "before-parameter-build.sqs.ChangeMessageVisibilityBatch",
        lambda params, **_: found.append([entry["VisibilityTimeout"] for entry in params["Entries"]]),
    )
    return found


def test_a_message_comes_back_until_it_is_acknowledged(client: SQSClient) -> None:
    """Receiving is not taking: the body comes as it was sent, and the count rises."""
    queue = a_queue(client)
    client.send_message(QueueUrl=queue, MessageBody='{"grüße": "🛒"}')
    source = SqsSource(client, queue, wait_seconds=0)
    (first,), (second,) = source.receive(), source.receive()
    assert first.body == second.body == '{"grüße": "🛒"}'.encode()
    assert (first.receive_count, second.receive_count) == (1, 2)
    source.acknowledge(second)
    assert source.receive() == []


def test_a_message_says_when_it_was_sent(client: SQSClient) -> None:
    """In UTC, and the same each time: how late events come is told from it."""
    queue = a_queue(client)
    client.send_message(QueueUrl=queue, MessageBody="{}")
    source = SqsSource(client, queue, wait_seconds=0)
    (first,), (second,) = source.receive(), source.receive()
    assert first.sent is not None
    assert first.sent == second.sent
    assert abs(datetime.now(UTC) - first.sent) < timedelta(hours=1)


def test_a_poison_message_reaches_the_dead_letter_queue(client: SQSClient) -> None:
    """After the queue's maxReceiveCount SQS itself moves a message that nobody acknowledges."""
    dead = a_queue(client)
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    queue = a_queue(client, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    client.send_message(QueueUrl=queue, MessageBody="poison")
    source = SqsSource(client, queue, wait_seconds=0)
    for _ in range(3):
        for delivery in source.receive():
            source.release(delivery)
    assert [delivery.body for delivery in SqsSource(client, dead, wait_seconds=0).receive()] == [b"poison"]


def test_a_message_stays_invisible_while_it_is_worked_on(client: SQSClient) -> None:
    """Beyond the queue's timeout no other watcher gets it; released, it comes back by itself."""
    queue = a_queue(client, VisibilityTimeout="1")
    client.send_message(QueueUrl=queue, MessageBody="{}")
    working, other = SqsSource(client, queue, wait_seconds=0), SqsSource(client, queue, wait_seconds=0)
    beats = extensions(client)
    (delivery,) = working.receive()
    while len(beats) < 4:  # more than one timeout, at three a timeout
        assert other.receive() == []
        time.sleep(0.05)
    working.release(delivery)
    while not (back := other.receive()):
        time.sleep(0.05)
    assert back[0].id == delivery.id
    other.acknowledge(back[0])


def test_two_watchers_share_a_queue(client: SQSClient) -> None:
    """While both work, each message is with one of them; acknowledged by one, none comes back."""
    queue = a_queue(client, VisibilityTimeout="600")
    for number in range(12):
        client.send_message(QueueUrl=queue, MessageBody=str(number))
    sources = [SqsSource(client, queue, wait_seconds=0) for _ in range(2)]
    got = [delivery for source in sources for delivery in source.receive()]
    assert sorted(int(delivery.body) for delivery in got) == list(range(12))
    assert sources[1].acknowledge_all(got) == []
    count = client.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert count["ApproximateNumberOfMessages"] == count["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_acknowledged_together_in_requests_of_ten(client: SQSClient) -> None:
    """That is what SQS takes in one; a message of which it says that it failed is named, the others are gone."""
    queue = a_queue(client, VisibilityTimeout="600")
    for number in range(11):
        client.send_message(QueueUrl=queue, MessageBody=str(number))
    source = SqsSource(client, queue, wait_seconds=0)
    deliveries = [delivery for _ in range(2) for delivery in source.receive()]
    assert len(deliveries) == 11
    sizes: list[int] = []
    events = client.meta.events
    events.register(
        "before-parameter-build.sqs.DeleteMessageBatch",
        lambda params, **_: sizes.append(len(params["Entries"])),
    )

    def first_fails(parsed: dict[str, Any], **_: object) -> None:
        parsed["Failed"] = [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]

    events.register("after-call.sqs.DeleteMessageBatch", first_fails)
    kept = source.acknowledge_all(deliveries)
    assert sizes == [10, 1]
    assert kept == [deliveries[0], deliveries[10]]


@pytest.mark.parametrize("end", ["acknowledge", "release", "acknowledge_all"])
def test_nothing_is_extended_any_more_once_it_is_over(client: SQSClient, end: str) -> None:
    """Acknowledged or released, the thread has nothing to do and ends."""
    queue = a_queue(client, VisibilityTimeout="1")
    client.send_message(QueueUrl=queue, MessageBody="{}")
    source = SqsSource(client, queue, wait_seconds=0)
    before = set(threading.enumerate())
    (delivery,) = source.receive()
    (keeper,) = [thread for thread in set(threading.enumerate()) - before if thread.name == "visibility"]
    beats = extensions(client)
    getattr(source, end)([delivery] if end == "acknowledge_all" else delivery)
    keeper.join(10)
    assert not keeper.is_alive()
    assert beats == []


def test_all_that_is_held_is_extended_by_the_queues_timeout(client: SQSClient, clock: Clockwork) -> None:
    """However many they are, ten a request."""
    visibility, delivery, queue = a_held_message(client, clock)
    for _ in range(10):
        client.send_message(QueueUrl=queue, MessageBody="{}")
    visibility.hold(SqsSource(client, queue, wait_seconds=0).receive())
    beats = extensions(client)
    visibility.extend()
    assert beats == [[600] * 10, [600]]
    visibility.let_go([delivery.receipt])
    visibility.extend()
    assert beats[2:] == [[600] * 10]


def test_an_extension_that_fails_is_tried_again(
    endpoint: EmbeddedEndpoint, clock: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    """SQS out of reach for a moment is a line in the log, and the message is still held."""
    aws = endpoint.aws(max_attempts=1)
    faults = Faults(aws)
    client = aws.sqs()
    visibility, _, _ = a_held_message(client, clock)
    faults.fail("ChangeMessageVisibilityBatch", code="RequestThrottled")
    beats = extensions(client)
    visibility.extend()
    assert "scripted" in caplog.text
    visibility.extend()
    assert beats == [[600], [600]]


def test_a_message_that_cannot_be_extended_is_told_of(
    client: SQSClient, clock: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as one that has been in flight for twelve hours: SQS refuses, and is not asked again."""
    visibility, delivery, _ = a_held_message(client, clock)
    beats = extensions(client)

    def refused(parsed: dict[str, Any], **_: object) -> None:
        parsed["Failed"] = [{"Id": "0", "SenderFault": True, "Code": "InvalidParameterValue"}]

    client.meta.events.register("after-call.sqs.ChangeMessageVisibilityBatch", refused)
    visibility.extend()
    visibility.extend()
    assert beats == [[600]]
    assert f"message {delivery.id} may be handed out twice" in caplog.text


def test_a_message_acknowledged_meanwhile_is_no_trouble(
    client: SQSClient, clock: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    """SQS refuses to extend what a worker has just deleted: nobody needs to read of it."""
    visibility, delivery, _ = a_held_message(client, clock)

    def deleted_first(parsed: dict[str, Any], **_: object) -> None:
        visibility.let_go([delivery.receipt])
        parsed["Failed"] = [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}]

    client.meta.events.register("after-call.sqs.ChangeMessageVisibilityBatch", deleted_first)
    visibility.extend()
    assert caplog.text == ""


def test_what_was_forgotten_is_not_held_for_ever(
    client: SQSClient, clock: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that nobody acknowledges or releases comes back in the end."""
    visibility, delivery, _ = a_held_message(client, clock)
    beats = extensions(client)
    clock.now += LONGEST_WORK + timedelta(seconds=1)
    visibility.extend()
    assert beats == []
    assert f"message {delivery.id} has been worked on" in caplog.text


def test_without_the_queues_timeout_that_of_sqs_is_assumed(
    endpoint: EmbeddedEndpoint, clock: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing permission for GetQueueAttributes does not stop the watcher."""
    aws = endpoint.aws(max_attempts=1)
    Faults(aws).fail("GetQueueAttributes", code="AccessDenied", status=403, times=9)
    client = aws.sqs()
    visibility, _, _ = a_held_message(client, clock)
    beats = extensions(client)
    visibility.extend()
    assert beats == [[SQS_DEFAULT_SECONDS]]
    assert "cannot read the queue's visibility timeout" in caplog.text


def test_a_queue_that_is_not_there_is_told(client: SQSClient) -> None:
    """A wrong URL is 'not found' with the setting to look at."""
    queue = a_queue(client)
    with pytest.raises(NotFoundError, match="no queue") as error:
        SqsSource(client, queue + "x", wait_seconds=0).receive()
    assert "SAFETYNET_QUEUE_URL" in error.value.hint


def test_an_endpoint_out_of_reach_is_unavailable() -> None:
    """A refused connection is told as such, so that the loop waits for it."""
    aws = Aws(
        AwsSettings(region="eu-west-1", endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b")
    )
    with pytest.raises(UnavailableError):
        SqsSource(aws.sqs(), "http://127.0.0.1:9/1/q", wait_seconds=0).receive()
