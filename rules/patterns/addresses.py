"""IP addresses and CIDR blocks, read as AWS's matcher reads them.

Leading zeros are decimal, IPv6 has no dotted tail and no zone, and an IPv4-mapped IPv6 address is the IPv4
address. The standard library's ``ipaddress`` differs in the first and the last, so it is not used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rules.errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

_V4_BITS, _V6_BITS = 32, 128
_V4_PARTS = 4
_V4_LONGEST = len("255.255.255.255")
_V6_CHARACTERS = frozenset("0123456789abcdefABCDEF:")
_V6_GROUPS = 8
_V6_GROUP_DIGITS = 4
_MAPPED_V4 = 0xFFFF
_OCTET = 0xFF
_MASK = re.compile(r"[+-]?[0-9]{1,9}")


class Address(NamedTuple):
    """An address: how many bits it has (32 or 128), and their value."""

    bits: int
    value: int


class Block(NamedTuple):
    """A block of addresses: how many bits they have, how many of them are free, and the value of the others."""

    bits: int
    host_bits: int
    network: int


def parse_address(text: str) -> Address | None:
    """The IP address that the text is, or None if it is none."""
    if ":" in text:
        return _parse_v6(text) if _V6_CHARACTERS.issuperset(text) else None
    if len(text) > _V4_LONGEST or not text.isascii():
        return None
    parts = text.split(".")
    if len(parts) != _V4_PARTS:
        return None
    value = 0
    for part in parts:
        if not part.isdecimal() or (octet := int(part)) > _OCTET:
            return None
        value = value << 8 | octet
    return Address(_V4_BITS, value)


def parse_block(block: object, path: str) -> Block:
    """The block of addresses that ``10.0.0.0/8`` is; host bits may be set.

    Raises PatternError if it is no block; AWS takes masks up to /31 and /127, and single addresses without
    ``cidr``.
    """
    if not isinstance(block, str):
        raise PatternError('"cidr" takes a string such as "10.0.0.0/8"', path=path)
    # Trailing slashes are dropped because the matcher's splitting drops them.
    parts = block.rstrip("/").split("/")
    if len(parts) != 2:  # noqa: PLR2004 - an address and a mask
        raise PatternError("a CIDR block has one slash", path=path)
    address = parse_address(parts[0])
    if address is None:
        raise PatternError(f"{parts[0][:60]!r} is not an IP address", path=path)
    if not _MASK.fullmatch(parts[1]) or not 0 <= (mask := int(parts[1])) < address.bits:
        raise PatternError(f"the mask must be a number from 0 to {address.bits - 1}", path=path)
    host_bits = address.bits - mask
    return Block(address.bits, host_bits, address.value >> host_bits)


def address_test(addresses: Container[Address], blocks: Sequence[Block]) -> Callable[[str], bool]:
    """A test for being one of the addresses or inside one of the blocks."""

    def fits(text: str) -> bool:
        found = parse_address(text)
        if found is None:
            return False
        if found in addresses:
            return True
        bits, value = found
        for width, host_bits, network in blocks:  # noqa: SIM110 - any() with a generator takes twice the time
            if bits == width and value >> host_bits == network:
                return True
        return False

    return fits


def _parse_v6(text: str) -> Address | None:
    head, gap, tail = text.partition("::")
    left = _groups(head)
    right = _groups(tail)
    if left is None or right is None:
        return None
    missing = _V6_GROUPS - len(left) - len(right)
    if missing < 1 if gap else missing != 0:
        return None
    value = 0
    for group in (*left, *[0] * missing, *right):
        value = value << 16 | group
    if value >> _V4_BITS == _MAPPED_V4:
        return Address(_V4_BITS, value & 0xFFFFFFFF)
    return Address(_V6_BITS, value)


def _groups(text: str) -> list[int] | None:
    """The 16-bit groups of one side of ``::``; None if malformed (a second ``::`` leaves an empty one)."""
    if not text:
        return []
    groups = []
    for written in text.split(":"):
        if not written or len(written.lstrip("0")) > _V6_GROUP_DIGITS:
            return None
        groups.append(int(written, 16))
    return groups
