"""Orders of about 400 bytes as DynamoDB counts them, which is 720 of DynamoDB JSON.

They are made up, always the same, and hold every kind of value that tables hold.
"""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What an item takes on average by DynamoDB's rules (developer guide, 'DynamoDB item sizes and formats').
ITEM_BYTES = 396
CITIES = ("Leipzig", "Coimbra", "Turku", "Gda\u0144sk", "Gen\u00e8ve", "Cork", "Bologna", "Ume\u00e5")
STATES = ("placed", "paid", "packed", "shipped", "returned")
TAGS = ("gift", "express", "fragile", "first-order", "loyal", "abroad")
KEY_SCHEMA = [
    {"AttributeName": "pk", "KeyType": "HASH"},
    {"AttributeName": "sk", "KeyType": "RANGE"},
]
ATTRIBUTES = [
    {"AttributeName": "pk", "AttributeType": "S"},
    {"AttributeName": "sk", "AttributeType": "S"},
]


def items(first: int, count: int) -> Iterator[bytes]:
    """The JSON of ``count`` orders, from number ``first`` on; every number has a key of its own."""
    draw = random.Random(first)  # noqa: S311 - the same items every time
    for number in range(first, first + count):
        yield json.dumps(_order(draw, number), separators=(",", ":"), ensure_ascii=False).encode()


def _order(draw: random.Random, number: int) -> dict[str, Any]:
    return {
        "pk": {"S": f"customer#{draw.randrange(10**9):09d}"},
        "sk": {"S": f"order#{number:08d}"},
        "state": {"S": draw.choice(STATES)},
        "placed": {
            "S": f"2026-{draw.randrange(1, 12):02d}-{draw.randrange(1, 28):02d}T08:15:{number % 60:02d}Z"
        },
        "expires": {"N": str(1_800_000_000 + draw.randrange(10**7))},
        "total": {"N": f"{draw.randrange(100, 90000)}.{draw.randrange(1, 9)}"},
        "currency": {"S": "EUR"},
        "paid": {"BOOL": draw.random() < 0.8},  # noqa: PLR2004 - four in five
        "coupon": {"NULL": True},
        "email": {"S": f"{draw.getrandbits(44):011x}@example.com"},
        "note": {"S": f"Please leave it with {draw.choice(('the neighbours', 'the porter', 'nobody'))}."},
        "address": {
            "M": {
                "name": {"S": f"Customer {draw.randrange(10**6)}"},
                "street": {"S": f"{draw.choice(CITIES)} Street {draw.randrange(900)}"},
                "city": {"S": draw.choice(CITIES)},
                "zip": {"S": str(draw.randrange(10000, 99999))},
            }
        },
        "lines": {"L": [_line(draw), _line(draw)]},
        "tags": {"SS": sorted(draw.sample(TAGS, 2))},
        "receipt": {"B": base64.b64encode(draw.randbytes(36)).decode()},
    }


def _line(draw: random.Random) -> dict[str, Any]:
    return {
        "M": {
            "sku": {"S": f"sku-{draw.randrange(10**6):06d}"},
            "count": {"N": str(draw.randrange(1, 20))},
            "price": {"N": f"{draw.randrange(1, 900)}.{draw.randrange(1, 99):02d}".rstrip("0").rstrip(".")},
        }
    }
