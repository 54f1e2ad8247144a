"""Servers that a test starts and ends: a free loopback port each, ready when its DynamoDB answers."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from recovery.testing.embedded_aws import LOOPBACK, EmbeddedEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

KEPT = ("PATH", "HOME", "LANG")
POLLS, POLL_SECONDS = 600, 0.05


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    command: Sequence[str | Path], exports: Mapping[str, str], port: int, folder: Path
) -> Iterator[EmbeddedEndpoint]:
    """The server while the block runs. What it prints goes to a file in ``folder``, its temporary files, too."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    log = folder / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**kept, "TMPDIR": os.fspath(folder), **exports},
            cwd=folder,
        )
        with process:
            try:
                endpoint = EmbeddedEndpoint(f"http://{LOOPBACK}:{port}")
                _wait_until_ready(process, endpoint, log)
                yield endpoint
            finally:
                _end(process)


def _wait_until_ready(process: subprocess.Popen[bytes], endpoint: EmbeddedEndpoint, log: Path) -> None:
    client = endpoint.aws(max_attempts=1).dynamodb()
    for _ in range(POLLS):
        # A process that has ended while something answers on its port would mean a stranger answers.
        assert process.poll() is None, (
            f"the engine ended with {process.returncode}: {log.read_text()[-2000:]}"
        )
        try:
            client.list_tables()
        except (BotoCoreError, ClientError):
            time.sleep(POLL_SECONDS)
        else:
            return
    raise AssertionError(f"the engine never answered: {log.read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
