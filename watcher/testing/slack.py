"""A local Slack over real HTTP: for tests, for the demo, and for trying an alert without a workspace.

Speaks the few methods that alerting needs, with Slack's own answers and limits, and fails on demand.
Sources: Slack's method reference (chat.postMessage, chat.update, conversations.history and .replies) and
its Block Kit reference. In one point it is stricter than Slack: a reply to a thread that does not exist is
refused here, while Slack says "ok" and shows it nowhere.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from watcher.testing.slack_blocks import RefusalError, check_blocks
from watcher.testing.slack_http import Answer, SlackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

TOKEN = "xoxb-stand-in-token"
BOT_ID = "B0SAFETYNET"
BOT_USER_ID = "U0SAFETYNET"
CHANNELS = {"C0ALERTS": "dynamodb-alerts"}

MAX_POSTED_TEXT, MAX_UPDATED_TEXT = 40_000, 4_000
MAX_PAGE = 999


class FaultKind(StrEnum):
    """What goes wrong; see the constructors of ``Fault``."""

    STATUS = "status"
    ERROR = "error"
    LOST_ANSWER = "lost-answer"
    LATE_ANSWER = "late-answer"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted failure of one call."""

    kind: FaultKind
    status: int = 200
    code: str = ""
    seconds: float = 0

    @classmethod
    def rate_limited(cls, retry_after: int = 1) -> Fault:
        """HTTP 429 with ``Retry-After``; nothing was done."""
        return cls(FaultKind.STATUS, 429, "ratelimited", retry_after)

    @classmethod
    def server_error(cls) -> Fault:
        """HTTP 500; nothing was done, but the caller cannot know."""
        return cls(FaultKind.STATUS, 500, "internal_error")

    @classmethod
    def error(cls, code: str) -> Fault:
        """HTTP 200 with ``"ok": false`` and that code, for example ``missing_scope``; nothing was done."""
        return cls(FaultKind.ERROR, 200, code)

    @classmethod
    def lost_answer(cls) -> Fault:
        """It was done, then the connection broke."""
        return cls(FaultKind.LOST_ANSWER)

    @classmethod
    def late_answer(cls, seconds: float) -> Fault:
        """It was done, and the answer takes that long."""
        return cls(FaultKind.LATE_ANSWER, seconds=seconds)

    @classmethod
    def refused(cls) -> Fault:
        """The connection broke before anything was done."""
        return cls(FaultKind.REFUSED)


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A message as it stands in the channel. ``thread_ts`` None: it is not a reply."""

    channel: str
    ts: str
    thread_ts: str | None
    text: str
    blocks: tuple[dict[str, Any], ...]
    metadata: dict[str, Any] | None
    edited: bool = False
    bot_id: str = BOT_ID


class SlackStandIn:
    """A Slack workspace with one bot in it; a context manager.

    ``channels`` maps channel ids to names: a message may be posted to either, everything else wants the id.
    ``clock`` gives seconds since 1970 and only makes the ``ts`` of messages.
    """

    def __init__(
        self,
        *,
        token: str = TOKEN,
        channels: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        self.channels = dict(CHANNELS if channels is None else channels)
        self._clock = clock
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._messages: list[PostedMessage] = []
        self._faults: deque[tuple[Fault, str | None]] = deque()
        self._calls: Counter[str] = Counter()
        self._last_ts = 0
        self._server: SlackServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        self._closing.clear()
        self._server = SlackServer(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="slack-stand-in",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; what was posted can still be read."""
        self._closing.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None

    @property
    def base_url(self) -> str:
        """What to give to ``WebClient(base_url=...)``."""
        if self._server is None:
            raise RuntimeError("the stand-in is not started")
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/"

    @property
    def messages(self) -> list[PostedMessage]:
        """All messages, oldest first."""
        with self._changed:
            return list(self._messages)

    @property
    def calls(self) -> dict[str, int]:
        """How often each method was called, failed calls counted too."""
        with self._changed:
            return dict(self._calls)

    def visible(self, channel: str) -> list[PostedMessage]:
        """The top-level messages of a channel, oldest first."""
        return [
            message for message in self.messages if message.channel == channel and message.thread_ts is None
        ]

    def replies(self, channel: str, ts: str) -> list[PostedMessage]:
        """The replies to a message, oldest first, without the message itself."""
        return [
            message for message in self.messages if message.channel == channel and message.thread_ts == ts
        ]

    def fail_next(self, fault: Fault, *, method: str | None = None) -> None:
        """Let the next call (of that method) fail. Faults are used up in the order they were given."""
        with self._changed:
            self._faults.append((fault, method))

    def add_message(
        self, channel: str, text: str, *, metadata: dict[str, Any] | None = None, bot_id: str = "B0STRANGER"
    ) -> str:
        """Put somebody else's message into a channel; gives its ``ts``."""
        with self._changed:
            message = PostedMessage(channel, self._next_ts(), None, text, (), metadata, bot_id=bot_id)
            self._messages.append(message)
            self._changed.notify_all()
            return message.ts

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 5) -> bool:
        """Wait until the predicate holds, looking after every call; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(predicate, timeout)

    def answer(self, method: str, token: str, arguments: Mapping[str, Any]) -> Answer | None:
        """The answer to one call, None where the connection is to break. For the HTTP handler."""
        with self._changed:
            self._calls[method] += 1
            fault = self._take_fault(method)
            try:
                return self._answer(method, token, arguments, fault)
            finally:
                self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Hold an answer back, but not beyond ``stop``. For the HTTP handler."""
        if seconds:
            self._closing.wait(seconds)

    def _answer(
        self, method: str, token: str, arguments: Mapping[str, Any], fault: Fault | None
    ) -> Answer | None:
        if fault is not None and fault.kind is FaultKind.REFUSED:
            return None
        if fault is not None and fault.code:
            return _failed(fault)
        try:
            body = self._done(method, token, arguments)
        except RefusalError as error:
            body = _refusal(error)
        if fault is not None and fault.kind is FaultKind.LOST_ANSWER:
            return None
        return Answer(200, body, {}, fault.seconds if fault is not None else 0)

    def _take_fault(self, method: str) -> Fault | None:
        for entry in self._faults:
            if entry[1] in (None, method):
                self._faults.remove(entry)
                return entry[0]
        return None

    def _done(self, method: str, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        methods = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        if method not in methods:
            raise RefusalError("unknown_method")
        if not token:
            raise RefusalError("not_authed")
        if token != self.token:
            raise RefusalError("invalid_auth")
        return {"ok": True, **methods[method](arguments)}

    def _auth_test(self, _arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "url": "https://stand-in.slack.com/",
            "team": "Stand-in",
            "user": "safetynet",
            "team_id": "T0STANDIN",
            "user_id": BOT_USER_ID,
            "bot_id": BOT_ID,
        }

    def _post(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        asked = str(arguments.get("channel", "")).removeprefix("#")
        channel = next((key for key, name in self.channels.items() if asked in (key, name)), None)
        if channel is None:
            raise RefusalError("channel_not_found")
        text, blocks = _content(arguments)
        thread_ts = arguments.get("thread_ts")
        if thread_ts is not None:
            parent = self._parent(channel, str(thread_ts), malformed="invalid_thread_ts")
            thread_ts = parent.thread_ts or parent.ts
        metadata = _metadata(arguments)
        message = PostedMessage(channel, self._next_ts(), thread_ts, text[:MAX_POSTED_TEXT], blocks, metadata)
        self._messages.append(message)
        return {"channel": channel, "ts": message.ts, "message": _shown(message, with_metadata=True)}

    def _update(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel, ts = self._channel(arguments), str(arguments.get("ts", ""))
        found = next((old for old in self._messages if (old.channel, old.ts) == (channel, ts)), None)
        if found is None:
            raise RefusalError("message_not_found")
        if found.bot_id != BOT_ID:
            raise RefusalError("cant_update_message")
        text, blocks = _content(arguments)
        if len(text) > MAX_UPDATED_TEXT:
            raise RefusalError("msg_too_long")
        # Slack: metadata that is not given is kept; blocks that are not given are removed when text is.
        metadata = _metadata(arguments) if "metadata" in arguments else found.metadata
        updated = replace(found, text=text, blocks=blocks, metadata=metadata, edited=True)
        self._messages[self._messages.index(found)] = updated
        return {"channel": channel, "ts": ts, "text": text, "message": _shown(updated, with_metadata=True)}

    def _history(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        found = [message for message in self.visible(channel) if _in_range(message, arguments)]
        return _page(found[::-1], arguments, default_limit=100)

    def _replies(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        parent = self._parent(channel, str(arguments.get("ts", "")), malformed="thread_not_found")
        found = [message for message in self.replies(channel, parent.ts) if _in_range(message, arguments)]
        return _page([parent, *found], arguments, default_limit=MAX_PAGE)

    def _channel(self, arguments: Mapping[str, Any]) -> str:
        channel = str(arguments.get("channel", ""))
        if channel not in self.channels:
            raise RefusalError("channel_not_found")
        return channel

    def _parent(self, channel: str, ts: str, *, malformed: str) -> PostedMessage:
        seconds, _, fraction = ts.partition(".")
        if not (seconds.isdigit() and fraction.isdigit()):
            raise RefusalError(malformed)
        found = next((old for old in self._messages if (old.channel, old.ts) == (channel, ts)), None)
        if found is None:
            raise RefusalError("thread_not_found")
        return found

    def _next_ts(self) -> str:
        """Unique and increasing, as in Slack, whatever the clock does."""
        self._last_ts = max(self._last_ts + 1, int(self._clock() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06}"


def _failed(fault: Fault) -> Answer:
    headers = {"Retry-After": str(int(fault.seconds))} if fault.code == "ratelimited" else {}
    return Answer(fault.status, {"ok": False, "error": fault.code}, headers)


def _refusal(error: RefusalError) -> dict[str, Any]:
    messages = {"response_metadata": {"messages": [f"[ERROR] {error.detail}"]}} if error.detail else {}
    return {"ok": False, "error": error.code, **messages}


def _decoded(value: Any, code: str) -> Any:
    """Form fields carry JSON as text, JSON bodies carry it as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise RefusalError(code) from error


def _content(arguments: Mapping[str, Any]) -> tuple[str, tuple[dict[str, Any], ...]]:
    text = str(arguments.get("text") or "")
    blocks = _decoded(arguments.get("blocks") or [], "invalid_blocks_format")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise RefusalError("invalid_blocks_format")
    if not text and not blocks:
        raise RefusalError("no_text")
    check_blocks(blocks)
    return text, tuple(blocks)


def _metadata(arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    metadata = _decoded(arguments.get("metadata"), "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise RefusalError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise RefusalError("invalid_metadata_schema")
    return metadata


def _in_range(message: PostedMessage, arguments: Mapping[str, Any]) -> bool:
    ts = _number(message.ts)
    oldest, latest = _number(arguments.get("oldest") or 0), _number(arguments.get("latest") or 1 << 40)
    if str(arguments.get("inclusive", "0")).lower() in {"1", "true"}:
        return oldest <= ts <= latest
    return oldest < ts < latest


def _number(ts: Any) -> int:
    """In microseconds: a float would round them away."""
    seconds, _, fraction = str(ts).partition(".")
    try:
        return int(seconds) * 1_000_000 + int(f"{fraction:0<6.6}")
    except ValueError as error:
        raise RefusalError("invalid_ts_oldest") from error


def _page(found: list[PostedMessage], arguments: Mapping[str, Any], *, default_limit: int) -> dict[str, Any]:
    asked = str(arguments.get("limit") or default_limit)
    if not asked.isdigit():
        raise RefusalError("invalid_limit")
    limit = max(1, min(int(asked), MAX_PAGE))
    start = 0
    cursor = str(arguments.get("cursor") or "")
    if cursor:
        try:
            # A cursor holds a message, not a number of them: new ones must not shift the pages.
            after = base64.b64decode(cursor, validate=True).decode().removeprefix("next_ts:")
            start = [message.ts for message in found].index(after)
        except ValueError as error:
            raise RefusalError("invalid_cursor") from error
    page, rest = found[start : start + limit], found[start + limit :]
    following = base64.b64encode(f"next_ts:{rest[0].ts}".encode()).decode() if rest else ""
    with_metadata = str(arguments.get("include_all_metadata", "0")).lower() in {"1", "true"}
    return {
        "messages": [_shown(message, with_metadata=with_metadata) for message in page],
        "has_more": bool(rest),
        "response_metadata": {"next_cursor": following},
    }


def _shown(message: PostedMessage, *, with_metadata: bool) -> dict[str, Any]:
    return {
        "type": "message",
        "ts": message.ts,
        "text": message.text,
        "bot_id": message.bot_id,
        "blocks": list(message.blocks),
        **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
        **({"metadata": message.metadata} if with_metadata and message.metadata else {}),
        **({"edited": {"user": BOT_USER_ID, "ts": message.ts}} if message.edited else {}),
    }
