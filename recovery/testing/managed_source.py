"""What DynamoDB's own loads read: the lines of all objects under a prefix, unpacked as the request says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recovery.backups.compression import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.vault.vault import Vault

_SUFFIXES = {"GZIP": ".gz", "ZSTD": ".zst", "NONE": ""}


def read_lines(
    place: Vault, prefix: str, compression: str
) -> Iterator[tuple[str, dict[str, Any] | None, int]]:
    """(key, item, bytes) of each line of each object. An item of None is the end of an object that is malformed."""
    for info in place.list(prefix):
        rest = b""
        try:
            with place.open(info.key) as stream:
                for block in unpacked(stream, f"data{_SUFFIXES[compression]}"):
                    *lines, rest = (rest + block).split(b"\n")
                    for line in lines:
                        if line.strip():
                            yield info.key, _item(line), len(line)
            if rest.strip():
                yield info.key, _item(rest), len(rest)
        except ValueError:
            yield info.key, None, 0


def _item(line: bytes) -> dict[str, Any]:
    document = json.loads(line)
    item = document.get("Item") if isinstance(document, dict) else None
    if not isinstance(item, dict):
        raise ValueError("is no line of an export")  # noqa: TRY004 - the line is wrong, not a type
    return item
