"""The documents of a repair in the vault: ``repairs/<account>/<region>/<table>/<repair id>/``.

```
repair.json                what is to be done, and who began it: sealed, written first
parts/000001.json.gz       the images of a batch, before it is applied
results/000001.json        what became of the batch
result.json                what the repair came to: sealed, written last
undo/000001.json           what became of the batch when it was undone
undone.json                what the undoing came to: sealed, written last
```
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from recovery.backups.manifest import BackupId, Sha256, TableIdentity, UtcTime, seal_of
from recovery.clock import compact
from recovery.errors import DamagedObjectError
from recovery.repairs.differences import Kind
from recovery.restores.plans import TableTarget
from recovery.vault.vault import body_of, document

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.vault.vault import StoredObject, Vault

REPAIRS = "repairs/"
HEADER, RESULT, UNDONE = "repair.json", "result.json", "undone.json"
RepairId = Annotated[str, Field(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{8}$")]
Count = Annotated[int, Field(ge=0)]


class Selection(BaseModel):
    """Which differences are put back. ``keys_digest`` is the SHA-256 over the wanted keys, "" for all keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = (Kind.REMOVED, Kind.CHANGED)
    where: str = ""
    keys: Count | None = None
    keys_digest: str = ""

    @property
    def deletes(self) -> bool:
        """Whether items are deleted that the backup does not have."""
        return Kind.ADDED in self.kinds


class RepairPlan(BaseModel):
    """What a repair will do, as data: shown by ``--dry-run``, executed by apply.

    ``to_put_back`` (removed items), ``to_overwrite`` (changed ones) and ``to_delete`` (added ones) count what was
    selected; ``data_bytes`` are those of the backup's images. ``journal`` is the folder that apply writes to, for
    people with the vault's location before it. ``sample_keys``: some of the keys, in DynamoDB JSON. ``not_asked``:
    differences that were found and not selected; ``unknown_keys``: asked for by key, and on neither side.
    ``resumes``: this very repair was begun before and is continued.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    repair_id: RepairId
    backup_id: BackupId
    backup_time: UtcTime
    source: TableIdentity
    target: TableTarget
    selection: Selection
    to_put_back: Count
    to_overwrite: Count
    to_delete: Count
    data_bytes: Count
    not_asked: Count = 0
    unknown_keys: Count = 0
    journal: str
    sample_keys: tuple[dict[str, Any], ...] = ()
    resumes: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def writes(self) -> int:
        """How many items will be written or deleted."""
        return self.to_put_back + self.to_overwrite + self.to_delete

    @property
    def folder(self) -> str:
        """``repairs/<account>/<region>/<table>/<repair id>/``."""
        return f"{folder_of(self.target)}{self.repair_id}/"


class _Sealed(BaseModel):
    """A document with a seal over all the rest of it; ``seal`` tells accidents, not forgers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seal: Sha256 | None = None

    def sealed(self) -> Self:
        """The same with its seal filled in."""
        return self.model_copy(update={"seal": seal_of(self.model_dump(mode="json"))})


class RepairHeader(_Sealed):
    """``repair.json``."""

    format_version: Literal[1] = 1
    plan: RepairPlan
    started_by: str
    started_at: UtcTime
    tool_version: str


class PartResult(BaseModel):
    """What became of one part of the journal. ``refused``: numbers of the steps, from 0, whose items had changed.

    ``written``: items that are now what they should be, ``already`` of them by an earlier run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    part: Annotated[int, Field(ge=1)]
    written: Count
    already: Count
    refused: tuple[Count, ...] = ()


class RepairResult(_Sealed):
    """``result.json`` and ``undone.json``. ``verified`` of the written items were read back and found as written."""

    format_version: Literal[1] = 1
    repair_id: RepairId
    parts: Count
    written: Count
    already: Count
    refused: Count
    verified: Count
    ended_at: UtcTime


def folder_of(target: TableTarget) -> str:
    """Where the repairs of a table lie."""
    return f"{REPAIRS}{target.account}/{target.region}/{target.name}/"


def new_repair_id(now: datetime) -> str:
    """``20261123T020000Z-<8 hex digits>``: sorts by time."""
    return f"{compact(now)}-{secrets.token_hex(4)}"


def put_sealed(vault: Vault, key: str, model: RepairHeader | RepairResult) -> None:
    """Write a document that must not be there yet. Raises ConflictError."""
    vault.put_new(key, body_of(model.sealed()))


def header_of(stored: StoredObject) -> RepairHeader:
    """A header, its seal compared. Raises DamagedObjectError."""
    header = document(RepairHeader, stored)
    _compare_seal(stored, header.seal)
    return header


def result_of(stored: StoredObject) -> RepairResult:
    """A result, its seal compared. Raises DamagedObjectError."""
    result = document(RepairResult, stored)
    _compare_seal(stored, result.seal)
    return result


def _compare_seal(stored: StoredObject, seal: str | None) -> None:
    if seal != seal_of(json.loads(stored.body)):
        raise DamagedObjectError(stored.key, "was changed after it was written: its seal does not fit")
