"""What names a table changes with it, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from recovery.backups.manifest import TableIdentity
from recovery.definitions.renaming import Renaming, same_policy

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
SOURCE = TableIdentity(account="123456789012", region="eu-west-1", name="orders", arn=ARN)
ELSEWHERE = Renaming(SOURCE, "arn:aws:dynamodb:us-east-1:210987654321:table/orders.2")
BESIDE = Renaming(SOURCE, f"{ARN}-copy")
HERE = Renaming(SOURCE, ARN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARN, ELSEWHERE.target_arn),
        (f"{ARN}/index/*", f"{ELSEWHERE.target_arn}/index/*"),
        (f"{ARN}-eu", f"{ARN}-eu"),
        (f"{ARN}.eu", f"{ARN}.eu"),
        (ARN.replace("eu-west-1", "*"), "arn:aws:dynamodb:*:210987654321:table/orders.2"),
        (ARN.replace("123456789012", "*"), "arn:aws:dynamodb:us-east-1:*:table/orders.2"),
        (ARN.replace("eu-west-1", "eu-west-2"), ARN.replace("eu-west-1", "eu-west-2")),
        ("arn:aws:iam::123456789012:role/orders", "arn:aws:iam::123456789012:role/orders"),
        ("arn:aws:sns:eu-west-1:123456789012:orders", "arn:aws:sns:eu-west-1:123456789012:orders"),
    ],
)
def test_arns_in_a_policy(text: str, expected: str) -> None:
    """Those of this very table become those of the other; principals and others' tables stay."""
    assert ELSEWHERE.policy(f'"{text}"') == f'"{expected}"'
    assert HERE.policy(f'"{text}"') == f'"{text}"'


def test_the_streams_arn_in_a_policy() -> None:
    """The label is another one, also where the table is the same; a wildcard fits any."""
    old, new = f"{ARN}/stream/2026-11-01T00:00:00.000", f"{ARN}/stream/2026-11-25T04:00:00.000"
    assert HERE.policy(f'["{old}", "{ARN}/stream/*"]', new) == f'["{new}", "{ARN}/stream/*"]'
    there = f"{ELSEWHERE.target_arn}/stream/2026-11-25T04:00:00.000"
    assert ELSEWHERE.policy(f'"{old}"', there) == f'"{there}"'
    others = f'"{ARN}-eu/stream/2026-11-01T00:00:00.000"'
    assert HERE.policy(others, new) == others


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("table/orders", "table/orders-copy"),
        ("table/orders/index/orders", "table/orders-copy/index/orders"),
        ("table/orders-eu", "table/orders-eu"),
    ],
)
def test_what_is_scaled(text: str, expected: str) -> None:
    """The table and its indexes, by Application Auto Scaling's names."""
    assert BESIDE.resource_id(text) == expected
    assert HERE.resource_id(text) == text


def metric(table: str, **more: Any) -> dict[str, Any]:
    """A metric of a table."""
    return {
        "Namespace": "AWS/DynamoDB",
        "Dimensions": [{"Name": "TableName", "Value": table}, {"Name": "Operation", "Value": "orders"}],
        **more,
    }


def test_an_alarm_of_the_same_table_is_not_touched() -> None:
    """Not by a letter."""
    alarm = metric("orders", AlarmName="orders-busy")
    assert HERE.alarm(alarm) == alarm


def test_an_alarm_of_another_name_watches_the_other_table() -> None:
    """Its own metric, the parts of its metric math and its expressions; another account's table is another table."""

    def math(own: str) -> list[dict[str, Any]]:
        return [
            {"Id": "a", "MetricStat": {"Metric": metric(own), "Period": 60, "Stat": "Sum"}},
            {"Id": "b", "MetricStat": {"Metric": metric("orders")}, "AccountId": "999999999999"},
            {"Id": "c", "MetricStat": {"Metric": {**metric("orders"), "Namespace": "Custom"}}},
            {"Id": "d", "Expression": f"SEARCH('{{AWS/DynamoDB,TableName}} {own}', 'Sum') + orders-eu"},
            {"Id": "e", "Expression": "orders + 1"},
        ]

    found = BESIDE.alarm({"AlarmName": "orders-busy", "Metrics": math("orders")})
    assert found == {"AlarmName": "orders-copy-busy", "Metrics": math("orders-copy")}
    assert BESIDE.alarm(metric("orders", AlarmName="x"))["Dimensions"] == metric("orders-copy")["Dimensions"]


def test_an_alarm_beside_the_first_needs_another_name() -> None:
    """PutMetricAlarm of the same name would take the alarm of the table that is still there."""
    assert BESIDE.alarm(metric("orders", AlarmName="busy"))["AlarmName"] == "busy-orders-copy"
    assert ELSEWHERE.alarm(metric("orders", AlarmName="busy"))["AlarmName"] == "busy"


def test_policies_are_compared_by_what_they_say() -> None:
    """AWS hands a policy back in its own spelling."""
    assert same_policy('{"a": 1, "b": [2]}', '{"b":[2],"a":1}')
    assert not same_policy('{"a": 1}', '{"a": 2}')
    assert same_policy("no JSON", "no JSON")
    assert not same_policy("", "{}")
