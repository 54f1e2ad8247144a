"""The Socket Mode app: hears of the buttons under the incidents' messages, over a connection that it opens itself.

Nothing has to be reachable from the internet: Slack's client asks for an address (``apps.connections.open``), and keeps a
WebSocket to it. Slack sends each press to one of the app's connections, so several watchers side by side are safe.

    envelope --> acknowledged at once (Slack gives three seconds) --> done by a worker (``watcher.alerts.slack_press``)

The watcher does not depend on it: what fails here is logged and tried again, and every button has its command.
"""

from __future__ import annotations

import logging
import select
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

from rules.errors import SafetyNetError, UsageError
from watcher.alerts.slack_client import usable_token
from watcher.alerts.slack_errors import slack_errors
from watcher.alerts.slack_press import press_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from slack_sdk import WebClient
    from slack_sdk.socket_mode.client import BaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest

    from watcher.alerts.slack_press import Press

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# Slack's client connects again by itself; where it does not for so long, it is made anew.
PATIENCE_TICKS = 60
# It may be about to replace a connection that Slack has closed.
SILENT_TICKS = 2
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 300.0
GRACE_SECONDS = 5.0
WORKERS, MOST_WAITING = 2, 50
REMEMBERED = 1000
PING_SECONDS = 5.0


class SlackApp:
    """Listens for presses until it is stopped. ``app_token`` is an app-level token (``xapp-``) with connections:write.

    ``client`` is one of ``watcher.alerts.slack_client``'s, with the bot's token; ``handle`` does what a press is for. Times are in
    seconds. Raises UsageError for a token that is none.
    """

    def __init__(
        self,
        app_token: str,
        client: WebClient,
        handle: Callable[[Press], None],
        *,
        tick: float = TICK_SECONDS,
        pause: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self._token = usable_token(app_token)
        if not self._token.startswith("xapp-"):
            raise UsageError(
                "the Slack app's token is no app-level token",
                hint="Make one (xapp-...) with the scope connections:write under 'Basic Information' of the Slack app.",
            )
        self._client = client
        self._handle = handle
        self._tick = tick
        self._pause = pause
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen: dict[Hashable, None] = {}
        self._waiting = 0
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="slack-press")
        self._thread: threading.Thread | None = None
        # Slack's client logs what it receives; nothing of that belongs in a log.
        self._log = log.getChild("socket")
        self._log.setLevel(logging.WARNING)

    def start(self) -> None:
        """Listen, in a thread of its own. Never raises for what Slack does."""
        self._thread = threading.Thread(target=self._run, name="slack-app", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; what is being done is finished, what waits is not."""
        self._stop.set()
        self._workers.shutdown(wait=False, cancel_futures=True)
        if self._thread is not None:
            self._thread.join(GRACE_SECONDS)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                connected = self._listen()
            except SafetyNetError as error:
                connected = False
                log.warning("the buttons of Slack are out of order: %s", error)
            except Exception:
                connected = False
                log.exception("the buttons of Slack are out of order")
            failures = 0 if connected else failures + 1
            pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2 ** max(0, failures - 1))
            self._stop.wait(pause)

    def _listen(self) -> bool:
        """Listen until stopped, or until the connection is lost for good; whether there ever was one.

        Raises SlackDeniedError, SlackUnavailableError and the like where no address is given.
        """
        with slack_errors():
            address = self._client.apps_connections_open(app_token=self._token).get("url")
        # Slack's client starts its threads when it is made, and keeps them until it is closed.
        socket = SocketModeClient(
            self._token, self._log, self._client, concurrency=WORKERS, ping_interval=PING_SECONDS
        )
        socket.wss_uri = str(address)
        # It reads HTTPS_PROXY, but not NO_PROXY; the web client was made with both.
        socket.proxy = self._client.proxy
        socket.socket_mode_request_listeners.append(self._received)
        connected = False
        missing = silent = 0
        try:
            with slack_errors():
                socket.connect()  # where that fails it is only logged: then nobody is connected
            while missing < PATIENCE_TICKS and silent < SILENT_TICKS and not self._stop.wait(self._tick):
                silent = silent + 1 if _hung_up(socket) else 0
                missing = 0 if socket.is_connected() else missing + 1
                if not missing and not connected:
                    connected = True
                    log.info("the buttons of Slack are listened to")
        finally:
            socket.close()
        return connected

    def _received(self, socket: BaseSocketModeClient, request: SocketModeRequest) -> None:
        """Acknowledge an envelope, and have its press handled. Called by Slack's client, in one of its threads."""
        try:
            socket.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        except Exception as error:  # noqa: BLE001 - whatever it was, the press is done all the same
            log.warning("a press of a button on Slack could not be acknowledged: %s", type(error).__name__)
        if request.type == "interactive":
            self.take(request.envelope_id, request.payload)

    def take(self, envelope_id: str, payload: dict[str, Any]) -> None:
        """Have a press handled by a worker; one that was told of before is not done again."""
        press = press_of(payload)
        if press is None:
            return
        with self._lock:
            if envelope_id in self._seen or press.key in self._seen:
                log.info("a press of a button was told of twice")
                return
            self._seen |= dict.fromkeys([envelope_id, *([press.key] if press.key else [])])
            while len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
            if self._stop.is_set() or self._waiting >= MOST_WAITING:
                log.warning("a press of %s is left undone: too many at once, or the end", press.action)
                return
            self._waiting += 1
            self._workers.submit(self._done, press)

    def _done(self, press: Press) -> None:
        try:
            self._handle(press)
        except SafetyNetError as error:
            log.warning("%s: not done, or not told: %s", press.action, error)
        except Exception:
            log.exception("%s could not be done", press.action)
        finally:
            with self._lock:
                self._waiting -= 1


def _hung_up(socket: SocketModeClient) -> bool:
    """Whether the other side has closed the connection without a word.

    Slack's client would read nothing as fast as it can, until half a minute later a ping of its own fails. Where the
    platform cannot tell (macOS), that is how it is found out.
    """
    session = socket.current_session
    raw = session.sock if session is not None else None
    if raw is None:
        return False
    hung_up = getattr(select, "POLLRDHUP", select.POLLHUP)
    poll = select.poll()
    try:
        poll.register(raw, hung_up)
        return any(event & (hung_up | select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False  # closed in this very moment, by Slack's client itself
