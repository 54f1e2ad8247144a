"""slack-sdk's client, with slack-sdk's retry handlers where they cannot make two messages of one.

A call that Slack refused with 429 was not done, so any call may be repeated after Retry-After. A call whose
connection broke, or that ended in a 5xx, may have been done: only calls that read are repeated then. Posting
again is the notifier's business, for it looks first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from slack_sdk import WebClient
from slack_sdk.http_retry import RateLimitErrorRetryHandler
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, ServerErrorRetryHandler

from rules.errors import UsageError
from watcher.alerts.slack_errors import NEW_TOKEN, retry_after_seconds, slack_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryHandler, RetryState

# Seconds. When Slack asks for more, the outbox is the better place to wait.
LONGEST_RETRY_AFTER = 20.0


class BoundedRateLimitRetryHandler(RateLimitErrorRetryHandler):
    """slack-sdk's handler for 429, but for two things: it refuses long waits, and its sleep is handed in."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        super().__init__(max_retry_count=1)
        self._sleep = sleep

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        throttled = super()._can_retry(state=state, request=request, response=response, error=error)
        return throttled and response is not None and _asked(response) <= LONGEST_RETRY_AFTER

    def prepare_for_next_attempt(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        """Wait as long as Slack asks for."""
        del request, error
        state.next_attempt_requested = True
        self._sleep(1.0 if response is None else _asked(response))
        state.increment_current_attempt()


def _asked(response: HttpResponse) -> float:
    return retry_after_seconds(
        {name: value[0] if isinstance(value, list) else value for name, value in response.headers.items()}
    )


def posting_client(
    token: str, base_url: str | None, sleep: Callable[[float], None], timeout: int = 10
) -> WebClient:
    """The client for calls that change something: only 429 is retried. ``timeout`` in seconds.

    Raises UsageError for a token that no HTTP header can carry, and for an address that is none.
    """
    return _client(token, base_url, timeout, [BoundedRateLimitRetryHandler(sleep)])


def reading_client(
    token: str, base_url: str | None, sleep: Callable[[float], None], timeout: int = 10
) -> WebClient:
    """The client for calls that only read: broken connections and 5xx are retried too. Raises UsageError."""
    handlers = [BoundedRateLimitRetryHandler(sleep), ConnectionErrorRetryHandler(), ServerErrorRetryHandler()]
    return _client(token, base_url, timeout, handlers)


def _client(token: str, base_url: str | None, timeout: int, handlers: list[RetryHandler]) -> WebClient:
    client = WebClient(
        token=usable_token(token),
        base_url=base_url or WebClient.BASE_URL,
        timeout=timeout,
        retry_handlers=handlers,
    )
    with slack_errors():
        if proxy_bypass(urlsplit(client.base_url).hostname or ""):
            client.proxy = None  # slack-sdk reads HTTPS_PROXY but not NO_PROXY
    return client


def usable_token(token: str) -> str:
    """The token, if a header can carry it: otherwise slack-sdk would log it with the error that it gets."""
    token = token.strip()
    if not re.fullmatch(r"[!-~]+", token):
        raise UsageError("the Slack token is empty or has characters that no token has", hint=NEW_TOKEN)
    return token
