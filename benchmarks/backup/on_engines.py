"""Wall time of a backup on engines that really store items: ministack and dynalite.

Such an engine is slower than any client, so the question is how much time ours adds to the engine's own. The
bare reader tells the engine's own: the same pages, by as many segments, thrown away. Start-up (the same
command on an empty table of the same engine: the interpreter, imports, describing the table, the documents of a
backup) is taken off all of them alike, and the whole times are printed as well; dynamodump sleeps 25 s before it
reads. The vault is in a second ministack, as S3 is another service than DynamoDB; ours uploads to it, the
others write to the disk or not at all. What an engine does not have (auto scaling, alarms) is answered by the
replay server, which denies it at once; else botocore would wait and ask again.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.backup.contestants import BARE, BUCKET, DUMP, LOOP, OURS, REGION, Contestant, Place
from benchmarks.backup.processes import LOOPBACK, ROOT, free_port, replaying, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.backup.processes import Cost
    from benchmarks.backup.report import Report

OVER_BARE = 1.15
TABLE, EMPTY = "orders", "empty"
MINISTACK = {"BIND_HOST": LOOPBACK, "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "CLOUDTRAIL_RECORDING": "1"}
# The peers only have to be seen beside ours, and are slow.
PEER_ROUNDS = 2
# Short runs tell less on a machine with neighbours, so there are more of them.
TURNS_SECONDS = 150


@dataclass(frozen=True, slots=True)
class Wall:
    """Seconds: of the fastest run, and of the fastest on an empty table."""

    whole: float
    start_up: float

    @property
    def net(self) -> float:
        """What the items took."""
        return self.whole - self.start_up


def measure_engine(report: Report, engine: str, size: int, rounds: int, segments: int) -> None:
    """Load a table into one engine, and read it with everybody in turns."""
    try:
        with _engine(engine) as dynamodb, _engine("ministack") as s3, replaying([]) as others:
            place = Place(dynamodb, s3, others, segments)
            _make_bucket(s3)
            for table, count in ((TABLE, size), (EMPTY, 0)):
                _load(place, table, count)
            report.heading(
                f"{engine}, {size:,} items, {segments} segments: wall time (best of {rounds} or more, in turns; "
                f"dynamodump and boto3 loop: of {PEER_ROUNDS}, without segments)"
            )
            _compare(report, engine, _walls(report, place, size, rounds))
    except (RuntimeError, OSError) as error:
        report.no_ratio(f"{engine} cannot be measured here: {error}", ours=True)


def _walls(report: Report, place: Place, size: int, rounds: int) -> dict[str, Wall]:
    """Everybody's times. Who cannot finish is reported and left out."""
    runs: dict[tuple[str, str], list[Cost]] = {}
    out: set[str] = set()
    number, until = 0, time.monotonic() + TURNS_SECONDS
    while number < rounds or time.monotonic() < until:
        for who in (BARE, OURS, *((DUMP, LOOP) if number < PEER_ROUNDS else ())):
            for table, count in ((EMPTY, 0), (TABLE, size)):
                if who.name not in out and not _ran(report, place, who, (table, count), runs):
                    out.add(who.name)
        number += 1
        if BARE.name in out or OURS.name in out:
            break
    return {
        name: Wall(*(min(cost.wall for cost in runs[name, table]) for table in (TABLE, EMPTY)))
        for name, table in runs
        if table == TABLE and name not in out
    }


def _ran(
    report: Report,
    place: Place,
    who: Contestant,
    what: tuple[str, int],
    runs: dict[tuple[str, str], list[Cost]],
) -> bool:
    table, size = what
    cost, counted = who.back_up(place, table)
    said = ""
    if cost.trouble:
        said = f"{who.name} did not finish {size:,} items: {cost.trouble}"
    elif counted != size:
        said = f"{who.name} got {counted:,} of {size:,} items and says nothing of it"
    if said:
        report.no_ratio(said, ours=who in (OURS, BARE))
        return False
    runs.setdefault((who.name, table), []).append(cost)
    return True


def _compare(report: Report, engine: str, walls: dict[str, Wall]) -> None:
    ours = walls.get(OURS.name)
    if ours is None:
        return
    for name in (BARE.name, DUMP.name, LOOP.name):
        other = walls.get(name)
        if other is None:
            continue
        # Beside the bare reader the question is what ours adds, beside the others what it saves.
        bare = name == BARE.name
        net = ours.net / other.net if bare else other.net / ours.net
        whole = ours.whole / other.whole if bare else other.whole / ours.whole
        report.ratio(
            f"{engine}, beyond start-up: ours {ours.net:.2f} s, {name} {other.net:.2f} s",
            net,
            at_most=OVER_BARE if bare else None,
        )
        report.ratio(
            f"{engine}, the whole command: ours {ours.whole:.2f} s ({ours.start_up:.2f} start-up), "
            f"{name} {other.whole:.2f} s ({other.start_up:.2f} start-up)",
            whole,
        )


@contextmanager
def _engine(name: str) -> Iterator[int]:
    """An engine while the block runs; its port. Raises RuntimeError, OSError where it cannot be started."""
    port = free_port()
    command: list[str | Path] = [ROOT / ".venv/ministack/bin/ministack"]
    if name == "dynalite":
        command = [
            ROOT / ".venv/dynalite/node_modules/.bin/dynalite",
            "--host",
            LOOPBACK,
            "--port",
            str(port),
        ]
    with serving(command, {**os.environ, **MINISTACK, "GATEWAY_PORT": str(port)}, port):
        yield port


def _make_bucket(port: int) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    signed = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    where = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    connection.request("PUT", f"/{BUCKET}", where, {"Authorization": signed})
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"no bucket: {answer.status} {answer.read(200)!r}")
    connection.close()


def _load(place: Place, table: str, count: int) -> None:
    command = [sys.executable, "-m", "benchmarks.backup.load", place.endpoint, table, str(count)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603 - our own module
    if done.returncode:
        raise RuntimeError(f"the table could not be loaded: {done.stderr[-300:]}")
