"""Verifying a backup: whether all of it is there, and is what its manifest says.

Three depths. *Listed*: every object is there in its size, and the small ones are read and hashed. *Sampled*:
some of the data files are read, too. *Full*: everything is read, hashed, counted and digested, and what was found
is noted beside the manifest, so that a recovery need not digest the backup again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.content import check_content, check_object
from recovery.digest import ALGORITHM, Content
from recovery.errors import DamagedObjectError, ObjectNotFoundError
from recovery.manifest import BackupId, Manifest, Sha256, UtcTime
from recovery.vault import body_of, document
from rules.errors import AccessDeniedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from recovery.catalog import Catalog
    from recovery.clock import Clock
    from recovery.manifest import BackupObject
    from recovery.progress import Progress
    from recovery.vault import Vault

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
    """How much of the data files is read: ``every`` one of ``groups`` (0: none, 1: all of them) or at random.

    ``group`` of ``groups``: file number ``group``, ``group + groups`` and so on, so that so many nights cover all.
    ``percent``: as many of them, chosen at random.
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
    objects = sum(len(link.objects) for link in chain)
    problems: list[str] = []
    unread: list[str] = []
    read = 0
    for link in chain:
        sizes = _sizes(catalog.vault, link, unread)
        problems += _missing(catalog.vault, link, sizes)
        if link.increment is None and link is backup and depth.groups == 1:
            continue  # read below, in one pass
        for entry in (*_small(link), *depth.chosen(link.data_objects)):
            read += _read(catalog.vault, link, entry, problems, unread)
            progress.advance(backup.backup_id, entry.items or 0, entry.size)
    content = None
    if depth.groups == 1 and not problems and not unread:
        content, found = _full(catalog, backup, clock, progress)
        problems += found[0]
        unread += found[1]
        read = objects
    outcome = Outcome.FAIL if problems else Outcome.INCONCLUSIVE if unread else Outcome.PASS
    return Verification(
        backup, depth.name, outcome, objects, read, tuple(dict.fromkeys((*problems, *unread))), content
    )


def known_content(catalog: Catalog, backup: Manifest) -> Content | None:
    """The content that a full verification of this very backup found, if there was one."""
    try:
        record = document(VerificationRecord, catalog.vault.get(backup.folder + VERIFICATION))
    except (ObjectNotFoundError, DamagedObjectError):
        return None
    if (record.seal, record.digest_algorithm) != (backup.seal, ALGORITHM):
        return None
    return Content(record.item_count, record.content_digest)


def _full(
    catalog: Catalog, backup: Manifest, clock: Clock, progress: Progress
) -> tuple[Content | None, tuple[list[str], list[str]]]:
    """The content, or what is damaged and what could not be read."""

    def told(items: int, size_bytes: int) -> None:
        progress.advance(backup.backup_id, items, size_bytes)

    try:
        content = check_content(catalog, backup, told)
    except DamagedObjectError as error:
        return None, ([str(error)], [])
    except INCONCLUSIVE_ERRORS as error:
        return None, ([], [str(error)])
    if backup.increment is None and content.item_count != backup.item_count:
        text = f"{backup.folder}: {content.item_count} items, the manifest says {backup.item_count}"
        return None, ([text], [])
    _note(catalog.vault, backup, content, clock())
    return content, ([], [])


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
    vault.put(backup.folder + VERIFICATION, body_of(record))


def _sizes(vault: Vault, backup: Manifest, unread: list[str]) -> dict[str, int] | None:
    """The sizes of the backup's objects by key, from listings; None where they may not be listed."""
    places = {place.location: (place, prefix) for place, prefix in _prefixes(vault, backup)}
    try:
        return {
            f"{place.location}/{info.key}": info.size
            for place, prefix in places.values()
            for info in place.list(prefix)
        }
    except INCONCLUSIVE_ERRORS as error:
        unread.append(str(error))
        return None


def _prefixes(vault: Vault, backup: Manifest) -> Iterator[tuple[Vault, str]]:
    yield vault, backup.folder
    if backup.data is not None:
        yield vault.at(backup.data.bucket, backup.data.prefix), ""


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


def _read(vault: Vault, backup: Manifest, entry: BackupObject, problems: list[str], unread: list[str]) -> int:
    """Read one object; 1 if it could be."""
    try:
        check_object(vault, backup, entry)
    except DamagedObjectError as error:
        problems.append(str(error))
    except INCONCLUSIVE_ERRORS as error:
        unread.append(str(error))
        return 0
    return 1
