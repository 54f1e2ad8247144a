"""Who is measured: the real command, two peers, and a reader that does nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.backup.processes import LOOPBACK, ROOT, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.backup.processes import Cost

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
DYNAMODUMP = ROOT / ".venv/dynamodump/bin/dynamodump"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
REGION = "eu-west-1"
BUCKET = "net"
VAULT = f"s3://{BUCKET}/vault"
PATIENCE = 1_800.0


@dataclass(frozen=True, slots=True)
class Place:
    """The ports of DynamoDB, of S3 and STS, and of whatever else AWS has; all on the loopback."""

    dynamodb: int
    s3: int
    others: int
    segments: int | None = None

    @property
    def endpoint(self) -> str:
        """DynamoDB's URL."""
        return f"http://{LOOPBACK}:{self.dynamodb}"

    @property
    def env(self) -> dict[str, str]:
        """All that a contestant is told, by the variables that every AWS tool reads."""
        vault = f"http://{LOOPBACK}:{self.s3}"
        return {
            **KEYS,
            "PATH": os.environ.get("PATH", os.defpath),
            "TMPDIR": tempfile.gettempdir(),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{self.others}",
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint,
            "AWS_ENDPOINT_URL_S3": vault,
            "AWS_ENDPOINT_URL_STS": vault,
            "SAFETYNET_VAULT": VAULT,
        }


@dataclass(frozen=True, slots=True)
class Contestant:
    """``command(place, table, folder)`` is run in ``folder``; ``counted`` says how many items it got."""

    name: str
    command: Callable[[Place, str, Path], list[str | Path]]
    counted: Callable[[Cost, Path], int]

    def back_up(self, place: Place, table: str) -> tuple[Cost, int]:
        """One run in a folder of its own; what it cost, and how many items it says or shows to have."""
        folder = Path(tempfile.mkdtemp(prefix="bench-backup-"))
        try:
            cost = run(self.command(place, table, folder), place.env, folder, PATIENCE)
            return cost, 0 if cost.trouble else self.counted(cost, folder)
        finally:
            shutil.rmtree(folder)


def _ours(place: Place, table: str, folder: Path) -> list[str | Path]:
    del folder
    segments = ["--segments", str(place.segments)] if place.segments else []
    return [BIN / "safetynet", "backup", "run", table, "--json", *segments]


def _dynamodump(place: Place, table: str, folder: Path) -> list[str | Path]:
    return [
        DYNAMODUMP, "-m", "backup", "-s", table, "-r", REGION, "--host", LOOPBACK, "--port", str(place.dynamodb),
        "--accessKey", KEYS["AWS_ACCESS_KEY_ID"], "--secretKey", "example", "--dumpPath", folder / "dump",
    ]  # fmt: skip


# It writes a page a file, laid out over many lines, with the count behind the items: to parse it all takes longer than to write it.
_COUNT = re.compile(rb'^  "Count": (\d+)', re.MULTILINE)


def _dumped(cost: Cost, folder: Path) -> int:
    del cost
    return sum(
        int(found[1])
        for path in folder.glob("dump/*/data/*.json")
        if (found := _COUNT.search(path.read_bytes()))
    )


def _backed_up(cost: Cost, folder: Path) -> int:
    del folder
    return int(json.loads(cost.stdout.splitlines()[-1])["items"])  # the line of the summary


def _printed(cost: Cost, folder: Path) -> int:
    del folder
    return int(cost.stdout)


OURS = Contestant("ours", _ours, _backed_up)
DUMP = Contestant("dynamodump", _dynamodump, _dumped)
LOOP = Contestant(
    "boto3 loop",
    lambda _, table, folder: [sys.executable, HERE / "peer_boto3_loop.py", table, folder / "table.json.gz"],
    _printed,
)
BARE = Contestant(
    "bare reader",
    lambda place, table, _: [
        sys.executable,
        HERE / "bare_reader.py",
        place.endpoint,
        table,
        str(place.segments or 1),
    ],
    _printed,
)
