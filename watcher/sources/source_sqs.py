"""Events from an SQS queue that an EventBridge rule fills (SQS developer guide, long polling)."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recovery.aws import aws_errors
from recovery.clock import utc_now
from recovery.errors import AwsError
from rules.errors import NotFoundError
from watcher.sources.source import Delivery
from watcher.sources.visibility import BATCH_SIZE, Visibility, in_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from recovery.clock import Clock

log = logging.getLogger(__name__)

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
    """Long polling; a message stays invisible while it is worked on (``watcher.sources.visibility``).

    One that is released, or whose watcher died, comes back after the queue's visibility timeout. After the queue's
    ``maxReceiveCount`` it goes to the dead-letter queue, by SQS itself.
    """

    def __init__(
        self,
        client: SQSClient,
        queue_url: str,
        wait_seconds: int = LONGEST_POLL_SECONDS,
        clock: Clock = utc_now,
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._wait_seconds = wait_seconds
        self._visibility = Visibility(client, queue_url, clock)

    @property
    def location(self) -> str:
        """The queue's URL."""
        return self._queue_url

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive."""
        with queue_errors(self._queue_url, "receive from"):
            answer = self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=BATCH_SIZE,
                WaitTimeSeconds=self._wait_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        deliveries = [_delivery(message) for message in answer.get("Messages", [])]
        if deliveries:
            self._visibility.hold(deliveries)
        return deliveries

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        self._visibility.let_go([delivery.receipt])
        with queue_errors(self._queue_url, "delete a message from"):
            self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=delivery.receipt)

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See EventSource.acknowledge_all; ten a request."""
        self._visibility.let_go(delivery.receipt for delivery in deliveries)
        kept: list[Delivery] = []
        for batch in in_batches(deliveries):
            with queue_errors(self._queue_url, "delete messages from"):
                answer = self._client.delete_message_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": delivery.receipt}
                        for number, delivery in enumerate(batch)
                    ],
                )
            for failure in answer.get("Failed", []):
                delivery = batch[int(failure["Id"])]
                log.warning(
                    "message %s comes back, it could not be deleted: %s", delivery.id, failure["Code"]
                )
                kept.append(delivery)
        return kept

    def release(self, delivery: Delivery) -> None:
        """See EventSource.release: it comes back when its visibility timeout ends."""
        self._visibility.let_go([delivery.receipt])


def _delivery(message: MessageTypeDef) -> Delivery:
    attributes = message.get("Attributes", {})
    sent = attributes.get("SentTimestamp")
    return Delivery(
        id=message["MessageId"],
        body=message["Body"].encode(),
        receipt=message["ReceiptHandle"],
        receive_count=int(attributes.get("ApproximateReceiveCount", "1")),
        sent=datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else None,  # SQS counts milliseconds
    )
