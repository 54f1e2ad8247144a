"""What differs between a backup and a table (or another backup): added, removed and changed items.

The newer side is read once into a temporary SQLite file, as key and hash. Where count and digest of all its items
are those that a verification of the backup found, that is all. Else the backup is read past it, which gives what
was removed or changed; what it does not name was added. Only then the newer images of what differs are fetched by
key. So memory stays flat, and the disk holds a key and 32 bytes an item, and the images of what differs.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recovery.backups.digest import Content
from recovery.repairs.raw_items import MAX_BATCH_KEYS
from recovery.repairs.table_key import item_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from recovery.repairs.sides import Row, Side

# Two images of 400 KB each are the most that DynamoDB has of an item.
_PAGE = 50
_MODULUS = 1 << 256  # digests of items are added, see backups.digest
_TABLES = """
CREATE TABLE wanted (key BLOB PRIMARY KEY, met INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE newer (key BLOB PRIMARY KEY, hash BLOB, met INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE differences (key BLOB PRIMARY KEY, kind TEXT NOT NULL, before BLOB, after BLOB);
"""


class Kind(StrEnum):
    """How an item differs, seen from the backup: ``added`` is in the table and not in the backup."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


ALL_KINDS = tuple(Kind)


@dataclass(frozen=True, slots=True)
class Difference:
    """One item. ``key``, ``before`` (the backup's image) and ``after`` (the newer one) are DynamoDB JSON.

    An image that is not there is b""; both are b"" where only keys were asked for.
    """

    key: bytes
    kind: Kind
    before: bytes
    after: bytes


class Differences:
    """What a comparison found, in a file, in order of keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA cache_size = -65536")  # KB
        self._connection.executescript(_TABLES)
        self._only_wanted = False
        self._count = self._sum = 0
        self.left_out = 0
        self.before_count = 0  # items that were read of the backup

    @property
    def newer(self) -> Content:
        """Count and digest of all items that were read of the newer side."""
        return Content(self._count, f"{self._sum % _MODULUS:064x}")

    def counts(self) -> dict[Kind, int]:
        """How many there are of each kind."""
        rows = self._rows("SELECT kind, count(*) FROM differences GROUP BY kind")
        return {**dict.fromkeys(Kind, 0), **{Kind(kind): number for kind, number in rows}}

    def size_bytes(self) -> int:
        """Bytes of the images that the backup has."""
        return int(self._rows("SELECT coalesce(sum(length(before)), 0) FROM differences")[0][0])

    def unknown_keys(self) -> int:
        """How many of the wanted keys neither side has."""
        return int(self._rows("SELECT count(*) FROM wanted WHERE NOT met")[0][0])

    def all(self) -> Iterator[Difference]:
        """Every difference, read some at a time."""
        for page in self._pages():
            yield from page

    def keep(self, wanted: Callable[[Difference], bool]) -> None:
        """Forget those that are not wanted."""
        for page in self._pages():
            self.forget([difference.key for difference in page if not wanted(difference)])

    def forget(self, keys: Sequence[bytes]) -> None:
        """Forget those of these keys."""
        self._change("DELETE FROM differences WHERE key = ?", [(key,) for key in keys])

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def leave_out(self, kinds: Sequence[Kind]) -> None:
        """Forget all of these kinds, but count them."""
        self.left_out = sum(self.counts()[kind] for kind in kinds)
        self._change("DELETE FROM differences WHERE kind = ?", [(kind.value,) for kind in kinds])

    def want(self, keys: Sequence[bytes]) -> None:
        """Look at these keys only (and at those that were wanted before)."""
        self._only_wanted = True
        self._change("INSERT OR IGNORE INTO wanted (key) VALUES (?)", [(key,) for key in keys])

    def wanted_digest(self) -> tuple[int, str]:
        """How many keys are wanted, and a SHA-256 over them."""
        digest, count = hashlib.sha256(), 0
        for keys in self.wanted_keys():
            count += len(keys)
            digest.update(b"".join(key + b"\n" for key in keys))
        return count, digest.hexdigest()

    def wanted_keys(self) -> Iterator[list[bytes]]:
        """The wanted keys, as many at a time as BatchGetItem takes."""
        return self._keys("SELECT key FROM wanted WHERE key > ? ORDER BY key LIMIT ?")

    def keys_to_fetch(self) -> Iterator[list[bytes]]:
        """The keys whose newer image is missing, as many at a time as BatchGetItem takes."""
        return self._keys(
            "SELECT key FROM differences WHERE key > ? AND kind != 'removed' ORDER BY key LIMIT ?"
        )

    def take_newer(self, rows: Sequence[Row]) -> None:
        """Items of the newer side."""
        rows = self._wanted(rows)
        with self._lock:
            self._connection.executemany(
                "INSERT OR REPLACE INTO newer (key, hash) VALUES (?, ?)",
                [(key, digest) for key, digest, _ in rows],
            )
            self._count += len(rows)
            self._sum += sum(int.from_bytes(digest, "big") for _, digest, _ in rows)

    def take_before(self, rows: Sequence[Row], *, images: bool) -> None:
        """Items of the backup, once the newer side has been read."""
        rows = self._wanted(rows)
        found = []
        with self._lock:
            self.before_count += len(rows)
            look_up = self._connection.execute
            for key, digest, item in rows:
                row = look_up("SELECT hash FROM newer WHERE key = ?", (key,)).fetchone()
                if row is None or row[0] != digest:
                    kind = Kind.REMOVED if row is None else Kind.CHANGED
                    found.append((key, kind.value, bytes(item) if images else None))
            self._connection.executemany(
                "UPDATE newer SET met = 1 WHERE key = ?", [(key,) for key, _, _ in rows]
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO differences (key, kind, before) VALUES (?, ?, ?)", found
            )

    def take_rest_as_added(self) -> None:
        """What the backup did not name, once all of it has been read."""
        self._change("INSERT INTO differences (key, kind) SELECT key, 'added' FROM newer WHERE NOT met", [()])

    def take_after(self, rows: Sequence[Row]) -> None:
        """Newer images of what differs; others are ignored. What is equal by now differs no more."""
        for key, digest, item in rows:
            found = self._rows("SELECT before FROM differences WHERE key = ?", (key,))
            if not found:
                continue
            if found[0][0] is not None and item_hash(found[0][0]) == digest:
                self.forget([key])
            else:
                self._change("UPDATE differences SET after = ? WHERE key = ?", [(bytes(item), key)])

    def take_the_missing_as_gone(self) -> None:
        """What had no newer image to fetch was deleted since the newer side was read."""
        self._change("DELETE FROM differences WHERE kind = 'added' AND after IS NULL", [()])
        self._change("UPDATE differences SET kind = 'removed' WHERE kind = 'changed' AND after IS NULL", [()])

    def _wanted(self, rows: Sequence[Row]) -> Sequence[Row]:
        if not self._only_wanted:
            return rows
        with self._lock:
            look_up = self._connection.execute
            rows = [row for row in rows if look_up("SELECT 1 FROM wanted WHERE key = ?", row[:1]).fetchone()]
            self._connection.executemany("UPDATE wanted SET met = 1 WHERE key = ?", [row[:1] for row in rows])
        return rows

    def _pages(self) -> Iterator[list[Difference]]:
        last = b""
        while rows := self._rows(
            "SELECT key, kind, before, after FROM differences WHERE key > ? ORDER BY key LIMIT ?",
            (last, _PAGE),
        ):
            last = rows[-1][0]
            yield [Difference(key, Kind(kind), old or b"", new or b"") for key, kind, old, new in rows]

    def _keys(self, query: str) -> Iterator[list[bytes]]:
        last = b""
        while rows := self._rows(query, (last, MAX_BATCH_KEYS)):
            last = rows[-1][0]
            yield [row[0] for row in rows]

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            self._connection.executemany(statement, rows)


@contextmanager
def compare(
    before: Side,
    newer: Side,
    *,
    keys: Iterable[Sequence[bytes]] | None = None,
    kinds: Collection[Kind] = ALL_KINDS,
    images: bool = True,
) -> Iterator[Differences]:
    """Compare, and give the differences while the block runs. Nothing is written but a temporary file.

    ``keys``: look at these only (as ``TableKey.spelled`` gives them); a live table is then not scanned. ``kinds``:
    only these are kept and their images fetched, the others are counted in ``left_out``. Without ``images`` only keys and kinds are found, and a change that was taken back meanwhile still counts. Raises
    UnsafeError for two different keys, DamagedObjectError, UnavailableError.
    """
    before.key.refuse_other(newer.key, newer.label)
    with tempfile.TemporaryDirectory(prefix="safetynet-") as folder:
        differences = Differences(Path(folder) / "differences.sqlite")
        try:
            if keys is not None:
                for some in keys:
                    differences.want(some)
            _compare(before, newer, differences, kinds, all_keys=keys is None, images=images)
            yield differences
        finally:
            differences.close()


def _compare(
    before: Side,
    newer: Side,
    differences: Differences,
    kinds: Collection[Kind],
    *,
    all_keys: bool,
    images: bool,
) -> None:
    known = before.known()
    if all_keys and known is not None and newer.known() == known:
        return
    if all_keys:
        newer.read(differences.take_newer)
        if known == differences.newer:
            return
    else:
        newer.fetch(differences.wanted_keys(), differences.take_newer)
    before.read(partial(differences.take_before, images=images))
    differences.take_rest_as_added()
    differences.leave_out([kind for kind in Kind if kind not in kinds])
    if images:
        newer.fetch(differences.keys_to_fetch(), differences.take_after)
        differences.take_the_missing_as_gone()
