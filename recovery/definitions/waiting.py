"""Waiting for a table to be ready, or to be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from recovery.definitions.definition import describe_table
from recovery.pacing import patient
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.clock import Sleep

POLL_SECONDS = 2
# Creating a table with many indexes takes minutes, not hours.
POLL_ATTEMPTS = 900


def wait_until_active(
    client: DynamoDBClient, table: str, sleep: Sleep, attempts: int = POLL_ATTEMPTS
) -> None:
    """Wait until the table is ACTIVE. Raises UnavailableError after half an hour."""
    status = Retrying(
        retry=retry_if_result(lambda status: status != "ACTIVE"),
        wait=wait_fixed(POLL_SECONDS),
        stop=stop_after_attempt(attempts),
        sleep=sleep,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else "UNKNOWN",
    )(lambda: patient(sleep)(describe_table, client, table)["TableStatus"])
    if status != "ACTIVE":
        raise UnavailableError(
            f"table {table} is still {status}", hint="Run the command again; it continues."
        )


def wait_until_gone(table: str, gone: Callable[[], bool], sleep: Sleep) -> None:
    """Wait until a deleted table is gone. Raises UnavailableError after half an hour."""
    done = Retrying(
        retry=retry_if_result(lambda done: not done),
        wait=wait_fixed(POLL_SECONDS),
        stop=stop_after_attempt(POLL_ATTEMPTS),
        sleep=sleep,
        retry_error_callback=lambda _: False,
    )(gone)
    if not done:
        raise UnavailableError(f"table {table} is still being deleted", hint="Run the command again.")
