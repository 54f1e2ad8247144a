"""One load of the stand-in ``managed_loads``, how it is to go, and how its Describe calls tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Script:
    """How the next load is to go: it ends as ``status`` after ``after_items`` items, or puts them all (None)."""

    status: str = "FAILED"
    after_items: int | None = None
    code: str = "InternalError"
    message: str = "scripted"


@dataclass(slots=True)
class Operation:
    """A load under way or ended. ``lines``: what is still to be put."""

    kind: str
    arn: str
    request: dict[str, Any]
    table: str
    table_id: str
    lines: Iterator[tuple[str, dict[str, Any] | None, int]]
    script: Script | None
    step: int
    started: float
    status: str = "IN_PROGRESS"
    ended: float | None = None
    processed: int = 0
    processed_bytes: int = 0
    total_bytes: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)
    keys: tuple[str, ...] = ()
    put: set[str] = field(default_factory=set)
    code: str = ""
    message: str = ""

    @property
    def under_way(self) -> bool:
        """Whether it has not ended."""
        return self.status in {"IN_PROGRESS", "CANCELLING"}


def described(operation: Operation) -> dict[str, Any]:
    """The answer that describes an operation, in the members of its own call."""
    common: dict[str, Any] = {
        "ClientToken": operation.request.get("ClientToken"),
        "StartTime": operation.started,
        "EndTime": operation.ended,
        "ProcessedItemCount": operation.processed,
        "FailureCode": operation.code or None,
        "FailureMessage": operation.message or None,
    }
    if operation.kind == "bulk":
        own = _bulk_members(operation)
        return {"BulkOperationDescription": _told({**common, **own})}
    own = _import_members(operation)
    return {"ImportTableDescription": _told({**common, **own})}


def summary(operation: Operation) -> dict[str, Any]:
    """Its entry in a list of such operations."""
    times = {"StartTime": operation.started, "EndTime": operation.ended}
    if operation.kind == "bulk":
        own = {"BulkOperationArn": operation.arn, "BulkOperationStatus": operation.status}
    else:
        names = ("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "InputFormat")
        members = _import_members(operation)
        own = {name: members[name] for name in names}
    return _told({**times, **own})


def _bulk_members(operation: Operation) -> dict[str, Any]:
    request = operation.request
    names = ("InputS3Configuration", "OutputS3Configuration", "MaxWriteRequestUnits")
    return {
        **{name: request.get(name) for name in names},
        "BulkOperationArn": operation.arn,
        "BulkOperationStatus": operation.status,
        "TableDetails": [{"TableName": operation.table, "TableId": operation.table_id}],
        "ProcessedInputBytes": operation.processed_bytes,
        "TotalInputBytes": operation.total_bytes,
        "FailedItemCount": len(operation.failed),
        "PerformanceTier": request.get("PerformanceTier", "STANDARD"),
    }


def _import_members(operation: Operation) -> dict[str, Any]:
    request = operation.request
    names = ("S3BucketSource", "InputFormat", "InputCompressionType", "TableCreationParameters")
    return {
        **{name: request.get(name) for name in names},
        "ImportArn": operation.arn,
        "ImportStatus": operation.status,
        "TableArn": operation.arn.partition("/import/")[0],
        "TableId": operation.table_id,
        "ErrorCount": len(operation.failed),
        "ProcessedSizeBytes": operation.processed_bytes,
        # Of items with the same key one is left; which of them, nobody can tell, and none counts as an error.
        "ImportedItemCount": len(operation.put),
    }


def _told(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
