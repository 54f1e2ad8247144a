"""A stand-in for DynamoDB's own loads from S3, which no emulator has: it really moves the data.

StartBulkPutItems, DescribeBulkOperation, ListBulkOperations, CancelBulkOperation, ImportTable, DescribeImport and
ListImports as botocore's model and the developer guide describe them ('Bulk put items', 'DynamoDB data import from
Amazon S3'): objects of the vault are unpacked and put, item by item, into a table of the emulator behind it. A load
moves on a step at each Describe, or all the way by ``finish`` (as if time went by), and can be told to fail.
``managed_front`` serves it over HTTP.

Not documented, and therefore made up here: the form of a bulk operation's ARN, FailureCodes, and the layout and
member names of the error report.
"""

from __future__ import annotations

import gzip
import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from recovery.testing.managed_operation import Operation, Script, described, summary
from recovery.testing.managed_source import read_lines
from recovery.testing.model_check import model_faults

if TYPE_CHECKING:
    from recovery.vault.vault import Vault

BULK_CALLS = frozenset(
    {"StartBulkPutItems", "DescribeBulkOperation", "ListBulkOperations", "CancelBulkOperation"}
)
CALLS = BULK_CALLS | {"ImportTable", "DescribeImport", "ListImports"}
OK, BAD_REQUEST = 200, 400
MOST_AT_ONCE = 50
TOKEN_SECONDS = 8 * 3600
PAGE = 2  # small, so that whoever lists has to turn pages


class Upstream(Protocol):
    """The emulator behind it: a DynamoDB call in its JSON, (status, answer)."""

    def __call__(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Make the call."""
        ...


class Refused(Exception):  # noqa: N818 - an answer, not an error of the product
    """The answer is an error of AWS: its code, then its message."""


class ManagedLoads:
    """All loads of one account and region. ``vault`` stands for all of S3; ``step`` items move at each Describe.

    ``offers_bulk`` False: a region without the bulk calls.
    """

    def __init__(self, upstream: Upstream, vault: Vault, arn_prefix: str) -> None:
        self._upstream = upstream
        self._arn_prefix = arn_prefix
        self._lock = threading.RLock()
        self.reset(vault)

    def reset(self, vault: Vault) -> None:
        """Forget everything; read from this vault from now on."""
        with self._lock:
            self.vault = vault
            self.operations: list[Operation] = []
            self.step = 15
            self.offers_bulk = True
            self._scripts: list[Script] = []
            self._table_ids: dict[tuple[str, Any], str] = {}
            self._age = 0.0

    def script(self, script: Script) -> None:
        """What shall become of the next load; several wait in line."""
        self._scripts.append(script)

    def let_tokens_expire(self) -> None:
        """Eight hours go by."""
        self._age += TOKEN_SECONDS

    def finish(self) -> None:
        """Time goes by: whatever is under way comes to its end, followed by anybody or not."""
        with self._lock:
            for operation in self.operations:
                while operation.under_way:
                    self._move_on(operation)

    def table_id(self, description: dict[str, Any]) -> str:
        """The TableId of a table that the emulator gives none: another one for each incarnation."""
        key = (description["TableName"], description["CreationDateTime"])
        with self._lock:
            return self._table_ids.setdefault(key, str(_uuid()))

    def is_importing(self, table: str) -> bool:
        """Whether a table is being made by an import: CREATING until that has ended."""
        with self._lock:
            return any(
                one.under_way and one.kind == "import" and one.table == table for one in self.operations
            )

    def answer(self, call: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The answer to one of ``CALLS``."""
        with self._lock:
            try:
                self._refuse_what_is_wrong(call, body)
                return OK, self._calls()[call](body)
            except Refused as refused:
                code, message = refused.args
                name = f"com.amazonaws.dynamodb.v20120810#{code}"
                return BAD_REQUEST, {"__type": name, "message": message}

    def _refuse_what_is_wrong(self, call: str, body: dict[str, Any]) -> None:
        if call in BULK_CALLS and not self.offers_bulk:
            raise Refused("UnknownOperationException", "")
        if faults := model_faults("dynamodb", call, body):
            raise Refused("ValidationException", "; ".join(faults))

    def _calls(self) -> dict[str, Any]:
        return {
            "StartBulkPutItems": self._start_bulk,
            "DescribeBulkOperation": lambda body: self._describe("bulk", body["BulkOperationArn"]),
            "ListBulkOperations": lambda body: self._list("bulk", "", body),
            "CancelBulkOperation": self._cancel,
            "ImportTable": self._start_import,
            "DescribeImport": lambda body: self._describe("import", body["ImportArn"]),
            "ListImports": lambda body: self._list("import", body.get("TableArn", ""), body),
        }

    def _start_bulk(self, body: dict[str, Any]) -> dict[str, Any]:
        if known := self._with_token("bulk", body, "IdempotentParameterMismatchException"):
            return described(known)
        if "S3Bucket" not in body["OutputS3Configuration"]:
            raise Refused("ValidationException", "OutputS3Configuration.S3Bucket is required")
        table = body["TableName"].rpartition("/")[2]
        status, answer = self._upstream("DescribeTable", {"TableName": table})
        if status != OK or self.is_importing(table):
            raise Refused(
                "ResourceNotFoundException", f"Requested resource not found: Table: {table} not found"
            )
        source = body["InputS3Configuration"]
        return self._begin("bulk", body, answer["Table"], source, source)

    def _start_import(self, body: dict[str, Any]) -> dict[str, Any]:
        if known := self._with_token("import", body, "ImportConflictException"):
            return described(known)
        creation = body["TableCreationParameters"]
        status, answer = self._upstream("CreateTable", creation)
        if status != OK:
            raise Refused(answer.get("__type", "").rpartition("#")[2], answer.get("message", ""))
        return self._begin("import", body, answer["TableDescription"], body["S3BucketSource"], body)

    def _with_token(self, kind: str, body: dict[str, Any], mismatch: str) -> Operation | None:
        for one in self.operations:
            same = one.kind == kind and one.request.get("ClientToken") == body.get("ClientToken")
            if same and self._now() - one.started < TOKEN_SECONDS:
                if one.request != body:
                    raise Refused(mismatch, "the client token was used with other parameters")
                return one
        if sum(one.under_way for one in self.operations) >= MOST_AT_ONCE:
            raise Refused("LimitExceededException", "too many loads at once")
        return None

    def _begin(
        self,
        kind: str,
        body: dict[str, Any],
        description: dict[str, Any],
        source: dict[str, Any],
        packing: dict[str, Any],
    ) -> dict[str, Any]:
        table = description["TableName"]
        place, prefix = self.vault.at(source["S3Bucket"], ""), source.get("S3KeyPrefix", "")
        name = f"0{int(time.time() * 1000)}-{secrets.token_hex(4)}"
        operation = Operation(
            kind=kind,
            keys=tuple(element["AttributeName"] for element in description["KeySchema"]),
            arn=f"{self._arn_prefix}table/{table}/{'import' if kind == 'import' else 'bulk-operation'}/{name}",
            request=body,
            table=table,
            table_id=self.table_id(description),
            lines=read_lines(place, prefix, packing.get("InputCompressionType", "NONE")),
            script=self._scripts.pop(0) if self._scripts else None,
            step=self.step,
            started=self._now(),
            total_bytes=sum(info.size for info in place.list(prefix)),
        )
        self.operations.append(operation)
        return described(operation)

    def _describe(self, kind: str, arn: str) -> dict[str, Any]:
        operation = self._find(kind, arn)
        if operation.under_way:
            self._move_on(operation)
        return described(operation)

    def _find(self, kind: str, arn: str) -> Operation:
        for one in self.operations:
            if (one.kind, one.arn) == (kind, arn):
                return one
        code = "ImportNotFoundException" if kind == "import" else "ResourceNotFoundException"
        raise Refused(code, "no such operation")

    def _list(self, kind: str, table_arn: str, body: dict[str, Any]) -> dict[str, Any]:
        begin = int(body.get("NextToken", "0"), 16)
        found = [
            one
            for one in reversed(self.operations)
            if one.kind == kind and (not table_arn or one.arn.startswith(f"{table_arn}/"))
        ]
        page = found[begin : begin + PAGE]
        name = "BulkOperationsSummaryList" if kind == "bulk" else "ImportSummaryList"
        listed: dict[str, Any] = {name: [summary(one) for one in page]}
        if begin + PAGE < len(found):
            listed["NextToken"] = f"{begin + PAGE:0112x}"
        return listed

    def _cancel(self, body: dict[str, Any]) -> dict[str, Any]:
        operation = self._find("bulk", body["BulkOperationArn"])
        if operation.under_way:
            operation.status = "CANCELLING"
        return {"BulkOperationArn": operation.arn, "BulkOperationStatus": operation.status}

    def _move_on(self, operation: Operation) -> None:
        """The next items, and the end where there is nothing left or the script says so."""
        if operation.status == "CANCELLING":
            self._end(operation, Script("CANCELLED", code="CancelledByUser", message="cancelled on request"))
            return
        script = operation.script
        for _ in range(operation.step):
            if script is not None and script.after_items == operation.processed:
                self._end(operation, script)
                return
            line = next(operation.lines, None)
            if line is None:
                self._end(operation, script if script is not None and script.after_items is None else None)
                return
            self._put(operation, *line)

    def _put(self, operation: Operation, where: str, item: dict[str, Any] | None, size: int) -> None:
        operation.processed += 1
        operation.processed_bytes += size
        if item is None:
            operation.failed.append({"errorCode": "MalformedInput", "s3Key": where})
            return
        status, answer = self._upstream("PutItem", {"TableName": operation.table, "Item": item})
        if status == OK:
            operation.put.add(json.dumps([item.get(name) for name in operation.keys]))
            return
        code = answer.get("__type", "").rpartition("#")[2]
        operation.failed.append(
            {"errorCode": code, "errorMessage": answer.get("message", ""), "s3Key": where, "item": item}
        )

    def _end(self, operation: Operation, script: Script | None) -> None:
        operation.ended = self._now()
        if script is not None:
            operation.status, operation.code, operation.message = script.status, script.code, script.message
        elif operation.failed:
            bulk = operation.kind == "bulk"
            operation.status = "COMPLETED_WITH_ERRORS" if bulk else "FAILED"
            if not bulk:
                operation.code = "ItemValidationError"
                operation.message = "Some of the items failed validation checks and were not imported."
        else:
            operation.status = "COMPLETED"
        if operation.kind == "bulk" and operation.failed:
            self._report(operation)

    def _report(self, operation: Operation) -> None:
        output = operation.request["OutputS3Configuration"]
        if "ERROR" not in output["OutputType"]:
            return
        place = self.vault.at(output["S3Bucket"], "")
        folder = f"{output.get('S3KeyPrefix', '')}AWSDynamoDB/{operation.arn.rpartition('/')[2]}/"
        body = b"".join(json.dumps(line).encode() + b"\n" for line in operation.failed)
        place.put(f"{folder}ERROR/{secrets.token_hex(8)}.json.gz", gzip.compress(body))
        place.put(f"{folder}manifest.json", json.dumps({"failedItemCount": len(operation.failed)}).encode())

    def _now(self) -> float:
        return time.time() + self._age


def _uuid() -> str:
    digits = secrets.token_hex(16)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
