"""Reading a table back: whether it holds what the backup holds.

Most tables give items back as they were sent, so items are compared to the letter first (``backups.fingerprint``). One
that is spelled otherwise shows after a page or two, long before the end; from there on the content digest is what
counts, for which spelling does not, and which takes ten times as long (decision 12).
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from recovery.backups.digest import ContentDigest
from recovery.backups.fingerprint import Fingerprint, raw_hashes
from recovery.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import msgspec

    from recovery.backups.digest import Content
    from recovery.backups.engine_scan import TableScan
    from recovery.vault.leases import Lease


@dataclass(frozen=True, slots=True)
class _Segment:
    """What was read of one segment: ``digest`` where that counts from its first item on, else None."""

    letters: Fingerprint
    digest: ContentDigest | None


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A live table that is read with strongly consistent reads, ``segments`` side by side, while a lease is held."""

    scan: TableScan
    segments: int
    lease: Lease

    def difference(self, letters: Fingerprint | None, content: Callable[[], Content]) -> str | None:
        """How the table differs from the backup, for people; None if it holds the same items.

        ``letters`` are the backup's, None where nobody knows them; ``content()`` gives count and digest, which may
        take long and is asked for only where they are needed. Raises LeaseHeldError, UnavailableError.
        """
        table = self.scan.table
        digests: list[ContentDigest | None] = [None] * self.segments
        if letters is not None:
            spelled_otherwise = Event()
            segments = self._compare(letters, spelled_otherwise)
            found = Fingerprint()
            for segment in segments:
                found.merge(segment.letters)
            if not spelled_otherwise.is_set():
                if found.same_as(letters):
                    return None
                if found.item_count != letters.item_count:
                    return f"table {table} holds {found.item_count} items, the backup {letters.item_count}"
            digests = [segment.digest for segment in segments]
        held, wanted = self._digest(digests), content()
        if held == wanted:
            return None
        return (
            f"table {table} holds {held.item_count} items with digest {held.digest[:12]}, the backup "
            f"{wanted.item_count} with {wanted.digest[:12]}"
        )

    def _compare(self, letters: Fingerprint, spelled_otherwise: Event) -> list[_Segment]:
        """Read all segments to the letter, until one of them meets an item that is not among ``letters``."""

        def one(segment: int, stop: Event) -> _Segment:
            found, digest = Fingerprint(), None
            for items in self._pages(segment, stop):
                if not spelled_otherwise.is_set():
                    hashes = raw_hashes(items)
                    if letters.may_hold(hashes):
                        found.add(hashes)
                    else:
                        spelled_otherwise.set()
                if spelled_otherwise.is_set():
                    if found.item_count:
                        break  # what was read so far has to be read again
                    digest = digest or ContentDigest()
                    digest.add_all(items)
                del items  # not held while the next page comes in
            return _Segment(found, digest)

        return side_by_side(self.segments, one, "verify")

    def _digest(self, known: list[ContentDigest | None]) -> Content:
        """Count and digest of all segments; those that are not known are read."""
        total = ContentDigest()
        for digest in known:
            if digest is not None:
                total.merge(digest)
        missing = [segment for segment, digest in enumerate(known) if digest is None]

        def one(number: int, stop: Event) -> ContentDigest:
            digest = ContentDigest()
            for items in self._pages(missing[number], stop):
                digest.add_all(items)
                del items
            return digest

        if missing:
            for digest in side_by_side(len(missing), one, "verify"):
                total.merge(digest)
        return total.content

    def _pages(self, segment: int, stop: Event) -> Iterator[Sequence[bytes | msgspec.Raw]]:
        for page in self.scan.pages((segment, self.segments), stop):
            self.lease.check()
            items = page.items
            del page
            yield items
            del items
