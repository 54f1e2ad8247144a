"""Creating a table, and putting its settings on once the data is in."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from recovery.aws import aws_errors
from recovery.definitions.definition import Known, describe_table, read_settings
from recovery.errors import AwsError
from recovery.pacing import patient
from rules.errors import SafetyNetError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.clock import Sleep
    from recovery.definitions.definition import Settings

POLL_SECONDS = 2
# Creating a table with many indexes takes minutes, not hours.
POLL_ATTEMPTS = 900


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A setting that could not be put on: the table works without it; ``command`` puts it on by hand."""

    setting: str
    reason: str
    command: str


def create_table(client: DynamoDBClient, request: dict[str, Any], tags: dict[str, str]) -> None:
    """CreateTable with tags, in one call, so that whose table it is can never be in doubt."""
    body = {**request, "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
    with aws_errors(f"create table {request['TableName']}"):
        cast("Any", client).create_table(**body)


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


def put_settings(
    client: DynamoDBClient, table: str, arn: str, settings: Settings, sleep: Sleep
) -> list[FollowUp]:
    """Put all known settings on; protection last. What fails leaves a working table and a follow-up.

    Putting them on once more changes nothing.
    """
    follow_ups = []
    for setting, call, arguments in _calls(table, arn, settings):
        try:
            wait_until_active(client, table, sleep)
            patient(sleep)(_call, client, setting, call, arguments, getattr(settings, setting))
        except SafetyNetError as error:
            command = (
                f"aws dynamodb {call.replace('_', '-')} --region {client.meta.region_name} "
                f"--cli-input-json {shlex.quote(json.dumps(arguments))}"
            )
            follow_ups.append(FollowUp(setting, str(error), command))
    wait_until_active(client, table, sleep)
    return follow_ups


def _calls(table: str, arn: str, settings: Settings) -> list[tuple[str, str, dict[str, Any]]]:
    """(setting, client method, arguments), in the order that causes no harm."""
    wanted = {
        name: setting.value
        for name in ("pitr", "ttl", "stream", "resource_policy", "deletion_protection")
        if isinstance(setting := getattr(settings, name), Known) and setting.value
    }
    shapes: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
        "pitr": (
            "update_continuous_backups",
            lambda value: {"TableName": table, "PointInTimeRecoverySpecification": value},
        ),
        "ttl": (
            "update_time_to_live",
            lambda value: {"TableName": table, "TimeToLiveSpecification": {"Enabled": True, **value}},
        ),
        "stream": ("update_table", lambda value: {"TableName": table, "StreamSpecification": value}),
        "resource_policy": ("put_resource_policy", lambda value: {"ResourceArn": arn, "Policy": value}),
        "deletion_protection": (
            "update_table",
            lambda value: {"TableName": table, "DeletionProtectionEnabled": value},
        ),
    }
    return [(name, shapes[name][0], shapes[name][1](value)) for name, value in wanted.items()]


def _call(client: DynamoDBClient, setting: str, call: str, arguments: dict[str, Any], wanted: Known) -> None:
    table = arguments.get("TableName") or arguments["ResourceArn"]
    try:
        with aws_errors(f"set {setting}"):
            getattr(client, call)(**arguments)
    except AwsError as error:
        # To enable what is enabled is an error in some calls: an earlier one succeeded and lost its answer.
        if getattr(read_settings(client, describe_table(client, table)), setting) == wanted:
            return
        if error.code in {"ContinuousBackupsUnavailableException", "ResourceInUseException"}:
            # A table that is only just ACTIVE is not ready for everything yet.
            raise UnavailableError(str(error)) from error
        raise
