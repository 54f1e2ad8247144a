"""What a change event is about: read from a record's request, response and resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules.actions import CLOUDFORMATION, DYNAMODB, member
from rules.net_actions import AWS_BACKUP, CLOUDTRAIL, EVENTBRIDGE, KMS, LAMBDA, S3, SQS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rules.records import CloudTrailRecord

_TABLE = ":table/"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a change event is about. ``type`` is "" where nobody watches.

    For a backup, ``name`` is its table's and ``arn`` its own. For an object of a bucket, ``name`` is the bucket
    and ``key`` the object's key. ``incarnation`` tells two tables of the same name apart: DynamoDB's TableId, the
    unique end of a stack's ARN, or "" where the record does not say. ``stack`` is the ARN of the stack that a
    CloudFormation resource belongs to.
    """

    type: str
    name: str
    arn: str = ""
    incarnation: str = ""
    key: str = ""
    stack: str = ""


NO_RESOURCE = Resource("", "")


def resource_of(record: CloudTrailRecord) -> Resource:
    """The resource of a record of one of the services that are watched; ``NO_RESOURCE`` for all others."""
    reader = _READERS.get(record.event_source)
    return reader(record) if reader is not None else NO_RESOURCE


def table_name(name_or_arn: str) -> str:
    """The bare table name in a name or an ARN (``arn:aws:dynamodb:<region>:<account>:table/<name>[/...]``)."""
    if not _is_arn(name_or_arn):
        return name_or_arn
    return name_or_arn.partition(_TABLE)[2].split("/", 1)[0]


def stack_name(name_or_arn: str) -> str:
    """The name in ``arn:aws:cloudformation:<region>:<account>:stack/<name>/<id>``, or the name as it is."""
    parts = name_or_arn.split("/")
    return parts[1] if _is_arn(name_or_arn) and len(parts) > 1 else name_or_arn


def _of_dynamodb(record: CloudTrailRecord) -> Resource:
    return _backup(record) if record.event_name == "DeleteBackup" else _table(record)


def _table(record: CloudTrailRecord) -> Resource:
    """The table of a DynamoDB record: large requests are cut to ``{"omitted": true}``, old ones lack the name."""
    described = member(record.response, "tableDescription")
    described = described if isinstance(described, dict) else {}
    asked = (
        _first(record.request, "tableName", "targetTableName", "resourceArn", "globalTableName")
        or _text(member(record.request, "tableCreationParameters", "tableName"))
        or _first(described, "tableName")
    )
    arns = [_first(described, "tableArn"), asked, *_table_arns(record)]
    arn = next((_own_arn(arn) for arn in arns if _is_arn(arn) and _TABLE in arn), "")
    return Resource("table", table_name(asked) or table_name(arn), arn, _first(described, "tableId"))


def _backup(record: CloudTrailRecord) -> Resource:
    """The backup of a DeleteBackup record. It is its own incarnation: a table has many, and each is a loss."""
    description = member(record.response, "backupDescription")
    arns = [
        _first(record.request, "backupArn"),
        _text(member(description, "backupDetails", "backupArn")),
        *_table_arns(record),
    ]
    arn = next((arn for arn in arns if _is_arn(arn) and "/backup/" in arn), "")
    source = _text(member(description, "sourceTableDetails", "tableName"))
    name = table_name(arn) or source or table_name(next(iter(_table_arns(record)), ""))
    return Resource("backup", name, arn, arn.rpartition("/")[2])


def _of_cloudformation(record: CloudTrailRecord) -> Resource:
    request = record.request
    if record.event_name == "ResourceStatusChange":
        name = _first(request, "physicalResourceId")
        kind = "table" if ":DynamoDB:" in _first(request, "resourceType") else "resource"
        return Resource(kind, table_name(name) or name, stack=_first(request, "stackName"))
    if "stackSetName" in request:
        return Resource("stack-set", _first(request, "stackSetName").split(":", 1)[0])
    stack = _first(request, "stackName") or _first(record.response, "stackId")
    parts = stack.split("/")
    unique = parts[2] if _is_arn(stack) and len(parts) > 2 else ""  # noqa: PLR2004 - the third part
    return Resource("stack", stack_name(stack), stack if _is_arn(stack) else "", unique)


def _of_s3(record: CloudTrailRecord) -> Resource:
    bucket, key = _first(record.request, "bucketName"), _first(record.request, "key")
    return Resource("bucket", bucket, f"arn:aws:s3:::{bucket}" if bucket else "", key=key)


def _named(kind: str, *keys: str) -> Callable[[CloudTrailRecord], Resource]:
    """A reader of resources whose name or ARN is in one of some keys of the request, or among the resources."""

    def read(record: CloudTrailRecord) -> Resource:
        asked = _first(record.request, *keys)
        arn = asked if _is_arn(asked) else next((one for one in _arns(record) if one.endswith(asked)), "")
        return Resource(kind, _last_part(asked) or _last_part(arn), arn)

    return read


def _function(record: CloudTrailRecord) -> Resource:
    """A function by its name, its ARN or a part of it (``<account>:function:<name>``), with or without a version."""
    asked = _first(record.request, "functionName")
    name = asked.rpartition("function:")[2].partition(":")[0]
    arn = asked if _is_arn(asked) else next(iter(_arns(record)), "")
    return Resource("function", name or _last_part(arn), arn)


def _queue(record: CloudTrailRecord) -> Resource:
    url = _first(record.request, "queueUrl", "QueueUrl")
    return Resource("queue", url.rstrip("/").rpartition("/")[2], next(iter(_arns(record)), ""))


def _of_aws_backup(record: CloudTrailRecord) -> Resource:
    vault, point = _first(record.request, "backupVaultName"), _first(record.request, "recoveryPointArn")
    return Resource("backup-vault", vault, point, point.rpartition(":")[2])


_READERS: dict[str, Callable[[CloudTrailRecord], Resource]] = {
    DYNAMODB: _of_dynamodb,
    CLOUDFORMATION: _of_cloudformation,
    S3: _of_s3,
    KMS: _named("key", "keyId"),
    CLOUDTRAIL: _named("trail", "name", "trailName"),
    EVENTBRIDGE: _named("event-rule", "name", "rule"),
    SQS: _queue,
    LAMBDA: _function,
    AWS_BACKUP: _of_aws_backup,
}


def _arns(record: CloudTrailRecord) -> list[str]:
    return [resource.arn for resource in record.resources or [] if resource.arn]


def _table_arns(record: CloudTrailRecord) -> list[str]:
    return [arn for arn in _arns(record) if _TABLE in arn]


def _own_arn(arn: str) -> str:
    """The table's own ARN in that of its index, stream or backup."""
    before, mark, path = arn.partition(_TABLE)
    return before + mark + path.split("/", 1)[0]


def _last_part(name_or_arn: str) -> str:
    return name_or_arn.rpartition(":")[2].rpartition("/")[2] if _is_arn(name_or_arn) else name_or_arn


def _is_arn(text: str) -> bool:
    return text.startswith("arn:")


def _first(document: Mapping[str, Any], *keys: str) -> str:
    """The first text under one of the keys."""
    return next((value for key in keys if isinstance(value := document.get(key), str) and value), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
