"""The canary by the queue (SQS SendMessage): it proves the queue, the watcher and the vault, but not the event rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.sources.source_sqs import queue_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from watcher.health.canary import Canary


class QueueCanarySender:
    """See CanarySender. Needs ``sqs:SendMessage`` on the queue."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, canary: Canary) -> None:
        """See CanarySender.send."""
        with queue_errors(self._queue_url, "send a canary to"):
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=canary.body.decode())
