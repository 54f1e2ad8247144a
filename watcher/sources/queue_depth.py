"""How full a queue and its dead-letter queue are, for the status and for whoever watches the watcher.

SQS API reference, 'GetQueueAttributes': the counts are approximate, and settle within a minute. How old the oldest
message is only CloudWatch says (``ApproximateAgeOfOldestMessage``, a value a minute, none for an idle queue).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from recovery.aws import aws_errors
from rules.errors import SafetyNetError
from watcher.sources.source_sqs import queue_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from recovery.clock import Clock

log = logging.getLogger(__name__)

METRIC_SECONDS = 60
METRIC_LOOK_BACK = timedelta(minutes=10)


class MetricsClient(Protocol):
    """What is used of boto3's CloudWatch client."""

    def get_metric_statistics(self, **request: Any) -> dict[str, Any]:
        """CloudWatch's GetMetricStatistics."""
        ...


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One queue. ``visible``: waiting, those that are delayed included; ``in_flight``: received, not yet deleted.

    ``oldest_seconds``: how long its oldest message has been there, None where nobody knows.
    """

    visible: int
    in_flight: int
    oldest_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class QueueDepths:
    """A queue and where it gives its messages up to.

    ``dead_letters`` is None where it has no dead-letter queue, or where ``problem`` says why that cannot be read.
    """

    queue: QueueDepth
    dead_letters: QueueDepth | None
    problem: str = ""


def queue_depths(
    client: SQSClient, queue_url: str, clock: Clock, metrics: MetricsClient | None = None
) -> QueueDepths:
    """How full they are; with ``metrics`` (CloudWatch), how old, too.

    Needs ``sqs:GetQueueAttributes`` and ``sqs:GetQueueUrl`` on both queues, and ``cloudwatch:GetMetricStatistics``.
    Raises UnavailableError, AccessDeniedError, NotFoundError for the queue itself only.
    """
    attributes = _attributes(client, queue_url)
    queue = _depth(queue_url, attributes, clock, metrics)
    policy = attributes.get("RedrivePolicy")
    if not policy:
        return QueueDepths(queue, None, "the queue has no dead-letter queue")
    try:
        dead_url = _url_of(client, json.loads(policy)["deadLetterTargetArn"])
        dead = _depth(dead_url, _attributes(client, dead_url), clock, metrics)
    except (ValueError, TypeError, KeyError):
        return QueueDepths(queue, None, "the queue's redrive policy cannot be understood")
    except SafetyNetError as error:
        return QueueDepths(queue, None, f"the dead-letter queue cannot be read: {error}")
    return QueueDepths(queue, dead)


def _attributes(client: SQSClient, queue_url: str) -> dict[str, str]:
    with queue_errors(queue_url, "read the attributes of"):
        answer = client.get_queue_attributes(
            QueueUrl=queue_url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
                "RedrivePolicy",
            ],
        )
    return {str(name): value for name, value in answer.get("Attributes", {}).items()}


def _url_of(client: SQSClient, arn: str) -> str:
    """``arn:aws:sqs:eu-west-1:123456789012:name``. Raises ValueError for anything else."""
    _, _, service, _, account, name = arn.split(":")
    if service != "sqs":
        raise ValueError(arn)
    with queue_errors(arn, "find"):
        return client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def _depth(
    queue_url: str, attributes: dict[str, str], clock: Clock, metrics: MetricsClient | None
) -> QueueDepth:
    visible, delayed, in_flight = (
        int(attributes.get(f"ApproximateNumberOfMessages{kind}", "0"))
        for kind in ("", "Delayed", "NotVisible")
    )
    oldest = _oldest_seconds(queue_url.rpartition("/")[2], clock, metrics) if metrics is not None else None
    return QueueDepth(visible + delayed, in_flight, oldest)


def _oldest_seconds(queue_name: str, clock: Clock, metrics: MetricsClient) -> float | None:
    now = clock()
    try:
        with aws_errors("read the age of the oldest message"):
            answer = metrics.get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Dimensions=[{"Name": "QueueName", "Value": queue_name}],
                StartTime=now - METRIC_LOOK_BACK,
                EndTime=now,
                Period=METRIC_SECONDS,
                Statistics=["Maximum"],
            )
    except SafetyNetError as error:
        log.warning("%s", error)
        return None
    latest = max(answer.get("Datapoints", []), key=lambda point: point["Timestamp"], default=None)
    return float(latest["Maximum"]) if latest else None
