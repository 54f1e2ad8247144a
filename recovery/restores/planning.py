"""Making recovery plans, reading only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from recovery.backups.manifest import TableIdentity
from recovery.backups.verification import known_content
from recovery.definitions.definition import RUN_TAG, NotKnown, Settings
from recovery.definitions.surroundings import NOT_ASKED, Surroundings
from recovery.errors import BackupNotFoundError
from recovery.restores.engine import RestoreEngineName
from recovery.restores.plans import (
    COPY_SETTINGS_LEFT_OUT,
    DELETING,
    RESERVED_TAGS,
    RecoveryPlan,
    TableTarget,
    table_status,
    without,
)
from recovery.restores.points import PointKind, RecoveryPoint
from rules.errors import UnsafeError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.backups.catalog import Catalog
    from recovery.backups.manifest import Manifest
    from recovery.definitions.definition import TableDefinition

NO_DEFINITION = "the vault has no backup of the table to tell"


@dataclass(frozen=True, slots=True)
class RecoveryWish:
    """What is asked for: which table, from which backup (None: the latest), to where.

    ``account`` and ``region`` are those of the lost table. ``as_name`` "" keeps its name. ``elsewhere`` allows
    a target in another account or region than the backup's. ``as_copy``: the new table is no successor but a
    copy, even under the same name elsewhere. ``extra_tags`` are put on the new table. From ``deleted_at`` on
    a table of that name is another one: the latest backup is the latest from before.

    ``source``: a word of PointKind, "auto" for the least loss, "" for the latest backup of the vault. ``at``: as of
    that time. ``max_minutes`` bounds what "auto" takes. ``engine`` None: the one that fits. ``defer_indexes``: global
    indexes are added once the items are in. ``fills``: the table will be there, empty.
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
    source: str = ""
    at: datetime | None = None
    max_minutes: float | None = None
    engine: RestoreEngineName | None = None
    defer_indexes: bool = False
    fills: bool = False


def plan_recovery(aws: Aws, catalog: Catalog, wish: RecoveryWish) -> RecoveryPlan:
    """A plan from a backup of the vault, reading only.

    Raises BackupNotFoundError, DamagedObjectError, UnsafeError for a target elsewhere without leave.
    """
    listing = catalog.backups(wish.account, wish.region, wish.table)
    backup = (
        catalog.get(wish.account, wish.region, wish.table, wish.backup_id)
        if wish.backup_id
        else catalog.latest(wish.account, wish.region, wish.table, end_of_second(wish.deleted_at))
    )
    damaged = (
        f"a newer backup is damaged: {error}" for error in listing.damaged if error.key > backup.folder
    )
    findings = (
        f"{finding.message}; to take that one: --backup {finding.compared_with}"
        for finding in backup.findings
    )
    chain = catalog.chain(backup)
    content = known_content(catalog, backup)
    data_bytes = sum(link.data_bytes for link in chain)
    item_count = content.item_count if content else sum(link.item_count for link in chain)
    plan = _plan(
        aws,
        wish,
        catalog.definition(backup),
        backup,
        RecoveryPoint(
            kind=PointKind.VAULT,
            id=backup.backup_id,
            time=backup.time,
            item_count=item_count,
            size_bytes=data_bytes,
        ),
        backup.time,
    )
    return plan.model_copy(
        update={
            "item_count": item_count,
            "data_bytes": data_bytes,
            "vault_bytes": sum(link.size for link in chain),
            "content_digest": content.digest if content else None,
            "warnings": (*findings, *damaged, *plan.warnings),
        }
    )


def plan_native(
    aws: Aws, catalog: Catalog, wish: RecoveryWish, point: RecoveryPoint, moment: datetime
) -> RecoveryPlan:
    """A plan from a recovery point that AWS keeps, as of ``moment``; the vault's latest backup tells the settings.

    Raises DamagedObjectError, UnsafeError for a target elsewhere without leave.
    """
    try:
        backup = catalog.latest(wish.account, wish.region, wish.table, end_of_second(wish.deleted_at))
    except BackupNotFoundError:
        backup = None
    definition = catalog.definition(backup) if backup else None
    plan = _plan(aws, wish, definition, backup, point, moment)
    unknown = () if definition else (f"settings are as the restore leaves them: {NO_DEFINITION}",)
    return plan.model_copy(
        update={"engine": RestoreEngineName.RESTORE, "warnings": (*unknown, *plan.warnings)}
    )


def _plan(
    aws: Aws,
    wish: RecoveryWish,
    definition: TableDefinition | None,
    backup: Manifest | None,
    point: RecoveryPoint,
    moment: datetime,
) -> RecoveryPlan:
    """What all plans have in common; sizes are those of the point."""
    target = _target(aws, wish)
    if (target.account, target.region) != (wish.account, wish.region) and not wish.elsewhere:
        raise UnsafeError(
            f"the backup is of {wish.account}/{wish.region}, but the credentials at hand are for "
            f"{target.account}/{target.region}",
            hint="Use the right --profile and --region, or allow it with --elsewhere.",
        )
    copy = wish.as_copy or target.name != wish.table
    settings = definition.settings if definition else unknown_settings(NO_DEFINITION)
    around = definition.surroundings if definition else Surroundings.not_asked()
    tags = {
        key: value
        for key, value in (definition.tags if definition else {}).items()
        if not key.startswith(RESERVED_TAGS) and key != RUN_TAG
    }
    status = table_status(aws, target.name)
    loss = (wish.deleted_at - moment).total_seconds() if wish.deleted_at else None
    return RecoveryPlan(
        backup_id=backup.backup_id if backup else "",
        backup_time=moment,
        source=backup.table if backup else _identity(wish),
        target=target,
        point=point,
        item_count=point.item_count or 0,
        data_bytes=point.size_bytes or 0,
        vault_bytes=0,
        create_table={**definition.create_table, "TableName": target.name} if definition else {},
        tags={**tags, **dict(wish.extra_tags)},
        settings=without(settings, COPY_SETTINGS_LEFT_OUT) if copy else settings,
        surroundings=Surroundings.not_asked() if copy else around,
        deleted_at=wish.deleted_at,
        loss_seconds=None if loss is None else max(0.0, loss),
        target_exists=status not in {None, DELETING} and not wish.fills,
        fills=wish.fills,
        warnings=(
            *(_definition_warnings(definition, copy=copy) if definition else ()),
            *(("the lost table is still being deleted: the recovery waits until it is gone",)
              if status == DELETING else ()),
        ),
    )  # fmt: skip


def unknown_settings(reason: str) -> Settings:
    """The settings of a table of which nobody knows any."""
    return Settings(**dict.fromkeys(Settings.model_fields, NotKnown(reason=reason)))


def _identity(wish: RecoveryWish) -> TableIdentity:
    arn = f"arn:aws:dynamodb:{wish.region}:{wish.account}:table/{wish.table}"
    return TableIdentity(account=wish.account, region=wish.region, name=wish.table, arn=arn, table_id="")


def _target(aws: Aws, wish: RecoveryWish) -> TableTarget:
    name = wish.as_name or wish.table
    try:
        return TableTarget(account=aws.account, region=aws.region, name=name)
    except ValidationError as error:
        raise UsageError(
            f"not a table name: {name!r}", hint="3 to 255 of: letters, digits, underscore, dot, hyphen."
        ) from error


def _definition_warnings(definition: TableDefinition, *, copy: bool) -> list[str]:
    told = [
        f"not recovered, because it could not be read at backup: {name} ({why})"
        for name, why in definition.unknown.items()
        if name in Settings.model_fields
    ]
    if copy:
        told += _copy_warnings(definition)
    unread = [
        name for name, found in definition.surroundings if isinstance(found, NotKnown) and found != NOT_ASKED
    ]
    if unread:
        told.append(f"could not be read at backup: {', '.join(unread).replace('_', ' ')}")
    return told


def _copy_warnings(definition: TableDefinition) -> list[str]:
    left_out = [
        name.replace("_", " ")
        for name in COPY_SETTINGS_LEFT_OUT
        if not isinstance(setting := getattr(definition.settings, name), NotKnown) and setting.value
    ]
    left_out += definition.surrounded_by
    return [f"left out in a copy: {', '.join(left_out)}"] if left_out else []


def end_of_second(moment: datetime | None) -> datetime | None:
    """CloudTrail cuts times to whole seconds; a backup of that very second is from before the deletion."""
    return None if moment is None or moment.microsecond else moment + timedelta(seconds=1)
