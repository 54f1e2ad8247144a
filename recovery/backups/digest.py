"""The content digest: one number that says whether two sets of items are equal.

Canonical: the order of items, attributes and set members does not count, nor does the spelling of a number
(``1.500`` and ``15E-1`` are ``1.5``). Types do count: "1", 1 and {1} differ. Each item is reduced to a
canonical JSON text and hashed; the hashes are added modulo 2**256, so that segments and files can be
digested side by side and in any order. It tells accidents, not attacks: against a forger the manifest
holds a SHA-256 of every object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

ALGORITHM = "blake2b-256-sum/2"
_MODULUS = 1 << 256
# DynamoDB keeps 38 significant digits; some room so that nothing here ever rounds.
_NUMBERS = Context(prec=60)
_DECODE = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode
_ENCODE = msgspec.json.Encoder(order="sorted").encode
# A number in the spelling that is canonical: no exponent, no plus, no zeros that mean nothing.
_PLAIN = r"(?:0|-?(?:[1-9][0-9]{0,37}(?:\.[0-9]{0,37}[1-9])?|0\.[0-9]{0,37}[1-9]))"
_is_plain = re.compile(_PLAIN).fullmatch
_is_plain_bytes = re.compile(_PLAIN.encode()).fullmatch
# In compact JSON: a number in another spelling, and where the members of a set begin. No string can look like them,
# for in a string the quotes are escaped, and no attribute's name, for behind that comes a brace.
_odd_number = re.compile(rb'"N":"(?!%b")' % _PLAIN.encode()).search
_SET = b'S":['
_plain_set = re.compile(rb'\{"([BNS])S":\["([^"\\]*(?:","[^"\\]*)*)"\]\}').match


@dataclass(frozen=True, slots=True)
class Content:
    """How many items there are, and their digest."""

    item_count: int
    digest: str


class ContentDigest:
    """Counts and digests items; ``merge`` adds another one's."""

    def __init__(self) -> None:
        self.item_count = 0
        self._sum = 0

    def add(self, item: bytes | msgspec.Raw) -> None:
        """Take in one item: DynamoDB JSON, ``{"pk":{"S":"a"}}``. Raises msgspec.DecodeError, ValueError."""
        self.add_all((item,))

    def add_all(self, items: Iterable[bytes | msgspec.Raw]) -> None:
        """Take in many items. Raises as ``add``."""
        total = count = 0
        for item in items:
            attributes = _DECODE(item)
            text = _ENCODE(attributes)
            # Text that became shorter was not compact, or escaped what need not be: then the searches may be blind.
            at = text.find(_SET)
            if len(text) != len(item) or _odd_number(text) or (at >= 0 and not _sets_are_sorted(text, at)):
                _canonical_map(attributes)
                text = _ENCODE(attributes)
            total += int.from_bytes(blake2b(text, digest_size=32).digest(), "big")
            count += 1
        self._sum += total
        self.item_count += count

    def merge(self, other: ContentDigest) -> None:
        """Take in all items of another digest."""
        self._sum += other._sum
        self.item_count += other.item_count

    @property
    def value(self) -> str:
        """64 hex digits."""
        return f"{self._sum % _MODULUS:064x}"

    @property
    def content(self) -> Content:
        """What was taken in."""
        return Content(self.item_count, self.value)


def _sets_are_sorted(text: bytes, at: int) -> bool:
    """Whether every set, from the one ``at`` on, is plain to see in its canonical spelling, as most endpoints give it.

    A set in which that is not plain, or whose surroundings are not those of a set, is left to ``_canonical_map``.
    """
    while at >= 0:
        found = _plain_set(text, at - 3)
        if found is None:
            return False
        members = found[2].split(b'","')
        # UTF-8 sorts as the text does.
        if members != sorted(members) or (found[1] == b"N" and not all(map(_is_plain_bytes, members))):
            return False
        at = text.find(_SET, found.end())
    return True


def _canonical_map(attributes: dict[str, Any]) -> None:
    for attribute in attributes.values():
        _canonical(attribute)


def _canonical(attribute: dict[str, Any]) -> None:
    """Bring what is inside into its canonical spelling, in place."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        attribute[kind] = canonical_number(value)
    elif kind == "M":
        _canonical_map(value)
    elif kind == "L":
        for member in value:
            _canonical(member)
    elif kind in {"SS", "BS"}:
        value.sort()
    elif kind == "NS":
        attribute[kind] = sorted(canonical_number(member) for member in value)


def canonical_number(text: str) -> str:
    """One spelling for each number. Raises decimal.InvalidOperation (an ArithmeticError) for no number."""
    if _is_plain(text):
        return text
    number = Decimal(text).normalize(_NUMBERS)
    if not number:
        return "0"
    plain = f"{number:f}"
    return plain if _is_plain(plain) else str(number)
