"""An AWS with DynamoDB's own loads: a loopback server in front of an emulator, which answers everything else.

    with EmbeddedAws() as endpoint, ManagedFront(endpoint, vault) as front:
        aws = front.aws()          # as of the emulator, and with StartBulkPutItems and ImportTable
        front.loads.script(Script(after_items=10))

Tables without TableId get one. A table that an import makes is CREATING until that has ended, and refuses what AWS
refuses of such.
"""

from __future__ import annotations

import json
import threading
import zlib
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from recovery.testing.embedded_aws import ACCOUNT, LOOPBACK, REGION, EmbeddedEndpoint
from recovery.testing.managed_loads import BAD_REQUEST, CALLS, OK, ManagedLoads

if TYPE_CHECKING:
    from types import TracebackType

    from recovery.aws import Aws
    from recovery.vault.vault import Vault

_TARGET = "X-Amz-Target"
_VERSION = "DynamoDB_20120810."
# Of one connection, and not of the message.
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length", "expect"})
_REFUSED_WHILE_CREATING = {
    "DeleteTable": "ResourceInUseException",
    "UpdateTable": "ResourceInUseException",
    "TagResource": "ResourceInUseException",
    "PutItem": "ResourceNotFoundException",
    "BatchWriteItem": "ResourceNotFoundException",
    "Scan": "ResourceNotFoundException",
}
_TIMEOUT_SECONDS = 60


class ManagedFront:
    """The server; use it in a ``with``. ``loads`` is what it adds."""

    def __init__(self, behind: EmbeddedEndpoint, vault: Vault) -> None:
        self._behind = urlsplit(behind.url)
        self.loads = ManagedLoads(self.upstream, vault, f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:")
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="managed-front", daemon=True)

    @property
    def endpoint(self) -> EmbeddedEndpoint:
        """Where it listens."""
        return EmbeddedEndpoint(f"http://{LOOPBACK}:{self._server.server_address[1]}")

    def aws(self, max_attempts: int = 5) -> Aws:
        """Clients for it. See EmbeddedEndpoint.aws."""
        return self.endpoint.aws(max_attempts=max_attempts)

    def __enter__(self) -> ManagedFront:  # noqa: PYI034 - never subclassed
        """Start listening."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def upstream(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """A DynamoDB call to the emulator, raw: what data files hold is what it gets."""
        credential = f"AKIAIOSFODNN7EXAMPLE/20260101/{REGION}/dynamodb/aws4_request"
        headers = {
            _TARGET: f"{_VERSION}{operation}",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=none",
        }
        status, _, answer = self.forward("POST", "/", headers, json.dumps(body).encode())
        return status, cast("dict[str, Any]", json.loads(answer))

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """One request to the emulator: (status, headers, body)."""
        connection = HTTPConnection(str(self._behind.hostname), self._behind.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def answer(self, operation: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
        """What is answered here: (status, JSON); None for what the emulator is to answer."""
        if operation in CALLS:
            return self.loads.answer(operation, json.loads(body or b"{}"))
        code = _REFUSED_WHILE_CREATING.get(operation)
        if code and any(self.loads.is_importing(table) for table in _tables(json.loads(body))):
            return BAD_REQUEST, {
                "__type": f"com.amazonaws.dynamodb.v20120810#{code}",
                "message": "is CREATING",
            }
        if operation != "DescribeTable":
            return None
        status, answer = self.upstream(operation, json.loads(body))
        if status == OK:
            table = answer["Table"]
            table.setdefault("TableId", self.loads.table_id(table))
            if self.loads.is_importing(table["TableName"]):
                table["TableStatus"] = "CREATING"
        return status, answer


def _tables(body: dict[str, Any]) -> list[str]:
    """The tables that a request is about."""
    named = [body.get("TableName", ""), body.get("ResourceArn", ""), *body.get("RequestItems", {})]
    return [name.rpartition("/")[2] for name in named]


def _handler(front: ManagedFront) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: two of them would wait for each other's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get(_TARGET, "")
            answer = (
                front.answer(target.removeprefix(_VERSION), body) if target.startswith(_VERSION) else None
            )
            if answer is not None:
                status, document = answer
                content = json.dumps(document).encode()
                crc = str(zlib.crc32(content))
                self._send(
                    status, [("Content-Type", "application/x-amz-json-1.0"), ("x-amz-crc32", crc)], content
                )
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            self._send(*front.forward(self.command, self.path, headers, body))

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server's own names

        def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            length = next((value for name, value in headers if name.lower() == "content-length"), "0")
            # The answer to a HEAD says how long the body would be.
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
            """Say nothing: requests hold items."""

    return Handler
