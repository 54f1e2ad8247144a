"""What DynamoDB keeps for a table beside CreateTable's request: PITR, time to live, stream, policies, tags, protection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.definitions.definition import RUN_TAG, pitr_of, read_tags, ttl_of
from recovery.definitions.follow_ups import Call
from recovery.definitions.putting import done, holds
from recovery.definitions.renaming import same_policy
from recovery.definitions.surroundings_table import resource_policy

if TYPE_CHECKING:
    from recovery.definitions.putting import Putting

RESERVED_TAGS = "aws:"


def put_pitr(putting: Putting) -> None:
    """Point-in-time recovery with its period (UpdateContinuousBackups)."""
    if wanted := putting.known("pitr"):
        putting.put(
            "pitr",
            Call(
                "dynamodb",
                "update_continuous_backups",
                {"TableName": putting.table, "PointInTimeRecoverySpecification": wanted},
            ),
            lambda: done(when=holds(pitr_of(putting.reader("dynamodb"), putting.table), wanted)),
        )


def put_ttl(putting: Putting) -> None:
    """Time to live (UpdateTimeToLive)."""
    if wanted := putting.known("ttl"):
        putting.put(
            "ttl",
            Call(
                "dynamodb",
                "update_time_to_live",
                {"TableName": putting.table, "TimeToLiveSpecification": {"Enabled": True, **wanted}},
            ),
            lambda: done(when=ttl_of(putting.reader("dynamodb"), putting.table) == wanted),
        )


def put_stream(putting: Putting) -> None:
    """The stream, which is a new one with an ARN of its own."""
    if wanted := putting.known("stream"):
        putting.put(
            "stream",
            putting.update_table(StreamSpecification=wanted),
            lambda: done(when=holds(putting.described().get("StreamSpecification"), wanted)),
        )


def put_stream_policy(putting: Putting) -> None:
    """The policy of the stream, rewritten to the new stream's ARN."""
    policy = putting.known("stream_policy")
    if not policy:
        return
    arn = putting.stream_arn()
    if arn:
        _put_policy(putting, "stream_policy", arn, putting.renaming.policy(policy, arn))
        return
    # The label of the stream that is yet to come is in the policy, too, so that no one command can be exact.
    show = Call("dynamodb", "describe_table", {"TableName": putting.table})
    putting.leave(
        "stream_policy", "the table has no stream: once it has, run the recovery's command again", show
    )


def put_resource_policy(putting: Putting) -> None:
    """The policy of the table."""
    if policy := putting.known("resource_policy"):
        _put_policy(putting, "resource_policy", putting.arn, putting.renaming.policy(policy))


def _put_policy(putting: Putting, setting: str, arn: str, policy: str) -> None:
    putting.put(
        setting,
        Call("dynamodb", "put_resource_policy", {"ResourceArn": arn, "Policy": policy}),
        lambda: done(when=same_policy(resource_policy(putting.reader("dynamodb"), arn) or "", policy)),
    )


def put_tags(putting: Putting) -> None:
    """The tags that are missing or differ. AWS's own cannot be set; the run's is the caller's, who takes it off."""
    wanted = {
        key: value
        for key, value in (putting.known("tags") or {}).items()
        if not key.startswith(RESERVED_TAGS) and key != RUN_TAG
    }
    if wanted:
        tags = [{"Key": key, "Value": value} for key, value in sorted(wanted.items())]
        putting.put(
            "tags",
            Call("dynamodb", "tag_resource", {"ResourceArn": putting.arn, "Tags": tags}),
            lambda: done(when=holds(read_tags(putting.tables, putting.arn, putting.sleep), wanted)),
        )


def put_deletion_protection(putting: Putting) -> None:
    """Deletion protection, last of all: what is not right yet may still be thrown away."""
    if putting.known("deletion_protection"):
        putting.put(
            "deletion_protection",
            putting.update_table(DeletionProtectionEnabled=True),
            lambda: done(when=bool(putting.described().get("DeletionProtectionEnabled"))),
        )
