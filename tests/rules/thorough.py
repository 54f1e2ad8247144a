"""How many examples a property is tried on: a share of them day by day, all of them with ``make test-thorough``."""

from __future__ import annotations

import os

# It is asked when the tests are collected; what a test itself sees of the environment is cleared.
THOROUGH = bool(os.environ.get("SAFETYNET_THOROUGH"))
ONE_IN = 4


def share(number: int) -> int:
    """``number`` in a thorough run, a share of it otherwise; the examples are others each time."""
    return number if THOROUGH else number // ONE_IN
