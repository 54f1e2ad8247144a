"""CPU and memory of a recovery, on the replay server, which throttles and leaves items over now and then.

The server answers at once and is a process of its own, so what the kernel counts for the client is what the client costs.
Ours is the whole command: it checks the backup, creates the table, loads it, reads it back and compares. The peers create
and load. A table that spells its items otherwise than they were sent costs ours more, for then it compares by the content
digest: that is measured, too, once. CPU is given by GB of the items' JSON; the peers are measured on a tenth of the items, for they
are slow and cost the same for each item.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.backup.contestants import OURS as OUR_BACKUP
from benchmarks.backup.contestants import Place
from benchmarks.backup.processes import LOOPBACK, serving
from benchmarks.backup.replay import FIGURES
from benchmarks.restore.contestants import DUMP, LOOP, OUR_LOAD, OURS, PEERS, Contestant, Job
from benchmarks.restore.replay import OTHERWISE
from benchmarks.restore.tables import lose, make

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from benchmarks.backup.processes import Cost
    from benchmarks.backup.report import Report

TIMES = 5  # how much less CPU ours has to take
GROWTH = 1.2  # of memory, for ten times the items
MEMORY_BYTES = 200e6
SMALLER = 10


@dataclass
class Costs:
    """The runs on the replay server, by who and how many items."""

    jobs: dict[int, Job]
    report: Report
    made: dict[tuple[str, int], list[Cost]] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)

    def run(self, who: Contestant, size: int) -> bool:
        """One run; whether it came to its end with every item put."""
        job = self.jobs[size]
        lose(job.place.endpoint, job.table)
        if not who.makes_table:
            make(job.place.endpoint, job.table)
        _figures(job.place)
        cost = who.restore(job)
        figures = _figures(job.place)
        trouble = cost.trouble
        if not trouble and figures["put"] != size:
            trouble = f"{figures['put']:,} of {size:,} items were put, and it says nothing of it"
        if trouble:
            self.report.no_ratio(
                f"{who.name} did not bring back {size:,} items: {trouble}", ours=who not in PEERS
            )
            return False
        self.made.setdefault((who.name, size), []).append(cost)
        return True

    def cpu(self, who: Contestant, size: int) -> float:
        """Seconds of the cheapest run."""
        return min(cost.cpu for cost in self.made[who.name, size])

    def a_gigabyte(self, who: Contestant, size: int, *, start_up: bool = True) -> float:
        """CPU seconds by GB of items' JSON, with or without start-up."""
        spent = self.cpu(who, size) - (0 if start_up else self.cpu(who, 0))
        return spent / self.sent[size] * 1e9

    def peak(self, who: Contestant, size: int) -> float:
        """Bytes of the run that took most."""
        return max(cost.peak_bytes for cost in self.made[who.name, size])


def measure_replay(report: Report, size: int, rounds: int) -> None:
    """All measurements on the replay server, for a table of ``size`` items and one of a tenth."""
    small = size // SMALLER
    sizes = [0, small, size]
    with _serving(*sizes) as port, tempfile.TemporaryDirectory(prefix="bench-restore-") as folder:
        place = Place(port, port, port)
        costs = Costs({count: Job(place, f"items-{count}", count, Path(folder)) for count in sizes}, report)
        for count, job in costs.jobs.items():
            job.back_up(*(who.backup for who in (OURS, *(() if count == size else PEERS)) if who.backup))
            costs.sent[count] = _figures(place)["bytes"] // (1 if count == size else 1 + len(PEERS))
        report.heading(
            f"replay server, {size:,} items: client CPU (best of {rounds}; peers once, {small:,} items)"
        )
        for number in range(rounds):
            # In turns, as far as it goes: a neighbour on the machine then slows everybody.
            if not all(costs.run(OURS, count) for count in sizes):
                return
            if not all(costs.run(OUR_LOAD, count) for count in (0, small)):
                return
            for peer in PEERS[number : number + 1]:
                _ = costs.run(peer, 0) and costs.run(peer, small)
        _tell_cpu(costs, small, size)
        _tell_memory(costs, small, size)
    _measure_otherwise(costs, size)


def _serving(*arguments: object) -> AbstractContextManager[int]:
    """The replay server; its port."""
    return serving([sys.executable, "-m", "benchmarks.restore.replay", *map(str, arguments)], os.environ)


def _measure_otherwise(costs: Costs, size: int) -> None:
    """The whole command, once, where the table spells otherwise."""
    report = costs.report
    with (
        _serving(OTHERWISE, size) as port,
        tempfile.TemporaryDirectory(prefix="bench-restore-") as folder,
    ):
        job = Job(Place(port, port, port), f"items-{size}", size, Path(folder))
        job.back_up(OUR_BACKUP)
        sent = _figures(job.place)["bytes"]
        others = Costs({size: job}, report, sent={size: sent})
        if others.run(OURS, size):
            mine, alike = others.a_gigabyte(OURS, size), costs.a_gigabyte(OURS, size)
            report.ratio(
                f"the whole command into a table that spells otherwise: {mine:.0f} s/GB, alike {alike:.0f} s/GB",
                mine / alike,
            )
            for peer in PEERS:
                if (peer.name, size // SMALLER) in costs.made:
                    theirs = costs.a_gigabyte(peer, size // SMALLER)
                    report.ratio(f"the same, beside {peer.name} {theirs:.0f} s/GB", theirs / mine)


def _tell_cpu(costs: Costs, small: int, size: int) -> None:
    report = costs.report
    for peer in PEERS:
        if (peer.name, small) not in costs.made:
            continue
        mine, theirs = costs.a_gigabyte(OURS, size), costs.a_gigabyte(peer, small)
        report.ratio(
            f"the whole command: ours {mine:.0f} s/GB, {peer.name} {theirs:.0f} s/GB",
            theirs / mine,
            at_least=TIMES,
        )
        mine, theirs = (
            costs.a_gigabyte(who, count, start_up=False) for who, count in ((OURS, size), (peer, small))
        )
        report.ratio(
            f"the same beyond start-up: ours {mine:.0f} s/GB, {peer.name} {theirs:.0f} s/GB", theirs / mine
        )
        mine = costs.a_gigabyte(OUR_LOAD, small, start_up=False)
        report.ratio(
            f"the load alone, beyond start-up: ours {mine:.0f} s/GB, {peer.name} {theirs:.0f} s/GB",
            theirs / mine,
        )
    whole = costs.a_gigabyte(OURS, size, start_up=False)
    load = costs.a_gigabyte(OUR_LOAD, small, start_up=False)
    report.ratio(
        f"ours, of {whole:.0f} s/GB: the load {load:.0f}, checking before and verifying after {whole - load:.0f}",
        (whole - load) / whole,
    )


def _tell_memory(costs: Costs, small: int, size: int) -> None:
    costs.report.heading("replay server: peak memory of the client")
    less, more = costs.peak(OURS, small), costs.peak(OURS, size)
    costs.report.ratio(
        f"ours: {small:,} items {less / 1e6:.0f} MB, {size:,} items {more / 1e6:.0f} MB",
        more / less,
        at_most=GROWTH,
    )
    costs.report.ratio(
        f"ours: {more / 1e6:.0f} MB of the {MEMORY_BYTES / 1e6:.0f} MB that are allowed",
        more / MEMORY_BYTES,
        at_most=1,
    )
    for peer in (DUMP, LOOP):
        if (peer.name, small) in costs.made:
            theirs = costs.peak(peer, small)
            costs.report.ratio(f"{peer.name}: {small:,} items {theirs / 1e6:.0f} MB", theirs / less)


def _figures(place: Place) -> dict[str, int]:
    """What went over the wire since the last time the server was asked."""
    connection = http.client.HTTPConnection(LOOPBACK, place.dynamodb, timeout=30)
    connection.request("GET", FIGURES)
    figures: dict[str, int] = json.loads(connection.getresponse().read())
    connection.close()
    return figures
