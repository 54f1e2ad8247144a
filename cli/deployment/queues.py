"""The queue between the event rules and the watcher, and where goes what the watcher cannot take in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.deployment.event_rules import event_patterns
from cli.deployment.references import arn, named, ref, tls_only

if TYPE_CHECKING:
    from collections.abc import Sequence

# Lambda's own advice for a queue that it polls: six times the function's timeout, and five receives at least.
FUNCTION_TIMEOUT_SECONDS = 60
VISIBILITY_SECONDS = 6 * FUNCTION_TIMEOUT_SECONDS
MAX_RECEIVES = 5
LONGEST_RETENTION_SECONDS = 14 * 24 * 3600


def queue_resources() -> dict[str, Any]:
    """The queue, its dead-letter queue, the policies of both, and the rules that fill it."""
    rules = {f"{name}Rule": pattern for name, pattern in event_patterns().items()}
    return {
        "Queue": _queue(
            "events",
            VisibilityTimeout=VISIBILITY_SECONDS,
            RedrivePolicy={"deadLetterTargetArn": arn("DeadLetters"), "maxReceiveCount": MAX_RECEIVES},
        ),
        "DeadLetters": _queue("dead-letters"),
        "QueuePolicy": _policy("Queue", [*rules]),
        "DeadLettersPolicy": _policy("DeadLetters", [*rules]),
        **{name: _rule(name, pattern) for name, pattern in rules.items()},
    }


def _queue(part: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "QueueName": named(part),
            "MessageRetentionPeriod": LONGEST_RETENTION_SECONDS,
            "SqsManagedSseEnabled": True,
            **properties,
        },
    }


def _policy(queue: str, rules: Sequence[str]) -> dict[str, Any]:
    """Only these rules may send; EventBridge itself puts into the dead-letter queue what it could not deliver."""
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [ref(queue)],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "EventRules",
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": arn(queue),
                        "Condition": {"ArnEquals": {"aws:SourceArn": [arn(rule) for rule in rules]}},
                    },
                    tls_only(arn(queue), service="sqs"),
                ],
            },
        },
    }


def _rule(name: str, pattern: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": named(name.removesuffix("Rule")),
            "Description": "Changes that the safety net watches.",
            "EventPattern": pattern,
            "State": "ENABLED",
            "Targets": [
                {"Id": "queue", "Arn": arn("Queue"), "DeadLetterConfig": {"Arn": arn("DeadLetters")}}
            ],
        },
    }
