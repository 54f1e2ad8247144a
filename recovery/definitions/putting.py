"""How one setting is put on: look, call, look again; what fails is left to people, and the next one follows."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from recovery.aws import aws_errors
from recovery.definitions.create_request import create_request
from recovery.definitions.definition import Known, describe_table
from recovery.definitions.follow_ups import Call, FollowUp
from recovery.definitions.reader import Reader
from recovery.definitions.renaming import Renaming
from recovery.definitions.waiting import wait_until_active
from recovery.errors import AwsError
from recovery.pacing import patient
from rules.errors import SafetyNetError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.aws import Aws, ReadService
    from recovery.backups.manifest import TableIdentity
    from recovery.clock import Sleep
    from recovery.definitions.definition import Settings
    from recovery.definitions.surroundings import Surroundings

CONFIRM_SECONDS = 5
# Ten minutes: what is switched on beside the table needs some.
CONFIRM_ATTEMPTS = 120
# A table that is only just ACTIVE, or that somebody else is changing, is not ready for everything yet.
_NOT_YET = frozenset(
    {"ConcurrentUpdateException", "ContinuousBackupsUnavailableException", "ResourceInUseException"}
)
# What a table takes while it is UPDATING, which it may be for hours when a replica is made.
_ANY_TIME = frozenset({"tag_resource"})
# LimitExceededException mostly passes in a moment; this one does not in an hour.
_NOT_TODAY = "limited within a given"
# A document of another version, or an emulator's answer, may lack what AWS always tells.
ODD_SHAPES = (LookupError, TypeError, ValueError, AttributeError)


class State(Enum):
    """How far a setting is: there, coming by itself, or still to be asked for."""

    DONE = "done"
    GOING = "going"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a table is to be in the end.

    ``table``: the name of the one that is there; ``create_table``: the CreateTable request that it should equal
    (throughput, indexes, class, encryption); ``source``: the table that was captured, whose ARN and name are put
    right in policies, alarms and scalable targets where the other is named differently. What is unknown in
    ``settings`` and ``surroundings`` is left alone.
    """

    table: str
    create_table: dict[str, Any]
    settings: Settings
    surroundings: Surroundings
    source: TableIdentity


class Putting:
    """One pass over one table. ``follow_ups`` is what it left to people. Raises TableNotFoundError."""

    def __init__(self, aws: Aws, wanted: Wanted, sleep: Sleep = time.sleep) -> None:
        self.aws = aws
        self.wanted = wanted
        self.table = wanted.table
        self.follow_ups: list[FollowUp] = []
        self.sleep = sleep
        self.tables = aws.dynamodb()
        self.region = self.tables.meta.region_name
        self.renaming = Renaming(wanted.source, self.described()["TableArn"])
        self._readers: dict[str, Reader] = {}

    @property
    def arn(self) -> str:
        """The ARN of the table that is there."""
        return self.renaming.target_arn

    def known(self, part: str) -> Any:
        """A setting or surrounding that is wanted; None where there was none, or none could be read."""
        where = self.wanted.settings if part in type(self.wanted.settings).model_fields else None
        found = getattr(where or self.wanted.surroundings, part)
        return found.value if isinstance(found, Known) else None

    def described(self) -> dict[str, Any]:
        """DescribeTable's answer as of now."""
        return dict(patient(self.sleep)(describe_table, self.tables, self.table))

    def requested(self) -> dict[str, Any]:
        """The CreateTable request that the table is worth as of now."""
        return create_request(self.described())

    def stream_arn(self) -> str:
        """The ARN of the table's stream, "" where it has none that is on."""
        description = self.described()
        enabled = description.get("StreamSpecification", {}).get("StreamEnabled")
        return str(description.get("LatestStreamArn", "")) if enabled else ""

    def stream_for_shell(self) -> str:
        """What finds out the stream's ARN in a shell, once the stream is there."""
        return (
            f'"$(aws dynamodb describe-table --region {self.region} --table-name {shlex.quote(self.table)} '
            '--query Table.LatestStreamArn --output text)"'
        )

    def reader(self, service: ReadService) -> Reader:
        """What looks at a service."""
        if service not in self._readers:
            self._readers[service] = Reader(partial(self.aws.reader, service)(), self.sleep)
        return self._readers[service]

    def update_table(self, **arguments: Any) -> Call:
        """UpdateTable, of this table."""
        return Call("dynamodb", "update_table", {"TableName": self.table, **arguments})

    def put(
        self,
        setting: str,
        call: Call,
        state: Callable[[], State],
        *,
        confirm: int = 0,
        must_see: bool = False,
    ) -> bool:
        """Make the call unless it is done already; whether the setting is on now.

        ``state`` looks. It is asked before each attempt and after each failure, for an earlier call may have
        succeeded and lost its answer. Where a call goes on in the background, it is asked again every
        ``CONFIRM_SECONDS`` up to ``confirm`` times until it is no longer going. ``must_see``: a call that must not
        be made twice is not made at all unless ``state`` can tell.
        """
        try:
            if self._look(state, must_see=must_see) is State.TO_DO:
                if call.service == "dynamodb" and call.operation not in _ANY_TIME:
                    wait_until_active(self.tables, self.table, self.sleep)
                patient(self.sleep)(self._call, setting, call, state, must_see=must_see)
            if confirm:
                self._confirm(setting, state, confirm)
        except SafetyNetError as error:
            self.leave(setting, str(error), call)
            return False
        except ODD_SHAPES as error:
            self.leave(setting, f"what AWS answers has not its shape ({error!r})", call)
            return False
        return True

    def leave(self, setting: str, reason: str, call: Call) -> None:
        """Leave a call to people."""
        self.follow_ups.append(FollowUp(setting, reason, call.command(self.region)))

    def leave_unread(self, setting: str, error: Exception) -> None:
        """Leave to people what went wrong before there was a call: what the table has now is the first to see."""
        show = Call("dynamodb", "describe_table", {"TableName": self.table})
        reason = str(error) if isinstance(error, SafetyNetError) else f"it has not AWS's shape ({error!r})"
        self.leave(setting, reason, show)

    def settle(self) -> None:
        """Wait until the table is ACTIVE. Raises TableNotFoundError."""
        try:
            wait_until_active(self.tables, self.table, self.sleep)
        except UnavailableError as error:
            command = f"aws dynamodb wait table-exists --region {self.region} --table-name {self.table}"
            self.follow_ups.append(FollowUp("table", str(error), command))

    def _call(self, setting: str, call: Call, state: Callable[[], State], *, must_see: bool) -> None:
        if self._look(state, must_see=must_see) is not State.TO_DO:
            return
        try:
            with aws_errors(f"set {setting.replace('_', ' ')}"):
                getattr(self._client(call), call.operation)(**call.arguments)
        except SafetyNetError as error:
            if self._look(state, must_see=False) is not State.TO_DO:
                return
            if isinstance(error, AwsError) and error.code in _NOT_YET:
                raise UnavailableError(str(error)) from error
            if isinstance(error, UnavailableError) and _NOT_TODAY in str(error):
                raise AwsError(str(error), code="LimitExceededException") from error
            raise

    def _client(self, call: Call) -> Any:
        return self.tables if call.service == "dynamodb" else self.aws.service(call.service)

    def _look(self, state: Callable[[], State], *, must_see: bool) -> State:
        try:
            return state()
        except SafetyNetError:
            if must_see:
                raise
            # Who may write and not read writes: putting a setting on once more changes nothing.
            return State.TO_DO

    def _confirm(self, setting: str, state: Callable[[], State], attempts: int) -> None:
        found = Retrying(
            retry=retry_if_result(lambda found: found is State.GOING),
            wait=wait_fixed(CONFIRM_SECONDS),
            stop=stop_after_attempt(attempts),
            sleep=self.sleep,
            retry_error_callback=lambda tried: tried.outcome.result() if tried.outcome else State.GOING,
        )(lambda: patient(self.sleep)(state))
        if found is State.GOING:
            raise UnavailableError(f"{setting.replace('_', ' ')}: AWS has not finished yet")
        if found is State.TO_DO:
            raise AwsError(f"{setting.replace('_', ' ')}: AWS took the call, and it did not come about")


def holds(found: Any, wanted: Any) -> bool:
    """Whether all that is wanted is found, both as JSON; what is found beside it, AWS's own defaults, may be."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and holds(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(holds(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)


def done(*, when: bool) -> State:
    """DONE or TO_DO."""
    return State.DONE if when else State.TO_DO
