"""A restore as any engineer would write it with boto3: JSON lines into a ``batch_writer``. A script of its own.

The file is what ``benchmarks/backup/peer_boto3_loop.py`` writes. ``batch_writer`` sends what was not processed again.
"""

import base64
import gzip
import json
import sys
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer


def binary(value: dict[str, Any]) -> dict[str, Any]:
    """JSON has no binary: base64 back to bytes, wherever it is inside."""
    ((kind, inner),) = value.items()
    if kind == "B":
        return {kind: base64.b64decode(inner)}
    if kind == "BS":
        return {kind: [base64.b64decode(member) for member in inner]}
    if kind == "M":
        return {kind: {name: binary(member) for name, member in inner.items()}}
    if kind == "L":
        return {kind: [binary(member) for member in inner]}
    return value


def main(name: str, path: str) -> None:
    """Make the table and fill it; prints how many items were put."""
    dynamodb = boto3.resource("dynamodb")
    table = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.wait_until_exists()
    python: Any = TypeDeserializer().deserialize
    count = 0
    with gzip.open(path, "rt", encoding="utf-8") as file, table.batch_writer() as batch:
        for line in file:
            item = json.loads(line)["Item"]
            batch.put_item(Item={key: python(binary(value)) for key, value in item.items()})
            count += 1
    print(count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
