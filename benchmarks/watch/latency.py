"""From receipt to alert: ten deletions a second, each by a session of its own, so each is a message of its own.

An alert is visible when the stand-in answers, 50 ms after it has got it; receipt is when the queue got the event.
"""

from __future__ import annotations

import math
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.backup.processes import LOOPBACK, free_port, serving
from benchmarks.watch.watching import watching
from benchmarks.watch.world import CHANNEL, SLACK_SECONDS, World
from tests.watcher.bursts import at
from tests.watcher.watching import by, delete_table

if TYPE_CHECKING:
    from benchmarks.backup.report import Report

# moto takes about 5 ms of CPU for each of some twenty calls an event: at ten events a second it would be measured.
RATE, MOTO_RATE = 10, 2
WARM_UP = 20
P99_SECONDS = 0.3
PATIENCE = 60.0


def measure_latency(report: Report, seconds: int, *, moto: bool) -> None:
    """The figures and the bar; with ``moto`` its server, in a process of its own, is the S3, and there is no bar."""
    if not moto:
        p99 = _measure(report, World(), "S3 in memory", RATE, seconds * RATE)
        report.ratio(
            f"S3 in memory: p99 of the allowed {P99_SECONDS * 1000:.0f} ms", p99 / P99_SECONDS, at_most=1
        )
        return
    port = free_port()
    with serving([sys.executable, "-m", "moto.server", "-p", str(port)], {}, port):
        world = World(f"http://{LOOPBACK}:{port}")
        _measure(report, world, "moto's S3", MOTO_RATE, seconds * MOTO_RATE)


def _measure(report: Report, world: World, what: str, rate: int, events: int) -> float:
    """The 99th percentile, in seconds; infinite where alerts did not come."""
    count = WARM_UP + events
    sent: dict[str, float] = {}
    # Of so many alerts all but ten would be told in a digest, every few seconds.
    with world, watching({**world.settings(), "SAFETYNET_ALERTS__DIGEST__MORE_THAN": "1000"}) as watcher:
        start = time.monotonic()
        for number in range(count):
            if number >= WARM_UP:
                time.sleep(max(0.0, start + (number - WARM_UP) / rate - time.monotonic()))
            name = f"lost-{number:05}"
            body = delete_table(name, **at(datetime.now(UTC)), **by(f"somebody-{number:05}"))
            sent[name] = time.time()
            world.aws.queue.send([body.decode()])
            if number == WARM_UP - 1:
                _wait(world, WARM_UP)
                start = time.monotonic() + 1
        _wait(world, count)
        shown = {_table(message.text): float(message.ts) for message in world.slack.visible(CHANNEL)}
    names = [f"lost-{number:05}" for number in range(WARM_UP, count)]
    missing = [name for name in names if name not in shown]
    waits = sorted(shown[name] + SLACK_SECONDS - sent[name] for name in names if name in shown)
    if missing or not waits:
        report.no_ratio(f"{what}: {len(missing)} of {count} alerts did not come", ours=True)
        return math.inf
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    calls = sum(number for name, number in world.aws.requests.items() if name.startswith("s3:"))
    report.heading(
        f"  {what}: {len(waits)} alerts at {rate}/s: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms,"
        f" at most {waits[-1] * 1000:.0f} ms; {watcher.cpu / count * 1000:.0f} ms of CPU an event, start included"
        + (f", {calls / count:.1f} calls of S3" if not world.s3_url else "")
    )
    return p99


def _wait(world: World, count: int) -> None:
    """Until so many alerts are there, or nobody can expect them any more."""
    world.slack.wait_for(lambda: len(world.slack.visible(CHANNEL)) >= count, PATIENCE)


def _table(text: str) -> str:
    """The table that an alert names."""
    found = text.find("lost-")
    return text[found : found + len("lost-00000")] if found >= 0 else ""
