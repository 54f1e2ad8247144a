"""The signal of DescribeEndpoints: DynamoDB's front end answers in that region. Reads no table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from watcher.availability.probe import Signal, asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient


class DescribeEndpointsProbe:
    """See Probe. Even a refusal is an answer: ``dynamodb:DescribeEndpoints`` is nice to have, no more.

    ``client_in`` makes the client for a region, with ``PROBE_CONFIG``.
    """

    name = "describe-endpoints"

    def __init__(
        self, client_in: Callable[[str], DynamoDBClient], elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._client_in = client_in
        self._elapsed = elapsed

    def probe(self, region: str) -> Signal:
        """See Probe.probe."""
        signal, _ = asked(self.name, lambda: self._client_in(region).describe_endpoints(), self._elapsed)
        return signal
