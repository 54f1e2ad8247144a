"""A Slack message, and how it reads without Slack: in a terminal, or where blocks are refused."""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """``blocks`` is what people see, ``text`` what a notification or a screen reader gives them."""

    text: str
    blocks: tuple[Block, ...]


_MARKUP = re.compile(r"`([^`\n]*)`|<([^|>]+)\|([^>]*)>|\*([^*\n]+)\*")
_LABEL = re.compile(r"\*[^*\n]+\*")
_FENCE = re.compile(r"```\n(.*?)\n```", re.DOTALL)


def plain_text(message: SlackMessage, *, width: int = 80) -> str:
    """The message as lines for a terminal; commands and links are never wrapped, and buttons are left out."""
    lines: list[str] = []
    for block in message.blocks:
        if block["type"] == "actions":
            continue
        lines += _block_lines(block, width)
        if _LABEL.fullmatch(block.get("text", {}).get("text", "")) is None:
            lines.append("")
    return "\n".join(lines).rstrip()


def _block_lines(block: Block, width: int) -> list[str]:
    if block["type"] == "context":
        return [_unmarked(element["text"]) for element in block["elements"]]
    if "fields" in block:
        return [line for field in block["fields"] for line in _field_lines(field["text"], width)]
    text = block["text"]
    if text["type"] == "plain_text":
        return [
            row
            for line in html.unescape(text["text"]).split("\n")
            for row in _wrapped(line, width, hanging="  ")
        ]
    before, *fenced = _FENCE.split(text["text"], maxsplit=1)
    lines = [row for line in _unmarked(before).strip().split("\n") for row in _wrapped(line, width)]
    return lines + [f"    {line}" for line in html.unescape(fenced[0]).split("\n")] if fenced else lines


def _field_lines(field: str, width: int) -> list[str]:
    label, *values = _unmarked(field).split("\n")
    rows = [row for value in values for row in _wrapped(value, width - 10)]
    return [f"{label if index == 0 else '':<10}{row}" for index, row in enumerate(rows)]


def _wrapped(line: str, width: int, *, hanging: str = "") -> list[str]:
    return textwrap.wrap(
        line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    ) or [""]


def _unmarked(mrkdwn: str) -> str:
    return html.unescape(_MARKUP.sub(_without_marks, mrkdwn))


def _without_marks(found: re.Match[str]) -> str:
    code, link, label, bold = found.groups()
    if link is not None:
        return f"{label}: {link}"
    return str(bold if code is None else code)
