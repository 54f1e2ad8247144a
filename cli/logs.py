"""Logs on stderr: one line each, or one JSON document each."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from watcher.log_context import WhatItIsAbout


class JsonLines(logging.Formatter):
    """``{"time": ..., "level": ..., "logger": ..., "message": ...}``.

    With ``message_id`` and ``event_id`` where the line is about a message of a source, or an event in it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("message_id", "event_id"):
            if value := getattr(record, name, ""):
                line[name] = value
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextLines(logging.Formatter):
    """Time, level and message, and the event's id where the message does not name it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it where there is one."""
        line = super().format(record)
        event = getattr(record, "event_id", "")
        if not event or event in line:
            return line
        first, *more = line.split("\n", 1)
        return "\n".join([f"{first} (event {event})", *more])


def set_up_logs(*, as_json: bool, level: int = logging.INFO) -> None:
    """Send our own logs to stderr; libraries only speak up from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else TextLines())
    handler.addFilter(WhatItIsAbout())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("watcher", "recovery", "rules", "cli"):
        logging.getLogger(room).setLevel(level)
