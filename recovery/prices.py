"""What backups cost, about: an estimate from list prices, never a bill.

Prices are those of us-east-1 as AWS's pricing pages and price list showed them (DynamoDB on demand since November
2024, S3 Standard, first 50 TB). Other regions differ by a third or so; discounts, requests and transfer are left out.
"""

from __future__ import annotations

import math
from typing import Any

PRICES_OF = "list prices of us-east-1, 2026-09; an estimate"
GB = 1_000_000_000
S3_STANDARD_GB_MONTH = 0.023
WRITE_UNITS_MILLION = 0.625
READ_UNITS_MILLION = 0.125
EXPORT_GB = 0.10  # of the table's size; a price of 2023
WRITE_UNIT_BYTES = 1024
_MILLION = 1_000_000


def monthly_cost(stored_bytes: int) -> float:
    """US dollars a month to keep so many bytes in S3 Standard."""
    return stored_bytes / GB * S3_STANDARD_GB_MONTH


def restore_cost(data_bytes: int, items: int, create_table: dict[str, Any]) -> float:
    """US dollars to write items of so many bytes with on-demand writes, an index as dear as the table itself."""
    if not items:
        return 0.0
    units = items * max(1, math.ceil(data_bytes / items / WRITE_UNIT_BYTES))
    indexes = sum(
        len(create_table.get(kind) or []) for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
    )
    return units * (1 + indexes) / _MILLION * WRITE_UNITS_MILLION
