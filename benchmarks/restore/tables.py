"""Tables that are lost and made between two runs, over plain HTTP."""

from __future__ import annotations

import json
import time

from benchmarks.backup.bare_reader import call, connect
from benchmarks.backup.items import ATTRIBUTES, KEY_SCHEMA

POLLS, POLL_SECONDS = 600, 0.05


def lose(endpoint: str, table: str) -> None:
    """Delete a table, if it is there, and wait until it is gone."""
    connection = connect(endpoint)
    request = json.dumps({"TableName": table}).encode()
    try:
        call(connection, "DeleteTable", request)
        for _ in range(POLLS):
            call(connection, "DescribeTable", request)
            time.sleep(POLL_SECONDS)
    except RuntimeError as error:
        if "ResourceNotFoundException" not in str(error):
            raise
        return
    raise RuntimeError(f"table {table} does not go away")


def make(endpoint: str, table: str) -> None:
    """Create an empty table, and wait until it is there."""
    connection = connect(endpoint)
    definition = {
        "TableName": table,
        "AttributeDefinitions": ATTRIBUTES,
        "KeySchema": KEY_SCHEMA,
        "ProvisionedThroughput": {"ReadCapacityUnits": 1_000, "WriteCapacityUnits": 1_000},
    }
    call(connection, "CreateTable", json.dumps(definition).encode())
    request = json.dumps({"TableName": table}).encode()
    for _ in range(POLLS):
        if json.loads(call(connection, "DescribeTable", request))["Table"]["TableStatus"] == "ACTIVE":
            return
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"table {table} does not come up")
