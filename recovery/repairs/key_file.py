"""``--keys FILE``: which items, a JSON object a line.

Each line is a key in DynamoDB JSON (``{"pk": {"S": "a"}}``), or in plain JSON (``{"pk": "a", "sk": 5}``), whose
types are the table's; or a line of ``safetynet diff --json``, whose key counts.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from rules.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recovery.repairs.table_key import TableKey

MAX_FAULTS = 20
DIFFERENCE, SUMMARY = "difference", "summary"  # the events of `diff --json`


class KeyFileError(UsageError):
    """A file of keys with faults; ``str`` is one line a fault, each with the number of its line."""

    default_hint = 'A key a line: {"pk": {"S": "a"}} or {"pk": "a"}. Nothing was changed.'


def read_keys(path: Path, key: TableKey, at_once: int = 100) -> Iterator[list[bytes]]:
    """The keys of a file in the spelling of ``TableKey.spelled``, some at a time.

    The whole file is looked at before the first key is given. Raises KeyFileError.
    """
    faults = [
        f"{path}: line {number}: {found}" for number, found in _lines(path, key) if isinstance(found, str)
    ]
    if faults:
        more = len(faults) - MAX_FAULTS
        raise KeyFileError("\n".join([*faults[:MAX_FAULTS], *([f"and {more} more"] if more > 0 else [])]))
    keys: list[bytes] = []
    for _, found in _lines(path, key):
        if isinstance(found, bytes):
            keys.append(found)
        if len(keys) == at_once:
            yield keys
            keys = []
    yield keys


def _lines(path: Path, key: TableKey) -> Iterator[tuple[int, bytes | str | None]]:
    """The number of each line, and its key, what is wrong with it, or None for a line without a key."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield number, _key_of(line, key) if line.strip() else None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read: {error}") from error


def _key_of(line: str, key: TableKey) -> bytes | str | None:
    try:
        document = _document(line)
        if document is None:
            return None
        missing = [name for name in key.names if name not in document]
        more = sorted(set(document) - set(key.names))
        if missing or more:
            fault = f"has no {' and no '.join(missing)}" if missing else f"has more: {', '.join(more[:3])}"
            return f"{fault}; the key of the table is {key}"
        return key.spelled(
            tuple(
                {kind: _text(document[name], kind, name)}
                for name, kind in zip(key.names, key.types, strict=True)
            )
        )
    except ValueError as error:
        return str(error)


def _document(line: str) -> dict[str, Any] | None:
    """The key that a line holds, None for a summary. Raises ValueError."""
    try:
        document = json.loads(line, parse_float=_Number, parse_int=_Number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        # What the parser says may quote an item.
        raise ValueError("is no JSON") from error
    if not isinstance(document, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004 - a fault of the file
    if document.get("event") == SUMMARY:
        return None
    if document.get("event") == DIFFERENCE and isinstance(document.get("key"), dict):
        return dict(document["key"])
    return document


class _Number(str):
    """A number as it is spelled in the file."""

    __slots__ = ()


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _text(value: Any, kind: str, name: str) -> str:
    """A key attribute's value as DynamoDB JSON has it. Raises ValueError for one of another type."""
    wrong = ValueError(f"{name} is not of the table's type, {kind}")
    if isinstance(value, dict):
        if list(value) != [kind] or not isinstance(value[kind], str) or isinstance(value[kind], _Number):
            raise wrong
        value = _Number(value[kind]) if kind == "N" else value[kind]
    if not isinstance(value, str) or isinstance(value, _Number) != (kind == "N") or not value:
        raise wrong
    if kind == "B":
        try:
            return base64.b64encode(base64.b64decode(value, validate=True)).decode()
        except binascii.Error as error:
            raise ValueError(f"{name} is no base64") from error
    return str(value)
