"""What Slack refuses about blocks: the limits are those of the Block Kit reference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BLOCKS, MAX_HEADER, MAX_TEXT, MAX_FIELD = 50, 150, 3000, 2000
MAX_FIELDS, MAX_ACTIONS, MAX_CONTEXT = 10, 25, 10
# Nowhere documented; measured by users of chat.postMessage (slackapi/bolt-js issue 2509).
MAX_ALL_BLOCKS = 13_000
_UNCHECKED_BLOCKS = frozenset({"divider", "image", "rich_text", "input", "file", "video", "markdown"})


class RefusalError(Exception):
    """Slack's ``"ok": false``: the code and what is wrong in words."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def check_blocks(blocks: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what Slack refuses: the limits are those of the Block Kit reference."""
    _limit(len(blocks), MAX_BLOCKS, "more than 50 blocks")
    for block in blocks:
        _check_block(block, block.get("fields") or [], block.get("elements") or [])
    if utf16_length(json.dumps(list(blocks), ensure_ascii=False)) > MAX_ALL_BLOCKS:
        raise RefusalError("msg_blocks_too_long")


def _check_block(block: Mapping[str, Any], fields: Sequence[Any], elements: Sequence[Any]) -> None:
    match block.get("type"):
        case "header":
            _check_text(block.get("text"), MAX_HEADER, plain=True)
        case "section":
            _limit(len(fields), MAX_FIELDS, "more than 10 fields")
            for field in fields:
                _check_text(field, MAX_FIELD)
            if "text" in block or not fields:
                _check_text(block.get("text"), MAX_TEXT)
        case "actions":
            _limit(len(elements), MAX_ACTIONS, "more than 25 elements in actions")
        case "context":
            _limit(len(elements), MAX_CONTEXT, "more than 10 elements in context")
            for element in elements:
                if element.get("type") != "image":
                    _check_text(element, MAX_TEXT)
        case kind if kind not in _UNCHECKED_BLOCKS:
            raise RefusalError("invalid_blocks", f"unsupported type: {kind}")


def _check_text(text: Any, limit: int, *, plain: bool = False) -> None:
    if not isinstance(text, dict) or text.get("type") not in {"plain_text"} | (
        set() if plain else {"mrkdwn"}
    ):
        raise RefusalError("invalid_blocks", "missing or unsupported text object")
    if not text.get("text"):
        raise RefusalError("invalid_blocks", "must be more than 0 characters")
    _limit(utf16_length(str(text["text"])), limit, f"must be less than {limit + 1} characters")


def _limit(count: int, limit: int, detail: str) -> None:
    if count > limit:
        raise RefusalError("invalid_blocks", detail)


def utf16_length(text: str) -> int:
    """In UTF-16 units, the strictest way in which Slack may count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
