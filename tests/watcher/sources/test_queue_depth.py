"""How full a queue and its dead-letter queue are, on the embedded AWS."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.faults import Faults
from rules.errors import NotFoundError
from watcher.sources.queue_depth import QueueDepth, QueueDepths, queue_depths

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from recovery.testing.embedded_aws import EmbeddedEndpoint

NOW = datetime.now(UTC)


def a_queue(client: SQSClient, dead: str = "", messages: int = 0, **attributes: str) -> str:
    """A new queue's URL; with ``dead`` the one that gives up to that ARN."""
    if dead:
        attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 5})
    wanted: Any = {"VisibilityTimeout": "600", **attributes}
    url = client.create_queue(QueueName=f"queue-{uuid.uuid4().hex}", Attributes=wanted)["QueueUrl"]
    for _ in range(messages):
        client.send_message(QueueUrl=url, MessageBody="{}")
    return url


def arn_of(client: SQSClient, url: str) -> str:
    """The ARN of a queue."""
    return client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.fixture
def client(endpoint: EmbeddedEndpoint) -> SQSClient:
    """An SQS client."""
    return endpoint.aws().sqs()


def depths(client: SQSClient, url: str, metrics: Any = None) -> QueueDepths:
    """Of a queue, now."""
    return queue_depths(client, url, lambda: NOW, metrics)


def test_both_queues_are_counted(client: SQSClient) -> None:
    """What waits, what is being worked on, and what was given up."""
    dead = a_queue(client, messages=2)
    queue = a_queue(client, arn_of(client, dead), messages=3)
    client.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)
    assert depths(client, queue) == QueueDepths(QueueDepth(2, 1), QueueDepth(2, 0))


def test_delayed_messages_wait_too(client: SQSClient) -> None:
    """A delay queue is not an empty queue."""
    assert depths(client, a_queue(client, messages=1, DelaySeconds="60")).queue.visible == 1


def test_a_queue_without_a_dead_letter_queue_is_told(client: SQSClient) -> None:
    """What nobody can take in would be lost after the retention period."""
    found = depths(client, a_queue(client))
    assert found == QueueDepths(QueueDepth(0, 0), None, "the queue has no dead-letter queue")


def test_a_dead_letter_queue_that_is_gone_is_told(client: SQSClient) -> None:
    """The queue itself is counted all the same."""
    dead = a_queue(client)
    queue = a_queue(client, arn_of(client, dead), messages=1)
    client.delete_queue(QueueUrl=dead)
    found = depths(client, queue)
    assert (found.queue.visible, found.dead_letters) == (1, None)
    assert "dead-letter queue cannot be read: no queue" in found.problem


@pytest.mark.parametrize("policy", ["{", "5", "[]", '{"deadLetterTargetArn": "arn:aws:sns:a:b:c"}', "{}"])
def test_a_policy_that_cannot_be_understood_is_told(client: SQSClient, policy: str) -> None:
    """Whatever SQS may answer one day."""
    queue = a_queue(client, messages=1)
    client.meta.events.register(
        "after-call.sqs.GetQueueAttributes",
        lambda parsed, **_: parsed["Attributes"].update({"RedrivePolicy": policy}),
    )
    found = depths(client, queue)
    assert (found.queue.visible, found.problem) == (1, "the queue's redrive policy cannot be understood")


def test_a_queue_that_is_not_there_is_told(client: SQSClient) -> None:
    """A status of a queue that does not exist is no status."""
    with pytest.raises(NotFoundError, match="no queue"):
        depths(client, a_queue(client) + "x")


def test_the_oldest_message_is_as_old_as_cloudwatch_says(
    endpoint: EmbeddedEndpoint, client: SQSClient
) -> None:
    """The latest value there is, of each queue by itself; where there is none nobody knows."""
    metrics = endpoint.aws().service("cloudwatch")
    dead = a_queue(client)
    queue = a_queue(client, arn_of(client, dead))
    for minutes, value in ((3, 40.0), (2, 100.0), (30, 7.0)):
        metrics.put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": queue.rpartition("/")[2]}],
                    "Timestamp": NOW - timedelta(minutes=minutes),
                    "Value": value,
                }
            ],
        )
    found = depths(client, queue, metrics)
    assert found == QueueDepths(QueueDepth(0, 0, 100.0), QueueDepth(0, 0, None))


def test_without_cloudwatch_nobody_knows_the_age(
    endpoint: EmbeddedEndpoint, client: SQSClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The counts are there all the same."""
    aws = endpoint.aws(max_attempts=1)
    Faults(aws).fail("GetMetricStatistics", code="AccessDenied", status=403, times=9)
    found = depths(client, a_queue(client, messages=1), aws.service("cloudwatch"))
    assert found.queue == QueueDepth(1, 0, None)
    assert "cannot read the age of the oldest message" in caplog.text
