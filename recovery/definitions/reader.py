"""Reads of any AWS service that are asked a few times, whatever comes: nothing waits for them for long."""

from __future__ import annotations

import time
from types import FunctionType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, wait_random_exponential

from recovery.aws import aws_errors, error_code
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenacity import RetryCallState

    from recovery.clock import Sleep

# A throttle passes: together up to a quarter of a minute. What fails otherwise is tried once more, for an
# endpoint that does not implement a call fails it for ever, and nobody waits for that.
THROTTLED_ATTEMPTS = 6
FAILED_ATTEMPTS = 2
_LONGEST_WAIT_SECONDS = 8
_SHORT_WAIT_SECONDS = 0.05
_TOO_MANY_REQUESTS = 429
# What says "slow down". The other codes that are worth a retry say that something broke.
_THROTTLES = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_wait_for_throttle = wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_SECONDS)


class Reader:
    """Asks one service. Every call raises what ``aws_errors`` makes of botocore's errors.

    ``client`` may be a function that makes it: most tables have no stream and no key, and to load the model of a
    service costs more than a page of items.
    """

    def __init__(self, client: Any, sleep: Sleep = time.sleep) -> None:
        self._given = client
        self._sleep = sleep

    @property
    def _client(self) -> Any:
        if isinstance(self._given, FunctionType):
            self._given = self._given()
        return self._given

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """One call, by the name that boto3 has for it: ``describe_alarms``."""
        return _retrying(self._sleep)(self._once, operation, request)

    def listed(
        self,
        operation: str,
        under: str,
        *,
        marker: str = "NextToken",
        next_marker: str = "NextToken",
        **request: Any,
    ) -> Iterator[Any]:
        """All entries of a listing. Each page is asked for on its own: a throttle costs none of those before."""
        more: dict[str, Any] = {}
        while True:
            page = self.ask(operation, **request, **more)
            yield from page.get(under) or ()
            if not page.get(next_marker):
                return
            more = {marker: page[next_marker]}

    def request_for(self, operation: str, description: dict[str, Any]) -> dict[str, Any]:
        """What of a description an operation takes (``PutMetricAlarm``), by the service's own model.

        A member that botocore learns of later comes along by itself; what is empty is left out.
        """
        taken = self._client.meta.service_model.operation_model(operation).input_shape.members
        return {
            name: value
            for name, value in description.items()
            if name in taken and value is not None and value not in ([], {}, "")
        }

    def _once(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        with aws_errors(f"call {self._client.meta.method_to_api_mapping[operation]}"):
            answer: dict[str, Any] = getattr(self._client, operation)(**request)
        return answer


def _retrying(sleep: Sleep) -> Retrying:
    return Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, UnavailableError) or _is_throttle(error)),
        stop=_is_enough,
        wait=lambda state: _wait_for_throttle(state) if _throttled(state) else _SHORT_WAIT_SECONDS,
        sleep=sleep,
        reraise=True,
    )


def _is_enough(state: RetryCallState) -> bool:
    return state.attempt_number >= (THROTTLED_ATTEMPTS if _throttled(state) else FAILED_ATTEMPTS)


def _throttled(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return error is not None and _is_throttle(error)


def _is_throttle(error: BaseException) -> bool:
    answer = error.__cause__
    return isinstance(answer, ClientError) and (
        error_code(answer) in _THROTTLES
        or answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == _TOO_MANY_REQUESTS
    )
