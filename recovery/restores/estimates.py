"""How long a recovery takes and what it costs, about, for each way to bring a table back.

Estimates, never a bill or a promise: they put recovery points and engines in an order and tell minutes from hours.
Prices are list prices of us-east-1 from a 2023 copy of AWS's page 'Amazon DynamoDB pricing' (restores) and those of
``recovery.prices`` (writes). That a restore takes at least about 20 minutes, whatever the size, is AWS re:Post's
word; AWS publishes no rate for what comes on top, nor for cold storage: those two are assumptions, on the careful side.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from recovery.prices import GB, WRITE_UNIT_BYTES, restore_cost

RESTORE_GB = 0.15  # of DynamoDB's own and of AWS Backup's warm storage
RESTORE_COLD_GB = 0.20
RESTORE_SECONDS = 20 * 60.0
RESTORE_SECONDS_PER_GB = 6.0  # assumed
COLD_SECONDS = 4 * 3600.0  # assumed
# A new on-demand table takes so many write units a second (developer guide, 'On-demand capacity mode').
ON_DEMAND_WRITE_UNITS = 4000
# Creating the table, and putting its settings on afterwards.
WRITE_SECONDS = 60.0


class Estimate(NamedTuple):
    """Seconds from the confirmation to the table, and US dollars."""

    seconds: float
    dollars: float


def native_restore(size_bytes: int) -> Estimate:
    """A restore by DynamoDB: point-in-time recovery, a system backup, an on-demand backup of so many bytes."""
    gigabytes = size_bytes / GB
    return Estimate(RESTORE_SECONDS + gigabytes * RESTORE_SECONDS_PER_GB, gigabytes * RESTORE_GB)


def aws_backup_restore(size_bytes: int, *, cold: bool = False) -> Estimate:
    """A restore by AWS Backup, from warm or from cold storage."""
    warm = native_restore(size_bytes)
    if not cold:
        return warm
    return Estimate(warm.seconds + COLD_SECONDS, size_bytes / GB * RESTORE_COLD_GB)


def vault_write(
    items: int,
    data_bytes: int,
    create_table: dict[str, Any],
    *,
    items_per_second: float | None = None,
) -> Estimate:
    """A backup of the vault, written from here into a new table with that CreateTable request.

    ``items_per_second`` is what the engine was measured at; None: the table's own limit alone counts, which is its
    provisioned write units, or what a new on-demand table takes. Items are taken to be of one size.
    """
    size = math.ceil(data_bytes / items) if items else 0
    units = items * max(1, math.ceil(size / WRITE_UNIT_BYTES))
    seconds = units / _write_units_per_second(create_table)
    if items_per_second is not None:
        seconds = max(seconds, items / items_per_second)
    return Estimate(WRITE_SECONDS + seconds, restore_cost(data_bytes, items, create_table))


def _write_units_per_second(create_table: dict[str, Any]) -> float:
    limits = [
        create_table.get("ProvisionedThroughput", {}).get("WriteCapacityUnits"),
        create_table.get("OnDemandThroughput", {}).get("MaxWriteRequestUnits"),
    ]
    return float(min((units for units in limits if units), default=ON_DEMAND_WRITE_UNITS))
