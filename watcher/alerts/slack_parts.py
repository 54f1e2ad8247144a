"""The pieces of a Slack message, in which foreign text stays text.

Names, ARNs, user agents, error messages and reasons come from events that anybody may have written. They are
shown only in places where Slack parses nothing: in ``plain_text`` objects and in code spans, always escaped
(Slack's reference, 'Formatting message text'), on one line, with whatever cannot be seen made visible.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from watcher.alerts.slack_text import Block

# All below Slack's own limits: 150 for a header, 2,000 a field, 3,000 a section.
MAX_TEXT = 3000
HEADER_LIMIT, VALUE_LIMIT, LINE_LIMIT = 140, 250, 300

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Blank to the eye, but letters and marks to Unicode.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_REGION = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,12}){1,3}-[0-9]{1,2}")
_CONSOLES = (
    ("cn-", "console.amazonaws.cn"),
    ("us-gov-", "console.amazonaws-us-gov.com"),
    ("", "console.aws.amazon.com"),
)


def clean(value: str) -> str:
    """The value on one line, with what cannot be seen (control, bidi, zero width) shown as U+FFFD."""
    return " ".join("".join(_seen(char) for char in value).split())


def escaped(value: str, limit: int) -> str:
    """The value with ``&``, ``<`` and ``>`` escaped, cut with an ellipsis to ``limit`` UTF-16 units."""
    pieces = [_ENTITIES.get(char, char) for char in value]
    sizes = [len(piece.encode("utf-16-le")) // 2 for piece in pieces]
    if sum(sizes) <= limit:
        return "".join(pieces)
    room, kept = limit - 1, 0
    while room >= sizes[kept]:
        room -= sizes[kept]
        kept += 1
    return "".join(pieces[:kept]).rstrip() + "…"


def _seen(char: str) -> str:
    if char.isspace():
        return " "
    return "\ufffd" if unicodedata.category(char).startswith("C") or char in _BLANKS else char


def event_url(region: str, event_id: str) -> str:
    """The event in CloudTrail's console (it keeps 90 days), or "" where no address can be made of it."""
    if not event_id or _REGION.fullmatch(region) is None:
        return ""
    console = next(host for prefix, host in _CONSOLES if region.startswith(prefix))
    shown = quote(event_id.encode("utf-8", "replace")[:200], safe="")
    return f"https://{region}.{console}/cloudtrailv2/home?region={region}#/events/{shown}"


def shortened(lines: list[str], count: int) -> list[str]:
    """The first lines, cleaned and cut, and how many more there are."""
    shown = [cut(clean(line)) for line in lines[:count]]
    return [*shown, f"and {len(lines) - count} more"] if len(lines) > count else shown


def cut(line: str, limit: int = LINE_LIMIT) -> str:
    """The line, with an ellipsis where it is too long."""
    return line if len(line) <= limit else line[: limit - 1] + "…"


def code(value: str, limit: int = VALUE_LIMIT) -> str:
    """A code span: nothing in it is parsed. A backtick would end it, so it becomes an apostrophe."""
    shown = escaped(clean(value).replace("`", "'"), limit)
    return f"`{shown}`" if shown else "unknown"


def utc(moment: datetime) -> str:
    """``2026-11-23 03:12:07 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float) -> str:
    """The two largest units of a time span: ``1 h 12 min``."""
    whole = max(0, int(seconds))
    units = (("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    first = next((index for index, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count) or "0 s"


def size(count: int) -> str:
    """``2.3 MB``; powers of 1000, as AWS's prices are counted."""
    left = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if left < 1000:  # noqa: PLR2004 - the step between decimal units
            return f"{count:,} bytes" if unit == "bytes" else f"{left:.1f} {unit}"
        left /= 1000
    return f"{left:,.1f} TB"


def header(headline: str) -> Block:
    """A header block; nothing in it is parsed, not even an emoji's name."""
    text = escaped(clean(headline), HEADER_LIMIT)
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def section(words: str) -> Block:
    """A section of words of our own, and code spans."""
    return {"type": "section", "text": mrkdwn(words)}


def plain(lines: Iterable[str], limit: int) -> Block:
    """A section in which nothing is parsed, cut to ``limit``."""
    text = escaped("\n".join(lines), limit)
    return {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}


def context(*words: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [mrkdwn(text) for text in words]}


def mrkdwn(text: str) -> Block:
    """Text that was put together here; ``verbatim`` keeps Slack from finding links and names in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}
