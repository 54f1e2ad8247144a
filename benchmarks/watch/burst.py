"""Thousands of deletions at once, in random order, a fifth of them twice, while Slack throttles and fails for a minute.

Nothing may be lost and nothing told twice, and memory must not grow with the burst.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.watch.watching import watching
from benchmarks.watch.world import CHANNEL, World
from tests.watcher.bursts import burst
from watcher.alerts.digest import DIGEST
from watcher.incidents.incident import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.backup.report import Report
    from benchmarks.watch.watching import Watching
    from tests.watcher.bursts import Burst
    from watcher.incidents.incident import Incident
    from watcher.testing.slack import PostedMessage

BAD_SECONDS = 60
GROWTH = 1.2
SMALLER = 10
# A watcher that has not come through by then has hung.
SECONDS_AN_EVENT, LEAST_SECONDS = 0.2, 180


def measure_burst(report: Report, events: int, bad_seconds: int, *, memory: bool) -> None:
    """The burst; and a tenth of it, beside which its memory is measured."""
    large = _burst(report, events, bad_seconds)
    if memory:
        small = _burst(report, events // SMALLER, bad_seconds)
        report.ratio(
            f"peak memory {large.peak_bytes / 1e6:.0f} MB with {events:,} events, "
            f"{small.peak_bytes / 1e6:.0f} MB with {events // SMALLER:,}",
            large.peak_bytes / small.peak_bytes,
            at_most=GROWTH,
        )


def _burst(report: Report, events: int, bad_seconds: int) -> Watching:
    story = burst(events, datetime.now(UTC))
    with World() as world:
        world.slack.bad_until = time.time() + bad_seconds
        world.aws.queue.send(body.decode() for body in story.bodies)
        with watching(world.settings()) as watcher:
            begun = time.monotonic()
            deadline = begun + LEAST_SECONDS + bad_seconds + SECONDS_AN_EVENT * events
            while world.aws.queue.left and time.monotonic() < deadline:
                time.sleep(0.1)
            taken = time.monotonic() - begun
            while time.monotonic() < deadline and any(one.unsent for one in world.incidents()):
                time.sleep(1)
            told = time.monotonic() - begun
        calls = sum(number for name, number in world.aws.requests.items() if name.startswith("s3:"))
        report.heading(
            f"  {events:,} events: {events / taken:.0f}/s taken in, all told after {told:.0f} s"
            f" (Slack was down for {bad_seconds} s, {world.slack.refused} calls of it);"
            f" {watcher.cpu / events * 1000:.0f} ms of CPU an event, {calls / events:.1f} calls of S3,"
            f" {watcher.warnings} warnings, received {world.aws.queue.most_receives} times at most"
        )
        left = world.aws.queue.left
        faults = [f"{left} messages are left"] if left else []
        faults += _faults(story, world.incidents(), world.slack.messages)
    for fault in faults:
        report.no_ratio(f"{events:,} events: {fault}", ours=True)
    if not faults:
        report.heading(f"  {events:,} events: every table is told, every incident is visible, none twice")
    return watcher


def _faults(story: Burst, incidents: Sequence[Incident], messages: Sequence[PostedMessage]) -> list[str]:
    """What was lost, and what came twice."""
    leads = [one for one in incidents if not one.part_of]
    digests = {one.id: {member.id for member in one.members} for one in leads if one.subject.type == DIGEST}
    told = {
        subject.name
        for one in leads
        if one.id not in digests
        for subject in (one.subject, *(member.subject for member in one.members))
    }
    entries = Counter(
        (str(payload["incident_id"]), str(payload["entry"]))
        for message in messages
        if message.channel == CHANNEL and message.metadata
        for payload in [message.metadata["event_payload"]]
    )
    opened = {incident_id for incident_id, entry in entries if entry.endswith(f":{NoticeKind.OPENED}")}
    unseen = [
        one.id
        for one in leads
        if (one.id not in opened)
        and not any(digest in opened and one.id in members for digest, members in digests.items())
    ]
    faults = [f"{len(lost)} tables are told of nowhere"] if (lost := story.tables - told) else []
    faults += [f"{len(unseen)} incidents are not visible"] if unseen else []
    twice = [key for key, count in entries.items() if count > 1]
    faults += [f"{len(twice)} messages came twice"] if twice else []
    unsent = sum(len(one.unsent) for one in incidents)
    return faults + ([f"{unsent} messages are still owed"] if unsent else [])
