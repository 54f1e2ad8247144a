"""Child processes: what they cost by the kernel's own count, and servers that end with us."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOOPBACK = "127.0.0.1"
ROOT = Path(__file__).parents[2]
START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command cost. CPU is user and system time, the process's own children included.

    ``peak_bytes`` is the largest resident set of any one process of it. ``trouble`` says why it did not finish.
    """

    wall: float
    cpu: float
    peak_bytes: int
    stdout: str
    trouble: str = ""


def run(command: Sequence[str | Path], env: Mapping[str, str], folder: Path, patience: float) -> Cost:
    """Run a command in a folder, for at most ``patience`` seconds."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 - commands of our own
            command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        timer = Timer(patience, child.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            timer.cancel()
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said, complaint = out.read(), err.read()
    trouble = ""
    if child.returncode:
        last = " ".join(complaint.strip().splitlines()[-2:]) or "it said nothing"
        trouble = f"exit code {child.returncode}: {last[:300]}"
        if wall >= patience:
            trouble = f"stopped after {patience:.0f} s"
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, said, trouble)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Sequence[str | Path], env: Mapping[str, str], port: int = 0) -> Iterator[int]:
    """A server while the block runs; its port, from its first line of output unless it is given.

    Raises RuntimeError for a server that does not come up.
    """
    with tempfile.TemporaryFile("w+") as err:
        server = subprocess.Popen(  # noqa: S603 - commands of our own
            command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL if port else subprocess.PIPE,
            stderr=err, text=True,
        )  # fmt: skip
        try:
            if port:
                _wait_for(port, server)
            elif server.stdout is not None:
                port = int(server.stdout.readline() or 0)
            if not port or server.poll() is not None:
                err.seek(0)
                raise RuntimeError(f"{command[0]} did not start: {err.read()[-300:]}")
            yield port
        finally:
            server.terminate()
            server.wait(START_SECONDS)


@contextmanager
def replaying(sizes: Sequence[int]) -> Iterator[int]:
    """The replay server with tables of these sizes; its port."""
    command = [sys.executable, "-m", "benchmarks.backup.replay", *map(str, sizes)]
    with serving(command, os.environ) as port:
        yield port


def _wait_for(port: int, server: subprocess.Popen[str]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")
