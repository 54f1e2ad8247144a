"""The CreateTable request for a table that is loaded next: what it should have in the end, fit for the load.

Deletion protection, stream and time to live are never in it: they are put on once the data is in and verified.
"""

from __future__ import annotations

from typing import Any

from recovery.definitions.surroundings_table import WARM_FROM_BIRTH

_INDEXES = "GlobalSecondaryIndexes"
_LATER = (
    "DeletionProtectionEnabled",
    "ResourcePolicy",
    "StreamSpecification",
    "Tags",
    "TimeToLiveSpecification",
)


def for_load(create_table: dict[str, Any], *, write_units: int | None, warm: bool) -> dict[str, Any]:
    """The request with a write capacity of at least ``write_units`` a second for the table and each global index.

    A provisioned table and its indexes get it as WriteCapacityUnits, which ``put_back`` lowers again, in one
    UpdateTable: only a few decreases a day are allowed. An on-demand table takes up to 4,000 units a second at
    once by itself; more is asked for as WarmThroughput only where ``warm``, for that costs money and stays. A limit
    of OnDemandThroughput below ``write_units`` is raised to it. ``write_units`` None: the capacity stays.
    """
    request = {name: value for name, value in create_table.items() if name not in _LATER}
    if write_units is None:
        return request
    request = _raised(request, write_units, warm=warm, on_demand=_is_on_demand(request))
    if indexes := request.get(_INDEXES):
        on_demand = _is_on_demand(request)
        request[_INDEXES] = [_raised(index, write_units, warm=warm, on_demand=on_demand) for index in indexes]
    return request


def _is_on_demand(request: dict[str, Any]) -> bool:
    return bool(request.get("BillingMode") == "PAY_PER_REQUEST")


def _raised(request: dict[str, Any], units: int, *, warm: bool, on_demand: bool) -> dict[str, Any]:
    if not on_demand:
        provisioned = request.get("ProvisionedThroughput")
        if not provisioned:
            return request
        write = max(units, provisioned["WriteCapacityUnits"])
        return {**request, "ProvisionedThroughput": {**provisioned, "WriteCapacityUnits": write}}
    raised = dict(request)
    limits = request.get("OnDemandThroughput", {})
    if limits.get("MaxWriteRequestUnits", units) < units:
        raised["OnDemandThroughput"] = {**limits, "MaxWriteRequestUnits": units}
    if warm and units > WARM_FROM_BIRTH["WriteUnitsPerSecond"]:
        raised["WarmThroughput"] = {**WARM_FROM_BIRTH, "WriteUnitsPerSecond": units}
    return raised
