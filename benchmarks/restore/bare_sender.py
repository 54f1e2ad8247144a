"""Sends ready BatchWriteItem requests as fast as the server takes them: plain HTTP, in threads. A script of its own.

The requests are made beforehand and are ours to the letter; nothing is signed, checked or parsed, but for what was left
over, and that engines never do. Prints, as JSON, the seconds that the sending took.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.backup.bare_reader import call, connect
from benchmarks.backup.items import items
from benchmarks.backup.load import BATCH, CHUNK

_local = threading.local()


def requests(table: str, count: int) -> list[bytes]:
    """The bodies for the items that ``benchmarks.backup.load`` makes."""
    made = []
    for first in range(0, count, CHUNK):
        some = list(items(first, min(CHUNK, count - first)))
        for start in range(0, len(some), BATCH):
            puts = b",".join(b'{"PutRequest":{"Item":%b}}' % item for item in some[start : start + BATCH])
            made.append(b'{"RequestItems":{"%b":[%b]}}' % (table.encode(), puts))
    return made


def _send(endpoint: str, body: bytes) -> None:
    if not hasattr(_local, "connection"):
        _local.connection = connect(endpoint)
    if json.loads(call(_local.connection, "BatchWriteItem", body)).get("UnprocessedItems"):
        raise RuntimeError("the engine left items over: it never throttles")


def main(endpoint: str, table: str, count: int, writers: int) -> None:
    """Fill a table that is there."""
    bodies = requests(table, count)
    start = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(lambda body: _send(endpoint, body), bodies))
    print(json.dumps({"seconds": time.perf_counter() - start, "items": count}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
