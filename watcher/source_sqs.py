"""Events from an SQS queue that an EventBridge rule fills (SQS developer guide, long polling)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from recovery.aws import aws_errors
from recovery.errors import AwsError
from rules.errors import NotFoundError
from watcher.sources import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

MAX_MESSAGES = 10
LONGEST_POLL_SECONDS = 20
MISSING_QUEUE_CODES = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


@contextmanager
def queue_errors(queue_url: str, doing: str) -> Iterator[None]:
    """SQS's own 'no such queue' in our words, and all else as ``aws_errors`` has it."""
    try:
        with aws_errors(f"{doing} the queue"):
            yield
    except AwsError as error:
        if error.code in MISSING_QUEUE_CODES:
            raise NotFoundError(
                f"no queue {queue_url}", hint="Set `queue_url` in safetynet.yaml or SAFETYNET_QUEUE_URL."
            ) from error
        raise


class SqsSource:
    """Long polling; a message that is not acknowledged comes back after the queue's visibility timeout.

    After the queue's ``maxReceiveCount`` it goes to the dead-letter queue, by SQS itself.
    """

    def __init__(self, client: SQSClient, queue_url: str, wait_seconds: int = LONGEST_POLL_SECONDS) -> None:
        self._client = client
        self._queue_url = queue_url
        self._wait_seconds = wait_seconds

    @property
    def location(self) -> str:
        """The queue's URL."""
        return self._queue_url

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive."""
        with queue_errors(self._queue_url, "receive from"):
            answer = self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=MAX_MESSAGES,
                WaitTimeSeconds=self._wait_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            Delivery(
                id=message["MessageId"],
                body=message["Body"].encode(),
                receipt=message["ReceiptHandle"],
                receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
            )
            for message in answer.get("Messages", [])
        ]

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        with queue_errors(self._queue_url, "delete a message from"):
            self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=delivery.receipt)
