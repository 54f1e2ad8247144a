"""The shop of the story: a CloudFormation stack with three tables, and what is in them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDERS, CUSTOMERS, INVENTORY = "shop-prod-orders", "shop-prod-customers", "shop-prod-inventory"
TESTING = {ORDERS: "shop-test-orders", CUSTOMERS: "shop-test-customers", INVENTORY: "shop-test-inventory"}
PREVIEW_STACK, PREVIEW_TABLE = "preview-pr-42", "preview-pr-42-orders"
ORDER_COUNT, CUSTOMER_COUNT, INVENTORY_COUNT = 5_000, 300, 150
TTL_ATTRIBUTE = "expiresAt"


def _attribute(name: str, kind: str = "S") -> dict[str, str]:
    return {"AttributeName": name, "AttributeType": kind}


def _key(partition: str, sort: str = "") -> list[dict[str, str]]:
    keys = [{"AttributeName": partition, "KeyType": "HASH"}]
    return [*keys, {"AttributeName": sort, "KeyType": "RANGE"}] if sort else keys


def _table(
    name: str, attributes: list[dict[str, str]], key: list[dict[str, str]], **more: Any
) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": attributes,
            "KeySchema": key,
            "Tags": [{"Key": "team", "Value": "shop"}, {"Key": "env", "Value": "prod"}],
            **more,
        },
    }


SHOP_TEMPLATE: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {
        "Orders": _table(
            ORDERS,
            [_attribute("customer"), _attribute("order"), _attribute("status"), _attribute("total", "N")],
            _key("customer", "order"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-status",
                    "KeySchema": _key("status", "order"),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            LocalSecondaryIndexes=[
                {
                    "IndexName": "by-total",
                    "KeySchema": _key("customer", "total"),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            StreamSpecification={"StreamViewType": "NEW_AND_OLD_IMAGES"},
        ),
        "Customers": _table(CUSTOMERS, [_attribute("region"), _attribute("id", "N")], _key("region", "id")),
        "Inventory": _table(INVENTORY, [_attribute("sku", "B")], _key("sku")),
    },
}

PREVIEW_TEMPLATE: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {"Orders": _table(PREVIEW_TABLE, [_attribute("id")], _key("id"))},
}


def orders() -> Iterator[dict[str, Any]]:
    """Orders: every DynamoDB type (S N B SS NS BS M L NULL BOOL) and their awkward ends, in turn."""
    states = ("open", "paid", "packed", "sent", "returned")
    for number in range(ORDER_COUNT):
        yield {
            "customer": {"S": f"customer-{number % 700:03d}"},
            "order": {"S": f"order-{number:05d}"},
            "status": {"S": states[number // 7 % len(states)]},
            "total": {"N": f"{number * 37 % 100000}.{number % 99 + 1:02d}"},
            **_details(number),
        }


def _details(number: int) -> dict[str, Any]:
    seed = hashlib.sha256(str(number).encode()).digest()
    kinds: tuple[dict[str, Any], ...] = (
        {
            "signature": {"B": seed},
            "paid": {"BOOL": number % 2 == 0},
            "coupon": {"NULL": True},
            "note": {"S": "" if number % 2 else f"Grüße 🛒 e\u0301 #{number}"},
        },
        {
            "labels": {"SS": ["gift", f"batch-{number % 9}"]},
            "sizes": {"NS": ["1", "2.5", str(number + 10)]},
            "stamps": {"BS": [seed[:4], seed[4:12]]},
        },
        {
            "lines": {
                "L": [
                    {"M": {"sku": {"B": seed[:6]}, "tags": {"SS": ["a", "b"]}}},
                    {"L": [{"NULL": True}, {"N": "0"}]},
                ]
            }
        },
        {
            "address": {"M": {"street.name": {"S": "#1"}, "geo": {"M": {"lat": {"N": "48.2082"}}}}},
            TTL_ATTRIBUTE: {"N": str(4_102_444_800 + number)},
        },
        {"weight": {"N": "-" + "9" * 38 if number % 2 else f"{number + 1}E-{number % 30 + 1}"}},
    )
    return kinds[number % len(kinds)]


def customers() -> Iterator[dict[str, Any]]:
    """Customers under a composite key of text and number."""
    for number in range(CUSTOMER_COUNT):
        yield {
            "region": {"S": f"eu-{number % 3}"},
            "id": {"N": str(number)},
            "name": {"S": f"Customer {number}"},
        }


def inventory() -> Iterator[dict[str, Any]]:
    """Stock under a binary key."""
    for number in range(INVENTORY_COUNT):
        yield {"sku": {"B": number.to_bytes(6, "big")}, "stock": {"N": str(number * 3)}}
