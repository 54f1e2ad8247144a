"""The fault layer does what its scripts say, for a test that trusts it must be able to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from recovery.testing.faults import Crash
from rules.errors import UnavailableError
from tests.recovery.recovering import make_table, some_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Process

ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


def put(net: Process, table: str, name: str) -> None:
    """A write."""
    net.aws.dynamodb().put_item(TableName=table, Item={"pk": {"S": name}})


def count(plain: DynamoDBClient, table: str) -> int:
    """How many items there are."""
    return plain.scan(TableName=table)["Count"]


def test_a_refused_call_has_no_effect(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Only the n-th call fails, with the scripted code, and nothing happens in AWS."""
    make_table(plain, table)
    net.faults.fail("PutItem", nth=2, code="ThrottlingException")
    put(net, table, "a")
    with pytest.raises(ClientError, match="ThrottlingException"):
        put(net, table, "b")
    put(net, table, "c")
    assert count(plain, table) == 2
    assert net.faults.calls == net.faults.writes == ["PutItem"] * 3


@pytest.mark.parametrize(
    ("service", "method", "arguments"),
    [
        ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "dynamodb"}),
        ("backup", "list_restore_jobs", {}),
        ("cloudformation", "list_stacks", {}),
        ("cloudwatch", "describe_alarms", {}),
        ("dynamodb", "list_tables", {}),
        ("kms", "list_keys", {}),
        ("lambda", "list_event_source_mappings", {}),
        ("s3", "list_buckets", {}),
        ("sts", "get_caller_identity", {}),
    ],
)
def test_a_refusal_is_in_the_protocol_of_its_service(
    net: Process, service: Any, method: str, arguments: dict[str, Any]
) -> None:
    """The client reads the scripted code, message and status out of each service's own form of an error."""
    client: Any = net.aws.session.client(service, endpoint_url=net.aws.endpoint_url, config=ONCE)
    operation = client.meta.method_to_api_mapping[method]
    net.faults.fail(operation, status=429, code="TooManyRequestsException", message="Rate exceeded")
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**arguments)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (
        "TooManyRequestsException",
        "Rate exceeded",
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_a_lost_answer_has_its_effect(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The caller sees a broken connection, and the item is there."""
    make_table(plain, table)
    net.faults.lose_answer("PutItem")
    with pytest.raises(ConnectionClosedError):
        put(net, table, "a")
    assert count(plain, table) == 1


@pytest.mark.parametrize("after", [False, True])
def test_after_a_crash_nothing_gets_out(net: Process, plain: DynamoDBClient, table: str, after: bool) -> None:
    """Before or after the call, Crash is no Exception, and the process stays dead until a new one starts."""
    make_table(plain, table)
    net.faults.crash("PutItem", after=after)
    for _ in range(2):
        with pytest.raises(Crash):
            put(net, table, "a")
    with pytest.raises(Crash):
        net.vault.put_new("k", b"")
    assert not issubclass(Crash, Exception)
    assert count(plain, table) == int(after)
    net.again()
    put(net, table, "b")
    assert count(plain, table) == 1 + int(after)


def test_unprocessed_items_are_not_written(net: Process, plain: DynamoDBClient, table: str) -> None:
    """The first puts come back, the others are done."""
    make_table(plain, table)
    net.faults.leave_unprocessed(2)
    items = [b'{"pk":{"S":"%d"}}' % number for number in range(5)]
    left = net.tables.put_batch(table, items)
    assert len(left) == 2
    assert count(plain, table) == 3
    assert net.tables.put_batch(table, left) == []
    assert count(plain, table) == 5


def test_pages_of_a_scan_can_be_small(net: Process, plain: DynamoDBClient, table: str) -> None:
    """Five items in pages of two are three pages."""
    make_table(plain, table, some_items(5))
    net.faults.page_items = 2
    net.back_up(table)
    assert net.faults.calls.count("Scan") == 3


def test_faults_of_a_vault(net: Process) -> None:
    """A refused write has no effect, a lost answer has one; reads are recorded as reads."""
    net.faults.fail("vault.put_new")
    net.faults.lose_answer("vault.put_new", nth=2)
    for key in ("refused", "lost"):
        with pytest.raises(UnavailableError):
            net.vault.put_new(key, b"x")
    assert [info.key for info in net.vault.list("")] == ["lost"]
    assert net.faults.calls == ["vault.put_new", "vault.put_new", "vault.list"]
    assert net.faults.writes == ["vault.put_new", "vault.put_new"]
