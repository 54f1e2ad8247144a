"""A table that AWS restores: whose it is, when it is ready, and the tag that says so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

from recovery.aws import aws_errors
from recovery.definitions.definition import RUN_TAG, describe_table, read_tags
from recovery.definitions.table_settings import wait_until_gone
from recovery.errors import AwsError, TableExistsError, TableNotFoundError
from recovery.pacing import patient
from recovery.restores.plans import DELETING, table_exists
from recovery.restores.points import PointKind
from rules.errors import UnavailableError, UnsafeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.progress import Progress
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease

LONGEST_POLL_SECONDS = 20
# At the longest wait that is two days; a restore takes hours at most.
POLL_ATTEMPTS = 2 * 24 * 3600 // LONGEST_POLL_SECONDS
# DescribeTable is eventually consistent: a table that was only just begun may not be there yet.
MISSED_POLLS = 8
# This machine's clock and AWS's may differ by that much: AWS refuses what is signed at a time further off.
CLOCK_DIFFERENCE = timedelta(minutes=5)
_ON_THE_WAY = frozenset({"CREATING", "UPDATING"})


def rounds(sleep: Sleep, ready: Callable[[], bool], what: str) -> None:
    """Ask with growing waits until it is ready. Raises UnavailableError after two days, and what ``ready`` raises."""
    done = Retrying(
        retry=retry_if_result(lambda is_ready: not is_ready),
        wait=wait_exponential(multiplier=1, max=LONGEST_POLL_SECONDS),
        stop=stop_after_attempt(POLL_ATTEMPTS),
        sleep=sleep,
        retry_error_callback=lambda _: False,
    )(ready)
    if not done:
        raise UnavailableError(f"{what} has not ended yet", hint="Run the command again; it continues.")


class RestoredTable:
    """The table of one run, in the eyes of DynamoDB."""

    def __init__(self, aws: Aws, sleep: Sleep, run: Run, lease: Lease) -> None:
        self._aws = aws
        self._client = aws.dynamodb()
        self._sleep = sleep
        self._run = run
        self._lease = lease
        self.name = run.record.plan.target.name

    @property
    def arn(self) -> str:
        """The ARN that it has or will have."""
        target = self._run.record.plan.target
        partition = self._client.meta.partition
        return f"arn:{partition}:dynamodb:{target.region}:{target.account}:table/{target.name}"

    def there(self) -> dict[str, Any] | None:
        """DescribeTable, None where there is no such table. One that is being deleted is waited for."""
        description = self._described()
        if description is None or description["TableStatus"] != DELETING:
            return description
        wait_until_gone(self.name, self._is_gone, self._sleep)
        return None

    def refuse_others(self, description: dict[str, Any], *, begun: bool) -> None:
        """Raises TableExistsError for a table that is not from this run's restore.

        Once marked, its tag says whose it is. Before, it is ours only where this run had ``begun``, which it does
        only while there is no such table, and where it says that it was restored from the very point since then.
        """
        owner = self._owner(description)
        mark = self._run.record.mark
        if owner == mark or (owner is None and begun and self._is_of_the_point(description)):
            return
        self._refuse()

    def refuse_later_ones(self, description: dict[str, Any], since: datetime, until: datetime) -> None:
        """Raises TableExistsError for a table that was not made between the two times and is not marked as ours."""
        owner = self._owner(description)
        made = description["CreationDateTime"]
        in_time = since - CLOCK_DIFFERENCE <= made <= until + CLOCK_DIFFERENCE
        if owner != self._run.record.mark and (owner is not None or not in_time):
            self._refuse()

    def _refuse(self) -> NoReturn:
        target = self._run.record.plan.target
        raise TableExistsError(f"table {self.name} exists in {target.account}/{target.region}")

    def follow(self, progress: Progress) -> dict[str, Any]:
        """Wait until it is ACTIVE and the restore is over; DescribeTable's last word.

        Raises AwsError where the restore failed, LeaseHeldError.
        """
        missed = told = 0
        last: dict[str, Any] = {}
        plan = self._run.record.plan

        def ready() -> bool:
            nonlocal missed, told, last
            self._lease.check()
            description = self._described()
            if description is None:
                missed += 1
                if missed > MISSED_POLLS:
                    # There is nothing to follow any more: the next run begins another restore.
                    self._run.note(operation="")
                    raise AwsError(
                        f"table {self.name} is not there: its restore failed, or somebody deleted it",
                        hint="Run the command again to restore it once more.",
                    )
                return False
            last, done = description, _is_done(description)
            items = plan.item_count if done else min(description.get("ItemCount", 0), plan.item_count)
            progress.advance(self.name, max(0, items - told), plan.data_bytes if done else 0)
            told = max(told, items)
            return done

        rounds(self._sleep, ready, f"the restore of table {self.name}")
        return last

    def mark(self) -> None:
        """Put the run's tag on, with the plan's own: until it has gone nobody takes the table for a whole one.

        Raises UnsafeError where the endpoint keeps no tags.
        """
        tags = {**self._run.record.plan.tags, RUN_TAG: self._run.record.mark}
        wanted = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        if patient(self._sleep)(self._tag, wanted) != self._run.record.mark:
            raise UnsafeError(
                f"cannot tag table {self.name}: it keeps no tag, so that nobody could tell that it is not finished",
                hint="Recover at an endpoint that has tags.",
            )

    def _tag(self, wanted: list[dict[str, str]]) -> str | None:
        client: Any = self._client
        try:
            with aws_errors(f"tag table {self.name}"):
                client.tag_resource(ResourceArn=self.arn, Tags=wanted)
        except AwsError as error:
            # A table that is only just ACTIVE is not ready for everything yet.
            if error.code == "ResourceInUseException":
                raise UnavailableError(str(error)) from error
            raise
        return read_tags(self._client, self.arn, self._sleep).get(RUN_TAG)

    def _described(self) -> dict[str, Any] | None:
        try:
            return dict(patient(self._sleep)(describe_table, self._client, self.name))
        except TableNotFoundError:
            return None

    def _is_gone(self) -> bool:
        self._lease.check()
        return not table_exists(self._aws, self.name)

    def _owner(self, description: dict[str, Any]) -> str | None:
        # While it is being made it has no tags that could be read.
        if description["TableStatus"] in _ON_THE_WAY:
            return None
        return patient(self._sleep)(read_tags, self._client, self.arn, self._sleep).get(RUN_TAG)

    def _is_of_the_point(self, description: dict[str, Any]) -> bool:
        summary, point = description.get("RestoreSummary", {}), self._run.record.plan.point
        if description["CreationDateTime"] < self._run.record.started_at - CLOCK_DIFFERENCE:
            return False
        if point.kind is not PointKind.PITR:
            return bool(summary.get("SourceBackupArn") == point.id)
        if summary.get("SourceTableArn") != point.id or summary.get("SourceBackupArn"):
            return False
        off = summary["RestoreDateTime"] - point.time
        # The latest moment moves on between the plan and the restore.
        return bool(abs(off) < timedelta(seconds=1) or (point.earliest is not None and off > timedelta()))


def _is_done(description: dict[str, Any]) -> bool:
    status = description["TableStatus"]
    if status in _ON_THE_WAY:
        return False
    if status == "ACTIVE":
        return not description.get("RestoreSummary", {}).get("RestoreInProgress")
    hint = "Run the command again once it is gone." if status == DELETING else "Look at its KMS key."
    raise AwsError(f"table {description['TableName']} is {status} in the middle of its restore", hint=hint)
