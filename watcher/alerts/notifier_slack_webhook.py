"""The notifier that posts to Slack through an incoming webhook, where no bot may be installed.

A webhook can do less than the bot (``notifier_slack``): it says "ok" and not which message it made, so nothing can be
looked up, answered in a thread or brought up to date. News are messages of their own that name the incident, and a
message whose answer was lost may come twice. Whoever knows the webhook's address can post, so it is a secret.

Source: Slack's guide "Sending messages using incoming webhooks" and its changelog of 2016-05-17 on their errors.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any

from slack_sdk.webhook import WebhookClient

from rules.errors import UsageError
from watcher.alerts.addresses import checked_url, proxy_for
from watcher.alerts.http_posting import retrying
from watcher.alerts.slack_errors import (
    SlackDeniedError,
    SlackRefusedError,
    SlackUnavailableError,
    retry_after_seconds,
    slack_errors,
)
from watcher.alerts.slack_message import escaped
from watcher.alerts.slack_rendering import rendered
from watcher.alerts.slack_text import plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slack_sdk.webhook import WebhookResponse

    from recovery.clock import Sleep
    from rules.errors import SafetyNetError
    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)

PLAIN_LIMIT = 3900
NEW_URL = "Make a new incoming webhook in the Slack app's settings, and put its address into ours."
_BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "invalid_attachments"})
_HINTS = {
    "action_prohibited": "An admin of the Slack workspace forbids the webhook to post there.",
    "channel_is_archived": "The webhook's channel is archived. Unarchive it, or make a webhook for another one.",
    "channel_not_found": "The webhook's channel is gone. " + NEW_URL,
    "invalid_token": "The webhook's address is wrong. " + NEW_URL,
    "no_active_hooks": "The webhook was switched off. " + NEW_URL,
    "no_service": "The webhook was removed or switched off, or its address is wrong. " + NEW_URL,
    "no_service_id": "The webhook's address is wrong. " + NEW_URL,
    "no_team": "The webhook's workspace is gone, or its address is wrong. " + NEW_URL,
    "posting_to_general_channel_denied": "The webhook may not post to #general. Make one for another channel.",
    "team_disabled": "The webhook's workspace is switched off.",
    "user_not_found": "The person that the webhook writes to is gone. " + NEW_URL,
}


class SlackWebhookNotifier:
    """Posts incidents through one incoming webhook. See ``watcher.alerts.notifier.Notifier``.

    ``sleep`` takes seconds, ``timeout`` is in seconds. Raises UsageError for an address that is none.
    """

    def __init__(
        self, url: str, *, name: str = "slack-webhook", sleep: Sleep = time.sleep, timeout: int = 10
    ) -> None:
        self.name = name
        self._sleep = sleep
        self._client = _client(url, timeout)

    def send(self, notice: Notice) -> dict[str, str]:
        """Post the notice's message; gives ``{"message": "<incident>/<entry>"}``, for Slack names none.

        Raises SlackUnavailableError (after 3 tries, or if Slack asks for a long wait), SlackDeniedError,
        SlackRefusedError.
        """
        if notice.earlier_attempt is not None:
            log.warning("incident %s: %s may come twice on Slack", notice.incident.id, notice.entry.key)
        message = rendered(notice, threads=False)
        body: dict[str, Any] = {"text": message.text, "blocks": list(message.blocks), "unfurl_links": False}
        try:
            retrying(self._sleep)(lambda: self._post(body))
        except SlackRefusedError as error:
            if error.code not in _BAD_BLOCKS:
                raise
            log.warning("%s; sending it without blocks", error)
            plain = escaped(plain_text(message, width=PLAIN_LIMIT), PLAIN_LIMIT)
            retrying(self._sleep)(lambda: self._post({"text": plain, "unfurl_links": False}))
        return {"message": f"{notice.incident.id}/{notice.entry.key}"}

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """Nothing: a webhook cannot change what it has posted."""

    def _post(self, body: dict[str, Any]) -> None:
        try:
            with slack_errors():
                response = self._client.send_dict(dict(body))
        except (UsageError, LookupError):
            # An answer that slack-sdk cannot decode; our own address was checked beforehand.
            raise SlackUnavailableError("not Slack answered, but something between") from None
        if response.status_code != 200 or response.body.strip() != "ok":  # noqa: PLR2004 - OK
            raise _translated(response)


def _client(url: str, timeout: int) -> WebhookClient:
    try:
        url = checked_url(url)
    except ValueError as error:
        raise UsageError(f"the address of the Slack webhook cannot be used: {error}", hint=NEW_URL) from None
    # slack-sdk logs the address; this logger is nobody's, and says nothing.
    silent = logging.Logger(__name__, level=logging.CRITICAL + 1)  # noqa: LOG001 - so that nothing can turn it on
    client = WebhookClient(url, timeout=timeout, logger=silent, retry_handlers=[])
    client.proxy = proxy_for(url)  # slack-sdk itself reads HTTPS_PROXY but not NO_PROXY
    return client


def _translated(response: WebhookResponse) -> SafetyNetError:
    """Webhooks answer with an error's code in plain text."""
    code, status = response.body.strip(), response.status_code
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        wait = retry_after_seconds(response.headers)
        return SlackUnavailableError("Slack throttles", retry_after=wait, maybe_done=False)
    if status >= 500:  # noqa: PLR2004 - server errors
        return SlackUnavailableError(f"Slack failed: HTTP {status}")
    if re.fullmatch(r"[a-z][a-z0-9_]{1,80}", code) is None:
        return SlackUnavailableError(f"not Slack answered, but something between (HTTP {status})")
    if code in _HINTS:
        return SlackDeniedError(code, hint=_HINTS[code])
    return SlackRefusedError(code)
