"""CPU and memory of a backup, on the replay server.

The server answers at once and is a process of its own, so what the kernel counts for the client is what the
client costs: reading from the socket, and all that it does with the items. Ours also uploads what it wrote;
the peers leave theirs on the disk. CPU is given by GB of the items' JSON, as it came over the wire; nothing is
taken off, but the same without start-up (what the command costs on an empty table) is printed beside it.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.backup.contestants import DUMP, LOOP, OURS, Contestant, Place
from benchmarks.backup.processes import LOOPBACK, replaying
from benchmarks.backup.replay import FIGURES

if TYPE_CHECKING:
    from benchmarks.backup.processes import Cost
    from benchmarks.backup.report import Report

DUMP_TIMES, LOOP_TIMES = 100, 50  # how much less CPU ours has to take
GROWTH = 1.2  # of memory, for ten times the items
MEMORY_BYTES = 200e6
SMALLER = 10
PEERS = (DUMP, LOOP)


@dataclass
class Costs:
    """The runs on the replay server; each is made once, whoever asks for it."""

    place: Place
    report: Report
    made: dict[tuple[str, int], list[Cost]] = field(default_factory=dict)
    served: dict[tuple[str, int], int] = field(default_factory=dict)

    def run(self, who: Contestant, sizes: tuple[int, ...], rounds: int = 1) -> bool:
        """Run it so often on each of the tables, as far as that was not done yet; whether it could finish."""
        return all(self._run(who, size, rounds) for size in sizes)

    def _run(self, who: Contestant, size: int, rounds: int) -> bool:
        runs = self.made.setdefault((who.name, size), [])
        while len(runs) < rounds:
            if runs and runs[-1].trouble:
                return False
            _figures(self.place)
            cost, counted = who.back_up(self.place, f"items-{size}")
            figures = _figures(self.place)
            runs.append(cost)
            if cost.trouble:
                self.report.no_ratio(
                    f"{who.name} did not finish {size:,} items: {cost.trouble}", ours=who is OURS
                )
            elif not counted == figures["items"] == size:
                raise RuntimeError(f"{who.name}: {counted} items of {size}, {figures['items']} were served")
            self.served[who.name, size] = figures["bytes"]
        return not runs[-1].trouble

    def cpu(self, who: Contestant, size: int) -> float:
        """Seconds of the cheapest run."""
        return min(cost.cpu for cost in self.made[who.name, size])

    def a_gigabyte(self, who: Contestant, size: int, *, start_up: bool) -> float:
        """CPU seconds by GB of items' JSON, with or without start-up."""
        spent = self.cpu(who, size) - (0 if start_up else self.cpu(who, 0))
        return spent / self.served[who.name, size] * 1e9

    def peak(self, who: Contestant, size: int) -> float:
        """Bytes of the run that took most."""
        return max(cost.peak_bytes for cost in self.made[who.name, size])


def measure_replay(report: Report, size: int, rounds: int, *, cpu: bool, memory: bool) -> None:
    """All measurements on the replay server, for a table of ``size`` items and one of a tenth."""
    sizes = [0, size // SMALLER, size]
    with replaying(sizes) as port:
        costs = Costs(Place(port, port, port), report)
        if cpu:
            _measure_cpu(costs, size, rounds)
        if memory:
            _measure_memory(costs, size, rounds)


def _measure_cpu(costs: Costs, size: int, rounds: int) -> None:
    costs.report.heading(
        f"replay server, {size:,} items: CPU of the client (best of {rounds}; peers once, they are slow)"
    )
    for number in range(1, rounds + 1):
        # In turns, as far as it goes: a neighbour on the machine then slows everybody.
        if not costs.run(OURS, (0, size), number):
            return
        for peer in PEERS[number - 1 : number]:
            costs.run(peer, (0, size))
    for peer, times in zip(PEERS, (DUMP_TIMES, LOOP_TIMES), strict=True):
        if not costs.run(peer, (0, size)):
            continue
        for start_up in (True, False):
            mine = costs.a_gigabyte(OURS, size, start_up=start_up)
            theirs = costs.a_gigabyte(peer, size, start_up=start_up)
            what = "client CPU" if start_up else "client CPU beyond start-up"
            costs.report.ratio(
                f"{what}, {size:,} items: ours {mine:.1f} s/GB, {peer.name} {theirs:.0f} s/GB",
                theirs / mine,
                at_least=times if start_up else None,
            )
        costs.report.ratio(
            f"CPU of start-up: ours {costs.cpu(OURS, 0):.2f} s, {peer.name} {costs.cpu(peer, 0):.2f} s",
            costs.cpu(peer, 0) / costs.cpu(OURS, 0),
        )


def _measure_memory(costs: Costs, size: int, rounds: int) -> None:
    small = size // SMALLER
    costs.report.heading("replay server: peak memory of the client")
    if not costs.run(OURS, (small, size), rounds):
        return
    for who in (OURS, *PEERS):
        if not costs.run(who, (small, size)):
            continue
        less, more = costs.peak(who, small), costs.peak(who, size)
        costs.report.ratio(
            f"{who.name}: {small:,} items {less / 1e6:.0f} MB, {size:,} items {more / 1e6:.0f} MB",
            more / less,
            at_most=GROWTH if who is OURS else None,
        )
    mine = costs.peak(OURS, size)
    costs.report.ratio(
        f"ours: {mine / 1e6:.0f} MB of the {MEMORY_BYTES / 1e6:.0f} MB that are allowed",
        mine / MEMORY_BYTES,
        at_most=1,
    )


def _figures(place: Place) -> dict[str, int]:
    """What the server gave since the last time it was asked."""
    connection = http.client.HTTPConnection(LOOPBACK, place.dynamodb, timeout=30)
    connection.request("GET", FIGURES)
    figures: dict[str, int] = json.loads(connection.getresponse().read())
    connection.close()
    return figures
