"""Plans for recovery points of AWS's own keeping, made by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from recovery.backups.manifest import TableIdentity
from recovery.definitions.definition import Known, Settings
from recovery.restores.engine import RestoreEngineName
from recovery.restores.plans import RecoveryPlan, TableTarget
from recovery.restores.points import PointKind, RecoveryPoint
from recovery.testing.embedded_aws import ACCOUNT, REGION
from tests.recovery.recovering import START, key

POINT = f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:1EB3B5E7"


def native_plan(table: str, **more: Any) -> RecoveryPlan:
    """A plan for a deleted table with the definition of a backup of the vault; from AWS Backup, unless otherwise."""
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    made: dict[str, Any] = {
        "backup_id": "20261122T020000Z-00000000",
        "backup_time": START,
        "source": TableIdentity(account=ACCOUNT, region=REGION, name=table, arn=arn),
        "target": target(table),
        "point": RecoveryPoint(kind=PointKind.AWS_BACKUP, id=POINT, time=START - timedelta(hours=2)),
        "engine": RestoreEngineName.RESTORE,
        "item_count": 10,
        "data_bytes": 1000,
        "vault_bytes": 0,
        "create_table": {"TableName": table, **key("pk"), "BillingMode": "PAY_PER_REQUEST"},
        "tags": {"team": "shop"},
        "settings": Settings(**dict.fromkeys(Settings.model_fields, Known(value=None))),
        "target_exists": False,
    }
    return RecoveryPlan(**{**made, **more})


def target(table: str) -> TableTarget:
    """A table of this account and region."""
    return TableTarget(account=ACCOUNT, region=REGION, name=table)
