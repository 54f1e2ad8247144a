"""The signal of a read: GetItem of one item that the settings name. What is in it is thrown away unread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from watcher.availability.probe import Signal, SignalState, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


class CanaryItemProbe:
    """See Probe. An item that is not there is as good as one that is: the read worked.

    A refusal (no permission, no such table, throttled) says nothing about the region. Needs ``dynamodb:GetItem``
    on that table.
    """

    name = "item-read"

    def __init__(
        self,
        client_in: Callable[[str], DynamoDBClient],
        table: str,
        key: Mapping[str, str | int],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_in = client_in
        self._table = table
        self._key: dict[str, AttributeValueTypeDef] = {
            name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in key.items()
        }
        self._elapsed = elapsed

    def probe(self, region: str) -> Signal:
        """See Probe.probe. Only the key is asked for, so the item's content does not even travel."""
        names = {f"#k{number}": name for number, name in enumerate(self._key)}

        def read() -> None:
            self._client_in(region).get_item(
                TableName=self._table,
                Key=self._key,
                ProjectionExpression=",".join(names),
                ExpressionAttributeNames=names,
            )

        signal, refusal = asked(self.name, read, self._elapsed)
        if refusal is not None:
            return Signal(self.name, SignalState.UNKNOWN, signal.detail, signal.seconds)
        return signal
