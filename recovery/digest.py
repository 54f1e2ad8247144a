"""The content digest: one number that says whether two sets of items are equal.

Canonical: the order of items, attributes and set members does not count, nor does the spelling of a number
(``1.500`` and ``15E-1`` are ``1.5``). Types do count: "1", 1 and {1} differ. Each item is reduced to a
canonical JSON text and hashed; the hashes are added modulo 2**256, so that segments and files can be
digested side by side and in any order. It tells accidents, not attacks: against a forger the manifest
holds a SHA-256 of every object.
"""

from __future__ import annotations

import hashlib
from decimal import Context, Decimal
from typing import Any

import msgspec

ALGORITHM = "blake2b-256-sum/1"
_MODULUS = 1 << 256
# DynamoDB keeps 38 significant digits; some room so that nothing here ever rounds.
_NUMBERS = Context(prec=60)
_DECODER = msgspec.json.Decoder()
_ENCODE = msgspec.json.Encoder().encode


class ContentDigest:
    """Counts and digests items; ``merge`` adds another one's."""

    def __init__(self) -> None:
        self.item_count = 0
        self._sum = 0

    def add(self, item: bytes | msgspec.Raw) -> None:
        """Take in one item: DynamoDB JSON, ``{"pk":{"S":"a"}}``. Raises msgspec.DecodeError, ValueError."""
        canonical = _ENCODE(_map(_DECODER.decode(item)))
        self._sum += int.from_bytes(hashlib.blake2b(canonical, digest_size=32).digest(), "big")
        self.item_count += 1

    def merge(self, other: ContentDigest) -> None:
        """Take in all items of another digest."""
        self._sum += other._sum
        self.item_count += other.item_count

    @property
    def value(self) -> str:
        """64 hex digits."""
        return f"{self._sum % _MODULUS:064x}"


def _map(attributes: dict[str, Any]) -> list[Any]:
    return [[name, _value(attributes[name])] for name in sorted(attributes)]


def _value(attribute: dict[str, Any]) -> list[Any]:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return [kind, canonical_number(value)]
    if kind == "M":
        return [kind, _map(value)]
    if kind == "L":
        return [kind, [_value(member) for member in value]]
    if kind in {"SS", "BS"}:
        return [kind, sorted(value)]
    if kind == "NS":
        return [kind, sorted(canonical_number(member) for member in value)]
    return [kind, value]  # S, B (base64), BOOL, NULL


def canonical_number(text: str) -> str:
    """One spelling for each number. Raises decimal.InvalidOperation (an ArithmeticError) for no number."""
    if text.isascii() and text.isdigit() and text[0] != "0" and text[-1] != "0":
        return text
    number = Decimal(text).normalize(_NUMBERS)
    return "0" if not number else str(number)
