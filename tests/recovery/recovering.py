"""What the recovery tests share: a process with fakes, tables in all shapes, and a comparison of their own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from recovery.backups.backup import BackupOptions, Backups
from recovery.backups.catalog import Catalog
from recovery.backups.data_files import FILE_RAW_BYTES, FileOptions
from recovery.backups.engine_scan import ScanEngine, ScanOptions
from recovery.definitions.definition import capture_definition
from recovery.intents import IntentStore
from recovery.progress import NoProgress
from recovery.restores.engine import RestoreEngineName
from recovery.restores.engine_write import WriteEngine
from recovery.restores.planning import RecoveryWish, plan_recovery
from recovery.restores.restore import Engines, Recovery
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.testing.faults import Faults, FaultyVault
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.vault import body_of
from recovery.wire import RawTables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recovery.aws import Aws
    from recovery.backups.manifest import Manifest
    from recovery.restores.plans import RecoveryPlan
    from recovery.restores.restore import RecoveryReport

WHO = "arn:aws:iam::123456789012:user/oncall"
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
Item = dict[str, Any]


@dataclass
class FakeClock:
    """Stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        """See Clock."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it."""
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeSleep:
    """Remembers how long it should have slept, and does not."""

    slept: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        """See Sleep."""
        self.slept.append(seconds)


class Process:
    """One process of the product on the embedded AWS: scripted faults, fake time, a vault in memory."""

    def __init__(self, aws: Aws, store: MemoryVault) -> None:
        self._own_aws = aws
        self.faults = Faults(aws)
        self.tables = RawTables(aws)
        self._begin(store)

    def renewed(self) -> Process:
        """The same clients, everything else new."""
        self.faults.reset()
        self._begin(MemoryVault())
        return self

    def _begin(self, store: MemoryVault) -> None:
        self.aws = self._own_aws
        self.store = store
        self.vault = FaultyVault(store, self.faults)
        self.catalog = Catalog(self.vault)
        self.clock = FakeClock()
        self.sleep = FakeSleep()
        self.intents = IntentStore(self.vault, self.clock)

    def back_up(
        self, table: str, segments: int | None = None, file_raw_bytes: int = FILE_RAW_BYTES
    ) -> Manifest:
        """A backup; the clock moves on, so that each is newer than the one before."""
        self.clock.advance(60)
        options = ScanOptions(segments=segments, files=FileOptions(raw_bytes=file_raw_bytes))
        return self.backups(options).back_up(table).manifest

    def backups(self, scan: ScanOptions | None = None, options: BackupOptions | None = None) -> Backups:
        """What backs tables up, with the scan engine."""
        return Backups(
            aws=self.aws,
            vault=self.vault,
            engine=ScanEngine(self.tables, self.vault, self.clock, self.sleep, scan),
            clock=self.clock,
            progress=NoProgress(),
            options=options,
            started_by=WHO,
            # What surrounds a table takes a dozen calls more, and has tests of its own.
            capture=partial(capture_definition, self.aws, surroundings=False),
        )

    def plan(self, table: str, **wish: Any) -> RecoveryPlan:
        """A plan for a table of this account and region."""
        asked = {"account": ACCOUNT, "region": REGION, **wish}
        return plan_recovery(self.aws, self.catalog, RecoveryWish(table=table, **asked))

    def recovery(self) -> Recovery:
        """What applies plans."""
        return Recovery(
            aws=self.aws,
            catalog=self.catalog,
            tables=self.tables,
            engines=Engines({RestoreEngineName.WRITE: WriteEngine(self.tables, self.sleep, workers=2)}),
            clock=self.clock,
            sleep=self.sleep,
            progress=NoProgress(),
            intents=self.intents,
        )

    def recover(self, table: str, **wish: Any) -> RecoveryReport:
        """Plan and apply, as the command does."""
        return self.recovery().apply(self.plan(table, **wish), WHO)

    def again(self) -> None:
        """The process dies and a new one starts after every lease has run out."""
        self.faults.reset()
        self.clock.advance(120)


def key(*names: str) -> dict[str, Any]:
    """Attribute definitions and key schema of a key of strings."""
    kinds = ("HASH", "RANGE")
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
        ],
    }


def make_table(client: Any, table: str, items: Iterable[Item] = (), **request: Any) -> None:
    """A table with key ``pk``, on demand, unless asked for otherwise; and its items."""
    client.create_table(TableName=table, **{"BillingMode": "PAY_PER_REQUEST", **key("pk"), **request})
    for item in items:
        client.put_item(TableName=table, Item=item)


def some_items(count: int) -> list[Item]:
    """Small items."""
    return [{"pk": {"S": f"item-{number:04}"}, "n": {"N": str(number)}} for number in range(count)]


def all_items(client: Any, table: str) -> list[str]:
    """Every item in a comparable form, sorted. Independent of the product's readers and digest."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return comparable(item for page in pages for item in page["Items"])


def copy_to_account(net: Process, backup: Manifest, account: str) -> None:
    """Put the same backup into the vault as another account's."""
    table = backup.table.model_copy(update={"account": account})
    body = body_of(net.catalog.definition(backup).model_copy(update={"table": table}))
    entry = backup.objects[0].model_copy(
        update={"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    )
    moved = backup.model_copy(update={"table": table, "objects": (entry, *backup.objects[1:])}).sealed()
    for data in backup.objects[1:]:
        net.store.put_new(moved.folder + data.key, net.store.get(backup.folder + data.key).body)
    net.store.put_new(f"{moved.folder}table.json", body)
    net.store.put_new(f"{moved.folder}manifest.json", body_of(moved))


VOLATILE = (
    "CreationDateTime",
    "ItemCount",
    "TableSizeBytes",
    "LatestStreamArn",
    "LatestStreamLabel",
    "TableId",
)


def definition_of(client: Any, table: str) -> dict[str, Any]:
    """What the API says about a table, without what belongs to one incarnation of it."""
    described = client.describe_table(TableName=table)["Table"]
    arn = described["TableArn"]
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    pitr = backups["PointInTimeRecoveryDescription"]
    tags = client.list_tags_of_resource(ResourceArn=arn)["Tags"]
    return {
        "table": _ordered({name: described[name] for name in described if name not in VOLATILE}),
        "ttl": client.describe_time_to_live(TableName=table)["TimeToLiveDescription"],
        "pitr": (pitr["PointInTimeRecoveryStatus"], pitr.get("RecoveryPeriodInDays")),
        "tags": sorted((tag["Key"], tag["Value"]) for tag in tags),
    }


def _ordered(value: Any, name: str = "") -> Any:
    """Lists whose order means nothing in an order of their own; that of a key schema does mean something."""
    if isinstance(value, dict):
        return {key: _ordered(child, key) for key, child in value.items()}
    if isinstance(value, list):
        children = [_ordered(child) for child in value]
        return children if name == "KeySchema" else sorted(children, key=repr)
    return value
