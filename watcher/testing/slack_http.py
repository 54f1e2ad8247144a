"""The HTTP side of the local Slack: calls in, answers out."""

from __future__ import annotations

import json
import socketserver
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: HTTP status, JSON body, headers, and how many seconds it is held back."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    delay: float = 0


class Answers(Protocol):
    """Who knows what to answer."""

    def answer(self, method: str, token: str, arguments: Mapping[str, Any]) -> Answer | None:
        """The answer to one call; None: the connection is dropped."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait before an answer that is to come late."""
        ...


class SlackServer(ThreadingHTTPServer):
    """Listens on a free loopback port."""

    daemon_threads = True
    request_queue_size = 128  # with the default of 5 the kernel resets the calls of a burst

    def __init__(self, slack: Answers) -> None:
        self.slack = slack
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without asking who we are."""
        # HTTPServer would ask DNS for the machine's full name here, which may take seconds and is of no use.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: SlackServer

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        arguments = dict(parse_qsl(url.query)) | _arguments(self.headers.get_content_type(), body)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or str(
            arguments.get("token", "")
        )
        slack = self.server.slack
        answer = slack.answer(url.path.removeprefix("/api/"), token, arguments)
        if answer is None:
            self.close_connection = True
            return
        slack.pause(answer.delay)
        content = json.dumps(answer.body).encode()
        with suppress(ConnectionError):  # the caller may have given up on a late answer
            self.send_response(answer.status)
            for name, value in (("Content-Type", "application/json; charset=utf-8"), *answer.headers.items()):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the calls can be counted on the stand-in."""


def _arguments(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type != "application/json":
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
