"""``make bench-watch``: from receipt to alert, and a burst of ten thousand events while Slack is down.

The watcher is the real command in a process of its own; what it talks to is in this one. The machine is not ours
alone, and the figures are of it. Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

from benchmarks.backup.report import Report
from benchmarks.watch.burst import BAD_SECONDS, measure_burst
from benchmarks.watch.latency import measure_latency

EVENTS, SECONDS = 10_000, 60


def main() -> int:
    """All measurements, or the ones asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="of the burst")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of ten events a second")
    parser.add_argument("--bad", type=int, default=BAD_SECONDS, help="seconds in which Slack fails")
    parser.add_argument("--only", choices=("latency", "moto", "burst", "memory"), help="one part")
    asked = parser.parse_args()
    report = Report()
    report.heading(f"{os.cpu_count()} cores, Python {platform.python_version()}, Slack answers in 50 ms")
    if asked.only in {None, "latency"}:
        measure_latency(report, asked.seconds, moto=False)
    if asked.only in {None, "moto"}:
        measure_latency(report, asked.seconds, moto=True)
    if asked.only in {None, "burst", "memory"}:
        measure_burst(report, asked.events, asked.bad, memory=asked.only != "burst")
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
