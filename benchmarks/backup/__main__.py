"""``make bench-backup``: what a backup costs beside dynamodump, a boto3 loop and a bare reader, in one run.

The figures are of a machine that is not ours alone; the ratios count. Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path

from benchmarks.backup.on_engines import measure_engine
from benchmarks.backup.on_replay import measure_replay
from benchmarks.backup.report import Report

ITEMS, ENGINE_ITEMS = 1_000_000, 50_000
ENGINES = ("ministack", "dynalite")


def main() -> int:
    """All measurements, or the ones asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backup", description=__doc__)
    parser.add_argument(
        "--items", type=int, help="items of the large table, on the replay server and the engines"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of ours, of which the best counts")
    parser.add_argument(
        "--segments", type=int, default=4, help="segments on the engines, ours and the bare reader"
    )
    parser.add_argument("--only", choices=("replay", "memory", *ENGINES), help="one part")
    parser.add_argument("--large", action="store_true", help=f"{ITEMS:,} items on the engines too")
    asked = parser.parse_args()
    report = Report()
    report.heading(f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if asked.only in {None, "replay", "memory"}:
        measure_replay(
            report,
            asked.items or ITEMS,
            asked.rounds,
            cpu=asked.only != "memory",
            memory=asked.only != "replay",
        )
    for engine in ENGINES:
        if asked.only in {None, engine}:
            size = ITEMS if asked.large else asked.items or ENGINE_ITEMS
            measure_engine(report, engine, size, asked.rounds, asked.segments)
    return report.conclude()


def _processor() -> str:
    """The machine's processor, for whoever reads the figures later."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
