"""Size sanity: a table that lost many of its items since its last backup is a sign of data loss.

The backup is taken all the same, with a finding in its manifest; but the backups before it may be all that is
left of the data, so the table's retention is frozen until a person says that all is well.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from recovery.backups.manifest import BackupId, Finding, Manifest, TableIdentity, UtcTime
from recovery.errors import ConflictError, ObjectNotFoundError
from recovery.vault.vault import body_of, document

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.backups.catalog import Catalog
    from recovery.vault.vault import Vault

FREEZES = "freezes/"
# Changes are no count of the table; the last full backup is seldom further away than a week.
LOOKED_BACK = 30


class Freeze(BaseModel):
    """``freezes/<account>/<region>/<table>.json``: nothing of this table's backups may be pruned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    table: TableIdentity
    since: UtcTime
    backup_id: BackupId
    kept_backup_id: BackupId
    message: str

    @classmethod
    def of(cls, backup: Manifest, finding: Finding, now: datetime) -> Freeze:
        """The freeze for a finding about a backup."""
        return cls(
            table=backup.table,
            since=now,
            backup_id=backup.backup_id,
            kept_backup_id=finding.compared_with,
            message=finding.message,
        )


def shrinkage(catalog: Catalog, backup: Manifest, shrink_percent: float) -> Finding | None:
    """The finding that a new full backup holds that much less than the last full one of its table."""
    if backup.increment is not None:
        return None
    table = backup.table
    earlier = catalog.newest(table.account, table.region, table.name, LOOKED_BACK, backup.time).backups
    before = next((one for one in earlier if one.increment is None), None)
    if before is None or not before.item_count:
        return None
    lost = before.item_count - backup.item_count
    percent = 100 * lost / before.item_count
    if percent <= shrink_percent:
        return None
    return Finding(
        kind="shrunk",
        message=(
            f"{table.name} holds {backup.item_count:,} items, {percent:.0f}% fewer than the {before.item_count:,} "
            f"in backup {before.backup_id}"
        ),
        compared_with=before.backup_id,
        compared_at=before.time,
        items_before=before.item_count,
        items_now=backup.item_count,
    )


def freeze_retention(vault: Vault, freeze: Freeze) -> None:
    """Freeze a table's retention; an earlier freeze stays, for it keeps the older backup."""
    with suppress(ConflictError):
        vault.put_new(_key(freeze.table), body_of(freeze))


def frozen(vault: Vault, table: TableIdentity) -> Freeze | None:
    """The freeze of a table, if there is one. Raises DamagedObjectError."""
    try:
        return document(Freeze, vault.get(_key(table)))
    except ObjectNotFoundError:
        return None


def _key(table: TableIdentity) -> str:
    return f"{FREEZES}{table.account}/{table.region}/{table.name}.json"
