"""From DescribeTable's answer to the CreateTable request that makes such a table (API reference, both).

Left out on purpose: what goes on once the data is in (``definition.Settings``), warm throughput, which costs
money, and everything of global tables: replicas, consistency and their settings are UpdateTable's, on a table
that is there.
"""

from __future__ import annotations

from typing import Any

from recovery.definitions.readings import Known, NotKnown

_ENCRYPTED = frozenset({"ENABLED", "ENABLING", "UPDATING"})
_GOING = "DELETING"
_INDEXES = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes", "VectorIndexes")
_VECTOR_PARTS = ("VectorAttribute", "SearchSchema", "Dimensions", "DistanceFunction")


def create_request(description: dict[str, Any]) -> dict[str, Any]:
    """The CreateTable request that makes a table as described, but for what ``Settings`` holds."""
    on_demand = _is_on_demand(description)
    request: dict[str, Any] = {
        "TableName": description["TableName"],
        "AttributeDefinitions": _attributes(description),
        "KeySchema": description["KeySchema"],
        "BillingMode": "PAY_PER_REQUEST" if on_demand else "PROVISIONED",
    }
    request.update(_throughput(description, on_demand=on_demand))
    for kind in _INDEXES:
        indexes = [_index(index, kind, on_demand=on_demand) for index in _staying(description, kind)]
        if indexes:
            request[kind] = sorted(indexes, key=lambda index: str(index["IndexName"]))
    table_class = description.get("TableClassSummary", {}).get("TableClass")
    if table_class:
        request["TableClass"] = table_class
    encryption = description.get("SSEDescription", {})
    # AES256 is the key that AWS owns, which is what a table has that asks for nothing.
    if encryption.get("Status") in _ENCRYPTED and encryption.get("SSEType", "KMS") == "KMS":
        request["SSESpecification"] = {
            "Enabled": True,
            "SSEType": "KMS",
            **({"KMSMasterKeyId": encryption["KMSMasterKeyArn"]} if "KMSMasterKeyArn" in encryption else {}),
        }
    return request


def without_aws_key(request: dict[str, Any], key: Known | NotKnown) -> dict[str, Any]:
    """The request without the key, where that is the one AWS manages for DynamoDB, ``alias/aws/dynamodb``.

    It is what encryption with KMS means without a key, and "you should only provide this parameter if the key
    is different from the default" (API reference, 'SSESpecification').
    """
    if not (isinstance(key, Known) and key.value and key.value.get("KeyManager") == "AWS"):
        return request
    encryption = request.get("SSESpecification", {})
    kept = {name: value for name, value in encryption.items() if name != "KMSMasterKeyId"}
    return {**request, "SSESpecification": kept} if kept else request


def _is_on_demand(description: dict[str, Any]) -> bool:
    mode = description.get("BillingModeSummary", {}).get("BillingMode")
    if mode:
        return bool(mode == "PAY_PER_REQUEST")
    # A provisioned table of AWS's may have no summary, and has at least one unit; that of an engine without
    # billing modes has neither.
    provisioned = description.get("ProvisionedThroughput", {})
    return not (provisioned.get("ReadCapacityUnits") and provisioned.get("WriteCapacityUnits"))


def _staying(description: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The indexes but for those that somebody is deleting at this moment."""
    return [index for index in description.get(kind) or () if index.get("IndexStatus") != _GOING]


def _attributes(description: dict[str, Any]) -> list[dict[str, Any]]:
    """Sorted, and without those of indexes that go: CreateTable refuses what no key is made of."""
    staying = _key_names(description)
    going: set[str] = set()
    for kind in _INDEXES:
        for index in description.get(kind) or ():
            (going if index.get("IndexStatus") == _GOING else staying).update(_key_names(index))
    attributes = [
        attribute
        for attribute in description["AttributeDefinitions"]
        if attribute["AttributeName"] not in going - staying
    ]
    return sorted(attributes, key=lambda attribute: str(attribute["AttributeName"]))


def _key_names(keyed: dict[str, Any]) -> set[str]:
    elements = [*(keyed.get("KeySchema") or ()), *(keyed.get("SearchSchema") or ())]
    return {str(element["AttributeName"]) for element in elements}


def _throughput(description: dict[str, Any], *, on_demand: bool) -> dict[str, Any]:
    if on_demand:
        limits = description.get("OnDemandThroughput") or {}
        # -1 is how DescribeTable spells "no limit".
        kept = {name: units for name, units in limits.items() if units not in (None, -1)}
        return {"OnDemandThroughput": kept} if kept else {}
    provisioned = description.get("ProvisionedThroughput", {})
    return {
        "ProvisionedThroughput": {
            "ReadCapacityUnits": provisioned.get("ReadCapacityUnits", 0),
            "WriteCapacityUnits": provisioned.get("WriteCapacityUnits", 0),
        }
    }


def _index(index: dict[str, Any], kind: str, *, on_demand: bool) -> dict[str, Any]:
    request = {
        "IndexName": index["IndexName"],
        "Projection": {
            name: sorted(value) if isinstance(value, list) else value
            for name, value in index["Projection"].items()
        },
    }
    if kind == "VectorIndexes":
        return {**request, **{name: index[name] for name in _VECTOR_PARTS if index.get(name)}}
    request["KeySchema"] = index["KeySchema"]
    if kind == "GlobalSecondaryIndexes":
        request.update(_throughput(index, on_demand=on_demand))
    return request
