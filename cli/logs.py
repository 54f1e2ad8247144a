"""Logs on stderr: one line each, or one JSON document each."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """``{"time": ..., "level": ..., "logger": ..., "message": ...}``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": record.getMessage(),
            }
        )


def set_up_logs(*, as_json: bool, level: int = logging.INFO) -> None:
    """Send our own logs to stderr; libraries only speak up from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("watcher", "recovery", "rules", "cli"):
        logging.getLogger(room).setLevel(level)
