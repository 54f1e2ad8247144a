"""The notifier that posts to a Slack channel.

Slack has no idempotency key, and a POST whose answer was lost may have been done. So every message carries
metadata (incident id and outbox key), and a retry looks for it in the channel before it posts again:

    send      post  --answer lost-->  look: there  ->  that is the confirmed message
                                      look: absent ->  post again
              post  --429----------------------------> wait Retry-After, post again (nothing was done)

For that the bot needs ``chat:write`` and, for the look, ``channels:history`` (``groups:history`` in a private
channel). Without the latter it posts anyway and warns: an alert twice is better than none.
"""

from __future__ import annotations

import logging
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import tenacity

from watcher.alerts.slack_client import posting_client, reading_client
from watcher.alerts.slack_errors import (
    SlackDeniedError,
    SlackRefusedError,
    SlackUnavailableError,
    slack_errors,
)
from watcher.alerts.slack_message import escaped, opened_message
from watcher.alerts.slack_rendering import rendered
from watcher.alerts.slack_text import SlackMessage, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from slack_sdk.web import SlackResponse

    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)

EVENT_TYPE = "safetynet_incident"
MAX_ATTEMPTS = 5
# Seconds. Beyond that the outbox is the better place to wait; and a sender must have ended before another
# watcher takes its entry over, or both would post.
MAX_WAIT = 50.0
# The clocks of Slack and of this machine may differ by that much without a message being missed.
CLOCK_MARGIN = timedelta(minutes=10)
PAGE_SIZE, MAX_PAGES = 200, 50
PLAIN_LIMIT = 3900  # chat.update refuses more than 4,000 characters

_BAD_BLOCKS = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_arguments", "block_mismatch"}
)
_BAD_METADATA = frozenset(
    {
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "metadata_must_be_sent_from_app",
    }
)
_NO_THREAD = frozenset({"thread_not_found", "invalid_thread_ts", "cannot_reply_to_message"})


class SlackNotifier:
    """Posts incidents to one channel, each with its thread. See ``watcher.alerts.notifier.Notifier``.

    ``buttons``: a Socket Mode app answers them. ``channel`` is the channel's id; a name works for posting, but then a lost answer cannot be looked up.
    ``base_url`` None is Slack itself. ``sleep`` takes seconds, ``timeout`` is in seconds.
    """

    def __init__(
        self,
        token: str,
        channel: str,
        base_url: str | None = None,
        *,
        name: str = "slack",
        buttons: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        timeout: int = 10,
    ) -> None:
        self._client = posting_client(token, base_url, sleep, timeout)
        self._reader = reading_client(token, base_url, sleep, timeout)
        self.name = name
        self._buttons = buttons
        self._channel = channel
        self._sleep = sleep
        self._bot: Mapping[str, Any] | None = None

    def check(self) -> None:
        """Ask Slack once whether token and channel are good; warns if messages cannot be looked up.

        Raises SlackDeniedError, SlackUnavailableError.
        """
        self._bot = None
        self._identity()
        try:
            with slack_errors():
                self._reader.conversations_history(channel=self._channel, limit=1)
        except SlackDeniedError as error:
            if error.code == "channel_not_found" and re.fullmatch(r"[CGD][A-Z0-9]+", self._channel):
                raise
            _warn_unreadable(error)

    def send(self, notice: Notice) -> dict[str, str]:
        """Post the notice's message; gives ``{"channel": id, "ts": ts}`` of the one that is there.

        Raises SlackDeniedError, SlackUnavailableError (after 5 tries, or if Slack asks for a long wait),
        SlackRefusedError.
        """
        unsure = notice.earlier_attempt is not None

        def attempt() -> dict[str, str]:
            nonlocal unsure
            found = self._find(notice) if unsure else None
            if found is not None:
                log.info("message %s of incident %s is there already", notice.entry.key, notice.incident.id)
                return found
            try:
                return self._post(notice)
            except SlackUnavailableError as error:
                unsure = unsure or error.maybe_done
                raise

        return self._retrying()(attempt)

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """Bring the opening message up to date; one that somebody deleted is let go.

        Raises as ``send``.
        """
        message = opened_message(incident, buttons=self._buttons)
        place = {"channel": reference["channel"], "ts": reference["ts"]}
        arguments = place | _content(message) | {"parse": "none", "link_names": False}
        try:
            self._retrying()(lambda: self._delivered(self._client.chat_update, arguments, message))
        except SlackRefusedError as error:
            if error.code != "message_not_found":
                raise
            log.warning("the message of incident %s is no longer on Slack", incident.id)

    def _post(self, notice: Notice) -> dict[str, str]:
        message = rendered(notice, buttons=self._buttons)
        arguments = _content(message) | {
            "channel": self._channel,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": _payload(notice)},
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if notice.thread is not None:
            arguments |= {"channel": notice.thread["channel"], "thread_ts": notice.thread["ts"]}
        return self._delivered(self._client.chat_postMessage, arguments, message)

    def _delivered(
        self, call: Callable[..., SlackResponse], arguments: dict[str, Any], message: SlackMessage
    ) -> dict[str, str]:
        """Deliver it with what Slack objects to left out, one thing after another: a plain alert is an alert."""
        while True:
            try:
                with slack_errors():
                    response = call(**arguments)
            except SlackRefusedError as error:
                arguments = _without_the_refused(arguments, error, message)
                continue
            return {"channel": str(response.get("channel")), "ts": str(response.get("ts"))}

    def _find(self, notice: Notice) -> dict[str, str] | None:
        """The message if it is on Slack; None if it is not, or if nobody can tell."""
        try:
            bot = self._identity()
            for message, channel in self._messages_since(notice):
                if _is_ours(message, bot) and _carries(message, _payload(notice)):
                    return {"channel": channel, "ts": str(message["ts"])}
        except SlackDeniedError as error:
            _warn_unreadable(error)
        return None

    def _messages_since(self, notice: Notice) -> Iterator[tuple[Mapping[str, Any], str]]:
        """What was said in the notice's thread or channel since the message came to be owed."""
        # Not since the earlier attempt alone: there may have been others before it.
        since = min(notice.earlier_attempt or notice.entry.created_at, notice.entry.created_at) - CLOCK_MARGIN
        channel = self._channel
        if notice.thread is not None:
            channel, ts = notice.thread["channel"], notice.thread["ts"]
            try:
                yield from self._pages(self._reader.conversations_replies, channel, since, {"ts": ts})
            except SlackRefusedError as error:
                if error.code not in _NO_THREAD:
                    raise
            else:
                return
        yield from self._pages(self._reader.conversations_history, channel, since, {})

    def _pages(
        self, call: Callable[..., SlackResponse], channel: str, since: datetime, more: dict[str, str]
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        arguments: dict[str, Any] = {"oldest": f"{since.timestamp():.6f}", "limit": PAGE_SIZE, **more}
        for _ in range(MAX_PAGES):
            with slack_errors():
                response = call(channel=channel, include_all_metadata=True, inclusive=True, **arguments)
            yield from ((message, channel) for message in response.get("messages") or [])
            cursor = (response.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            arguments["cursor"] = cursor
        log.warning("looked through %d pages of Slack channel %s and gave up", MAX_PAGES, channel)

    def _identity(self) -> Mapping[str, Any]:
        """Who the bot is; asked once."""
        if self._bot is None:
            with slack_errors():
                answer = self._reader.auth_test().data
            self._bot = answer if isinstance(answer, dict) else {}
        return self._bot

    def _retrying(self) -> tenacity.Retrying:
        return tenacity.Retrying(
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(MAX_ATTEMPTS), tenacity.stop_before_delay(MAX_WAIT)
            ),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(SlackUnavailableError),
            sleep=self._sleep,
            reraise=True,
        )


_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=10)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, SlackUnavailableError) else None
    return _backoff(state) if asked is None else asked


def _content(message: SlackMessage) -> dict[str, Any]:
    return {"text": message.text, "blocks": list(message.blocks)}


def _payload(notice: Notice) -> dict[str, str]:
    return {"incident_id": notice.incident.id, "entry": notice.entry.key}


def _without_the_refused(
    arguments: dict[str, Any], error: SlackRefusedError, message: SlackMessage
) -> dict[str, Any]:
    """The arguments without what Slack objected to. Raises the error itself if that leaves nothing to try."""
    refused = next(
        (
            key
            for key, codes in (
                ("blocks", _BAD_BLOCKS),
                ("metadata", _BAD_METADATA),
                ("thread_ts", _NO_THREAD),
            )
            if key in arguments and error.code in codes
        ),
        None,
    )
    if refused is None:
        raise error
    log.warning("%s; sending it without %s", error, refused)
    kept = {key: value for key, value in arguments.items() if key != refused}
    return (
        kept | {"text": escaped(plain_text(message, width=PLAIN_LIMIT), PLAIN_LIMIT)}
        if refused == "blocks"
        else kept
    )


def _carries(message: Mapping[str, Any], payload: Mapping[str, str]) -> bool:
    metadata = message.get("metadata") or {}
    carried = metadata.get("event_payload") or {}
    return metadata.get("event_type") == EVENT_TYPE and payload.items() <= carried.items()


def _is_ours(message: Mapping[str, Any], bot: Mapping[str, Any]) -> bool:
    """Anybody may post our metadata, and must not be able to silence an alert by it."""
    pairs = (("bot_id", "bot_id"), ("user", "user_id"))
    return any(bot.get(ours) and message.get(theirs) == bot[ours] for theirs, ours in pairs)


def _warn_unreadable(error: SlackDeniedError) -> None:
    log.warning(
        "Slack does not let the bot read the channel (%s): after a lost answer an alert may come twice. %s",
        error.code,
        error.hint,
    )
