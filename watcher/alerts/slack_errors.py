"""What Slack and slack-sdk raise, in the words of the product's tree.

Sources: the error lists of the Web API methods that are used (chat.postMessage, chat.update,
conversations.history, conversations.replies, auth.test).
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError, SlackClientError

from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from slack_sdk.web import SlackResponse

# Codes that come with HTTP 200 and pass by themselves. The first three may have had an effect.
_PASSING = frozenset(
    {
        "internal_error",
        "fatal_error",
        "request_timeout",
        "service_unavailable",
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "team_added_to_org",
        "org_login_required",
        "update_failed",
        "external_channel_migrating",
    }
)
_NOTHING_DONE = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})

NEW_TOKEN = (
    "Put a valid bot token (xoxb-...) of the Slack app into the settings; reinstall the app for a new one."  # noqa: S105 - advice
)
_CHANNEL = (
    "Set the channel's id (C..., under 'About' in the channel's details) and invite the bot: /invite @bot."
)
_SCOPES = "Add the scopes chat:write and channels:history (groups:history if private) and reinstall the app."
_ADMIN = "Ask an admin of the Slack workspace to let the app post there."
_EDIT = (
    "The message belongs to another app, or the workspace forbids editing it; the incident itself is stored."
)
_DENIED = {
    "invalid_auth": "The token is wrong, or the workspace lets only certain IP addresses in. " + NEW_TOKEN,
    "not_authed": "No token was sent. " + NEW_TOKEN,
    "account_inactive": "The app or its bot user was removed. " + NEW_TOKEN,
    "token_revoked": "The app was uninstalled. " + NEW_TOKEN,
    "token_expired": "The token expired. " + NEW_TOKEN,
    "not_allowed_token_type": "That kind of token may not do this. " + NEW_TOKEN,
    "channel_not_found": "There is no such channel, or it is private and the bot is not in it. " + _CHANNEL,
    "not_in_channel": "The bot is not in the channel. " + _CHANNEL,
    "is_archived": "The channel is archived. Unarchive it or set another one.",
    "is_inactive": "The channel is frozen, archived or deleted. Set another one.",
    "missing_scope": _SCOPES,
    "no_permission": _SCOPES,
    "access_denied": _ADMIN,
    "accesslimited": _ADMIN,
    "ekm_access_denied": _ADMIN,
    "enterprise_is_restricted": _ADMIN,
    "restricted_action": _ADMIN,
    "restricted_action_read_only_channel": _ADMIN,
    "restricted_action_thread_only_channel": _ADMIN,
    "restricted_action_non_threadable_channel": _ADMIN,
    "team_access_not_granted": _ADMIN,
    "two_factor_setup_required": _ADMIN,
    "cant_update_message": _EDIT,
    "edit_window_closed": _EDIT,
}


class SlackDeniedError(AccessDeniedError):
    """Slack refused the token, the channel or the scopes. ``code`` is Slack's own word for it."""

    def __init__(self, code: str, *, hint: str) -> None:
        super().__init__(f"Slack refused: {code}", hint=hint)
        self.code = code


class SlackUnavailableError(UnavailableError):
    """Slack is out of reach, overloaded or throttling.

    ``retry_after``: the seconds it asked to wait, if it did. ``maybe_done``: whether the call may have had
    its effect all the same.
    """

    default_hint = "Nothing is lost: the message stays in the incident's outbox and is sent later."

    def __init__(self, message: str, *, retry_after: float | None = None, maybe_done: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.maybe_done = maybe_done


class SlackRefusedError(SafetyNetError):
    """Slack refused what was sent: its content, its thread, its place."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"Slack refused the call: {code}{f' ({detail})' if detail else ''}")
        self.code = code


@contextmanager
def slack_errors() -> Iterator[None]:
    """Turn whatever slack-sdk and urllib raise into the product's errors; the token is in none of them."""
    try:
        yield
    except SlackApiError as error:
        raise _translated(error) from error
    except SlackClientError as error:
        raise SafetyNetError(f"slack-sdk failed: {str(error) or type(error).__name__}") from error
    except (OSError, HTTPException) as error:
        raise SlackUnavailableError(
            f"Slack cannot be reached: {str(error) or type(error).__name__}"
        ) from error
    except ValueError:
        # From urllib, for an address or a header it cannot send; the text could hold the token.
        raise UsageError("Slack cannot be called: check its token and base URL in the settings") from None


def _translated(error: SlackApiError) -> SafetyNetError:
    response: SlackResponse = error.response
    body = response.data if isinstance(response.data, dict) else {}
    code = str(body.get("error") or "")
    if response.status_code == 429:  # noqa: PLR2004 - Too Many Requests
        return SlackUnavailableError(
            "Slack throttles", retry_after=retry_after_seconds(response.headers), maybe_done=False
        )
    if response.status_code >= 500 or code in _PASSING:  # noqa: PLR2004 - server errors
        failure = code if code in _PASSING else f"HTTP {response.status_code}"
        return SlackUnavailableError(f"Slack failed: {failure}", maybe_done=code not in _NOTHING_DONE)
    if not re.fullmatch(r"[a-z0-9_]+", code):
        return SlackUnavailableError(
            f"not Slack answered, but something between (HTTP {response.status_code})"
        )
    if code in _DENIED or code.startswith("token_"):
        needed = f" Slack names the scope {body['needed']}." if body.get("needed") else ""
        return SlackDeniedError(code, hint=_DENIED.get(code, NEW_TOKEN) + needed)
    details = (body.get("response_metadata") or {}).get("messages") or []
    return SlackRefusedError(code, "; ".join(str(detail) for detail in details)[:500])


def retry_after_seconds(headers: Mapping[str, Any]) -> float:
    """The ``Retry-After`` of an answer, 1 where it has none that can be read."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "1")
    try:
        return max(0.0, float(value))
    except ValueError:
        return 1.0
