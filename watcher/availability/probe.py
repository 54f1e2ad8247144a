"""The port of the availability probes: one signal each on whether DynamoDB can be reached in a region.

One adapter per file: ``probe_describe_endpoints``, ``probe_canary_item``, ``probe_dns``; and ``probe_independent``,
which is asked when those fail, for it may be our own network.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.aws import Aws

TIMEOUT_SECONDS = 2
# Short, and asked once: the next round asks again.
PROBE_CONFIG = Config(
    connect_timeout=TIMEOUT_SECONDS,
    read_timeout=TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 1},
)
_SERVER_ERRORS = 500


class SignalState(StrEnum):
    """``unknown``: the probe could not tell (no permission, no such item), which counts neither way."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Signal:
    """What one probe saw. ``detail`` is for people, ``seconds`` how long it took."""

    probe: str
    state: SignalState
    detail: str
    seconds: float = 0.0


class Probe(Protocol):
    """Looks at a region, within a few seconds and without writing anything."""

    name: str

    def probe(self, region: str) -> Signal:
        """What there is to see. Never raises: what cannot be told is unknown."""
        ...


class RegionClients:
    """DynamoDB's client for each region, made once, with ``PROBE_CONFIG`` and the credentials at hand.

    Raises as ``Aws`` does where one cannot be made: no credentials, no such profile.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._clients: dict[str, DynamoDBClient] = {}
        self._making = threading.Lock()

    def __call__(self, region: str) -> DynamoDBClient:
        """The client for a region; threads may ask for it."""
        with self._making:
            if region not in self._clients:
                self._clients[region] = self._aws.elsewhere("", region).dynamodb(PROBE_CONFIG)
            return self._clients[region]


def asked(
    name: str, call: Callable[[], Any], elapsed: Callable[[], float]
) -> tuple[Signal, ClientError | None]:
    """Ask DynamoDB something. An answer of any kind but a server error shows that the service is there.

    Gives the signal and, where AWS answered with an error that is none of the server's, that error: what it means
    depends on the question. ``elapsed`` is a monotonic clock in seconds.
    """
    began = elapsed()
    state, detail, refusal = _answer(call)
    return Signal(name, state, detail, round(max(0.0, elapsed() - began), 3)), refusal


def _answer(call: Callable[[], Any]) -> tuple[SignalState, str, ClientError | None]:
    try:
        call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))[:100]
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status >= _SERVER_ERRORS:
            return SignalState.FAILED, f"HTTP {status} {code}".rstrip(), None
        return SignalState.OK, f"answered {code}", error
    except (BotoConnectionError, HTTPClientError) as error:
        return SignalState.FAILED, _broken(error), None
    except (BotoCoreError, SafetyNetError) as error:
        # No credentials, no such region: that is ours, not the region's.
        return SignalState.UNKNOWN, f"could not be asked: {type(error).__name__}", None
    return SignalState.OK, "answered", None


def _broken(error: BotoConnectionError | HTTPClientError) -> str:
    """In words of our own: botocore's hold the whole address."""
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
        return f"no answer within {TIMEOUT_SECONDS} s"
    if isinstance(error, EndpointConnectionError):
        return "no connection"
    return f"connection broken: {type(error).__name__}"
