"""The dead man's switch: a service outside that alerts when it is *not* called (healthchecks.io, 'Pinging API').

A GET of the address says that all is well, a POST of the address with ``/fail`` says what is not. The address is a
secret: whoever knows it can keep the switch quiet. It is in no error and in no log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

from urllib3.exceptions import HTTPError

from watcher.alerts.addresses import checked_url
from watcher.alerts.http_pools import pool_for
from watcher.alerts.http_posting import HttpPoster, PostRefusedError, PostUnavailableError, retrying

if TYPE_CHECKING:
    from recovery.clock import Sleep

NAME = "the dead man's switch"
HINT = "Set watch.dead_man.url to the check's own address (https://hc-ping.com/...)."
TIMEOUT = 5.0
LONGEST_REASON = 1000
_OK = range(200, 300)
_SERVER_ERRORS = 500
_THROTTLED = 429


class DeadMan(Protocol):
    """What is told that the watcher lives; ``dead_man`` is the adapter for healthchecks-style addresses."""

    def alive(self) -> None:
        """All is well. Raises UnavailableError, SafetyNetError where it was refused."""
        ...

    def failed(self, reason: str) -> None:
        """The watcher lives and something is not well; ``reason`` is one or a few lines. Raises as ``alive``."""
        ...


class PingedDeadMan:
    """See DeadMan. Each call is tried three times. Raises UsageError for an address that cannot be used."""

    def __init__(self, url: str, sleep: Sleep, timeout: float = TIMEOUT) -> None:
        # The poster keeps the address and its path out of urllib3's logs as well.
        self._fail = HttpPoster(
            _failing(url), NAME, hint=HINT, secrets=(url, urlsplit(url).path.rstrip("/")), timeout=timeout
        )
        self._url = checked_url(url)
        self._sleep = sleep
        self._pool = pool_for(self._url, timeout)

    def alive(self) -> None:
        """See DeadMan.alive."""
        retrying(self._sleep)(self._get)

    def failed(self, reason: str) -> None:
        """See DeadMan.failed."""
        body = reason[:LONGEST_REASON].encode()
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        retrying(self._sleep)(self._fail.post, body, headers)

    def _get(self) -> None:
        try:
            answer = self._pool.request(
                "GET", self._url, headers={"User-Agent": "safetynet"}, retries=False, redirect=False
            )
        except (HTTPError, OSError) as error:
            # Without the cause: its text holds the address.
            raise PostUnavailableError(f"{NAME} cannot be reached: {type(error).__name__}") from None
        if answer.status in _OK:
            return
        if answer.status >= _SERVER_ERRORS or answer.status == _THROTTLED:
            raise PostUnavailableError(f"{NAME} failed: HTTP {answer.status}")
        raise PostRefusedError(f"{NAME} refused the ping: HTTP {answer.status}", answer.status, hint=HINT)


def _failing(url: str) -> str:
    """``https://host/id?x=1`` -> ``https://host/id/fail?x=1``."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
