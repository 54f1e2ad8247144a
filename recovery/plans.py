"""Recovery plans: what a recovery will do, as data. Shown by ``--dry-run``, executed by apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.aws import aws_errors
from recovery.definition import NotKnown, Settings
from recovery.errors import TableNotFoundError
from recovery.manifest import Manifest, TableIdentity, TableName, UtcTime
from rules.errors import UnsafeError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.catalog import Catalog
    from recovery.definition import TableDefinition

# These follow a table's own life; a copy under another name, in testing, is better off without them.
COPY_SETTINGS_LEFT_OUT = ("stream", "pitr", "resource_policy", "deletion_protection")
RESERVED_TAGS = "aws:"


class TableTarget(BaseModel):
    """Where a table is to be brought back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    name: TableName


class RecoveryPlan(BaseModel):
    """One table from one backup into one new table.

    ``create_table`` is the CreateTable request as it will be sent, less the tag of the run; ``settings`` go on
    after the data is in and verified. ``loss_seconds``: from the backup to the deletion, None where the time
    of the deletion is unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    backup_id: str
    backup_time: UtcTime
    source: TableIdentity
    target: TableTarget
    engine: Literal["write"] = "write"
    item_count: int
    data_bytes: int
    vault_bytes: int
    content_digest: str
    create_table: dict[str, Any]
    tags: dict[str, str]
    settings: Settings
    deleted_at: UtcTime | None = None
    loss_seconds: float | None = None
    target_exists: bool
    warnings: tuple[str, ...] = ()

    @property
    def under_own_name(self) -> bool:
        """Whether the table comes back where it was."""
        return (self.source.account, self.source.region, self.source.name) == (
            self.target.account,
            self.target.region,
            self.target.name,
        )


@dataclass(frozen=True, slots=True)
class RecoveryWish:
    """What is asked for: which table, from which backup (None: the latest), to where.

    ``account`` and ``region`` are those of the lost table. ``as_name`` "" keeps its name. ``elsewhere`` allows
    a target in another account or region than the backup's. ``extra_tags`` are put on the new table.
    """

    table: str
    account: str
    region: str
    backup_id: str = ""
    as_name: str = ""
    elsewhere: bool = False
    deleted_at: datetime | None = None
    extra_tags: tuple[tuple[str, str], ...] = ()


def plan_recovery(aws: Aws, catalog: Catalog, wish: RecoveryWish) -> RecoveryPlan:
    """Make the plan, reading only.

    Raises BackupNotFoundError, DamagedObjectError, UnsafeError for a target elsewhere without leave.
    """
    listing = catalog.backups(wish.account, wish.region, wish.table)
    backup = (
        catalog.get(wish.account, wish.region, wish.table, wish.backup_id)
        if wish.backup_id
        else catalog.latest(wish.account, wish.region, wish.table)
    )
    definition = catalog.definition(backup)
    target = TableTarget(account=aws.account, region=aws.region, name=wish.as_name or wish.table)
    if (target.account, target.region) != (wish.account, wish.region) and not wish.elsewhere:
        raise UnsafeError(
            f"the backup is of {wish.account}/{wish.region}, but the credentials at hand are for "
            f"{target.account}/{target.region}",
            hint="Use the right --profile and --region, or allow it with --elsewhere.",
        )
    renamed = target.name != wish.table
    settings = without(definition.settings, COPY_SETTINGS_LEFT_OUT) if renamed else definition.settings
    tags = {key: value for key, value in definition.tags.items() if not key.startswith(RESERVED_TAGS)}
    loss = (wish.deleted_at - backup.time).total_seconds() if wish.deleted_at else None
    return RecoveryPlan(
        backup_id=backup.backup_id,
        backup_time=backup.time,
        source=backup.table,
        target=target,
        item_count=backup.item_count,
        data_bytes=backup.data_bytes,
        vault_bytes=backup.size,
        content_digest=backup.content_digest,
        create_table={**definition.create_table, "TableName": target.name},
        tags={**tags, **dict(wish.extra_tags)},
        settings=settings,
        deleted_at=wish.deleted_at,
        loss_seconds=None if loss is None else max(0.0, loss),
        target_exists=table_exists(aws, target.name),
        warnings=(
            *(f"not recovered, because it could not be read at backup: {name} ({why})"
              for name, why in definition.unknown.items()),
            *(f"a newer backup is damaged: {error}" for error in listing.damaged if error.key > backup.folder),
            *_renamed_warnings(definition, renamed=renamed),
        ),
    )  # fmt: skip


def _renamed_warnings(definition: TableDefinition, *, renamed: bool) -> list[str]:
    if not renamed:
        return []
    left_out = [
        name
        for name in COPY_SETTINGS_LEFT_OUT
        if not isinstance(setting := getattr(definition.settings, name), NotKnown) and setting.value
    ]
    return [f"left out in a copy under another name: {', '.join(left_out)}"] if left_out else []


def without(settings: Settings, names: tuple[str, ...]) -> Settings:
    """A copy of the settings with some of them absent."""
    absent = {name: {"state": "known", "value": None} for name in names}
    return Settings.model_validate({**settings.model_dump(), **absent})


def table_exists(aws: Aws, name: str) -> bool:
    """Whether there is a table of that name, in whatever state."""
    try:
        with aws_errors(f"describe table {name}"):
            aws.dynamodb().describe_table(TableName=name)
    except TableNotFoundError:
        return False
    return True


def backup_of(catalog: Catalog, plan: RecoveryPlan) -> Manifest:
    """The manifest that a plan was made from. Raises BackupNotFoundError, DamagedObjectError."""
    source = plan.source
    return catalog.get(source.account, source.region, source.name, plan.backup_id)
