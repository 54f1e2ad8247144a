"""Who is measured: the real command, its load alone, two peers, and a sender that does nothing else."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.backup.contestants import BIN, DYNAMODUMP, KEYS, PATIENCE, REGION
from benchmarks.backup.contestants import DUMP as DUMP_BACKUP
from benchmarks.backup.contestants import LOOP as LOOP_BACKUP
from benchmarks.backup.contestants import OURS as OUR_BACKUP
from benchmarks.backup.processes import LOOPBACK, ROOT, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.backup.contestants import Contestant as BackupContestant
    from benchmarks.backup.contestants import Place
    from benchmarks.backup.processes import Cost

HERE = Path(__file__).parent
WRITERS = 8


@dataclass(frozen=True, slots=True)
class Job:
    """A table that was backed up by everybody: by ours into the vault of the place, by the peers into ``folder``."""

    place: Place
    table: str
    items: int
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """What a contestant is told; scripts of this package find the others."""
        return {**self.place.env, "PYTHONPATH": str(ROOT)}

    def back_up(self, *backups: BackupContestant) -> None:
        """Have it backed up, each into a folder of its own. Raises RuntimeError where that does not work."""
        for who in backups:
            folder = self.folder / who.name / self.table
            folder.mkdir(parents=True)
            cost = run(who.command(self.place, self.table, folder), self.env, folder, PATIENCE)
            counted = 0 if cost.trouble else who.counted(cost, folder)
            if counted != self.items:
                raise RuntimeError(f"{who.name} backed up {counted} of {self.items} items: {cost.trouble}")

    def of(self, who: BackupContestant) -> Path:
        """Where a peer's backup is."""
        return self.folder / who.name / self.table


@dataclass(frozen=True, slots=True)
class Contestant:
    """``command(job)`` brings the table back. ``makes_table``: it wants to find none; else there is an empty one."""

    name: str
    command: Callable[[Job], list[str | Path]]
    backup: BackupContestant | None = None
    makes_table: bool = True

    def restore(self, job: Job) -> Cost:
        """One run."""
        return run(self.command(job), job.env, job.folder, PATIENCE)


def seconds_of(cost: Cost) -> float:
    """What those who load only say that the loading took."""
    return float(json.loads(cost.stdout)["seconds"])


def _dynamodump(job: Job) -> list[str | Path]:
    return [
        DYNAMODUMP, "-m", "restore", "-s", job.table, "-r", REGION, "--host", LOOPBACK,
        "--port", str(job.place.dynamodb), "--accessKey", KEYS["AWS_ACCESS_KEY_ID"], "--secretKey", "example",
        "--dumpPath", job.of(DUMP_BACKUP) / "dump", "--noConfirm",
    ]  # fmt: skip


OURS = Contestant(
    "ours", lambda job: [BIN / "safetynet", "recover", job.table, "--yes", "--json"], OUR_BACKUP
)
OUR_LOAD = Contestant(
    "our load",
    lambda job: [sys.executable, HERE / "ours_load.py", job.table, job.table],
    OUR_BACKUP,
    makes_table=False,
)
DUMP = Contestant("dynamodump", _dynamodump, DUMP_BACKUP)
LOOP = Contestant(
    "boto3 batch_writer",
    lambda job: [
        sys.executable,
        HERE / "peer_batch_writer.py",
        job.table,
        job.of(LOOP_BACKUP) / "table.json.gz",
    ],
    LOOP_BACKUP,
)
BARE = Contestant(
    "bare sender",
    lambda job: [
        sys.executable,
        HERE / "bare_sender.py",
        job.place.endpoint,
        job.table,
        str(job.items),
        str(WRITERS),
    ],
    makes_table=False,
)
PEERS = (DUMP, LOOP)
