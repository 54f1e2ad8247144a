"""Reads a table as fast as its server gives it, and throws it away: pages over plain HTTP, in threads.

Nothing is signed, checked, parsed or kept but the key at which the next page starts. The request is ours to the
letter, capacity asked for as well: AWS tells it for nothing, but dynalite needs a tenth longer to add it up, and that
is the engine's time. A script of its own.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

KEY = b'"LastEvaluatedKey":'
COUNT = re.compile(rb'"Count": ?(\d+)')
# Engines want to see a signature, and look no closer.
SIGNED = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Date": "20261123T020000Z",
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date;x-amz-target, Signature=0000000000000000000000000000000000000000000000000000000000000000",
}


def connect(endpoint: str) -> http.client.HTTPConnection:
    """A connection that stays."""
    return http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=300)


def call(connection: http.client.HTTPConnection, operation: str, body: bytes) -> bytes:
    """One call; the answer's body. Raises RuntimeError for a refusal."""
    connection.request("POST", "/", body, {**SIGNED, "X-Amz-Target": f"DynamoDB_20120810.{operation}"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{operation}: {answer.status} {content[:200]!r}")
    return content


def read_segment(endpoint: str, table: str, segment: int, segments: int) -> int:
    """All pages of one segment; how many items they held."""
    connection = connect(endpoint)
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "ReturnConsumedCapacity": "TOTAL"}
    if segments > 1:
        request |= {"Segment": segment, "TotalSegments": segments}
    count = 0
    while True:
        page = call(connection, "Scan", json.dumps(request).encode())
        found = COUNT.search(page)
        count += int(found[1]) if found else 0
        at = page.rfind(KEY)
        if at < 0:
            return count
        rest = page[at + len(KEY) :].decode().lstrip()
        request["ExclusiveStartKey"] = json.JSONDecoder().raw_decode(rest)[0]


def main(endpoint: str, table: str, segments: int) -> None:
    """Read the table, and print how many items there were."""
    with ThreadPoolExecutor(segments) as pool:
        parts = pool.map(lambda number: read_segment(endpoint, table, number, segments), range(segments))
        print(sum(parts))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
