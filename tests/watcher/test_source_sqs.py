"""The SQS adapter on the embedded AWS."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from recovery.aws import Aws, AwsSettings
from rules.errors import NotFoundError, UnavailableError
from watcher.source_sqs import SqsSource

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from recovery.testing.embedded_aws import EmbeddedEndpoint


@pytest.fixture
def client(endpoint: EmbeddedEndpoint) -> SQSClient:
    """An SQS client."""
    return endpoint.aws().sqs()


def a_queue(client: SQSClient, **attributes: str) -> str:
    """A new queue's URL; what is received comes back at once."""
    name = f"queue-{uuid.uuid4().hex}"
    wanted: Any = {"VisibilityTimeout": "0", **attributes}
    return client.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"]


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


def test_a_poison_message_reaches_the_dead_letter_queue(client: SQSClient) -> None:
    """After the queue's maxReceiveCount SQS itself moves a message that nobody acknowledges."""
    dead = a_queue(client)
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    queue = a_queue(client, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    client.send_message(QueueUrl=queue, MessageBody="poison")
    source = SqsSource(client, queue, wait_seconds=0)
    for _ in range(3):
        source.receive()
    assert [delivery.body for delivery in SqsSource(client, dead, wait_seconds=0).receive()] == [b"poison"]


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
