"""``make bench-restore``: what a recovery costs beside dynamodump, boto3's batch_writer and a bare sender, in one run.

The figures are of a machine that is not ours alone; the ratios count. Exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

from benchmarks.backup.__main__ import ENGINE_ITEMS, ENGINES, ITEMS, _processor
from benchmarks.backup.report import Report
from benchmarks.restore.on_engines import measure_engine
from benchmarks.restore.on_replay import measure_replay


def main() -> int:
    """All measurements, or the ones asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restore", description=__doc__)
    parser.add_argument(
        "--items", type=int, help="items of the large table, on the replay server and the engines"
    )
    parser.add_argument("--rounds", type=int, default=2, help="runs of ours, of which the best counts")
    parser.add_argument("--only", choices=("replay", *ENGINES), help="one part")
    asked = parser.parse_args()
    report = Report()
    report.heading(f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if asked.only in {None, "replay"}:
        measure_replay(report, asked.items or ITEMS, asked.rounds)
    for engine in ENGINES:
        if asked.only in {None, engine}:
            measure_engine(report, engine, asked.items or ENGINE_ITEMS, asked.rounds)
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
