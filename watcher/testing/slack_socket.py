"""The Socket Mode side of the local Slack: for tests of the buttons, without a workspace.

``apps.connections.open`` gives the address of a WebSocket on the loopback interface; what is pressed comes over it. All
other methods are the stand-in's that it is made for, and ``chat.postEphemeral``. Sources: 'Using Socket Mode' in Slack's
documents for the envelopes, RFC 6455 for the frames. There is no TLS, and no frame in fragments.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from watcher.testing.slack import BOT_ID, BOT_USER_ID
from watcher.testing.slack_http import Answer, SlackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import BufferedIOBase
    from types import TracebackType
    from typing import Self

    from watcher.testing.slack import SlackStandIn

APP_TOKEN = "xapp-stand-in-token"
USER_ID, USER_NAME = "U0ANA", "ana"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_SHORT, _MEDIUM, _LONG = 125, 126, 127


class SlackSocketStandIn:
    """Answers the Web API for ``slack``, which need not be started, and keeps WebSockets; a context manager.

    ``acknowledged`` are the ids of the envelopes that were, in order. ``ephemeral`` are the arguments of what was shown to
    one person only. ``refuse_connections`` times no address is given; with ``refuse_ephemeral`` nobody is shown anything.
    """

    def __init__(self, slack: SlackStandIn, app_token: str = APP_TOKEN) -> None:
        self.slack = slack
        self.app_token = app_token
        self.acknowledged: list[str] = []
        self.ephemeral: list[dict[str, Any]] = []
        self.opened = 0
        self.refuse_connections = 0
        self.refuse_ephemeral = False
        self._numbers = itertools.count(1)
        self._connections: list[socket.socket] = []
        self._changed = threading.Condition()
        self._api = SlackServer(self)
        self._sockets = _SocketServer(self)
        self._threads = [
            threading.Thread(target=one.serve_forever, args=(0.02,), name="slack-socket", daemon=True)
            for one in (self._api, self._sockets)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._api, self._sockets):
            server.shutdown()
            server.server_close()
        self.drop()
        for thread in self._threads:
            thread.join()

    @property
    def base_url(self) -> str:
        """What to give to ``WebClient(base_url=...)``."""
        return f"http://127.0.0.1:{self._api.server_address[1]}/api/"

    @property
    def connections(self) -> int:
        """How many WebSockets there are."""
        with self._changed:
            return len(self._connections)

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 10) -> bool:
        """Wait until the predicate holds, looking after every change; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(predicate, timeout)

    def press(
        self,
        action_id: str,
        value: str,
        *,
        ts: str = "1763867527.000100",
        envelope_id: str = "",
        **changes: Any,
    ) -> str:
        """Press a button under a message of the bot; gives the envelope's id. ``changes`` go into the payload."""
        number = next(self._numbers)
        envelope_id = envelope_id or f"envelope-{number}"
        payload = a_press(action_id, value, ts=ts, action_ts=f"1763867600.{number:06}") | changes
        self.send(
            {
                "type": "interactive",
                "envelope_id": envelope_id,
                "accepts_response_payload": True,
                "payload": payload,
            }
        )
        return envelope_id

    def send(self, document: Mapping[str, Any]) -> None:
        """Send a message to the newest connection."""
        with self._changed:
            assert self._connections, "nobody is connected"
            self._connections[-1].sendall(_frame(_TEXT, json.dumps(document).encode()))

    def refresh(self) -> None:
        """Have the client open another connection, then break the old one, as Slack does every few hours."""
        with self._changed:
            old = self._connections[-1]
        self.send({"type": "disconnect", "reason": "refresh_requested", "debug_info": {"host": "stand-in"}})
        assert self.wait_for(lambda: len(self._connections) > 1)
        with suppress(OSError):
            old.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Break all connections."""
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def answer(self, method: str, token: str, arguments: Mapping[str, Any]) -> Answer | None:
        """See Answers.answer."""
        if method == "apps.connections.open":
            return Answer(200, self._opened(token), {})
        if method == "chat.postEphemeral" and token == self.slack.token:
            if self.refuse_ephemeral:
                return Answer(200, {"ok": False, "error": "user_not_in_channel"}, {})
            with self._changed:
                self.ephemeral.append(dict(arguments))
                self._changed.notify_all()
            return Answer(200, {"ok": True, "message_ts": "1763867600.000200"}, {})
        answer = self.slack.answer(method, token, arguments)
        with self._changed:
            self._changed.notify_all()
        return answer

    def pause(self, seconds: float) -> None:
        """See Answers.pause."""
        self.slack.pause(seconds)

    def _opened(self, token: str) -> dict[str, Any]:
        if token != self.app_token:
            return {"ok": False, "error": "not_allowed_token_type" if token else "not_authed"}
        with self._changed:
            self.opened += 1
            self._changed.notify_all()
            if self.refuse_connections > 0:
                self.refuse_connections -= 1
                return {"ok": False, "error": "internal_error"}
        return {"ok": True, "url": f"ws://127.0.0.1:{self._sockets.server_address[1]}/link/?ticket=stand-in"}

    def connected(self, connection: socket.socket) -> None:
        """A WebSocket is open. For the server."""
        connection.sendall(_frame(_TEXT, json.dumps({"type": "hello", "num_connections": 1}).encode()))
        with self._changed:
            self._connections.append(connection)
            self._changed.notify_all()

    def received(self, body: bytes) -> None:
        """A client sent something. For the server."""
        with self._changed:
            self.acknowledged.append(str(json.loads(body).get("envelope_id")))
            self._changed.notify_all()

    def disconnected(self, connection: socket.socket) -> None:
        """A WebSocket is gone. For the server."""
        with self._changed:
            if connection in self._connections:
                self._connections.remove(connection)
            self._changed.notify_all()


def a_press(
    action_id: str, value: str, *, ts: str = "1763867527.000100", action_ts: str = "1763867600.000001"
) -> dict[str, Any]:
    """The payload of a button that was pressed, shaped as Slack's reference has it."""
    return {
        "type": "block_actions",
        "user": {"id": USER_ID, "username": USER_NAME, "name": USER_NAME, "team_id": "T0STANDIN"},
        "api_app_id": "A0SAFETYNET",
        "token": "verification",
        "container": {
            "type": "message",
            "message_ts": ts,
            "channel_id": "C0ALERTS",
            "is_ephemeral": False,
        },
        "trigger_id": "1.2.3",
        "team": {"id": "T0STANDIN", "domain": "stand-in"},
        "channel": {"id": "C0ALERTS", "name": "dynamodb-alerts"},
        "message": {"type": "message", "bot_id": BOT_ID, "user": BOT_USER_ID, "ts": ts, "text": "..."},
        "response_url": "https://hooks.slack.com/actions/T0STANDIN/1/x",
        "actions": [
            {
                "action_id": action_id,
                "block_id": "b",
                "text": {"type": "plain_text", "text": "...", "emoji": False},
                "value": value,
                "type": "button",
                "action_ts": action_ts,
            }
        ],
    }


class _SocketServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, slack: SlackSocketStandIn) -> None:
        self.slack = slack
        super().__init__(("127.0.0.1", 0), _SocketHandler)


class _SocketHandler(socketserver.StreamRequestHandler):
    server: _SocketServer

    def handle(self) -> None:
        """Shake hands, then read frames until the client is gone."""
        slack = self.server.slack
        with suppress(OSError):
            self.wfile.write(_handshake(self.rfile))
            slack.connected(self.connection)
            while (frame := _read_frame(self.rfile)) is not None:
                opcode, body = frame
                if opcode == _TEXT:
                    slack.received(body)
                elif opcode == _PING:
                    self.connection.sendall(_frame(_PONG, body))
                elif opcode == _CLOSE:
                    break
        slack.disconnected(self.connection)


def _handshake(request: BufferedIOBase) -> bytes:
    """The answer to a client's request to upgrade (RFC 6455, section 4.2.2)."""
    key = b""
    while (line := request.readline().strip()) or not key:
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
        if not line and not key:
            raise ConnectionError("no WebSocket client")
    accept = base64.b64encode(hashlib.sha1(key + _GUID.encode()).digest())  # noqa: S324 - the protocol's
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _read_frame(stream: BufferedIOBase) -> tuple[int, bytes] | None:
    """Opcode and body of a client's frame, whose mask is taken off; None where there is none."""
    head = stream.read(2)
    if len(head) < 2:  # noqa: PLR2004 - a header is two bytes at least
        return None
    size = head[1] & 0x7F
    if size == _MEDIUM:
        (size,) = struct.unpack("!H", stream.read(2))
    elif size == _LONG:
        (size,) = struct.unpack("!Q", stream.read(8))
    mask = stream.read(4) if head[1] & 0x80 else bytes(4)
    body = stream.read(size)
    return head[0] & 0x0F, bytes(
        byte ^ masking for byte, masking in zip(body, itertools.cycle(mask), strict=False)
    )


def _frame(opcode: int, body: bytes) -> bytes:
    """A server's frame: not masked, in one piece."""
    if len(body) <= _SHORT:
        size = struct.pack("!B", len(body))
    elif len(body) < 1 << 16:
        size = struct.pack("!BH", _MEDIUM, len(body))
    else:
        size = struct.pack("!BQ", _LONG, len(body))
    return bytes([0x80 | opcode]) + size + body
