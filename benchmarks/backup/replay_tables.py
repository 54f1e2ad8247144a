"""The DynamoDB of the replay server: tables named ``items-<count>``, whose pages were made beforehand."""

from __future__ import annotations

import json
import threading
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.backup.items import ATTRIBUTES, ITEM_BYTES, KEY_SCHEMA, items

ACCOUNT, REGION = "123456789012", "eu-west-1"
ITEMS_A_PAGE = 2_500  # 1 MB as DynamoDB counts, where it ends a page
# So many pages differ; then they repeat. gzip looks back 32 KB, so it cannot tell.
DISTINCT_PAGES = 16
DESCRIBED = frozenset(
    {
        "ListTables",
        "DescribeTable",
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
        "ListTagsOfResource",
        "GetResourcePolicy",
    }
)
TARGET = "DynamoDB_20120810."
CREATED = 1_790_000_000


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - an answer of the service, not a fault of ours
    """An error of DynamoDB, as its clients know it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an answer's body that does not change, with the CRC32 of the body so far."""

    body: bytes
    crc: int


@cache
def _part(page: int, count: int, *, capacity: bool) -> Part:
    """A page up to the end of its items."""
    joined = b",".join(items(page * ITEMS_A_PAGE, count))
    used = (
        b'"ConsumedCapacity":{"CapacityUnits":%.1f,"TableName":"items"},' % (count * ITEM_BYTES / 4096)
        if capacity
        else b""
    )
    body = b'{%b"Count":%d,"Items":[%b]' % (used, count, joined)
    return Part(body, zlib.crc32(body))


class Tables:
    """What the tables answer, and how much of it they gave."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = {f"items-{size}": size for size in sizes}
        self._lock = threading.Lock()
        self._served = {"pages": 0, "items": 0, "bytes": 0}
        for page in range(DISTINCT_PAGES if any(sizes) else 0):
            _part(page, ITEMS_A_PAGE, capacity=True)
            _part(page, ITEMS_A_PAGE, capacity=False)

    def served(self) -> dict[str, int]:
        """Pages, items, and bytes of items' JSON, since the last time somebody asked."""
        with self._lock:
            served, self._served = self._served, {"pages": 0, "items": 0, "bytes": 0}
        return served

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[list[bytes], int]:
        """The body in pieces, and its CRC32. Raises Refusal."""
        if operation == "Scan":
            return self._scan(request)
        body = json.dumps(self._described(operation, request)).encode()
        return [body], zlib.crc32(body)

    def _size(self, table: str) -> int:
        if table not in self._sizes:
            raise Refusal("ResourceNotFoundException", f"Requested resource not found: Table: {table}")
        return self._sizes[table]

    def _scan(self, request: dict[str, Any]) -> tuple[list[bytes], int]:
        size = self._size(request["TableName"].rpartition("/")[2])
        segments, page = request.get("TotalSegments", 1), request.get("Segment", 0)
        if "ExclusiveStartKey" in request:
            page = int(request["ExclusiveStartKey"]["sk"]["S"]) + segments
        count = max(0, min(ITEMS_A_PAGE, size - page * ITEMS_A_PAGE))
        part = _part(
            page % DISTINCT_PAGES if count else 0, count, capacity="ReturnConsumedCapacity" in request
        )
        tail = b',"ScannedCount":%d}' % count
        if (page + segments) * ITEMS_A_PAGE < size:
            tail = b',"LastEvaluatedKey":{"pk":{"S":"page"},"sk":{"S":"%d"}}%b' % (page, tail)
        with self._lock:
            self._served["pages"] += 1
            self._served["items"] += count
            self._served["bytes"] += len(part.body)
        return [part.body, tail], zlib.crc32(tail, part.crc)

    def _described(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation not in DESCRIBED:
            raise Refusal("UnknownOperationException", "")
        if operation == "ListTables":
            return {"TableNames": sorted(self._sizes)}
        table = str(request.get("TableName") or request.get("ResourceArn", "")).rpartition("/")[2]
        size = self._size(table)
        match operation:
            case "DescribeTable":
                return {"Table": _description(table, size)}
            case "DescribeTimeToLive":
                return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
            case "DescribeContinuousBackups":
                off = {"PointInTimeRecoveryStatus": "DISABLED"}
                return {
                    "ContinuousBackupsDescription": {
                        "ContinuousBackupsStatus": "ENABLED",
                        "PointInTimeRecoveryDescription": off,
                    }
                }
            case "ListTagsOfResource":
                return {"Tags": [{"Key": "team", "Value": "shop"}]}
            case _:
                raise Refusal("PolicyNotFoundException", "Resource-based policy not found")


def _description(table: str, size: int) -> dict[str, Any]:
    return {
        "AttributeDefinitions": ATTRIBUTES,
        "KeySchema": KEY_SCHEMA,
        "TableName": table,
        "TableStatus": "ACTIVE",
        "CreationDateTime": CREATED,
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": 40_000,
            "WriteCapacityUnits": 100,
        },
        "TableSizeBytes": size * ITEM_BYTES,
        "ItemCount": size,
        "TableArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
        "TableId": f"5f0c3c9e-3a52-4a86-9d6f-{size:012d}",
        "DeletionProtectionEnabled": False,
    }
