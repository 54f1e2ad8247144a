"""One attempt at a backup, in a process of its own that may be killed at any moment.

``python one_backup.py URL TABLE BUCKET PREFIX SECONDS``: the clock is so many seconds ahead, as if the lease
of a killed attempt had run out.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from recovery.backups.backup import Backups
from recovery.backups.data_files import FileOptions
from recovery.backups.engine_scan import ScanEngine, ScanOptions
from recovery.clock import utc_now
from recovery.definitions.definition import capture_definition
from recovery.progress import NoProgress
from recovery.testing.embedded_aws import EmbeddedEndpoint
from recovery.vault.s3 import S3Vault
from recovery.wire import RawTables

if TYPE_CHECKING:
    from datetime import datetime

    from recovery.wire import RawPage

PAGE_ITEMS = 25
FILES = FileOptions(raw_bytes=400_000, part_bytes=60_000)


class SmallPages(RawTables):
    """Pages of a few items, so that there are many moments to die at."""

    def scan_page(self, table: str, **request: Any) -> RawPage:
        """See RawTables."""
        return super().scan_page(table, **{**request, "limit": PAGE_ITEMS})


def main(url: str, table: str, bucket: str, prefix: str, seconds: str) -> None:
    """Back the table up."""

    def clock() -> datetime:
        return utc_now() + timedelta(seconds=float(seconds))

    aws = EmbeddedEndpoint(url).aws()
    vault = S3Vault(aws.s3(), bucket, prefix, clock=clock)
    engine = ScanEngine(SmallPages(aws), vault, clock, time.sleep, ScanOptions(segments=3, files=FILES))
    report = Backups(
        aws=aws,
        vault=vault,
        engine=engine,
        clock=clock,
        progress=NoProgress(),
        capture=partial(capture_definition, aws, surroundings=False),
    ).back_up(table)
    print("resumed" if report.resumed else "anew", flush=True)  # noqa: T201 - to the test


if __name__ == "__main__":
    main(*sys.argv[1:])
