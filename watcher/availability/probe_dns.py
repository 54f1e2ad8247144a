"""The signal of DNS: DynamoDB's name in that region resolves. In October 2025 it was this that failed in us-east-1."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError

from rules.errors import SafetyNetError
from watcher.availability.probe import TIMEOUT_SECONDS, Signal, SignalState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient


def resolve(host: str) -> Sequence[Any]:
    """The addresses of a host. Raises OSError."""
    return socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)


class DnsProbe:
    """See Probe. The name is that of botocore's endpoint for the region (``dynamodb.eu-west-1.amazonaws.com``).

    A lookup cannot be told to hurry, so it runs beside; while one hangs, the next round starts none.
    """

    name = "dns"

    def __init__(
        self,
        client_in: Callable[[str], DynamoDBClient],
        resolve: Callable[[str], Sequence[Any]] = resolve,
        timeout: float = TIMEOUT_SECONDS,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client_in = client_in
        self._resolve = resolve
        self._timeout = timeout
        self._elapsed = elapsed
        self._running: dict[str, _Lookup] = {}

    def probe(self, region: str) -> Signal:
        """See Probe.probe."""
        began = self._elapsed()
        try:
            host = urlsplit(self._client_in(region).meta.endpoint_url).hostname or ""
        except (BotoCoreError, SafetyNetError) as error:
            return Signal(self.name, SignalState.UNKNOWN, f"could not be asked: {type(error).__name__}")
        lookup = self._running.get(host)
        if lookup is None:
            lookup = self._running[host] = _Lookup(host, self._resolve)
        done = lookup.wait(self._timeout)
        seconds = round(max(0.0, self._elapsed() - began), 3)
        if not done:
            return Signal(
                self.name, SignalState.FAILED, f"{host}: no answer within {self._timeout} s", seconds
            )
        del self._running[host]
        state = SignalState.OK if lookup.found else SignalState.FAILED
        return Signal(
            self.name, state, f"{host} {'resolves' if lookup.found else 'does not resolve'}", seconds
        )


class _Lookup:
    """One lookup in a thread of its own."""

    def __init__(self, host: str, resolve: Callable[[str], Sequence[Any]]) -> None:
        self._host = host
        self._resolve = resolve
        self._done = threading.Event()
        self.found = False
        threading.Thread(target=self._run, name="dns", daemon=True).start()

    def _run(self) -> None:
        try:
            self.found = bool(self._resolve(self._host))
        except (OSError, UnicodeError):
            self.found = False
        finally:
            self._done.set()

    def wait(self, timeout: float) -> bool:
        """Whether it is done."""
        return self._done.wait(timeout)
