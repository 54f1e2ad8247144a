"""Posting to an address that is a secret: one POST, one answer, and what goes wrong in the product's words.

An address such as that of a webhook lets whoever knows it post there. So neither errors nor logs hold it, not even
urllib3's own: they name the notifier instead. Redirects are not followed: they could lead an alert, its signature
and its credentials anywhere.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import tenacity
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
    TimeoutError,  # noqa: A004 - urllib3's name for it
)

from recovery.clock import utc_now
from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError, UsageError
from watcher.alerts.addresses import checked_url, proxy_for
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from recovery.clock import Clock, Sleep

MAX_ATTEMPTS = 3
# Seconds. Beyond that the outbox is the better place to wait; and a sender must have ended before another
# watcher takes its entry over.
MAX_WAIT = 50.0
LONGEST_RETRY_AFTER = 20.0
TIMEOUT = 10.0
MAX_ANSWER = 4096  # bytes: only what a refusal says is read
_SHOWN = 200
# Requests that the other side asks to see again: Request Timeout, Too Early, Too Many Requests.
_TRY_AGAIN = frozenset({408, 425, 429})
_DENIED = frozenset({401, 403, 407})


class PostUnavailableError(UnavailableError):
    """The other side is out of reach, overloaded or throttling. ``retry_after``: the seconds it asked to wait."""

    default_hint = "Nothing is lost: the message stays in the incident's outbox and is sent later."

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PostDeniedError(AccessDeniedError):
    """The other side refused the credentials. ``status`` is the HTTP status."""

    def __init__(self, message: str, status: int, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class PostRefusedError(SafetyNetError):
    """The other side refused what was sent, or the address. ``status`` is the HTTP status."""

    def __init__(self, message: str, status: int, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Posted:
    """An answer of the 2xx kind: its status and the first 4,096 bytes of its body."""

    status: int
    body: bytes


class HttpPoster:
    """Posts to one address, over a pool of connections. Threads may share it.

    ``name`` is what messages call the other side, ``hint`` what they advise if it refuses, ``secrets`` what they never
    show beside the address, should the other side echo it. ``timeout`` is in seconds, for connecting and for each wait
    for data. Proxies are those of the environment (HTTPS_PROXY, NO_PROXY).

    Raises UsageError for an address that ``checked_url`` refuses.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        hint: str = "",
        secrets: Iterable[str] = (),
        timeout: float = TIMEOUT,
        clock: Clock = utc_now,
    ) -> None:
        try:
            self._url = checked_url(url)
        except ValueError as error:
            raise UsageError(f"the address of {name} cannot be used: {error}", hint=hint) from None
        self._name = name
        self._hint = hint
        self._clock = clock
        path = _path_of(self._url)
        self._secrets = (self._url, *([path] if path != "/" else []), *filter(None, secrets))
        _hide_in_logs(self._secrets)
        self._pool = _pool(self._url, timeout)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Posted:
        """One try to post; returns only when the other side took it (2xx).

        Raises PostUnavailableError (no answer, 408, 425, 429, 5xx), PostDeniedError (401, 403, 407),
        PostRefusedError (anything else, redirects too).
        """
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers={"Accept-Encoding": "identity", "User-Agent": "safetynet", **headers},
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            # Without the cause: its text holds the address.
            raise PostUnavailableError(f"{self._name} cannot be reached: {_why(error)}") from None
        try:
            answer = response.read(MAX_ANSWER)
        except (HTTPError, OSError):
            answer = b""  # the status says what counts
        finally:
            response.close()  # one that was read to its end has given its connection back already
        if 200 <= response.status < 300:  # noqa: PLR2004 - success
            return Posted(response.status, answer)
        raise self._refusal(response.status, answer, response.headers.get("Retry-After"))

    def _refusal(self, status: int, answer: bytes, retry_after: str | None) -> SafetyNetError:
        said = self._shown(answer)
        told = f"HTTP {status}" + (f" ({said})" if said else "")
        if status in _TRY_AGAIN or status >= 500:  # noqa: PLR2004 - server errors
            return PostUnavailableError(
                f"{self._name} failed: {told}", retry_after=retry_after_seconds(retry_after, self._clock)
            )
        if status in _DENIED:
            return PostDeniedError(f"{self._name} refused the credentials: {told}", status, hint=self._hint)
        if 300 <= status < 400:  # noqa: PLR2004 - redirects
            moved = "Set the address that it leads to; redirects are not followed."
            return PostRefusedError(
                f"{self._name} answers with a redirect: HTTP {status}", status, hint=moved
            )
        return PostRefusedError(f"{self._name} refused the message: {told}", status, hint=self._hint)

    def _shown(self, answer: bytes) -> str:
        """The beginning of what the other side says, without what it may echo of our secrets."""
        said = clean(answer.decode("utf-8", "replace")).replace("\\/", "/")
        for secret in self._secrets:
            said = said.replace(secret, "...")
        return said if len(said) <= _SHOWN else said[:_SHOWN] + "…"


def retrying(sleep: Sleep) -> tenacity.Retrying:
    """A few quick tries for what passes by itself; the outbox goes on where they end.

    Waits as long as the other side asks for, but if that is long it gives up at once.
    """
    return tenacity.Retrying(
        stop=tenacity.stop_any(
            tenacity.stop_after_attempt(MAX_ATTEMPTS), tenacity.stop_before_delay(MAX_WAIT)
        ),
        wait=_wait,
        retry=tenacity.retry_if_exception(_worth_a_quick_try),
        sleep=sleep,
        reraise=True,
    )


_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=10)


def _worth_a_quick_try(error: BaseException) -> bool:
    asked = getattr(error, "retry_after", None) or 0.0
    return isinstance(error, UnavailableError) and asked <= LONGEST_RETRY_AFTER


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = getattr(error, "retry_after", None)
    return _backoff(state) if asked is None else float(asked)


def retry_after_seconds(value: str | None, clock: Clock) -> float | None:
    """A ``Retry-After`` header (seconds, or a date: RFC 9110, 10.2.3) in seconds from now; None if there is none."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - clock()).total_seconds())


def _pool(url: str, timeout: float) -> urllib3.PoolManager:
    limit = urllib3.Timeout(connect=timeout, read=timeout)
    proxy = proxy_for(url)
    if proxy is None:
        return urllib3.PoolManager(num_pools=1, maxsize=4, timeout=limit)
    return urllib3.ProxyManager(proxy, num_pools=1, maxsize=4, timeout=limit)


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (NameResolutionError, "its name does not resolve"),
    (NewConnectionError, "no connection can be made"),
    (ConnectTimeoutError, "the connection timed out"),
    (TimeoutError, "no answer in time"),
    (SSLError, "its TLS certificate is not trusted"),
    (ProxyError, "the proxy failed"),
    (ProtocolError, "the connection broke"),
    (OSError, "the connection failed"),
)


def _why(error: BaseException) -> str:
    """In words of our own: urllib3's hold the address."""
    return next((words for kind, words in _WORDS if isinstance(error, kind)), type(error).__name__)


class _Hides(logging.Filter):
    """Takes secrets out of urllib3's own lines: it logs the path of each request, and headers that it cannot read."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the line where it must be; every line stays."""
        if isinstance(record.args, tuple):
            record.args = tuple(self._hidden(one) for one in record.args)
        return True

    def _hidden(self, value: object) -> object:
        if isinstance(value, str):
            for secret in self.secrets:
                value = value.replace(secret, "/...")
        return value


_HIDES = _Hides()
_TALKATIVE = ("urllib3.connectionpool", "urllib3.connection")


def _hide_in_logs(secrets: Iterable[str]) -> None:
    _HIDES.secrets.update(secrets)
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_HIDES)  # once only: addFilter sees to that


def _path_of(url: str) -> str:
    """The path with its query, as a request line has it."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
