"""What a recovery itself changes is declared beforehand, so that it wakes nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.intents import Listing
from tests.recovery.recovering import WHO, key, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process


def test_time_to_live_that_is_put_on_again_is_declared(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Once, for the table, by who recovers it, and no longer than an hour."""
    make_table(plain, table, [{"pk": {"S": "1"}}], **key("pk"))
    plain.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    net.back_up(table)
    plain.delete_table(TableName=table)
    net.recover(table)
    (intent,) = net.intents.all().intents
    assert (intent.table, intent.by, intent.operations, intent.max_changes) == (
        table,
        WHO,
        ("UpdateTimeToLive",),
        1,
    )
    assert (intent.until - intent.starts).total_seconds() <= 3601


def test_a_table_without_such_settings_declares_nothing(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """There is nothing to expect."""
    make_table(plain, table, [{"pk": {"S": "1"}}], **key("pk"))
    net.back_up(table)
    plain.delete_table(TableName=table)
    net.recover(table)
    assert net.intents.all() == Listing(())
