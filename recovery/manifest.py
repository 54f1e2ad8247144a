"""A backup's manifest: written once, last. While it is not there, there is no backup."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from recovery.clock import compact

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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
    """One object of the backup, its key relative to the backup's folder. ``items`` for data files only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: RelativeKey
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256
    items: Annotated[int, Field(ge=0)] | None = None


class Manifest(BaseModel):
    """``manifest.json``: all that is needed to trust, find and restore the backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    backup_id: Annotated[str, Field(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{8}$")]
    table: TableIdentity
    engine: str
    consistency: Consistency
    item_count: Annotated[int, Field(ge=0)]
    data_bytes: Annotated[int, Field(ge=0)]
    content_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    digest_algorithm: str
    consumed_read_units: float
    export_id: RelativeKey
    objects: tuple[BackupObject, ...]
    tool_version: str

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

    @property
    def size(self) -> int:
        """Bytes in the vault."""
        return sum(entry.size for entry in self.objects)


def new_backup_id(now: datetime) -> str:
    """``20261123T020000Z-<8 hex digits>``: sorts by time, and never meets another one."""
    return f"{compact(now)}-{secrets.token_hex(4)}"
