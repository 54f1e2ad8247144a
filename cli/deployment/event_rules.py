"""The event rules of a deployment: which events must reach the queue, made from the list that the code judges by.

Sources: EventBridge reference, 'CloudFormation events', 'Amazon S3 events', 'AWS Health events'; the size of a
pattern is a quota ('Amazon EventBridge quotas': 2,048 characters, more only on request).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli.deployment.references import ANY_OF_AWS, TEST_SOURCE, given, ref, sub
from rules.net import COMING_AND_GOING
from rules.watched import watched_event_pattern
from watcher.health import canary

if TYPE_CHECKING:
    from collections.abc import Iterator

PATTERN_LIMIT = 2_048
# What stands in a pattern as a reference is a name or a prefix of at most so many characters in the end.
LONGEST_NAME = 220

STACK_STATUSES = ("DELETE_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS")
TABLE_TYPES = ("AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table")


def event_patterns(limit: int = PATTERN_LIMIT) -> dict[str, dict[str, Any]]:
    """The event pattern of each rule, by the rule's name; none is longer than ``limit`` characters.

    ``source`` keeps out what an application of the account puts on its bus; a test names the source it puts.
    """
    calls = dict(_numbered("Calls", _split(watched_event_pattern(), limit - _room_for_source())))
    return {
        **{name: {"source": _sources(), **pattern} for name, pattern in calls.items()},
        "StackStatus": {
            "source": _sources("aws.cloudformation"),
            "detail-type": ["CloudFormation Stack Status Change"],
            "detail": {"status-details": {"status": [*STACK_STATUSES]}},
        },
        "TableStatus": {
            "source": _sources("aws.cloudformation"),
            "detail-type": ["CloudFormation Resource Status Change"],
            "detail": {"resource-type": [*TABLE_TYPES], "status-details": {"status": [*STACK_STATUSES]}},
        },
        # What the bucket's own lifecycle expires is no tampering; that somebody changes the lifecycle is.
        "VaultObjects": {
            "source": _sources("aws.s3"),
            "detail-type": ["Object Deleted"],
            "detail": {
                "bucket": {"name": [ref("VaultBucket")]},
                "object": {"key": [{"anything-but": {"prefix": [*map(_in_vault, COMING_AND_GOING)]}}]},
                "reason": ["DeleteObject"],
            },
        },
        "Health": {
            "source": _sources("aws.health"),
            "detail-type": ["AWS Health Event"],
            "detail": {"service": ["DYNAMODB"], "eventTypeCategory": ["issue"]},
        },
        # Nobody is believed for having put one: it only shows that the way is open.
        "Canary": {"source": [canary.SOURCE], "detail-type": [canary.DETAIL_TYPE]},
    }


def size(pattern: dict[str, Any]) -> int:
    """How many characters a pattern has at most, once CloudFormation has put names for references."""
    return len(json.dumps(_longest(pattern)))


def _sources(*names: str) -> list[Any]:
    return [*(names or (ANY_OF_AWS,)), given(TEST_SOURCE)]


def _in_vault(folder: str) -> dict[str, Any]:
    return sub(f"${{VaultPrefix}}/{folder}")


def _room_for_source() -> int:
    return size({"source": _sources()})


def _split(pattern: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    """The pattern, in as many parts as it takes for each to be short enough: each has some of the names."""
    detail = pattern["detail"]
    names: list[str] = detail["eventName"]
    if size(pattern) <= limit or len(names) == 1:
        yield pattern
        return
    middle = len(names) // 2
    for some in (names[:middle], names[middle:]):
        yield from _split({**pattern, "detail": {**detail, "eventName": some}}, limit)


def _numbered(name: str, patterns: Iterator[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, pattern in enumerate(patterns, 1):
        yield (name if number == 1 else f"{name}{number}"), pattern


def _longest(node: Any) -> Any:
    """The pattern with the longest name for every reference."""
    if isinstance(node, dict):
        if {"Ref", "Fn::If", "Fn::Sub"} & node.keys():
            return "n" * LONGEST_NAME
        return {key: _longest(child) for key, child in node.items()}
    return [_longest(child) for child in node] if isinstance(node, list) else node
