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
    shown = {_without_numbers(line) for line in done.stdout.splitlines()}
    assert [line for line in _transcript() if _without_numbers(line) not in shown] == []


def _transcript() -> list[str]:
    """The lines of the README's transcript; `...` stands for what it leaves out."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- transcript -->\n```text\n(.*?)```", readme, re.DOTALL)
    lines = [line for line in block.splitlines() if line.strip() not in {"", "..."}]
    assert len(lines) > 20
    return lines


def _without_numbers(line: str) -> str:
    """Times, ids and hashes differ from run to run; widths do with them."""
    return re.sub(r"\s+", " ", re.sub(r"[0-9a-f-]*\d[0-9a-f.,-]*", "#", line)).strip()
