"""The two sides of a comparison: a backup of the vault, and a live table (or another backup)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from recovery.backups.content import READERS, open_content
from recovery.backups.digest import ContentDigest
from recovery.backups.engine_scan import TableScan, segments_for
from recovery.backups.verification import known_content
from recovery.definitions.definition import describe_table
from recovery.errors import DamagedObjectError
from recovery.pacing import patient
from recovery.repairs.raw_items import RawItems
from recovery.repairs.table_key import TableKey
from recovery.threads import side_by_side
from rules.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from threading import Event

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.backups.content import Part, RawItem
    from recovery.backups.digest import Content
    from recovery.backups.manifest import Manifest
    from recovery.clock import Sleep
    from recovery.progress import Progress
    from recovery.wire import RawTables

    # (key in one spelling, hash of the item in one spelling, the item as it is spelled)
    Row = tuple[bytes, bytes, RawItem]
    Take = Callable[[Sequence[Row]], None]

FETCHERS = 4


class Side(Protocol):
    """A set of items with one key. ``label`` says for people what it is."""

    key: TableKey
    label: str

    def known(self) -> Content | None:
        """Count and digest of the items where somebody has found them before, without reading an item."""
        ...

    def read(self, take: Take) -> None:
        """Hand over every item, some at a time and from several threads at once.

        Raises DamagedObjectError, UnavailableError, TableNotFoundError, AccessDeniedError.
        """
        ...

    def fetch(self, keys: Iterable[Sequence[bytes]], take: Take) -> None:
        """Hand over the items of these keys that are there; a side may hand over others, too. Raises as ``read``.

        ``keys``: up to 100 at a time.
        """
        ...


def rows_of(key: TableKey, items: Sequence[RawItem]) -> list[Row]:
    """Items with keys and hashes. Raises ValueError, ArithmeticError and the like for what is no item."""
    rows = []
    for item in items:
        digest = ContentDigest()
        digest.add(item)
        rows.append((key.of_item(item), bytes.fromhex(digest.value), item))
    return rows


class BackupSide:
    """A backup. Every object that is read is compared with the manifest; only at its end is it to be trusted."""

    def __init__(self, catalog: Catalog, backup: Manifest, progress: Progress) -> None:
        self.label = f"backup {backup.backup_id}"
        self.key = TableKey.of(catalog.definition(backup).create_table)
        self._catalog = catalog
        self._backup = backup
        self._progress = progress

    def known(self) -> Content | None:
        """See Side.known: what a full verification found."""
        return known_content(self._catalog, self._backup)

    def read(self, take: Take) -> None:
        """See Side.read."""
        self._progress.start(self.label, f"read {self.label}", self._backup.item_count)
        with open_content(self._catalog, self._backup) as parts:

            def some(reader: int, stop: Event) -> None:
                for part in parts[reader::READERS]:
                    self._read_part(part, take, stop)

            if parts:
                side_by_side(min(READERS, len(parts)), some, "compare")
        self._progress.finish(self.label)

    def fetch(self, keys: Iterable[Sequence[bytes]], take: Take) -> None:
        """See Side.fetch: files have no index, so all of them are read again."""
        del keys
        self.read(take)

    def _read_part(self, part: Part, take: Take, stop: Event) -> None:
        for items in part.read():
            if stop.is_set():
                return
            try:
                rows = rows_of(self.key, items)
            except (ValueError, ArithmeticError, AttributeError, TypeError) as error:
                # What the parser says may quote an item.
                raise DamagedObjectError(part.path, "holds what is no item of this table") from error
            take(rows)
            self._progress.advance(self.label, len(rows), sum(len(memoryview(item)) for item in items))


class TableSide:
    """A live table, read with strong consistency."""

    def __init__(self, aws: Aws, tables: RawTables, table: str, sleep: Sleep, progress: Progress) -> None:
        described = describe_table(aws.dynamodb(), table)
        self.label = f"table {table}"
        self.key = TableKey.of(described)
        self.table = table
        self.items = RawItems(aws)
        self._tables = tables
        self._sleep = sleep
        self._progress = progress
        self._size_bytes = described.get("TableSizeBytes", 0)
        self._item_count = described.get("ItemCount")

    def known(self) -> Content | None:
        """See Side.known: nobody can know without reading."""
        return None

    def read(self, take: Take) -> None:
        """See Side.read: a scan, in as many segments as fit the table and this machine."""
        self._progress.start(self.label, f"read {self.label}", self._item_count or None)
        scan = TableScan(self._tables, self.table, self._sleep)
        segments = segments_for(self._size_bytes)

        def one(segment: int, stop: Event) -> None:
            for page in scan.pages((segment, segments), stop):
                self._hand_over(page.items, take)

        side_by_side(segments, one, "compare")
        self._progress.finish(self.label)

    def fetch(self, keys: Iterable[Sequence[bytes]], take: Take) -> None:
        """See Side.fetch: BatchGetItem, several side by side, until no key is left unprocessed."""
        batches, lock = iter(keys), threading.Lock()

        def some(_: int, stop: Event) -> None:
            while not stop.is_set():
                with lock:
                    batch = next(batches, None)
                if batch is None:
                    return
                for items in self._get(batch, stop):
                    self._hand_over(items, take)

        side_by_side(FETCHERS, some, "fetch")

    def one(self, key: bytes, stop: Event | None = None) -> bytes:
        """The item of a key as it is now, b"" where there is none."""
        return next((bytes(item) for items in self._get([key], stop) for item in items), b"")

    def _get(self, keys: Sequence[bytes], stop: Event | None) -> Iterator[Sequence[RawItem]]:
        left = keys
        while left:
            found, left = patient(self._sleep, stop)(self._get_some, left)
            yield found
            if left:
                self._sleep(0.05)

    def _get_some(self, keys: Sequence[bytes]) -> tuple[Sequence[RawItem], Sequence[bytes]]:
        found, left = self.items.get_batch(self.table, keys)
        if len(left) == len(keys):
            raise UnavailableError(f"table {self.table} is throttled", hint="Run the command again.")
        return found, left

    def _hand_over(self, items: Sequence[RawItem], take: Take) -> None:
        try:
            rows = rows_of(self.key, items)
        except (ValueError, ArithmeticError, AttributeError, TypeError) as error:
            raise UnavailableError(
                f"cannot read {self.label}: the answer is not DynamoDB's", hint="Is there a proxy on the way?"
            ) from error
        take(rows)
        self._progress.advance(self.label, len(rows), sum(len(memoryview(item)) for item in items))
