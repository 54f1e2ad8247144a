"""How many of the items that were made for a table are in it as they were. A process of its own.

Prints ``{"items": ..., "identical": ...}``: what the table holds, and how much of that is what was made. Two items are the
same when their values are, numbers as numbers and sets as sets; this is independent of the product's own digest.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from benchmarks.backup.bare_reader import call, connect
from benchmarks.backup.items import items
from benchmarks.backup.load import CHUNK
from recovery.testing.equality import comparable


def _hash(item: Any) -> bytes:
    (text,) = comparable([item])
    return hashlib.sha256(text.encode()).digest()[:16]


def main(endpoint: str, table: str, count: int) -> None:
    """Read the whole table."""
    made = {
        _hash(json.loads(item))
        for first in range(0, count, CHUNK)
        for item in items(first, min(CHUNK, count - first))
    }
    connection = connect(endpoint)
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    found = identical = 0
    while True:
        page = json.loads(call(connection, "Scan", json.dumps(request).encode()))
        found += len(page["Items"])
        identical += sum(_hash(item) in made for item in page["Items"])
        if "LastEvaluatedKey" not in page:
            break
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    print(json.dumps({"items": found, "identical": identical}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
