"""Tables that can be lost and brought back: what is put is counted and dropped, what is scanned are canned pages.

Now and then a batch is throttled, or part of it comes back unprocessed, as on a table that is short of capacity. Such tables
may spell what they give back otherwise than it was put: then all attributes come the other way round.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import cache
from typing import Any

from benchmarks.backup.replay_tables import Refusal, Tables

# One batch in so many is throttled, and one in so many is not done to its end.
THROTTLED, UNPROCESSED = 500, 20
LEFT_OVER = 5
_TABLE = re.compile(rb'"RequestItems":\s*\{\s*"([^"]+)"')
_DONE = b'{"UnprocessedItems":{}}'
_DONE_CRC = zlib.crc32(_DONE)


@cache
def _spelled_otherwise(body: bytes) -> tuple[bytes, int]:
    """A page up to the end of its items, and its CRC32."""
    page = json.loads(body + b"}")
    page["Items"] = [dict(reversed(item.items())) for item in page["Items"]]
    other = json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
    return other, zlib.crc32(other)


class LostTables(Tables):
    """``items-<count>``: there until deleted, and again once created; ``otherwise``: then spelled so."""

    def __init__(self, sizes: list[int], *, otherwise: bool = False) -> None:
        super().__init__(sizes)
        self._otherwise = otherwise
        self._all = dict(self._sizes)
        self._tags: dict[str, list[dict[str, str]]] = {}
        self._batches = 0
        self._put = {"put": 0, "put_bytes": 0, "throttled": 0, "unprocessed": 0}

    def served(self) -> dict[str, int]:
        """As ``Tables``; and the items put, their bytes as sent, and the refusals, since somebody asked."""
        served = super().served()
        with self._lock:
            put, self._put = self._put, dict.fromkeys(self._put, 0)
        return {**served, **put}

    def put_batch(self, body: bytes) -> tuple[bytes, int]:
        """BatchWriteItem: the answer and its CRC32. Raises Refusal."""
        count = body.count(b'"PutRequest"')
        left: list[Any] = []
        with self._lock:
            self._batches += 1
            if self._batches % THROTTLED == 0:
                self._put["throttled"] += 1
                raise Refusal(
                    "ProvisionedThroughputExceededException", "The level of throughput was exceeded"
                )
            found = _TABLE.search(body)
            if found is None or found[1].decode() not in self._sizes:
                raise Refusal("ResourceNotFoundException", "Requested resource not found")
            if self._batches % UNPROCESSED == 0 and count > LEFT_OVER:
                left = next(iter(json.loads(body)["RequestItems"].values()))[-LEFT_OVER:]
                self._put["unprocessed"] += len(left)
            self._put["put"] += count - len(left)
            self._put["put_bytes"] += len(body)
        if not left:
            return _DONE, _DONE_CRC
        answer = json.dumps({"UnprocessedItems": {found[1].decode(): left}}).encode()
        return answer, zlib.crc32(answer)

    def _scan(self, request: dict[str, Any]) -> tuple[list[bytes], int]:
        (body, tail), crc = super()._scan(request)
        if self._otherwise and request["TableName"].rpartition("/")[2] in self._tags:
            body, crc = _spelled_otherwise(body)
            crc = zlib.crc32(tail, crc)
        return [body, tail], crc

    def _described(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        table = str(request.get("TableName") or request.get("ResourceArn", "")).rpartition("/")[2]
        match operation:
            case "CreateTable":
                if table in self._sizes:
                    raise Refusal("ResourceInUseException", f"Table already exists: {table}")
                self._sizes[table] = self._all[table]
                self._tags[table] = request.get("Tags", [])
                return {"TableDescription": super()._described("DescribeTable", request)["Table"]}
            case "DeleteTable":
                description = super()._described("DescribeTable", request)["Table"]
                del self._sizes[table]
                return {"TableDescription": description}
            case "ListTagsOfResource" if table in self._tags:
                return {"Tags": self._tags[table]}
            case "TagResource":
                gone = {tag["Key"] for tag in request["Tags"]}
                self._tags[table] = [*self._without(table, gone), *request["Tags"]]
                return {}
            case "UntagResource":
                self._tags[table] = self._without(table, set(request["TagKeys"]))
                return {}
            case _:
                return super()._described(operation, request)

    def _without(self, table: str, keys: set[str]) -> list[dict[str, str]]:
        return [tag for tag in self._tags.get(table, []) if tag["Key"] not in keys]
