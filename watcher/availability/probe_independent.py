"""A look elsewhere: whether our own network works, asked before a region is said to be unreachable.

Two endpoints that do not hang on the region: DynamoDB in another one, and an address that is not AWS's. If either
answers, in whatever way, the network works.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from watcher.alerts.http_pools import pool_for
from watcher.availability.probe import TIMEOUT_SECONDS, Signal, SignalState, asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

# Asked where the settings name none: two regions of each partition, so that one is always another.
NEIGHBOURS = {
    "cn-": ("cn-north-1", "cn-northwest-1"),
    "us-gov-": ("us-gov-west-1", "us-gov-east-1"),
    "": ("us-east-1", "eu-west-1"),
}


class IndependentProbe:
    """See Probe: ``failed`` means that nothing outside answers, so nobody can tell anything about the region."""

    name = "independent"

    def __init__(
        self,
        client_in: Callable[[str], DynamoDBClient],
        region: str | None = None,
        url: str | None = None,
        reach: Callable[[str], bool] | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_in = client_in
        self._region = region
        self._url = url
        self._reach = reach or reached
        self._elapsed = elapsed

    def probe(self, region: str) -> Signal:
        """See Probe.probe; ``region`` is the one that is not to be asked."""
        began = self._elapsed()
        other = self._region if self._region not in {None, region} else another_region(region)
        there, _ = asked(self.name, lambda: self._client_in(str(other)).describe_endpoints(), self._elapsed)
        told = [f"DynamoDB in {other}: {there.detail}"]
        answered = there.state is SignalState.OK
        if not answered and self._url is not None:
            answered = self._reach(self._url)
            told.append(f"{urlsplit(self._url).hostname}: {'answered' if answered else 'no answer'}")
        state = SignalState.OK if answered else SignalState.FAILED
        return Signal(self.name, state, "; ".join(told), round(max(0.0, self._elapsed() - began), 3))


def another_region(region: str) -> str:
    """A region of the same partition that is not this one."""
    choice = next(names for prefix, names in NEIGHBOURS.items() if region.startswith(prefix))
    return next(name for name in choice if name != region)


def reached(url: str) -> bool:
    """Whether anything answers there with HTTP, whatever it says; no redirect is followed."""
    try:
        with pool_for(url, TIMEOUT_SECONDS) as pool:
            pool.request("HEAD", url, retries=False, redirect=False)
    except (HTTPError, OSError):
        return False
    return True
