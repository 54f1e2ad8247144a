"""Scripted faults in front of an AWS or a vault: fail, lose the answer, crash, leave items unprocessed.

Made for one ``Aws`` before its clients are, for botocore copies event handlers into a client at its birth::

    aws = endpoint.aws(max_attempts=1)
    faults = Faults(aws)
    faults.fail("Scan", nth=2)                 # the second Scan is throttled
    faults.lose_answer("CreateTable")          # it happens, but the answer is lost on the way
    faults.crash(nth=7)                        # the process dies at its seventh call, whichever that is
    vault = FaultyVault(MemoryVault(), faults)  # the same script and record for a vault

``calls`` records every attempt: the names of operations for AWS, ``vault.put_new`` and so on for the vault.
"""

from __future__ import annotations

import io
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from recovery.aws import Aws
    from recovery.vault.vault import ObjectInfo, PendingUpload, StoredObject, UploadedPart, Vault

T = TypeVar("T")
READ_ONLY = ("BatchGet", "Describe", "Get", "Head", "List", "Query", "Scan", "Simulate")
# Services whose errors are named in a header (botocore's models, ``protocol`` "rest-json").
REST_JSON = frozenset({"backup", "lambda"})
VAULT_READS = frozenset({"vault.get", "vault.open", "vault.list", "vault.folders", "vault.uploads"})
BAD_REQUEST = 400


class Crash(BaseException):
    """The process dies here. Nothing in the product catches it, as nothing could catch a kill -9."""


@dataclass(slots=True)
class _Fault:
    """What to do at which calls: from the ``nth`` of an operation ("": of any), ``times`` times."""

    kind: Literal["fail", "lose", "crash", "crash-after", "unprocessed", "change", "damage"]
    operation: str
    nth: int
    times: int
    status: int = 0
    code: str = ""
    message: str = ""
    leave: int = 0
    change: Callable[[dict[str, Any]], None] | None = None
    seen: int = 0

    def is_due(self, operation: str) -> bool:
        """Count a call, and say whether it is one to be faulty."""
        if self.operation not in ("", operation):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Faults:
    """The script and the record. ``page_items`` makes Scan pages as small as a test wants them."""

    def __init__(self, aws: Aws) -> None:
        self.calls: list[str] = []
        self.page_items: int | None = None
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._dead = False
        events: Any = aws.session.events  # typed for handlers that return nothing; this one may answer
        events.register("before-send", self._before_send)

    def reset(self) -> None:
        """A new process: an empty script and an empty record."""
        with self._lock:
            self._faults.clear()
            self.calls.clear()
            self.page_items = None
            self._dead = False

    @property
    def writes(self) -> list[str]:
        """Those of the calls that change something."""
        return [call for call in self.calls if not call.startswith(READ_ONLY) and call not in VAULT_READS]

    def fail(
        self,
        operation: str,
        *,
        nth: int = 1,
        times: int = 1,
        status: int = BAD_REQUEST,
        code: str = "ThrottlingException",
        message: str = "scripted",
    ) -> None:
        """Refuse the call; nothing happens in AWS."""
        self._faults.append(_Fault("fail", operation, nth, times, status, code, message))

    def lose_answer(self, operation: str, *, nth: int = 1, times: int = 1) -> None:
        """Let it happen, then break the connection."""
        self._faults.append(_Fault("lose", operation, nth, times))

    def crash(self, operation: str = "", *, nth: int = 1, after: bool = False) -> None:
        """Die at the call, before or after it happens. From then on no call gets out any more."""
        self._faults.append(_Fault("crash-after" if after else "crash", operation, nth, 1))

    def leave_unprocessed(self, count: int, *, nth: int = 1, times: int = 1) -> None:
        """Hand back the first ``count`` puts of a BatchWriteItem as UnprocessedItems, and do the others."""
        self._faults.append(_Fault("unprocessed", "BatchWriteItem", nth, times, leave=count))

    def change_answer(
        self, operation: str, change: Callable[[dict[str, Any]], None], *, nth: int = 1, times: int = 1
    ) -> None:
        """Let a function change the JSON of a DynamoDB answer in place."""
        self._faults.append(_Fault("change", operation, nth, times, change=change))

    def damage_answer(self, operation: str, *, nth: int = 1, times: int = 1) -> None:
        """Cut the body of an answer, whose CRC32 then is not that of its header."""
        self._faults.append(_Fault("damage", operation, nth, times))

    def due(self, operation: str) -> _Fault | None:
        """Record a call; what is to go wrong with it. Raises Crash for a process that is dead."""
        with self._lock:
            if self._dead:
                raise Crash(operation)
            self.calls.append(operation)
            # All count the call, the first one that is due acts.
            faults = [fault for fault in self._faults if fault.is_due(operation)]
            return faults[0] if faults else None

    def die(self, operation: str) -> Crash:
        """The end of the process, to be raised."""
        with self._lock:
            self._dead = True
        return Crash(operation)

    def _before_send(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:
        service, operation = event_name.split(".")[-2:]
        fault = self.due(operation)
        if operation == "Scan" and self.page_items is not None:
            _put_json(request, {**json.loads(request.body), "Limit": self.page_items})
        if fault is None:
            return None
        if fault.kind == "fail":
            return _refusal(request, fault, service)
        if fault.kind == "crash":
            raise self.die(operation)
        if fault.kind == "unprocessed":
            return _unprocessed(request, fault.leave)
        answer = _send(request)
        if fault.kind == "crash-after":
            raise self.die(operation)
        if fault.change is not None:
            document = json.loads(answer.content)
            fault.change(document)
            return _json_answer(request, answer.status_code, document)
        if fault.kind == "damage":
            body = answer.content[: len(answer.content) // 2]
            return _answer(request, answer.status_code, body, {"x-amz-crc32": "1"})
        raise ConnectionClosedError(endpoint_url=request.url)


class FaultyVault:
    """A vault behind a script: ``fail`` and ``lose_answer`` come out as UnavailableError."""

    def __init__(self, vault: Vault, faults: Faults) -> None:
        self._vault = vault
        self._faults = faults

    @property
    def location(self) -> str:
        """See Vault.location."""
        return self._vault.location

    @property
    def bucket(self) -> str:
        """See Vault.bucket."""
        return self._vault.bucket

    def full_key(self, key: str) -> str:
        """See Vault.full_key."""
        return self._vault.full_key(key)

    def get(self, key: str) -> StoredObject:
        """See Vault.get."""
        return self._call("vault.get", lambda: self._vault.get(key))

    def open(self, key: str) -> BinaryIO:
        """See Vault.open."""
        return self._call("vault.open", lambda: self._vault.open(key))

    def put_new(self, key: str, body: bytes) -> str:
        """See Vault.put_new."""
        return self._call("vault.put_new", lambda: self._vault.put_new(key, body))

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """See Vault.replace."""
        return self._call("vault.replace", lambda: self._vault.replace(key, body, etag))

    def put(self, key: str, body: bytes | bytearray) -> None:
        """See Vault.put."""
        self._call("vault.put", lambda: self._vault.put(key, body))

    def start_upload(self, key: str) -> str:
        """See Vault.start_upload."""
        return self._call("vault.start_upload", lambda: self._vault.start_upload(key))

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes | bytearray) -> UploadedPart:
        """See Vault.upload_part."""
        return self._call("vault.upload_part", lambda: self._vault.upload_part(key, upload_id, number, body))

    def complete_upload(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """See Vault.complete_upload."""
        self._call("vault.complete_upload", lambda: self._vault.complete_upload(key, upload_id, parts))

    def abort_upload(self, key: str, upload_id: str) -> None:
        """See Vault.abort_upload."""
        self._call("vault.abort_upload", lambda: self._vault.abort_upload(key, upload_id))

    def uploads(self, prefix: str) -> Iterator[PendingUpload]:
        """See Vault.uploads."""
        return iter(self._call("vault.uploads", lambda: [*self._vault.uploads(prefix)]))

    def at(self, bucket: str, prefix: str) -> FaultyVault:
        """See Vault.at."""
        return FaultyVault(self._vault.at(bucket, prefix), self._faults)

    def delete(self, key: str) -> None:
        """See Vault.delete."""
        self._call("vault.delete", lambda: self._vault.delete(key))

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        """See Vault.list."""
        return iter(self._call("vault.list", lambda: [*self._vault.list(prefix, after)]))

    def folders(self, prefix: str) -> Iterator[str]:
        """See Vault.folders."""
        return iter(self._call("vault.folders", lambda: [*self._vault.folders(prefix)]))

    def _call(self, operation: str, do: Callable[[], T]) -> T:
        fault = self._faults.due(operation)
        if fault is None:
            return do()
        if fault.kind == "crash":
            raise self._faults.die(operation)
        if fault.kind == "fail":
            raise UnavailableError(f"{operation}: scripted")
        do()
        if fault.kind == "crash-after":
            raise self._faults.die(operation)
        raise UnavailableError(f"{operation}: the answer was lost")


class _Raw(io.BytesIO):
    """A body the way urllib3 hands it over."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def _send(request: Any) -> AWSResponse:
    session = URLLib3Session()
    try:
        answer = session.send(request)
        _ = answer.content  # read while the connection is there
    finally:
        session.close()
    return answer


def _put_json(request: Any, document: object) -> None:
    request.body = json.dumps(document).encode()
    del request.headers["Content-Length"]
    request.headers["Content-Length"] = str(len(request.body))


def _json_answer(request: Any, status: int, document: object) -> AWSResponse:
    # No x-amz-crc32: it would be that of the body before the change.
    return _answer(request, status, json.dumps(document).encode())


def _answer(request: Any, status: int, body: bytes, more: dict[str, str] | None = None) -> AWSResponse:
    headers: Any = {"Content-Length": str(len(body)), "x-amzn-RequestId": "scripted", **(more or {})}
    raw: Any = _Raw(body)
    return AWSResponse(request.url, status, headers, raw)


def _refusal(request: Any, fault: _Fault, service: str) -> AWSResponse:
    """An error in the protocol of the service: JSON for DynamoDB, REST and JSON for Lambda, XML for S3 and STS."""
    if service in REST_JSON:
        body = json.dumps({"Type": "User", "message": fault.message}).encode()
        return _answer(request, fault.status, body, {"x-amzn-ErrorType": fault.code})
    if "X-Amz-Target" in request.headers:
        return _json_answer(request, fault.status, {"__type": f"aws#{fault.code}", "message": fault.message})
    error = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>"
    # S3 has the bare element, STS (the query protocol) wraps it.
    wrapped = (
        error if request.headers.get("x-amz-content-sha256") else f"<ErrorResponse>{error}</ErrorResponse>"
    )
    return _answer(request, fault.status, wrapped.encode())


def _unprocessed(request: Any, leave: int) -> AWSResponse:
    document = json.loads(request.body)
    ((table, puts),) = document["RequestItems"].items()
    left, done = puts[:leave], puts[leave:]
    if done:
        _put_json(request, {"RequestItems": {table: done}})
        answer = _send(request)
        if answer.status_code >= BAD_REQUEST:
            return answer
    return _json_answer(request, 200, {"UnprocessedItems": {table: left} if left else {}})
