"""What of a CreateTable request ImportTable takes (API reference, 'TableCreationParameters')."""

from __future__ import annotations

from typing import Any

TAKEN = (
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "SSESpecification",
    "GlobalSecondaryIndexes",
    "VectorIndexes",
)


def why_no_import(create_table: dict[str, Any]) -> str:
    """Why ImportTable cannot make such a table, in a few words; "" where it can."""
    if create_table.get("LocalSecondaryIndexes"):
        return "the table has local secondary indexes, which an import cannot make"
    return ""


def creation_parameters(create_table: dict[str, Any]) -> dict[str, Any]:
    """The part that ImportTable takes: table class and warm throughput are for afterwards."""
    return {name: create_table[name] for name in TAKEN if name in create_table}
