"""``make bench-rules``: events a second beside moto and ministack, in one run, printed as ratios.

Every figure is the best of several processes that take turns, since the machine is not ours alone.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.rules.rule_patterns import TWENTY, many
from benchmarks.rules.streams import stream

ROUNDS = 7
STREAMS = {"mixed, 1% deletions": (30_000, 0.01), "deletions only": (10_000, 1.0)}
# A slow peer needs fewer events for as good a figure; they are the first ones of the same stream.
FOR_PEERS = 3_000
HERE = Path(__file__).parent
FILES, RECORDS_A_FILE = 40, 2_000


def run(python: str, module: str, *arguments: str) -> dict[str, Any]:
    """One pass in a process of its own."""
    target = (
        ["-m", f"benchmarks.rules.{module}"] if python == sys.executable else [str(HERE / f"{module}.py")]
    )
    done = subprocess.run([python, *target, *arguments], capture_output=True, text=True, check=True)  # noqa: S603 - our own scripts
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def lines(path: Path, content: list[Any]) -> str:
    """A file of JSON lines; its name."""
    raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in content]
    path.write_bytes(b"\n".join(raw))
    return str(path)


def best(answers: list[dict[str, Any]], count: int) -> float:
    """Events a second of the fastest pass."""
    return count / min(float(answer["seconds"]) for answer in answers)


def measure_stream(name: str, folder: Path, ministack: str | None) -> None:
    """One stream through all, in turns."""
    count, share = STREAMS[name]
    whole = stream(count, share)
    events, few = lines(folder / "events", whole), lines(folder / "few", whole[:FOR_PEERS])
    twenty, thousand = lines(folder / "20", list(TWENTY)), lines(folder / "1000", many(1_000))
    ours, ours_many, moto, mini = [], [], [], []
    for _ in range(ROUNDS):
        ours.append(run(sys.executable, "ours", twenty, events))
        ours_many.append(run(sys.executable, "ours", thousand, events))
        moto.append(run(sys.executable, "peer_moto", twenty, few))
        if ministack is not None:
            mini.append(run(ministack, "peer_ministack", twenty, few))
    mine, peer = best(ours, count), best(moto, FOR_PEERS)
    agreed = run(sys.executable, "ours", twenty, few)["matches"]
    print(f"{name}: from raw bytes to verdict, 20 patterns, one core")
    print(
        f"  ours        {mine:>11,.0f} events/s, parsing included; {agreed:,} rules counted in {FOR_PEERS:,}"
    )
    print(
        f"  moto        {peer:>11,.0f} events/s, parsed for free; {moto[0]['matches']:,}; ratio {mine / peer:.0f}"
    )
    if mini:
        other = best(mini, FOR_PEERS)
        print(
            f"  ministack   {other:>11,.0f} events/s, parsed for free; {mini[0]['matches']:,}; ratio {mine / other:.1f}"
        )
    print(
        f"  1,000 rules {best(ours_many, count):>11,.0f} events/s; cost of 20 rules times {mine / best(ours_many, count):.2f}"
    )


def measure_archive(folder: Path) -> None:
    """A trail's files, gzip'd, on one core."""
    for number in range(FILES):
        records = [json.loads(raw)["detail"] for raw in stream(RECORDS_A_FILE, 0.01, seed=number)]
        content = json.dumps({"Records": records}, separators=(",", ":")).encode()
        (folder / f"{number:03d}.json.gz").write_bytes(gzip.compress(content, compresslevel=6))
    answers = [run(sys.executable, "decompression", str(folder)) for _ in range(ROUNDS)]
    fastest = min(answers, key=lambda answer: float(answer["seconds"]))
    raw, packed = fastest["raw_bytes"] / 1e6, fastest["packed_bytes"] / 1e6
    print(f"archive: {FILES} trail files, {packed:.0f} MB packed, {raw:.0f} MB of JSON, one core")
    print(
        f"  {raw / fastest['seconds']:,.0f} MB/s of JSON, {packed / fastest['seconds']:.0f} MB/s packed",
        end="; ",
    )
    print(f"share of decompression {fastest['inflating'] / fastest['seconds']:.2f}")


def main() -> None:
    """All measurements. The one argument is the Python of ministack's environment, if there is one."""
    ministack = sys.argv[1] if len(sys.argv) > 1 else None
    for name in STREAMS:
        with tempfile.TemporaryDirectory() as folder:
            measure_stream(name, Path(folder), ministack)
    with tempfile.TemporaryDirectory() as folder:
        measure_archive(Path(folder))


if __name__ == "__main__":
    main()
