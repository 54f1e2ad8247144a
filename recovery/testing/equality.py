"""Whether a table is what it was, asked of the API with plain boto3: none of the product's own readers."""

from __future__ import annotations

from collections import Counter
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recovery.aws import Aws

# What belongs to one incarnation of a table and not to its definition.
VOLATILE = frozenset(
    {
        "CreationDateTime",
        "IndexSizeBytes",
        "ItemCount",
        "LastDecreaseDateTime",
        "LastIncreaseDateTime",
        "LastUpdateDateTime",
        "LastUpdateToPayPerRequestDateTime",
        "LatestStreamArn",
        "LatestStreamLabel",
        "TableId",
        "TableSizeBytes",
    }
)


def definition(aws: Aws, table: str) -> dict[str, Any]:
    """All that the API says about a table, without counts, times and ids."""
    client = aws.dynamodb()
    described = client.describe_table(TableName=table)["Table"]
    arn = described["TableArn"]
    return {
        "table": _without_volatile(described),
        "time to live": client.describe_time_to_live(TableName=table)["TimeToLiveDescription"],
        "tags": sorted(
            (tag["Key"], tag["Value"]) for tag in client.list_tags_of_resource(ResourceArn=arn)["Tags"]
        ),
    }


def items(aws: Aws, table: str) -> list[dict[str, Any]]:
    """Every item, as boto3's paginator gives them."""
    pages = aws.dynamodb().get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [dict(item) for page in pages for item in page["Items"]]


def different_items(expected: Iterable[dict[str, Any]], found: Iterable[dict[str, Any]]) -> int:
    """How many items are missing, added or changed. Types count; order and the spelling of numbers do not."""
    wanted, present = Counter(comparable(expected)), Counter(comparable(found))
    return max((wanted - present).total(), (present - wanted).total())


def comparable(items: Iterable[dict[str, Any]]) -> list[str]:
    """Items in a form where order and the spelling of numbers do not count, but types do; sorted."""
    return sorted(repr(_comparable({"M": item})) for item in items)


def _comparable(attribute: dict[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "M":
        return kind, sorted((name, _comparable(child)) for name, child in value.items())
    if kind == "L":
        return kind, [_comparable(child) for child in value]
    if kind == "N":
        return kind, _number(value)
    if kind == "NS":
        return kind, sorted(_number(number) for number in value)
    if kind in {"SS", "BS"}:
        return kind, sorted(value)
    return kind, value


def _number(text: str) -> Decimal:
    """All 38 digits of it: the default context would round to 28."""
    number = Decimal(text).normalize(Context(prec=40))
    return number or Decimal(0)  # minus zero is zero


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_volatile(child) for key, child in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return sorted((_without_volatile(child) for child in value), key=repr)
    return value
