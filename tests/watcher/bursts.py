"""Many deletions at once, by many people: stories of a burst for the tests of load, and for the benchmark."""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.watcher.watching import by, delete_stack, delete_table
from watcher.sources.source import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

MINUTES = timedelta(minutes=2)
# Of all changes: what the busiest session makes, each of some busy ones, and the stacks with what goes with them.
BUSIEST, BUSY, BUSY_SESSIONS, STACKS = 0.15, 0.03, 9, 0.24


@dataclass(frozen=True, slots=True)
class Burst:
    """Messages in random order, some of them more than once, and the names of all tables that they say are gone."""

    bodies: tuple[bytes, ...]
    tables: frozenset[str]
    sessions: int


def at(time: datetime) -> dict[str, Any]:
    """The time of an event."""
    return {"eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"}


def stack_status(table: str, stack: str, time: datetime) -> bytes:
    """A synthetic event of CloudFormation: a table is gone with its stack."""
    detail = {
        "stack-id": f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack}/0a1b",
        "logical-resource-id": "T",
        "physical-resource-id": table,
        "resource-type": "AWS::DynamoDB::Table",
        "status-details": {"status": "DELETE_COMPLETE", "status-reason": ""},
        "client-request-token": "",
    }
    envelope = {
        "version": "0",
        "id": f"status-{stack}-{table}",
        "detail-type": "CloudFormation Resource Status Change",
        "source": "aws.cloudformation",
        "account": "123456789012",
        "time": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }
    return json.dumps(envelope).encode()


def deleted_stack(stack: str, tables: list[str], who: dict[str, Any], begun: datetime) -> list[bytes]:
    """A stack's deletion, and each of its tables twice: CloudFormation's own call, and its durable event."""
    called = {
        "userIdentity": {**who["userIdentity"], "invokedBy": "cloudformation.amazonaws.com"},
        "sourceIPAddress": "cloudformation.amazonaws.com",
        "userAgent": "cloudformation.amazonaws.com",
    }
    bodies = [delete_stack(stack, **at(begun), **who)]
    for number, table in enumerate(tables):
        time = begun + timedelta(seconds=number % 50)
        bodies.append(delete_table(table, **at(time), **called))
        bodies.append(stack_status(table, stack, time + timedelta(seconds=1)))
    return bodies


def burst(total: int, now: datetime, *, sessions: int = 100, duplicates: float = 0.2, seed: int = 1) -> Burst:
    """``total`` messages of the two minutes before ``now``; a fifth of the sessions delete a stack each."""
    rng = random.Random(seed)
    changes = round(total / (1 + duplicates))
    stacks = sessions // 5
    stack_tables = max(1, int(changes * STACKS) // stacks // 2)
    sizes = [int(changes * BUSIEST)] + [max(1, int(changes * BUSY))] * BUSY_SESSIONS
    rest = changes - sum(sizes) - stacks * (1 + 2 * stack_tables)
    quiet = sessions - stacks - len(sizes)
    sizes += [rest // quiet + (number < rest % quiet) for number in range(quiet)]
    bodies: list[bytes] = []
    tables: set[str] = set()
    for session, size in enumerate(sizes):
        for number in range(size):
            tables.add(name := f"table-{session:03}-{number:04}")
            time = now - MINUTES * rng.random()
            bodies.append(delete_table(name, **at(time), **by(f"user-{session:03}")))
    for stack in range(stacks):
        names = [f"of-stack-{stack:03}-{number:04}" for number in range(stack_tables)]
        tables.update(names)
        begun = now - MINUTES + timedelta(seconds=60 * rng.random())
        bodies += deleted_stack(f"stack-{stack:03}", names, by(f"deployer-{stack:03}"), begun)
    bodies += rng.choices(bodies, k=total - len(bodies))
    rng.shuffle(bodies)
    return Burst(tuple(bodies), frozenset(tables), sessions)


class BurstQueue:
    """See EventSource: ten at a time, as SQS; one that was let go comes back at once. Threads may share it."""

    def __init__(self, bodies: Iterable[bytes]) -> None:
        self._ready = deque(
            Delivery(f"m{number}", body, f"m{number}", 1) for number, body in enumerate(bodies)
        )
        self._taken: dict[str, Delivery] = {}
        self._lock = threading.Lock()

    @property
    def location(self) -> str:
        """``burst``."""
        return "burst"

    @property
    def left(self) -> int:
        """How many messages are not acknowledged."""
        with self._lock:
            return len(self._ready) + len(self._taken)

    def receive(self) -> Sequence[Delivery]:
        """See EventSource.receive."""
        with self._lock:
            found = [self._ready.popleft() for _ in range(min(10, len(self._ready)))]
            self._taken |= {delivery.receipt: delivery for delivery in found}
        return found

    def acknowledge(self, delivery: Delivery) -> None:
        """See EventSource.acknowledge."""
        with self._lock:
            self._taken.pop(delivery.receipt, None)

    def acknowledge_all(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See EventSource.acknowledge_all."""
        for delivery in deliveries:
            self.acknowledge(delivery)
        return []

    def release(self, delivery: Delivery) -> None:
        """See EventSource.release."""
        with self._lock:
            if self._taken.pop(delivery.receipt, None) is not None:
                self._ready.append(delivery)
