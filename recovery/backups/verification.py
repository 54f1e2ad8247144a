"""Verifying a backup: whether all of it is there, and is what its manifest says.

Three depths. *Listed*: every object is there in its size, and the small ones are read and hashed. *Sampled*:
some of the data files are read, too. *Full*: everything is read, hashed, counted and digested, and what was found
is noted beside the manifest, so that a recovery need not digest the backup again.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.backups.content import READERS, add_to, check_object, digest_parts, open_content
from recovery.backups.data_reader import checked_items
from recovery.backups.digest import ALGORITHM, Content, ContentDigest
from recovery.backups.manifest import BackupId, Manifest, Sha256, UtcTime
from recovery.errors import DamagedObjectError, ObjectNotFoundError
from recovery.threads import side_by_side
from recovery.vault.vault import body_of, document
from rules.errors import AccessDeniedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from threading import Event

    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import BackupObject
    from recovery.clock import Clock
    from recovery.progress import Progress
    from recovery.vault.vault import Vault

log = logging.getLogger(__name__)

VERIFICATION = "verification.json"
INCONCLUSIVE_ERRORS = (AccessDeniedError, UnavailableError)


class Outcome(StrEnum):
    """``INCONCLUSIVE``: nothing was found wrong, but not everything that was to be looked at could be."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class VerificationRecord(BaseModel):
    """``verification.json`` beside a manifest: the content that a full verification found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    backup_id: BackupId
    seal: Sha256
    verified_at: UtcTime
    item_count: Annotated[int, Field(ge=0)]
    content_digest: Sha256
    digest_algorithm: str


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of the data files is read: one group of them, or some at random; nothing of either is none.

    ``group`` of ``groups``: file number ``group``, ``group + groups`` and so on, so that so many nights cover all;
    the one group of one is all of them. ``percent``: as many of them, chosen at random.
    """

    group: int = 0
    groups: int = 0
    percent: float = 0.0

    @property
    def name(self) -> str:
        """``listed``, ``full``, ``2/50`` or ``10%``."""
        if self.groups == 1:
            return "full"
        if self.groups:
            return f"{self.group}/{self.groups}"
        return f"{self.percent:g}%" if self.percent else "listed"

    def chosen(self, files: Sequence[BackupObject]) -> list[BackupObject]:
        """The data files to read."""
        if self.groups:
            return list(files[self.group - 1 :: self.groups])
        count = min(len(files), -int(-len(files) * self.percent // 100))
        return random.sample(list(files), count)


LISTED = Depth()
FULL = Depth(1, 1)


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification came to. ``problems`` name objects; ``content`` is known after a full one that passed."""

    backup: Manifest
    depth: str
    outcome: Outcome
    objects: int
    read: int
    problems: tuple[str, ...] = ()
    content: Content | None = None


def verify_backup(
    catalog: Catalog, backup: Manifest, depth: Depth, clock: Clock, progress: Progress
) -> Verification:
    """Verify one backup, and with it those that it continues. Never raises for what is wrong with the backup."""
    try:
        chain = catalog.chain(backup)
    except DamagedObjectError as error:
        return Verification(backup, depth.name, Outcome.FAIL, 0, 0, (str(error),))
    except INCONCLUSIVE_ERRORS as error:
        return Verification(backup, depth.name, Outcome.INCONCLUSIVE, 0, 0, (str(error),))
    looker = _Looker(catalog.vault, backup.backup_id, progress, digests=depth.groups == 1 and len(chain) == 1)
    for link in chain:
        looker.look_at_sizes(link)
        looker.look_into(link, [*_small(link), *depth.chosen(link.data_objects)])
    content = None
    if depth.groups == 1 and looker.outcome is Outcome.PASS:
        content = looker.content(catalog, backup, chain)
    if content is not None:
        _note(catalog.vault, backup, content, clock())
    return Verification(
        backup=backup,
        depth=depth.name,
        outcome=looker.outcome,
        objects=sum(len(link.objects) for link in chain),
        read=looker.read,
        problems=tuple(dict.fromkeys((*looker.problems, *looker.unread))),
        content=content,
    )


class _Looker:
    """Looks at objects, and goes on whatever it finds. ``digests``: the items of data files are digested on the way."""

    def __init__(self, vault: Vault, task: str, progress: Progress, *, digests: bool) -> None:
        self._vault = vault
        self._task = task
        self._progress = progress
        self._digests = digests
        self._total = ContentDigest()
        self._lock = threading.Lock()
        self.problems: list[str] = []
        self.unread: list[str] = []
        self.read = 0

    @property
    def outcome(self) -> Outcome:
        """So far."""
        return Outcome.FAIL if self.problems else Outcome.INCONCLUSIVE if self.unread else Outcome.PASS

    def look_at_sizes(self, backup: Manifest) -> None:
        """Whether every object is there in its size."""
        self.problems += _missing(self._vault, backup, _sizes(self._vault, backup, self.unread))

    def look_into(self, backup: Manifest, entries: Sequence[BackupObject]) -> None:
        """Read objects, several side by side."""

        def some(reader: int, _: Event) -> None:
            for entry in entries[reader::READERS]:
                self._look(backup, entry)

        if entries:
            side_by_side(min(READERS, len(entries)), some, "verify")

    def content(self, catalog: Catalog, backup: Manifest, chain: Sequence[Manifest]) -> Content | None:
        """What the backup holds, now that all of it is known to be whole. None where that does not add up."""
        try:
            found = self._total.content if self._digests else _content_of(catalog, backup)
        except DamagedObjectError as error:
            self.problems.append(str(error))
            return None
        except INCONCLUSIVE_ERRORS as error:
            self.unread.append(str(error))
            return None
        if len(chain) == 1 and found.item_count != backup.item_count:
            self.problems.append(
                f"{backup.folder}: {found.item_count} items, the manifest says {backup.item_count}"
            )
            return None
        return found

    def _look(self, backup: Manifest, entry: BackupObject) -> None:
        try:
            digest = self._read(backup, entry)
        except DamagedObjectError as error:
            with self._lock:
                self.problems.append(str(error))
                self.read += 1
        except INCONCLUSIVE_ERRORS as error:
            with self._lock:
                self.unread.append(str(error))
        else:
            with self._lock:
                self._total.merge(digest)
                self.read += 1
        self._progress.advance(self._task, entry.items or 0, entry.size)

    def _read(self, backup: Manifest, entry: BackupObject) -> ContentDigest:
        digest = ContentDigest()
        if self._digests and entry.items is not None:
            for items in checked_items(self._vault, backup, entry):
                add_to(digest, items, backup.place_of(self._vault, entry)[1])
        else:
            check_object(self._vault, backup, entry)
        return digest


def _content_of(catalog: Catalog, backup: Manifest) -> Content:
    with open_content(catalog, backup) as parts:
        return digest_parts(parts)


def known_content(catalog: Catalog, backup: Manifest) -> Content | None:
    """The content that a full verification of this very backup found, if there was one."""
    try:
        record = document(VerificationRecord, catalog.vault.get(backup.folder + VERIFICATION))
    except (ObjectNotFoundError, DamagedObjectError):
        return None
    if (record.seal, record.digest_algorithm) != (backup.seal, ALGORITHM):
        return None
    return Content(record.item_count, record.content_digest)


def _note(vault: Vault, backup: Manifest, content: Content, now: datetime) -> None:
    """Store what was found, in the place of what an earlier verification found."""
    if backup.seal is None:
        return
    record = VerificationRecord(
        backup_id=backup.backup_id,
        seal=backup.seal,
        verified_at=now,
        item_count=content.item_count,
        content_digest=content.digest,
        digest_algorithm=ALGORITHM,
    )
    try:
        vault.put(backup.folder + VERIFICATION, body_of(record))
    except AccessDeniedError as error:
        # Who may only read may verify all the same.
        log.warning("the verification is not noted: %s", error)


def _sizes(vault: Vault, backup: Manifest, unread: list[str]) -> dict[str, int] | None:
    """The sizes of the backup's objects by key, from listings; None where they may not be listed."""
    try:
        return {
            f"{place.location}/{info.key}": info.size
            for place, prefix in _folders(vault, backup)
            for info in place.list(prefix)
        }
    except INCONCLUSIVE_ERRORS as error:
        unread.append(str(error))
        return None


def _folders(vault: Vault, backup: Manifest) -> Iterator[tuple[Vault, str]]:
    """Where the objects lie: an adopted export may have a whole bucket around it."""
    yield vault, backup.folder
    if backup.data is not None:
        place = vault.at(backup.data.bucket, backup.data.prefix)
        for folder in sorted({entry.key.rpartition("/")[0] for entry in backup.objects}):
            if folder:
                yield place, f"{folder}/"


def _missing(vault: Vault, backup: Manifest, sizes: dict[str, int] | None) -> list[str]:
    """The objects that are not there or not in their size."""
    if sizes is None:
        return []
    found = []
    for entry in backup.objects:
        place, key = backup.place_of(vault, entry)
        size = sizes.get(f"{place.location}/{key}")
        if size is None:
            found.append(f"{key}: is missing")
        elif size != entry.size:
            found.append(f"{key}: holds {size} bytes, the manifest says {entry.size}")
    return found


def _small(backup: Manifest) -> Iterator[BackupObject]:
    return (entry for entry in backup.objects if entry.items is None)
