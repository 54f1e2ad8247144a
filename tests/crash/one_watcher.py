"""Watchers in processes of their own, each killed with SIGKILL at one of the calls that it makes over the network.

``python one_watcher.py URL`` reads a line of JSON for each: ``settings`` (SAFETYNET_ variables), ``kill_at`` (the
number of the call, 0: never), ``after`` (the answer is there already), ``messages`` (after so many the threaded loop
ends; 0: work through what is there, one after another). It answers with the exit code and the number of calls.

A process is forked for each, for the imports take longest; nothing else is shared, and no thread runs here.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.composition import Net
from cli.settings import load_settings
from cli.watching import sources_of, watching_of
from recovery.testing.embedded_aws import EmbeddedEndpoint
from rules.rulefile import load_rules

if TYPE_CHECKING:
    from recovery.aws import Aws
    from watcher.incidents.incident import Incident

LONGEST_SLEEP = 0.02


@dataclass(frozen=True, slots=True)
class Order:
    """One process to be run."""

    settings: dict[str, str]
    kill_at: int
    after: bool
    messages: int


class Deadly:
    """Counts requests, whoever makes them: AWS's client and Slack's both end in http.client."""

    def __init__(self, order: Order, told: int) -> None:
        self._order = order
        self._told = told
        self._count = itertools.count(1)
        self._lock = threading.Lock()

    def install(self) -> None:
        """From now on requests are counted."""
        kind: Any = http.client.HTTPConnection
        endheaders, getresponse = kind.endheaders, kind.getresponse

        def begun(connection: Any, *arguments: Any, **named: Any) -> Any:
            with self._lock:
                connection.number = next(self._count)
                os.pwrite(self._told, f"{connection.number:8}".encode(), 0)
                if connection.number == self._order.kill_at and not self._order.after:
                    os.kill(os.getpid(), signal.SIGKILL)
            return endheaders(connection, *arguments, **named)

        def answered(connection: Any) -> Any:
            response = getresponse(connection)
            if connection.number == self._order.kill_at and self._order.after:
                os.kill(os.getpid(), signal.SIGKILL)
            return response

        kind.endheaders, kind.getresponse = begun, answered


def _sleep(seconds: float) -> None:
    """Nobody else is at work, so there is nobody to wait for."""
    time.sleep(min(seconds, LONGEST_SLEEP))


def watch(order: Order, aws: Aws, told: int) -> None:
    """What the process does."""
    os.environ.update(order.settings)
    Deadly(order, told).install()
    net = Net(load_settings(None), aws, sleep=_sleep, poll_seconds=0)
    watching = watching_of(net, sources_of(net))
    left = itertools.count(order.messages - 1, -1)

    def done(_: Incident) -> None:
        if next(left) == 0:
            watching.stop()

    watching.on_incident = done
    if order.messages:
        watching.run()
    else:
        watching.drain()


def forked(order: Order, aws: Aws) -> tuple[int, int]:
    """Exit code (-9: killed), and how many calls were made."""
    told = os.memfd_create("calls")
    child = os.fork()
    if not child:
        code = 1
        try:
            watch(order, aws, told)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    count = int(os.pread(told, 8, 0) or b"0")
    os.close(told)
    return os.waitstatus_to_exitcode(status), count


def main(url: str) -> None:
    """Take orders until there are no more."""
    aws = EmbeddedEndpoint(url).aws()
    for client in (aws.s3, aws.sqs, aws.dynamodb):
        client()
    load_rules([])
    for line in sys.stdin:
        print(json.dumps(forked(Order(**json.loads(line)), aws)), flush=True)  # noqa: T201 - to the test


if __name__ == "__main__":
    main(sys.argv[1])
