"""The watcher under test: ``safetynet watch`` in a process of its own, and what the kernel counts for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.backup.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE = 60


@dataclass
class Watching:
    """A running watcher; once it has ended, ``cpu`` seconds and ``peak_bytes`` are known."""

    process: subprocess.Popen[bytes]
    cpu: float = 0.0
    peak_bytes: int = 0
    warnings: int = 0

    def end(self, log: str) -> None:
        """Tell it to stop, and count. Raises RuntimeError for one that ended otherwise."""
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu, self.peak_bytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        text = Path(log).read_text(encoding="utf-8")
        self.warnings = text.count(" WARNING ") + text.count(" ERROR ")
        if self.process.returncode:
            raise RuntimeError(f"the watcher failed ({self.process.returncode}): {text[-2000:]}")


@contextmanager
def watching(settings: Mapping[str, str]) -> Iterator[Watching]:
    """A watcher with these settings, which is ended with the block."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    with tempfile.TemporaryDirectory() as folder:
        log = f"{folder}/log"
        with Path(log).open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "watch"],
                env={**kept, "PYTHONPATH": os.fspath(ROOT), "COLUMNS": "200", **settings},
                cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
            watcher = Watching(process)
            try:
                yield watcher
                watcher.end(log)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
