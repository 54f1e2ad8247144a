"""Drafts of rules on their way to a file: only what loads and passes its own tests, and never over another file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rules.errors import UsageError
from rules.rule_tests import run_rule_tests
from rules.rulefile import load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def check_draft(text: str, now: datetime) -> None:
    """A draft that does not load, or fails its own tests, is not handed out. Raises UsageError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draft.yaml"
        path.write_text(text, encoding="utf-8")
        results = run_rule_tests(load_rules([path]), now)
        failed = [result for result in results if not result.passed and result.place.startswith(f"{path}:")]
    if failed:
        what = "; ".join(f"{result.name}: {', '.join(result.differences)}" for result in failed[:3])
        raise UsageError(
            f"no draft: it would fail its own tests ({what})",
            hint="Write the rule by hand; see docs/rules.md.",
        )


def check_is_new(output: Path) -> None:
    """Raises UsageError for a file that is there already."""
    if output.exists() or output.is_symlink():
        raise _taken(output)


def write_new(output: Path, text: str) -> None:
    """Write a file that is not there yet. Raises UsageError."""
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _taken(output) from error
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror or error}") from error


def what_is_left(output: Path | None, missing: Sequence[str]) -> str:
    """What a person has to do with the draft, on one line."""
    fill = f"fill in {' and '.join(missing)}, " if missing else ""
    file = output or "FILE"
    runs = f"run `safetynet rules check {file}` and `safetynet rules test {file}`"
    where = f"{output}: " if output else "save it to a file, "
    return f"{where}read it, edit it, {fill}then {runs}"


def _taken(output: Path) -> UsageError:
    return UsageError(f"{output} exists; nothing is overwritten", hint="Give another name.")
