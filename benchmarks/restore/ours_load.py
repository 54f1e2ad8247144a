"""The load part of ours alone: the write engine, from the vault into a table that is there. A script of its own.

Everything else that a recovery does (check, create, verify, settle) is left out. Prints, as JSON, the seconds of wall
and CPU that the load took, without the interpreter's start and the imports.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from recovery.aws import Aws, AwsSettings
from recovery.backups.catalog import Catalog
from recovery.clock import utc_now
from recovery.progress import NoProgress
from recovery.restores.engine import Load
from recovery.restores.engine_write import WriteEngine
from recovery.vault.leases import take_lease
from recovery.vault.s3 import S3Vault, parse_location
from recovery.wire import RawTables

if TYPE_CHECKING:
    from recovery.restores.runs import Run


@dataclass
class _Record:
    """What the engine reads of a run's record."""

    plan: Any
    loaded_files: tuple[str, ...] = ()


@dataclass
class _Notes:
    """A run that notes in memory which files are loaded."""

    record: _Record

    def note(self, **changes: Any) -> None:
        self.record.loaded_files = changes["loaded_files"]


def main(source: str, target: str) -> None:
    """Load the latest backup of a table into a table that is there."""
    aws = Aws(AwsSettings())
    vault = S3Vault(aws.s3(), *parse_location(os.environ["SAFETYNET_VAULT"]))
    catalog = Catalog(vault)
    # An engine's tables may say that they are another account's than the caller's.
    (place,) = {found for found in catalog.tables() if found[2] == source}
    backup = catalog.latest(*place)
    notes = _Notes(_Record(SimpleNamespace(target=SimpleNamespace(name=target))))
    lease = take_lease(vault, utc_now, f"load-{target}", "bench")
    tables = RawTables(aws)
    load = Load(catalog, backup, cast("Run", notes), lease, NoProgress())
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    WriteEngine(tables, time.sleep).load(load)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    lease.release()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": wall, "cpu": cpu, "items": backup.item_count}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
