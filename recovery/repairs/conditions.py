"""Conditions under which an item may be written: only while it still is what was seen.

DynamoDB has no condition on a whole item, so every attribute that was seen is compared (``=`` takes every type,
maps and sets too), and the attributes that the write would bring must not be there. What a condition cannot say,
namely that no other attribute has appeared, is found in the answer: ``ReturnValues: ALL_OLD`` (``writing``).
Limits of an expression (developer guide, 'Constraints', expression parameters): 4 KB of text and 300 operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_EXPRESSION_BYTES = 4096
MAX_COMPARISONS = 150  # each is an operator, and so is each AND between two
_DOCUMENTS = tuple(b'{"%b"' % kind for kind in (b"L", b"M", b"SS", b"NS", b"BS"))
_ATTRIBUTES = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Condition:
    """``members``: the members of a request, as JSON without braces. ``whole``: all that was seen is compared."""

    members: bytes
    whole: bool = True


def still(seen: bytes, coming: bytes = b"{}", *, documents: bool = True) -> Condition:
    """The item still has what ``seen`` has, and has nothing that only ``coming`` brings.

    Without ``documents`` lists, maps and sets are only to be there; such a condition is never ``whole``.

    Of an item with too many attributes those come first that the two images spell differently.
    """
    old, new = _ATTRIBUTES(seen), _ATTRIBUTES(coming)
    differing = [name for name in old if new.get(name) != old[name]]
    equal = [name for name in old if new.get(name) == old[name]]
    absent = [name for name in new if name not in old]
    terms: list[str] = []
    names: dict[str, str] = {}
    values: dict[str, msgspec.Raw] = {}
    size, whole = 0, documents
    for name in (*differing, *absent, *equal):
        place = f"{len(terms):x}"
        compared = name in old and (documents or not _is_document(old[name]))
        if compared:
            term = f"#{place}=:{place}"
        else:
            term = f"attribute_{'exists' if name in old else 'not_exists'}(#{place})"
        size += len(term) + len(" AND ")
        if len(terms) == MAX_COMPARISONS or size > MAX_EXPRESSION_BYTES:
            whole = False
            break
        terms.append(term)
        names[f"#{place}"] = name
        if compared:
            values[f":{place}"] = old[name]
    return Condition(_members(" AND ".join(terms), names, values), whole)


def absent(key_names: Sequence[str]) -> Condition:
    """There is no item with that key."""
    return Condition(_members("attribute_not_exists(#0)", {"#0": key_names[0]}, {}))


def _is_document(attribute: msgspec.Raw) -> bool:
    """Whether a value is a list, a map or a set."""
    return bytes(attribute).replace(b" ", b"").startswith(_DOCUMENTS)


def _members(expression: str, names: dict[str, str], values: dict[str, msgspec.Raw]) -> bytes:
    document: dict[str, object] = {"ConditionExpression": expression, "ExpressionAttributeNames": names}
    if values:
        document["ExpressionAttributeValues"] = values
    return msgspec.json.encode(document)[1:-1]
