"""A backup's manifest: written once, last. While it is not there, there is no backup."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from recovery.clock import compact

if TYPE_CHECKING:
    from recovery.vault.vault import Vault

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
BackupId = Annotated[str, Field(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{8}$")]
TableName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$")]


def _relative(key: str) -> str:
    """Keys come out of the vault and are joined to prefixes: none may climb out of the backup's folder."""
    if key.startswith("/") or {"", ".", ".."} & set(key.split("/")):
        raise ValueError("not a relative key")
    return key


RelativeKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$"), AfterValidator(_relative)]

BACKUPS = "backups/"
MANIFEST = "manifest.json"
TABLE_DEFINITION = "table.json"


class TableIdentity(BaseModel):
    """Which table, where. ``table_id`` is DynamoDB's TableId, "" where an engine gives none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    name: TableName
    arn: str
    table_id: str = ""

    @property
    def folder(self) -> str:
        """``backups/<account>/<region>/<table>/``."""
        return f"{BACKUPS}{self.account}/{self.region}/{self.name}/"


class Consistency(BaseModel):
    """What the data promises. A scan is consistent per item only, somewhere between the two times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["per-item", "point-in-time"]
    started: UtcTime
    ended: UtcTime


class BackupObject(BaseModel):
    """One object of the backup, its key relative to the backup's folder (or to ``Manifest.data``).

    ``items`` for data files only: items, or changes where the backup is incremental. ``sha256`` is missing
    where the data was written by DynamoDB itself, which tells an MD5 (base64) instead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: RelativeKey
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256 | None = None
    md5: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{22}==$")] | None = None
    items: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _some_hash(self) -> Self:
        if self.sha256 is None and self.md5 is None:
            raise ValueError("neither sha256 nor md5")
        return self


def definition_entry(body: bytes) -> BackupObject:
    """The entry of a backup's ``table.json``."""
    return BackupObject(key=TABLE_DEFINITION, size=len(body), sha256=hashlib.sha256(body).hexdigest())


class DataLocation(BaseModel):
    """Where data lies that was adopted in its place: all objects but the table definition."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    prefix: str = ""


class Increment(BaseModel):
    """What an incremental backup continues: the changes of a window after the backup ``base_id``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_id: BackupId
    changed_from: UtcTime
    changed_to: UtcTime


class Finding(BaseModel):
    """Something about a backup that a person should look at before trusting that all is well."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["shrunk"]
    verdict: Literal["suspicious"] = "suspicious"
    message: str
    compared_with: str
    compared_at: UtcTime
    items_before: int
    items_now: int


class Manifest(BaseModel):
    """``manifest.json``: all that is needed to trust, find and restore the backup.

    ``item_count`` and ``data_bytes`` (of the items, as their engine counts them, before packing) are those of
    the changes where ``increment`` is set. ``seal`` is the SHA-256 over the rest of the document.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    backup_id: BackupId
    table: TableIdentity
    engine: str
    consistency: Consistency
    item_count: Annotated[int, Field(ge=0)]
    data_bytes: Annotated[int, Field(ge=0)]
    consumed_read_units: float
    export_id: RelativeKey
    objects: tuple[BackupObject, ...]
    data: DataLocation | None = None
    increment: Increment | None = None
    findings: tuple[Finding, ...] = ()
    tool_version: str
    seal: Sha256 | None = None

    @property
    def folder(self) -> str:
        """``backups/<account>/<region>/<table>/<backup id>/``."""
        return f"{self.table.folder}{self.backup_id}/"

    @property
    def time(self) -> datetime:
        """The time to which the backup brings a table back for certain: when reading began."""
        return self.consistency.started

    @property
    def data_objects(self) -> tuple[BackupObject, ...]:
        """The data files, in order."""
        return tuple(entry for entry in self.objects if entry.items is not None)

    def place_of(self, vault: Vault, entry: BackupObject) -> tuple[Vault, str]:
        """The vault and key under which an object is found."""
        if self.data is None or entry.key == TABLE_DEFINITION:
            return vault, self.folder + entry.key
        return vault.at(self.data.bucket, self.data.prefix), entry.key

    def sealed(self) -> Manifest:
        """The same with its seal filled in."""
        return self.model_copy(update={"seal": seal_of(self.model_dump(mode="json"))})

    @property
    def size(self) -> int:
        """Bytes in the vault."""
        return sum(entry.size for entry in self.objects)


def seal_of(document: dict[str, Any]) -> str:
    """The seal of a manifest as it was written, whatever is known of its fields. ``seal`` itself does not count."""
    rest = {name: value for name, value in document.items() if name != "seal"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def new_backup_id(now: datetime) -> str:
    """``20261123T020000Z-<8 hex digits>``: sorts by time, and never meets another one."""
    return f"{compact(now)}-{secrets.token_hex(4)}"
