"""The real command in a process of its own, against the embedded AWS."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.main import app, run
from recovery.testing.embedded_aws import EXAMPLE_KEYS, REGION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.testing.embedded_aws import EmbeddedEndpoint

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "cli.main")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell with exports; ``run`` types a command into it."""

    exports: dict[str, str]
    folder: Path

    def run(self, *arguments: str, typed: str = "", **exports: str) -> Outcome:
        """Run ``safetynet`` to its end."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=typed,
            capture_output=True,
            text=True,
            env=self.environment(**exports),
            cwd=self.folder,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *arguments: str, **exports: str) -> Iterator[subprocess.Popen[str]]:
        """Run ``safetynet`` while the block runs; what is still there at its end is killed."""
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(**exports),
            cwd=self.folder,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def environment(self, **exports: str) -> dict[str, str]:
        """The exports, and what a process needs to run at all."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        here = os.fspath(ROOT)
        return {**kept, "PYTHONPATH": here, "COLUMNS": "120", **self.exports, **exports}


class QuickShell(Shell):
    """Runs a command in this process, which takes half a second less: for commands that talk to nobody."""

    def run(self, *arguments: str, typed: str = "", **exports: str) -> Outcome:
        """See Shell.run."""
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        with (
            chdir(self.folder),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            for name in before:
                patch.delenv(name)
            for name, value in self.environment(**exports).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["safetynet", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
            return Outcome(run(app), out.getvalue(), err.getvalue())


def shell_for(endpoint: EmbeddedEndpoint, folder: Path, **exports: str) -> Shell:
    """A shell whose AWS is the embedded one."""
    return Shell(
        {
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": EXAMPLE_KEYS.access_key,
            "AWS_SECRET_ACCESS_KEY": EXAMPLE_KEYS.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            **exports,
        },
        folder,
    )
