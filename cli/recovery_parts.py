"""The objects of a recovery, made from the settings: a part of the composition root that only `recover` and staging need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recovery.backups.catalog import Catalog
from recovery.restores.engine import RestoreEngineName
from recovery.restores.engine_bulk import BulkEngine, BulkOptions
from recovery.restores.engine_import import ImportEngine
from recovery.restores.engine_restore import RestoreEngine
from recovery.restores.engine_write import WriteEngine
from recovery.restores.planner import LoadCapacity, Planner
from recovery.restores.points_aws_backup import AwsBackupPoints
from recovery.restores.points_backups import BackupPoints
from recovery.restores.points_pitr import PitrPoints
from recovery.restores.points_vault import VaultPoints
from recovery.restores.restore import Engines, Recovery

if TYPE_CHECKING:
    from cli.composition import Net
    from recovery.progress import Progress
    from recovery.restores.points import PointSource


def planner_of(net: Net) -> Planner:
    """What makes recovery plans, with every source of recovery points that can be reached from here."""
    settings = net.settings.recover
    sources: list[PointSource] = [VaultPoints(net.catalog)]
    if net.replica is not None and not net.on_replica:
        sources.append(VaultPoints(Catalog(net.replica), label=f"replica {net.replica.location}"))
    sources += [
        AwsBackupPoints(net.aws, net.sleep),
        PitrPoints(net.aws, net.sleep),
        BackupPoints(net.aws, net.sleep),
    ]
    return Planner(
        aws=net.aws,
        catalog=net.catalog,
        sources=sources,
        clock=net.clock,
        sleep=net.sleep,
        capacity=LoadCapacity(settings.write_units, settings.warm, settings.bulk_write_units),
    )


def recovery_of(net: Net, progress: Progress) -> Recovery:
    """What applies recovery plans, with every engine there is."""
    settings = net.settings.recover
    bulk = BulkOptions(
        max_write_request_units=settings.bulk_write_units,
        performance_tier=settings.bulk_tier,
        kms_key=net.settings.backup.kms_key,
    )
    return Recovery(
        aws=net.aws,
        catalog=net.catalog,
        tables=net.raw_tables,
        engines=Engines(
            loading={
                RestoreEngineName.WRITE: WriteEngine(net.raw_tables, net.sleep),
                RestoreEngineName.BULK: BulkEngine(net.aws, net.sleep, bulk),
            },
            making={
                RestoreEngineName.IMPORT: ImportEngine(net.aws, net.catalog, net.sleep, intents=net.intents),
                RestoreEngineName.RESTORE: RestoreEngine(
                    net.aws, net.sleep, role_arn=settings.aws_backup_role
                ),
            },
        ),
        clock=net.clock,
        sleep=net.sleep,
        progress=progress,
        intents=net.intents,
    )
