"""A front before an engine: hands calls on, writes those of DynamoDB down, and refuses what a test names."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from recovery.testing.embedded_aws import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.testing.embedded_aws import EmbeddedEndpoint

VERBS = ("GET", "HEAD", "PUT", "POST", "DELETE")
BY_HAND = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})
# Refusals that nobody tries again, as of a role that was changed in between.
TABLES_REFUSAL = json.dumps({"__type": "AccessDeniedException", "message": "refused by the test"}).encode()
OBJECTS_REFUSAL = b"<Error><Code>AccessDenied</Code><Message>refused by the test</Message></Error>"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of DynamoDB: its operation and its request."""

    operation: str
    request: dict[str, Any]


@dataclass(slots=True)
class Front:
    """``refused``: operations of DynamoDB that do not get through; ``unreadable``: parts of S3 keys."""

    behind: str
    refused: frozenset[str]
    unreadable: frozenset[str]
    calls: list[Call] = field(default_factory=list)
    url: str = ""

    def of(self, operation: str) -> list[dict[str, Any]]:
        """The requests of one operation, in order."""
        return [call.request for call in self.calls if call.operation == operation]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def hand_on(self) -> None:
        """Answer one call, of whatever verb."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if operation:
            self.front.calls.append(Call(operation, json.loads(body)))
        if operation in self.front.refused:
            self._answer(400, [("Content-Type", "application/x-amz-json-1.0")], TABLES_REFUSAL)
            return
        path = unquote(urlsplit(self.path).path)
        if self.command == "GET" and any(part in path for part in self.front.unreadable):
            self._answer(403, [("Content-Type", "application/xml")], OBJECTS_REFUSAL)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in BY_HAND}
        connection = http.client.HTTPConnection(self.front.behind, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            self._answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in BY_HAND:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def front_of(
    endpoint: EmbeddedEndpoint, *, refused: tuple[str, ...] = (), unreadable: tuple[str, ...] = ()
) -> Iterator[Front]:
    """A front while the block runs."""
    front = Front(urlsplit(endpoint.url).netloc, frozenset(refused), frozenset(unreadable))
    verbs = {f"do_{verb}": _Handler.hand_on for verb in VERBS}
    handler = type("Handler", (_Handler,), {"front": front, **verbs})
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        server.daemon_threads = True
        front.url = f"http://{LOOPBACK}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()
