"""Requests that DynamoDB refuses (developer guide, 'Quotas' and 'Naming rules'; service model), by name.

An engine that takes one cannot show that we never send it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.engines.edge_items import DEEPEST, KEY, NINES, Item, largest, nested
from tests.engines.engine import key

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG_VALUES: dict[str, Item] = {
    "a number of 39 digits": {"N": f"{NINES}9"},
    "a number above 9.99E+125": {"N": "1E+126"},
    "a number below 1E-130": {"N": "1E-131"},
    "no number": {"N": "one"},
    "a set without members": {"SS": []},
    "the same string twice in a set": {"SS": ["a", "a"]},
    "the same number twice in a set, spelled otherwise": {"NS": ["1", "1.0"]},
    "33 levels of lists": nested(DEEPEST, "L"),
}


def _puts(item: Item) -> Callable[[Any, str], object]:
    return lambda client, table: client.put_item(TableName=table, Item=item)


def _batch_of_26(client: Any, table: str) -> object:
    puts = [{"PutRequest": {"Item": {KEY: {"S": f"{number}"}}}} for number in range(26)]
    return client.batch_write_item(RequestItems={table: puts})


def _twice_in_a_batch(client: Any, table: str) -> object:
    return client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": {KEY: {"S": "a"}}}}] * 2})


def _short_name(client: Any, table: str) -> object:
    return client.create_table(TableName="ab", BillingMode="PAY_PER_REQUEST", **key("S"))


def _long_tag(client: Any, table: str) -> object:
    tags = [{"Key": "team", "Value": "x" * 257}]
    return client.create_table(
        TableName=f"{table}-tagged", BillingMode="PAY_PER_REQUEST", Tags=tags, **key("S")
    )


WRONG: dict[str, Callable[[Any, str], object]] = {
    **{name: _puts({KEY: {"S": name}, "value": value}) for name, value in WRONG_VALUES.items()},
    "an item of a byte too many": _puts(largest("an item of a byte too many", {"S": "x"}, more=1)),
    "an empty string as a key": _puts({KEY: {"S": ""}}),
    "a partition key of 2,049 bytes": _puts({KEY: {"S": "x" * 2049}}),
    "a batch of 26": _batch_of_26,
    "the same key twice in a batch": _twice_in_a_batch,
    "a table's name of two characters": _short_name,
    "a tag's value of 257 characters": _long_tag,
}
