"""Every log line says which message and event it is about."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from cli.logs import JsonLines, TextLines
from tests.watcher.watching import delete_table
from watcher.log_context import WhatItIsAbout, about_event, about_message

if TYPE_CHECKING:
    from tests.watcher.watching import Parts


class Kept(logging.Handler):
    """Keeps what a formatter makes of each line."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.addFilter(WhatItIsAbout())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(self.format(record))


def kept(parts: Parts, formatter: logging.Formatter, body: bytes) -> list[str]:
    """The lines that the watcher logs about a message."""
    log, handler = logging.getLogger("watcher"), Kept(formatter)
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        parts.source.put(body)
        parts.watcher.step()
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    return handler.lines


def test_every_line_of_json_names_message_and_event(parts: Parts) -> None:
    """From the parser to the alert, whoever logs it."""
    lines = [json.loads(line) for line in kept(parts, JsonLines(), delete_table(eventID="event-1"))]
    assert lines
    assert {line["message_id"] for line in lines} == {"m1"}
    assert {line["event_id"] for line in lines if "event" in line["message"]} == {"event-1"}


def test_a_line_of_text_names_the_event_once() -> None:
    """Where the message does not; what comes later is not about it any more."""
    handler = Kept(TextLines())
    log = logging.getLogger("watcher.here")
    log.addHandler(handler)
    with about_message("m1"), about_event("event-1"):
        log.warning("something broke")
        log.warning("event event-1 broke")
    log.warning("all is well")
    log.removeHandler(handler)
    assert [line.partition("WARNING ")[2] for line in handler.lines] == [
        "something broke (event event-1)",
        "event event-1 broke",
        "all is well",
    ]


def test_a_traceback_stays_in_the_line() -> None:
    """One document a line, whatever went wrong."""
    handler = Kept(JsonLines())
    log = logging.getLogger("watcher.here")
    log.addHandler(handler)
    try:
        int("oops")
    except ValueError:
        log.exception("it broke")
    log.removeHandler(handler)
    (line,) = handler.lines
    assert "ValueError: invalid literal" in json.loads(line)["traceback"]
