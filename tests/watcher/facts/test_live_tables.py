"""Whether a deleted table's name is taken again, asked of DynamoDB itself."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from recovery.testing.embedded_aws import ACCOUNT, REGION
from rules.events import parse_event_json
from rules.facts import Unknown
from tests.watcher.watching import delete_table
from watcher.facts.live_tables import AwsTables

if TYPE_CHECKING:
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from rules.events import ChangeEvent


def deleted(name: str, time: str = "2026-01-01T00:00:00Z", **changes: object) -> ChangeEvent:
    """The deletion of a table, long ago unless told otherwise."""
    answer = {"tableDescription": {"tableName": name}}
    place = {"recipientAccountId": ACCOUNT, "awsRegion": REGION}
    return parse_event_json(
        delete_table(name, eventTime=time, responseElements=answer, **{**place, **changes})
    )


@pytest.fixture
def table(endpoint: EmbeddedEndpoint) -> str:
    """A table that is there now."""
    name = f"again-{uuid.uuid4().hex}"
    endpoint.aws().dynamodb().create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return name


def test_a_table_that_was_created_after_the_deletion(endpoint: EmbeddedEndpoint, table: str) -> None:
    """The name is there again; a table that is older than the deletion is the one that was not deleted yet."""
    assert AwsTables(endpoint.aws()).recreated(deleted(table)) is True
    assert AwsTables(endpoint.aws()).recreated(deleted(table, "2126-01-01T00:00:00Z")) is False


def test_a_table_that_is_gone(endpoint: EmbeddedEndpoint) -> None:
    """Nobody took the name."""
    assert AwsTables(endpoint.aws()).recreated(deleted("nobody-took-this-name")) is False


@pytest.mark.parametrize("elsewhere", [{"recipientAccountId": "999999999999"}, {"awsRegion": "us-east-1"}])
def test_another_account_or_region_is_not_asked(
    endpoint: EmbeddedEndpoint, elsewhere: dict[str, str]
) -> None:
    """The credentials at hand would answer for the wrong table."""
    found = AwsTables(endpoint.aws()).recreated(deleted("orders", **elsewhere))
    assert isinstance(found, Unknown)
    assert "another account or region" in found.reason
