"""Which message a notice becomes on Slack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.alerts.slack_message import clean, escaped, opened_message, thread_message
from watcher.alerts.slack_text import SlackMessage
from watcher.incidents.incident import NoticeKind

if TYPE_CHECKING:
    from watcher.alerts.notifier import Notice

WHY_LIMIT = 500


def rendered(notice: Notice, *, threads: bool = True, buttons: bool = False) -> SlackMessage:
    """The message of a notice. ``threads``: whether the reader can read up above it what the incident is.

    Who is told late, because nobody acknowledged it, is told why, and all of it.
    """
    incident, entry = notice.incident, notice.entry
    if entry.kind is NoticeKind.OPENED:
        return opened_message(incident, buttons=buttons)
    reads_up = threads and notice.thread is not None
    if entry.kind is not NoticeKind.ESCALATED or reads_up:
        return thread_message(incident, entry)
    message = opened_message(incident, buttons=buttons)
    if not entry.text:
        return message
    why = escaped(clean(entry.text), WHY_LIMIT)
    block = {"type": "section", "text": {"type": "plain_text", "text": why, "emoji": False}}
    return SlackMessage(f"{why} | {message.text}", (block, *message.blocks))
