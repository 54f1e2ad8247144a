"""Recovery plans: what a recovery will do, as data. Shown by ``--dry-run``, executed by apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.backups.manifest import Manifest, TableIdentity, TableName, UtcTime
from recovery.definitions.definition import Known, Settings, describe_table
from recovery.definitions.putting import Wanted
from recovery.definitions.surroundings import Surroundings
from recovery.errors import TableNotFoundError
from recovery.restores.engine import RestoreEngineName
from recovery.restores.points import PointKind, RecoveryPoint

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog

# These follow a table's own life; a copy under another name, in testing, is better off without them.
COPY_SETTINGS_LEFT_OUT = ("stream", "pitr", "resource_policy", "deletion_protection")
RESERVED_TAGS = "aws:"
CREATING = "CREATING"
DELETING = "DELETING"


class TableTarget(BaseModel):
    """Where a table is to be brought back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    name: TableName

    @property
    def deletion(self) -> str:
        """What deletes the table by hand, for a shell; neither name has anything in it that a shell would read."""
        return f"aws dynamodb delete-table --region {self.region} --table-name {self.name}"


class EngineOption(BaseModel):
    """One way of getting the data in, with estimates; ``not_offered`` says why it cannot be had, "" where it can."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: RestoreEngineName
    seconds: float | None = None
    dollars: float | None = None
    not_offered: str = ""


class RecoveryPlan(BaseModel):
    """One table from one recovery point into one new table.

    ``point`` is what it comes from, with its own time; ``backup_time`` is the moment that is restored. The backup of
    ``backup_id`` is that point where it is of the vault, and else where definition and settings come from, "" where
    the vault has none. ``points``: every recovery point that was found, ``points_unread`` whose could not be looked at
    and why; ``better`` says, a line each, which would lose less and what to type for it.

    ``create_table`` is the CreateTable request that the table shall equal in the end; ``created_as`` the one that is
    sent, less the tag of the run, where it differs: more capacity for the load, indexes that come later. Settings and
    surroundings go on after the data is in and verified. ``content_digest`` is known where the backup was fully
    verified before; where it is not, the backup is digested while it is checked, and for one that continues another
    ``item_count`` is then an upper bound. ``item_count`` and ``data_bytes`` are 0 where nobody knows.
    ``loss_seconds``: from the moment that is restored to the deletion, None where the time of the deletion is unknown.
    ``seconds`` and ``dollars`` are estimates. ``fills``: the table is there by then, empty, for its stack has made it.
    ``afterwards``: what the table's stack needs, a line each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    backup_id: str
    backup_time: UtcTime
    source: TableIdentity
    target: TableTarget
    point: RecoveryPoint
    points: tuple[RecoveryPoint, ...] = ()
    points_unread: dict[str, str] = {}
    better: tuple[str, ...] = ()
    engine: RestoreEngineName = RestoreEngineName.WRITE
    engine_why: str = ""
    engine_options: tuple[EngineOption, ...] = ()
    seconds: float | None = None
    dollars: float | None = None
    item_count: int
    data_bytes: int
    vault_bytes: int
    content_digest: str | None = None
    create_table: dict[str, Any]
    created_as: dict[str, Any] | None = None
    tags: dict[str, str]
    settings: Settings
    surroundings: Surroundings = Surroundings.not_asked()
    deleted_at: UtcTime | None = None
    loss_seconds: float | None = None
    target_exists: bool
    fills: bool = False
    warnings: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()

    @property
    def from_vault(self) -> bool:
        """Whether the data comes out of the vault: it can be checked before and compared afterwards."""
        return self.point.kind is PointKind.VAULT

    @property
    def create_request(self) -> dict[str, Any]:
        """The CreateTable request as it is sent."""
        return self.created_as or self.create_table

    @property
    def under_own_name(self) -> bool:
        """Whether the table comes back where it was."""
        return (self.source.account, self.source.region, self.source.name) == (
            self.target.account,
            self.target.region,
            self.target.name,
        )


def wanted_of(plan: RecoveryPlan) -> Wanted:
    """What the settings pass is to put on the plan's table."""
    tags = Known(value=plan.tags)
    return Wanted(
        table=plan.target.name,
        create_table=plan.create_table,
        settings=plan.settings.model_copy(update={"tags": tags}),
        surroundings=plan.surroundings,
        source=plan.source,
    )


def without(settings: Settings, names: tuple[str, ...]) -> Settings:
    """A copy of the settings with some of them absent."""
    absent = {name: {"state": "known", "value": None} for name in names}
    return Settings.model_validate({**settings.model_dump(), **absent})


def table_exists(aws: Aws, name: str) -> bool:
    """Whether there is a table of that name, in whatever state."""
    return table_status(aws, name) is not None


def table_status(aws: Aws, name: str) -> str | None:
    """The table's status as AWS spells it, None where there is no such table."""
    try:
        return describe_table(aws.dynamodb(), name)["TableStatus"]
    except TableNotFoundError:
        return None


def backup_of(catalog: Catalog, plan: RecoveryPlan) -> Manifest:
    """The manifest that a plan was made from. Raises BackupNotFoundError, DamagedObjectError."""
    source = plan.source
    return catalog.get(source.account, source.region, source.name, plan.backup_id)
