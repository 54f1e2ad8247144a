"""JSON objects from strangers, read strictly: a text that two readers could take for two events is refused."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

from rules.errors import EventError

_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_MESSAGE = 900
_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def read_json_object(body: str | bytes) -> dict[str, Any]:
    """The JSON object (RFC 8259, in UTF-8) in a text.

    Raises EventError for anything else, also for what Python would let pass: NaN and numbers beyond a float,
    names that stand twice, halves of characters. Two readers could take such a text for two different events.
    """
    document = _read_compact(body)
    if document is None:
        document = _read_strictly(body)
    if not isinstance(document, dict):
        raise EventError(f"expected a JSON object, found {type(document).__name__}")
    return document


def _read_compact(body: str | bytes) -> Any:
    """The document, if writing it again gives the very same bytes: then nothing in it can be ambiguous.

    That is how AWS writes, and six times as fast as looking. None: it has to be looked at.
    """
    try:
        raw = body.encode() if isinstance(body, str) else body
        document = _DECODER.decode(raw)
        return document if _ENCODER.encode(document) == raw else None
    except (ValueError, RecursionError, OverflowError):
        return None


def _read_strictly(body: str | bytes) -> Any:
    try:
        text = body if isinstance(body, str) else body.decode("utf-8-sig")
        document = json.loads(
            text, object_pairs_hook=_each_once, parse_constant=_no_constant, parse_float=_finite
        )
        if isinstance(body, str):
            body.encode()
        if _HALF_A_CHARACTER.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise EventError(short(f"not JSON: {error}")) from error
    return document


def short(message: str) -> str:
    """A message for logs and Slack: what a stranger wrote into an event must neither fill nor forge a line."""
    printable = "".join(
        character if character.isprintable() else "?" for character in message[:_LONGEST_MESSAGE]
    )
    return printable if len(message) <= _LONGEST_MESSAGE else printable + "..."


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number
