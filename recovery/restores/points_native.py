"""What the recovery points of AWS's own keeping have in common, and what 'before the deletion' means."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rules.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.restores.points import LostTable

# Developer guide, 'Restore a table in DynamoDB': what has to be set up by hand on the restored table.
NATIVE_LACKS = (
    "auto scaling",
    "alarms",
    "tags",
    "stream",
    "time to live",
    "point-in-time recovery",
    "deletion protection",
    "resource policy",
    "table class",
    "replicas",
)
# A point is worth describing on its own while it may be chosen; nobody takes the hundredth from the end.
DESCRIBED = 20


def taken_before(moment: datetime, deleted_at: datetime | None) -> bool:
    """Whether a point of that time is of the table that was deleted then; of any table where that is not known.

    CloudTrail cuts times to whole seconds: what was taken in that very second was taken before the deletion.
    """
    if deleted_at is None:
        return True
    return moment < (deleted_at if deleted_at.microsecond else deleted_at + timedelta(seconds=1))


def refuse_other_place(aws: Aws, lost: LostTable) -> None:
    """DynamoDB and AWS Backup keep their points in the table's own account and region. Raises UsageError."""
    if (aws.region, aws.account) != (lost.region, lost.account):
        raise UsageError(
            f"they are in {lost.account}/{lost.region}, and the credentials at hand are for "
            f"{aws.account}/{aws.region}",
            hint="Use the --profile and --region of the lost table.",
        )


def table_arn(partition: str, lost: LostTable) -> str:
    """The ARN that the table has or had; an ARN lives on in what was made of the table."""
    return f"arn:{partition}:dynamodb:{lost.region}:{lost.account}:table/{lost.name}"
