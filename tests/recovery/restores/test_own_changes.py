"""What a recovery itself changes is declared beforehand, so that it wakes nobody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import Known, NotKnown
from recovery.intents import Listing
from recovery.restores.own_changes import declare_settings
from rules.actions import Weight
from rules.watched import WATCHED_ACTIONS
from tests.cli.running import ROOT
from tests.recovery.recovering import WHO, key, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.restores.plans import RecoveryPlan
    from tests.recovery.recovering import Process

DEFINITIONS = ROOT / "recovery" / "definitions"


def test_time_to_live_that_is_put_on_again_is_declared(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """Once, for the table, by who recovers it, and no longer than a night."""
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
    assert (intent.until - intent.starts).total_seconds() <= 8 * 3600 + 1


def test_a_table_without_such_settings_declares_nothing(
    net: Process, plain: DynamoDBClient, table: str
) -> None:
    """There is nothing to expect."""
    make_table(plain, table, [{"pk": {"S": "1"}}], **key("pk"))
    net.back_up(table)
    plain.delete_table(TableName=table)
    net.recover(table)
    assert net.intents.all() == Listing(())


def planned(net: Process, client: DynamoDBClient, table: str) -> RecoveryPlan:
    """A plan for a bare table."""
    make_table(client, table, [{"pk": {"S": "1"}}], **key("pk"))
    net.back_up(table)
    return net.plan(table)


@pytest.mark.parametrize(
    ("parts", "operations", "changes"),
    [
        (["ttl"], ("UpdateTimeToLive",), 1),
        (["stream_policy"], ("PutResourcePolicy",), 1),
        (["resource_policy"], ("PutResourcePolicy",), 1),
        (["stream_policy", "resource_policy"], ("PutResourcePolicy",), 2),
        (["ttl", "stream_policy", "resource_policy"], ("UpdateTimeToLive", "PutResourcePolicy"), 3),
    ],
)
def test_every_watched_call_is_declared_once(
    net: Process,
    plain: DynamoDBClient,
    table: str,
    parts: list[str],
    operations: tuple[str, ...],
    changes: int,
) -> None:
    """The table's policy and the stream's are two changes of one kind; what is unknown is none."""
    plan = planned(net, plain, table)
    wanted: Any = {
        where: getattr(plan, where).model_copy(
            update={
                name: Known(value="some") if name in parts else NotKnown(reason="denied")
                for name in type(getattr(plan, where)).model_fields
            }
        )
        for where in ("settings", "surroundings")
    }
    declare_settings(net.intents, plan.model_copy(update=wanted), WHO)
    (intent,) = net.intents.all().intents
    assert (intent.operations, intent.max_changes) == (operations, changes)


def test_what_the_pass_calls_and_is_watched_is_what_is_declared() -> None:
    """A call that comes to be watched, or a new call of the pass, must be thought of here."""
    watched = {action.event_name for action in WATCHED_ACTIONS if action.weight is not Weight.CONTEXT}
    sources = "".join(path.read_text(encoding="utf-8") for path in DEFINITIONS.glob("put*.py"))
    methods = re.findall(r'"((?:create|delete|enable|put|register|tag|update)_[a-z_]+)"', sources)
    called = {method.title().replace("_", "") for method in methods}
    assert {"UpdateTable", "PutMetricAlarm", "DeleteEventSourceMapping"} <= called
    # UpdateTable is watched where it takes something away, UpdateContinuousBackups where it switches off: neither does.
    # CreateTable is the command for another account's people.
    assert called & watched == {
        "UpdateTable",
        "UpdateContinuousBackups",
        "UpdateTimeToLive",
        "PutResourcePolicy",
    }
