"""Creating a table, and waiting for it; its settings are put on once the data is in (``putting_back``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from recovery.aws import aws_errors
from recovery.definitions.follow_ups import FollowUp
from recovery.definitions.waiting import POLL_ATTEMPTS, POLL_SECONDS, wait_until_active, wait_until_gone

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "POLL_ATTEMPTS",
    "POLL_SECONDS",
    "FollowUp",
    "create_table",
    "wait_until_active",
    "wait_until_gone",
]


def create_table(client: DynamoDBClient, request: dict[str, Any], tags: dict[str, str]) -> None:
    """CreateTable with tags, in one call, so that whose table it is can never be in doubt."""
    body = {**request, "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
    with aws_errors(f"create table {request['TableName']}"):
        cast("Any", client).create_table(**body)
