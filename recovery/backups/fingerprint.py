"""The fingerprint: whether two sets of items are equal to the letter, at a tenth of what the content digest costs.

The raw JSON of every item is hashed with SHA-256, and the hashes are added modulo 2**256: the order of the items does
not count, and two equal ones count twice. Equal fingerprints are equal content. Unequal ones say nothing yet, for
attributes may stand in another order and numbers be spelled otherwise: that is for the content digest to tell.

Like the digest it tells accidents, not attacks. It is held in memory and never stored.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

_MODULUS = 1 << 256
# So many hashes are kept, whatever the number of items: enough to meet one in each page or two of a table.
MOST_KEPT = 4096


def raw_hashes(items: Sequence[bytes | msgspec.Raw]) -> list[int]:
    """A number of 256 bits for each item, from its JSON as it is spelled."""
    number = int.from_bytes
    return [number(sha256(item).digest(), "big") for item in items]


class Fingerprint:
    """Counts items and adds their hashes; ``merge`` adds another one's.

    Keeps some of the hashes: those whose last bits are all zero, more bits the more items there are. Whoever reads
    items that should be the same can tell from them early that they are spelled otherwise (``may_hold``).
    """

    def __init__(self) -> None:
        self.item_count = 0
        self._sum = 0
        self._kept: set[int] = set()
        self._mask = 0

    def add(self, hashes: Sequence[int]) -> None:
        """Take in items by their ``raw_hashes``."""
        self.item_count += len(hashes)
        self._sum += sum(hashes)
        mask = self._mask
        self._keep([number for number in hashes if not number & mask])

    def merge(self, other: Fingerprint) -> None:
        """Take in all items of another fingerprint."""
        self.item_count += other.item_count
        self._sum += other._sum
        mask = self._mask = max(self._mask, other._mask)
        self._thin_out()
        self._keep([number for number in other._kept if not number & mask])

    def same_as(self, other: Fingerprint) -> bool:
        """Whether both have the very same items."""
        return self.item_count == other.item_count and (self._sum - other._sum) % _MODULUS == 0

    def may_hold(self, hashes: Sequence[int]) -> bool:
        """False if one of these items is for certain not among those taken in, to the letter."""
        mask, kept = self._mask, self._kept
        return all(number in kept for number in hashes if not number & mask)

    def _keep(self, hashes: Sequence[int]) -> None:
        self._kept.update(hashes)
        while len(self._kept) > MOST_KEPT:
            self._mask = 2 * self._mask + 1
            self._thin_out()

    def _thin_out(self) -> None:
        self._kept = {number for number in self._kept if not number & self._mask}
