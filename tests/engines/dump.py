"""A dump as dynamodump writes it, made by hand after its source: answers of boto3, printed as JSON."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.engine import Engine


def dump(engine: Engine, table: str, folder: Path, page_items: int, pages: int | None = None) -> Path:
    """Dump a table into ``folder/<table>``, a file for each page of a scan. ``pages``: break off after so many."""
    root = folder / table
    (root / "data").mkdir(parents=True)
    _write(root / "schema.json", engine.client.describe_table(TableName=table))
    request: dict[str, Any] = {"TableName": table, "Limit": page_items}
    number = 0
    while number != pages:
        number += 1
        page = engine.client.scan(**request)
        del page["ResponseMetadata"]
        _write(root / "data" / f"{number:04}.json", page)
        if "LastEvaluatedKey" not in page:
            break
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return root


def _write(path: Path, answer: Any) -> None:
    path.write_text(json.dumps(answer, indent=2, default=_encoded), encoding="utf-8")


def _encoded(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()
