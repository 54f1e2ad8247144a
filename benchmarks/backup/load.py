"""Makes a table on an engine and fills it, as fast as the engine takes it. A process of its own.

It holds the items, so that the measuring process stays small: the kernel counts a child's peak memory from
what its parent had when the child was started.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.backup.bare_reader import call, connect
from benchmarks.backup.items import ATTRIBUTES, KEY_SCHEMA, items

WRITERS = 8
BATCH = 25  # BatchWriteItem takes no more
CHUNK = 1_000
_local = threading.local()


def main(endpoint: str, table: str, count: int) -> None:
    """Create the table with ``count`` items; one that is there is taken as it is."""
    connection = connect(endpoint)
    definition = {
        "TableName": table,
        "AttributeDefinitions": ATTRIBUTES,
        "KeySchema": KEY_SCHEMA,
        "ProvisionedThroughput": {"ReadCapacityUnits": 1_000, "WriteCapacityUnits": 1_000},
    }
    call(connection, "CreateTable", json.dumps(definition).encode())
    describe = json.dumps({"TableName": table}).encode()
    while json.loads(call(connection, "DescribeTable", describe))["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.1)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(
            pool.map(
                lambda first: _load(endpoint, table, first, min(CHUNK, count - first)), range(0, count, CHUNK)
            )
        )


def _load(endpoint: str, table: str, first: int, count: int) -> None:
    if not hasattr(_local, "connection"):
        _local.connection = connect(endpoint)
    batch: list[bytes] = []
    for item in items(first, count):
        batch.append(b'{"PutRequest":{"Item":%b}}' % item)
        if len(batch) == BATCH:
            _write(table, batch)
            batch.clear()
    if batch:
        _write(table, batch)


def _write(table: str, batch: list[bytes]) -> None:
    body = b'{"RequestItems":{"%b":[%b]}}' % (table.encode(), b",".join(batch))
    answer = json.loads(call(_local.connection, "BatchWriteItem", body))
    if answer.get("UnprocessedItems"):
        raise RuntimeError("the engine left items over: it never throttles")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
