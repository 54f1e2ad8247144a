"""How long to go on when AWS throttles: tenacity, with the product's patience and an injected sleep."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from rules.errors import UnavailableError

if TYPE_CHECKING:
    from recovery.clock import Sleep

log = logging.getLogger(__name__)

# botocore has retried five times before each of these; together that is about a quarter of an hour.
PATIENT_ATTEMPTS = 30
LONGEST_WAIT_SECONDS = 30


def patient(sleep: Sleep) -> Retrying:
    """Retries a throttled or unreachable call with growing, jittered waits; the last error comes out."""
    return Retrying(
        retry=retry_if_exception_type(UnavailableError),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_WAIT_SECONDS),
        stop=stop_after_attempt(PATIENT_ATTEMPTS),
        sleep=sleep,
        before_sleep=before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
