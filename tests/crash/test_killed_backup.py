"""Backups killed with SIGKILL at random moments, over and over: `make test-crash`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from recovery.backups.catalog import Catalog
from recovery.backups.content import open_content
from recovery.backups.verification import FULL, Outcome, verify_backup
from recovery.clock import utc_now
from recovery.progress import NoProgress
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.equality import comparable
from recovery.vault.s3 import S3Vault
from tests.cli.running import ROOT
from tests.engines.engine import Engine, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.backups.manifest import Manifest

KILLS = int(os.environ.get("SAFETYNET_KILLS", "50"))
TABLE, BUCKET = "orders", "crash-vault"
ITEMS, ITEM_BYTES = 1_500, 900
LEASE_SECONDS = 70
SCRIPT = Path(__file__).with_name("one_backup.py")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """ministack: its server is a process of its own, so only the backup dies."""
    with started("ministack", tmp_path_factory.mktemp("ministack")) as running:
        running.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        running.make_table(TABLE)
        rng = random.Random(3)
        for start in range(0, ITEMS, 25):
            puts: list[Any] = [
                {"PutRequest": {"Item": {"pk": {"S": f"{n:05}"}, "x": {"B": rng.randbytes(ITEM_BYTES)}}}}
                for n in range(start, start + 25)
            ]
            running.client.batch_write_item(RequestItems={TABLE: puts})
        yield running


@dataclass
class Round:
    """A vault of its own, and attempts at one backup."""

    engine: Engine
    prefix: str
    attempts: int = 0

    def begin(self) -> subprocess.Popen[str]:
        """One more attempt, after the lease of the one before."""
        arguments = (self.engine.tables.url, TABLE, BUCKET, self.prefix, str(self.attempts * LEASE_SECONDS))
        self.attempts += 1
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.fspath(ROOT),
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )

    def finish(self) -> str:
        """An attempt that nobody kills; what it said."""
        with self.begin() as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err[-3000:]
        return out.strip()

    @property
    def catalog(self) -> Catalog:
        """What is visible."""
        return Catalog(S3Vault(self.engine.s3, BUCKET, self.prefix))

    def visible(self) -> tuple[Manifest, ...]:
        """All backups; none may be damaged."""
        listing = self.catalog.backups(ACCOUNT, REGION, TABLE)
        assert listing.damaged == ()
        return listing.backups

    def is_under_way(self) -> bool:
        """Whether a run is left to be gone on with."""
        return any(True for _ in self.catalog.vault.list("runs/backup."))


def items_of(catalog: Catalog, backup: Manifest) -> list[str]:
    """All items of a backup, comparable, base64 as on the wire."""
    with open_content(catalog, backup) as parts:
        return comparable(
            msgspec.json.decode(bytes(item)) for part in parts for some in part.read() for item in some
        )


def test_a_killed_backup_ends_in_one_whole_backup(engine: Engine) -> None:
    """Killed at random moments, then run again: one visible backup, verified in full, identical each time."""
    whole = Round(engine, "uninterrupted")
    began = time.monotonic()
    whole.finish()
    seconds = time.monotonic() - began
    (reference,) = whole.visible()
    expected = items_of(whole.catalog, reference)
    assert len(expected) == ITEMS
    rng = random.Random(time.time_ns())
    kills = resumed = rounds = 0
    while kills < KILLS:
        rounds += 1
        attempt = Round(engine, f"round-{rounds}")
        # Now and then the rerun is killed, too.
        for _ in range(rng.choice((1, 1, 2))):
            if attempt.attempts and not attempt.is_under_way() and attempt.visible():
                break
            with attempt.begin() as process:
                time.sleep(rng.uniform(0.1, 1.02) * seconds)
                process.send_signal(signal.SIGKILL)
                process.communicate()
            kills += process.returncode == -signal.SIGKILL
            assert len(attempt.visible()) <= 1
        # Killed after the very last write, there is nothing left to be done.
        if attempt.is_under_way() or not attempt.visible():
            resumed += attempt.finish() == "resumed"
        (backup,) = attempt.visible()
        found = verify_backup(attempt.catalog, backup, FULL, utc_now, NoProgress())
        assert (found.outcome, found.problems) == (Outcome.PASS, ()), attempt.prefix
        assert items_of(attempt.catalog, backup) == expected, attempt.prefix
        assert not attempt.is_under_way()
    print(f"\n{kills} kills in {rounds} rounds, {resumed} went on where they had stopped")  # noqa: T201 - a proof
    assert resumed > 0
