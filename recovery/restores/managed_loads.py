"""What the managed engines share: the objects DynamoDB is to read, and a note that makes beginning idempotent.

Source: DynamoDB developer guide, 'Bulk put items' ('Input formats', 'Best practices') and 'DynamoDB data import
from Amazon S3'. Both read every object under one key prefix, DynamoDB JSON with one ``{"Item": ...}`` a line, in one
compression, up to 50,000 objects: which is how the data of a full backup lies in the vault.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from recovery.errors import DamagedObjectError, LeaseHeldError
from recovery.pacing import patient
from rules.errors import CancelledError, UnsafeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from recovery.backups.manifest import Manifest
    from recovery.clock import Sleep
    from recovery.progress import Progress
    from recovery.restores.runs import Run
    from recovery.vault.leases import Lease
    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

POLL_SECONDS = 10.0
MOST_OBJECTS = 50_000
LARGEST_OBJECT_BYTES = 5_000_000_000  # of bulk put items; import names no limit for one object
UNDER_WAY = frozenset({"IN_PROGRESS", "CANCELLING"})
INSTEAD = "Load it from here instead: --engine write."
_COMPRESSIONS = {".gz": "GZIP", ".zst": "ZSTD", ".zstd": "ZSTD"}
# In RunRecord.operation while it is not known yet whether the operation was begun.
_PENDING = "token:"


@dataclass(frozen=True, slots=True)
class ManagedSource:
    """What DynamoDB is to read: all objects of ``bucket`` under ``prefix``, a key from the bucket's root.

    ``compression`` as ``InputCompressionType`` has it; ``place`` and ``folder`` are where the vault finds them.
    """

    place: Vault
    folder: str
    compression: str
    sizes: dict[str, int]

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.place.bucket

    @property
    def prefix(self) -> str:
        """The key prefix, from the bucket's root; ends with ``/``."""
        return self.place.full_key(self.folder)

    def check(self) -> None:
        """What lies under the prefix is the backup's data, and nothing else: DynamoDB would load that, too.

        Raises DamagedObjectError naming an object that is missing, of another size, or one too many.
        """
        found = {info.key: info.size for info in self.place.list(self.folder)}
        for key, size in self.sizes.items():
            if key not in found:
                raise DamagedObjectError(key, "is missing")
            if found[key] != size:
                raise DamagedObjectError(key, f"holds {found[key]} bytes, the manifest says {size}")
        for key in found:
            if key not in self.sizes:
                raise DamagedObjectError(
                    key, "is not in the manifest, and DynamoDB would load it, too", hint=INSTEAD
                )


def why_not_managed(backup: Manifest) -> str:
    """Why DynamoDB cannot load a backup by itself, in a few words; "" where it can."""
    return next(_obstacles(backup), "")


def _obstacles(backup: Manifest) -> Iterator[str]:
    entries = backup.data_objects
    if backup.increment is not None:
        yield "the backup is incremental: its changes have to be put together here"
    if not entries:
        yield "the backup holds no items"
    if len(entries) > MOST_OBJECTS:
        yield f"the backup has {len(entries)} data files, DynamoDB reads at most {MOST_OBJECTS}"
    if any(entry.size > LARGEST_OBJECT_BYTES for entry in entries):
        yield "a data file is larger than 5 GB"
    if len({_folder(entry.key) for entry in entries}) > 1:
        yield "the data files lie in several folders"
    if len({_compression(entry.key) for entry in entries}) > 1:
        yield "the data files are compressed in different ways"


def managed_source(vault: Vault, backup: Manifest) -> ManagedSource:
    """Where DynamoDB finds the data of a backup. Raises UnsafeError where it cannot load it."""
    if why := why_not_managed(backup):
        raise UnsafeError(f"DynamoDB cannot load backup {backup.backup_id} by itself: {why}", hint=INSTEAD)
    places = [(backup.place_of(vault, entry), entry.size) for entry in backup.data_objects]
    (place, key), _ = places[0]
    return ManagedSource(
        place=place,
        folder=_folder(key),
        compression=_compression(key),
        sizes={key: size for (_, key), size in places},
    )


def begun_operation(run: Run) -> str:
    """The ARN of the operation that the run has begun for certain, "" where there is none."""
    noted = run.record.operation
    return "" if noted.startswith(_PENDING) else noted


def pending_token(run: Run) -> str:
    """The client token of an operation that may have been begun: its answer never came. "" where there is none."""
    noted = run.record.operation
    return noted.removeprefix(_PENDING) if noted.startswith(_PENDING) else ""


def client_token(run: Run) -> str:
    """The client token to begin an operation with: a pending one again, else a new one, noted before it is used.

    So a start that lost its answer finds its own operation, and one after a failure never finds the old one.
    """
    token = pending_token(run)
    if not token:
        token = f"{run.record.mark}-{secrets.token_hex(4)}"
        run.note(operation=f"{_PENDING}{token}")
    return token


class Fields(NamedTuple):
    """How an operation's description calls its status and what was read so far."""

    status: str
    items: str
    size: str


@dataclass(frozen=True, slots=True)
class Follower:
    """Whoever waits for an operation on a table: holds the lease, tells the progress."""

    table: str
    lease: Lease
    progress: Progress
    sleep: Sleep

    def follow(self, describe: Callable[[], dict[str, Any]], fields: Fields) -> dict[str, Any]:
        """The description of the operation once it has ended. Raises what the lease and ``describe`` raise."""
        items = size = 0
        with going_on_by_itself(self.table):
            while True:
                self.lease.check()
                description = patient(self.sleep)(describe)
                now_items, now_size = (
                    int(description.get(fields.items) or 0),
                    int(description.get(fields.size) or 0),
                )
                self.progress.advance(self.table, max(0, now_items - items), max(0, now_size - size))
                items, size = max(items, now_items), max(size, now_size)
                if description.get(fields.status) not in UNDER_WAY:
                    return description
                self.sleep(POLL_SECONDS)


@contextmanager
def going_on_by_itself(table: str) -> Iterator[None]:
    """Whoever stops following is told that DynamoDB does not stop: what it does is not undone by that."""
    tells = f"DynamoDB goes on loading table {table} by itself; run the command again to follow it"
    try:
        yield
    except CancelledError as error:
        raise CancelledError(f"{error}. {tells}", hint=error.hint) from error
    except (KeyboardInterrupt, LeaseHeldError):
        log.warning("%s", tells)
        raise


def _folder(key: str) -> str:
    folder, slash, _ = key.rpartition("/")
    return folder + slash


def _compression(key: str) -> str:
    return next((name for suffix, name in _COMPRESSIONS.items() if key.endswith(suffix)), "NONE")
