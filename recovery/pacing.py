"""How long to go on when AWS throttles: tenacity, with the product's patience and an injected sleep."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_attempt,
    stop_never,
    stop_when_event_set,
    wait_random_exponential,
)

from rules.errors import UnavailableError

if TYPE_CHECKING:
    from threading import Event

    from recovery.clock import Sleep

log = logging.getLogger(__name__)

# botocore has tried five times before each of these; together that is about a quarter of an hour.
PATIENT_ATTEMPTS = 30
LONGEST_WAIT_SECONDS = 30


def patient(sleep: Sleep, stop: Event | None = None, attempts: int = PATIENT_ATTEMPTS) -> Retrying:
    """Retries a throttled or unreachable call with growing, jittered waits; the last error comes out.

    ``attempts`` 1 is no patience beyond botocore's own. Every other error comes out at once. Gives up, too, once ``stop`` is set.
    """
    return Retrying(
        retry=retry_if_exception_type(UnavailableError),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_WAIT_SECONDS),
        stop=stop_after_attempt(attempts) | (stop_when_event_set(stop) if stop else stop_never),
        sleep=sleep,
        before_sleep=before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
