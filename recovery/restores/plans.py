"""Recovery plans: what a recovery will do, as data. Shown by ``--dry-run``, executed by apply."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recovery.backups.manifest import Manifest, TableIdentity, TableName, UtcTime
from recovery.backups.verification import known_content
from recovery.definitions.definition import RUN_TAG, NotKnown, Settings, describe_table
from recovery.definitions.surroundings import NOT_ASKED, Surroundings
from recovery.errors import TableNotFoundError
from recovery.restores.engine import RestoreEngineName
from recovery.restores.points import PointKind, RecoveryPoint
from rules.errors import UnsafeError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.definitions.definition import TableDefinition

# These follow a table's own life; a copy under another name, in testing, is better off without them.
COPY_SETTINGS_LEFT_OUT = ("stream", "pitr", "resource_policy", "deletion_protection")
RESERVED_TAGS = "aws:"
DELETING = "DELETING"


class TableTarget(BaseModel):
    """Where a table is to be brought back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    name: TableName


class RecoveryPlan(BaseModel):
    """One table from one backup into one new table.

    ``create_table`` is the CreateTable request as it will be sent, less the tag of the run; ``settings`` go on
    after the data is in and verified. ``content_digest`` is known where the backup was fully verified before;
    where it is not, the backup is digested while it is checked, and for one that continues another
    ``item_count`` is then an upper bound. ``loss_seconds``: from the backup to the deletion, None where the time
    of the deletion is unknown. ``point``: what it is recovered from; the backup of ``backup_id`` is that point where
    it is of the vault, and else where the definition comes from ("" where there is none).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    backup_id: str
    backup_time: UtcTime
    source: TableIdentity
    target: TableTarget
    point: RecoveryPoint
    engine: RestoreEngineName = RestoreEngineName.WRITE
    engine_why: str = ""
    item_count: int
    data_bytes: int
    vault_bytes: int
    content_digest: str | None = None
    create_table: dict[str, Any]
    tags: dict[str, str]
    settings: Settings
    surroundings: Surroundings = Surroundings.not_asked()
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
    a target in another account or region than the backup's. ``as_copy``: the new table is no successor but a
    copy, even under the same name elsewhere. ``extra_tags`` are put on the new table. From ``deleted_at`` on
    a table of that name is another one: the latest backup is the latest from before.
    """

    table: str
    account: str
    region: str
    backup_id: str = ""
    as_name: str = ""
    elsewhere: bool = False
    as_copy: bool = False
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
        else catalog.latest(wish.account, wish.region, wish.table, _end_of_second(wish.deleted_at))
    )
    definition = catalog.definition(backup)
    chain = catalog.chain(backup)
    content = known_content(catalog, backup)
    target = _target(aws, wish)
    if (target.account, target.region) != (wish.account, wish.region) and not wish.elsewhere:
        raise UnsafeError(
            f"the backup is of {wish.account}/{wish.region}, but the credentials at hand are for "
            f"{target.account}/{target.region}",
            hint="Use the right --profile and --region, or allow it with --elsewhere.",
        )
    copy = wish.as_copy or target.name != wish.table
    settings = without(definition.settings, COPY_SETTINGS_LEFT_OUT) if copy else definition.settings
    tags = {
        key: value
        for key, value in definition.tags.items()
        if not key.startswith(RESERVED_TAGS) and key != RUN_TAG
    }
    status = table_status(aws, target.name)
    loss = (wish.deleted_at - backup.time).total_seconds() if wish.deleted_at else None
    data_bytes = sum(link.data_bytes for link in chain)
    item_count = content.item_count if content else sum(link.item_count for link in chain)
    return RecoveryPlan(
        point=RecoveryPoint(
            kind=PointKind.VAULT,
            id=backup.backup_id,
            time=backup.time,
            item_count=item_count,
            size_bytes=data_bytes,
        ),
        surroundings=Surroundings.not_asked() if copy else definition.surroundings,
        backup_id=backup.backup_id,
        backup_time=backup.time,
        source=backup.table,
        target=target,
        item_count=item_count,
        data_bytes=data_bytes,
        vault_bytes=sum(link.size for link in chain),
        content_digest=content.digest if content else None,
        create_table={**definition.create_table, "TableName": target.name},
        tags={**tags, **dict(wish.extra_tags)},
        settings=settings,
        deleted_at=wish.deleted_at,
        loss_seconds=None if loss is None else max(0.0, loss),
        target_exists=status not in {None, DELETING},
        warnings=(
            *(f"not recovered, because it could not be read at backup: {name} ({why})"
              for name, why in definition.unknown.items() if name in Settings.model_fields),
            *(f"{finding.message}; to take that one: --backup {finding.compared_with}"
              for finding in backup.findings),
            *(f"a newer backup is damaged: {error}" for error in listing.damaged if error.key > backup.folder),
            *(_copy_warnings(definition) if copy else ()),
            *_lost_warnings(definition),
            *(("the lost table is still being deleted: the recovery waits until it is gone",)
              if status == DELETING else ()),
        ),
    )  # fmt: skip


def _target(aws: Aws, wish: RecoveryWish) -> TableTarget:
    name = wish.as_name or wish.table
    try:
        return TableTarget(account=aws.account, region=aws.region, name=name)
    except ValidationError as error:
        raise UsageError(
            f"not a table name: {name!r}", hint="3 to 255 of: letters, digits, underscore, dot, hyphen."
        ) from error


def _lost_warnings(definition: TableDefinition) -> list[str]:
    """What belongs to the table and is in its backup, but is not put back."""
    left = definition.not_put_back
    unknown = [
        name for name, found in definition.surroundings if isinstance(found, NotKnown) and found != NOT_ASKED
    ]
    told = [f"not put back, see `safetynet backup show`: {', '.join(left)}"] if left else []
    if unknown:
        told.append(f"could not be read at backup: {', '.join(unknown).replace('_', ' ')}")
    return told


def _copy_warnings(definition: TableDefinition) -> list[str]:
    left_out = [
        name
        for name in COPY_SETTINGS_LEFT_OUT
        if not isinstance(setting := getattr(definition.settings, name), NotKnown) and setting.value
    ]
    return [f"left out in a copy: {', '.join(left_out)}"] if left_out else []


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


def _end_of_second(moment: datetime | None) -> datetime | None:
    """CloudTrail cuts times to whole seconds; a backup of that very second is from before the deletion."""
    return None if moment is None or moment.microsecond else moment + timedelta(seconds=1)
