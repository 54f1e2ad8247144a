"""What a log line is about: the message that is being worked on, and the event in it, on every line.

Set where the work begins, for all that is logged in the same thread until it ends.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MESSAGE: ContextVar[str] = ContextVar("message", default="")
_EVENT: ContextVar[str] = ContextVar("event", default="")


@contextmanager
def about_message(message_id: str) -> Iterator[None]:
    """Until the block ends, lines are about this message."""
    with _set(_MESSAGE, message_id):
        yield


@contextmanager
def about_event(event_id: str) -> Iterator[None]:
    """Until the block ends, lines are about this event."""
    with _set(_EVENT, event_id):
        yield


@contextmanager
def _set(variable: ContextVar[str], name: str) -> Iterator[None]:
    token = variable.set(name)
    try:
        yield
    finally:
        variable.reset(token)


class WhatItIsAbout(logging.Filter):
    """Puts ``message_id`` and ``event_id`` into every record, "" where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass."""
        record.message_id = _MESSAGE.get()
        record.event_id = _EVENT.get()
        return True
