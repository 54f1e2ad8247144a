"""The demo, as `make demo` runs it."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.cli.running import COMMAND, ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_the_story_ends_well(tmp_path: Path) -> None:
    """Every check passes, the figures are there, and settings that lead to a real AWS are not followed."""
    real = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_PROFILE": "production",
        "SAFETYNET_VAULT": "s3://real",
    }
    done = subprocess.run(
        [*COMMAND, "demo", "--yes"],
        capture_output=True,
        text=True,
        env={**os.environ, **real, "COLUMNS": "100", "PYTHONPATH": os.fspath(ROOT)},
        cwd=tmp_path,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "✗" not in done.stdout
    assert done.stdout.count("✓") >= 12
    assert re.search(r"items verified\s+│\s+5,000", done.stdout)
    assert "definition equal" in done.stdout
    assert "Traceback" not in done.stderr
