"""An export as DynamoDB writes it, made by hand, for no engine writes a whole one.

Source: developer guide, 'DynamoDB table export output format'. Nothing of it is made with the product's own code.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.engines.edge_items import Item
    from tests.engines.engine import Engine

TIME = "2026-11-20T07:28:34.028Z"


def export(engine: Engine, table: str, items: Sequence[Item], bucket: str, prefix: str) -> str:
    """Write an export of the items, in three files, one of them without items as of an empty partition.

    Returns ``s3://<bucket>/<prefix>/AWSDynamoDB/<export id>``.
    """
    export_id = f"01{secrets.randbelow(10**12):012}-{secrets.token_hex(4)}"
    root = f"{prefix}/AWSDynamoDB/{export_id}"
    files = []
    for part in (items[::2], items[1::2], []):
        body = gzip.compress("".join(f"{_line(item)}\n" for item in part).encode())
        key = f"{root}/data/{secrets.token_hex(13)}.json.gz"
        _put(engine, bucket, key, body)
        files.append(
            {
                "itemCount": len(part),
                "md5Checksum": _md5(body),
                # As of an object of several parts: it is no MD5, and nobody may take it for one.
                "etag": f"{hashlib.md5(body).hexdigest()}-1",
                "dataFileS3Key": key,
            }
        )
    described: dict[str, Any] = engine.client.describe_table(TableName=table)["Table"]
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{described['TableArn']}/export/{export_id}",
        "startTime": TIME,
        "endTime": TIME,
        "tableArn": described["TableArn"],
        "tableId": described.get("TableId", ""),
        "exportTime": TIME,
        "s3Bucket": bucket,
        "s3Prefix": prefix,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{root}/manifest-files.json",
        "billedSizeBytes": 1000,
        "itemCount": len(items),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }
    _put(engine, bucket, f"{root}/_started", b"")
    for name, body in (
        ("manifest-files", "".join(f"{json.dumps(file)}\n" for file in files).encode()),
        ("manifest-summary", json.dumps(summary).encode()),
    ):
        _put(engine, bucket, f"{root}/{name}.json", body)
        _put(engine, bucket, f"{root}/{name}.md5", _md5(body).encode())
    return f"s3://{bucket}/{root}"


def _line(item: Item) -> str:
    return json.dumps({"Item": item}, default=lambda value: base64.b64encode(value).decode())


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def _put(engine: Engine, bucket: str, key: str, body: bytes) -> None:
    engine.s3.put_object(Bucket=bucket, Key=key, Body=body)
