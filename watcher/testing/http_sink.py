"""A local HTTP server that keeps what is posted to it and answers as told: for webhooks and PagerDuty in tests."""

from __future__ import annotations

import json
import socketserver
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self


@dataclass(frozen=True, slots=True)
class Received:
    """One request. The names of ``headers`` are in lower case; ``peer`` is the port it came from."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: int

    @property
    def document(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. ``lost``: the request is kept, and the connection dropped without an answer."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: bool = False


class HttpSink:
    """Listens on a free loopback port while it is entered. ``usual`` answers whatever no reply was scripted for."""

    def __init__(self, usual: Reply | None = None) -> None:
        self.usual = usual or Reply()
        self._received: list[Received] = []
        self._replies: deque[Reply] = deque()
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self)
        # The end of a server is looked for at every poll: half a second would be most of a test.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    @property
    def url(self) -> str:
        """The address of the server, without a path."""
        assert self._server is not None, "the sink is not running"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def received(self) -> list[Received]:
        """All requests so far, oldest first."""
        with self._lock:
            return list(self._received)

    def reply_next(self, *replies: Reply) -> None:
        """Answer the next requests so, one after another."""
        with self._lock:
            self._replies.extend(replies)

    def take(self, request: Received) -> Reply:
        """Keep a request; gives what to answer."""
        with self._lock:
            self._received.append(request)
            return self._replies.popleft() if self._replies else self.usual


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Connections that are kept open must not hold the end of a test up.
    block_on_close = False

    def __init__(self, sink: HttpSink) -> None:
        self.sink = sink
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without asking DNS who we are, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # so that connections are kept
    server: _Server

    def handle(self) -> None:
        """A caller may give up at any time, and hang up."""
        with suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.sink.take(Received(self.path, headers, body, int(self.client_address[1])))
        if reply.lost:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def do_GET(self) -> None:
        """A redirect that was followed would arrive here."""
        self.do_POST()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the requests are kept."""
