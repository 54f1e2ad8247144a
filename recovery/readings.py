"""What was read of AWS, or why it could not be: never is the one mistaken for the other.

A backup notes down much that is worth having and not worth failing for. Each such reading has three states:
known with a value, known to be absent, unknown with the reason.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field
from tenacity import Retrying, retry_if_exception_type, wait_random_exponential

from recovery.aws import aws_errors, error_code
from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

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


class Known(BaseModel):
    """A setting that was read; ``value`` None means that there is no such setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["known"] = "known"
    value: Any = None


class NotKnown(BaseModel):
    """A setting that could not be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["unknown"] = "unknown"
    reason: str


Setting = Annotated[Known | NotKnown, Field(discriminator="state")]


def reading(
    what: str,
    read: Callable[[], object],
    sleep: Sleep = time.sleep,
    *,
    fatal: tuple[type[SafetyNetError], ...] = (),
) -> Known | NotKnown:
    """What ``read`` returns, or why it is unknown: the caller may not, or the endpoint does not implement it.

    Errors that are ``fatal`` come out.
    """
    try:
        return Known(value=_retrying(sleep)(_once, what, read))
    except fatal:
        raise
    except AccessDeniedError as error:
        return NotKnown(reason=f"access denied: {error}")
    except SafetyNetError as error:
        return NotKnown(reason=_in_one_line(what, error))


def _once(what: str, read: Callable[[], object]) -> object:
    with aws_errors(f"read {what}"):
        return read()


def _retrying(sleep: Sleep) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(UnavailableError),
        stop=lambda state: (
            state.attempt_number >= (THROTTLED_ATTEMPTS if _throttled(state) else FAILED_ATTEMPTS)
        ),
        wait=lambda state: _wait_for_throttle(state) if _throttled(state) else _SHORT_WAIT_SECONDS,
        sleep=sleep,
        reraise=True,
    )


def _throttled(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    answer = error.__cause__ if error else None
    return isinstance(answer, ClientError) and (
        error_code(answer) in _THROTTLES or _status(answer) == _TOO_MANY_REQUESTS
    )


def _status(answer: ClientError) -> int:
    return answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _in_one_line(what: str, error: SafetyNetError) -> str:
    """An emulator that lacks a call answers with a web page, which nobody wants to read in a report."""
    text = str(error)
    if "<html" in text.lower():
        answer = error.__cause__
        status = f" (HTTP {_status(answer)})" if isinstance(answer, ClientError) else ""
        return f"cannot read {what}: the endpoint gave no answer of AWS's{status}"
    return " ".join(text.split())
