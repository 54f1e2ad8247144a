"""Wall time of a recovery on engines that really store items, and how many came back as they were.

Such an engine is slower than any client, so the question is how much time ours adds to the engine's own. The bare sender
tells the engine's own: the same requests, made beforehand. Against it stands the load alone, for ours checks, verifies and
puts settings back as well, which costs another reading of all items; that whole command is printed beside the peers' whole
commands. The vault is in a second ministack; what an engine does not have is answered by the replay server of the backup
benchmark, which denies it at once. dynalite keeps no tags, so ours does not recover there: a half loaded table could not
say that it is one. Only the load is measured on it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.backup.contestants import Place
from benchmarks.backup.on_engines import OVER_BARE, _engine, _load, _make_bucket
from benchmarks.backup.processes import ROOT, replaying
from benchmarks.restore.contestants import BARE, OUR_LOAD, OURS, PEERS, Contestant, Job, seconds_of
from benchmarks.restore.tables import lose, make

if TYPE_CHECKING:
    from benchmarks.backup.processes import Cost
    from benchmarks.backup.report import Report

TABLE = "orders"
WITHOUT_TAGS = frozenset({"dynalite"})
PEER_ROUNDS = 1
# Short runs tell less on a machine with neighbours, so there are more of them.
TURNS_SECONDS = 60


@dataclass
class Runs:
    """Everybody's runs on one engine, and what share of the items was the same after the last."""

    report: Report
    job: Job
    made: dict[str, list[Cost]] = field(default_factory=dict)
    identical: dict[str, float] = field(default_factory=dict)

    def run(self, who: Contestant) -> None:
        """One run, after which the table is looked at once for each contestant."""
        endpoint = self.job.place.endpoint
        lose(endpoint, self.job.table)
        if not who.makes_table:
            make(endpoint, self.job.table)
        cost = who.restore(self.job)
        if cost.trouble:
            self.report.no_ratio(f"{who.name} did not finish: {cost.trouble}", ours=who not in PEERS)
            return
        self.made.setdefault(who.name, []).append(cost)
        if who.name not in self.identical:
            self.identical[who.name] = self._compared()

    def _compared(self) -> float:
        command = [
            sys.executable, "-m", "benchmarks.restore.compare",
            self.job.place.endpoint, self.job.table, str(self.job.items),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - our own module
        found: dict[str, int] = json.loads(done.stdout)
        return found["identical"] / max(self.job.items, found["items"])


def measure_engine(report: Report, engine: str, size: int, rounds: int) -> None:
    """Load a table into one engine, have it backed up by everybody, and bring it back in turns."""
    try:
        with (
            _engine(engine) as dynamodb,
            _engine("ministack") as s3,
            replaying([]) as others,
            tempfile.TemporaryDirectory(prefix="bench-restore-") as folder,
        ):
            job = Job(Place(dynamodb, s3, others), TABLE, size, Path(folder))
            _make_bucket(s3)
            _load(job.place, TABLE, size)
            job.back_up(*(who.backup for who in (OURS, *PEERS) if who.backup))
            runs = Runs(report, job)
            report.heading(
                f"{engine}, {size:,} items: wall time (best of {rounds} or more, in turns; peers once)"
            )
            _take_turns(runs, engine, rounds)
            _compare(runs, engine)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        report.no_ratio(f"{engine} cannot be measured here: {error}", ours=True)


def _take_turns(runs: Runs, engine: str, rounds: int) -> None:
    whole = () if engine in WITHOUT_TAGS else (OURS,)
    number, until = 0, time.monotonic() + TURNS_SECONDS
    while number < rounds or time.monotonic() < until:
        for who in (
            BARE,
            OUR_LOAD,
            *(whole if number < rounds else ()),
            *(PEERS if number < PEER_ROUNDS else ()),
        ):
            runs.run(who)
        number += 1
        if BARE.name not in runs.made or OUR_LOAD.name not in runs.made:
            break


def _compare(runs: Runs, engine: str) -> None:
    report, size = runs.report, runs.job.items
    if BARE.name in runs.made and OUR_LOAD.name in runs.made:
        bare, load = (min(map(seconds_of, runs.made[who.name])) for who in (BARE, OUR_LOAD))
        report.ratio(
            f"{engine}, the load alone: ours {load:.2f} s ({size / load:,.0f} items/s), bare sender {bare:.2f} s "
            f"({size / bare:,.0f} items/s)",
            load / bare,
            at_most=OVER_BARE,
        )
    mine = OURS if OURS.name in runs.made else OUR_LOAD
    if mine.name not in runs.made:
        return
    what = "the whole command" if mine is OURS else "the process of the load (no whole command without tags)"
    for peer in PEERS:
        if peer.name not in runs.made:
            continue
        ours, theirs = (min(cost.wall for cost in runs.made[who.name]) for who in (mine, peer))
        report.ratio(
            f"{engine}, {what}: ours {ours:.2f} s ({size / ours:,.0f} items/s), {peer.name} {theirs:.2f} s "
            f"({size / theirs:,.0f} items/s)",
            theirs / ours,
        )
        ours, theirs = (min(cost.cpu for cost in runs.made[who.name]) for who in (mine, peer))
        report.ratio(
            f"{engine}, {what}: client CPU ours {ours:.1f} s, {peer.name} {theirs:.1f} s", theirs / ours
        )
    for name, share in runs.identical.items():
        ours_too = name in {OURS.name, OUR_LOAD.name}
        report.ratio(
            f"{engine}, items that came back identical: {name}", share, at_least=1 if ours_too else None
        )
