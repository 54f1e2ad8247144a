"""`safetynet rules schema` as people type it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rules.rule_json_schema import rule_file_schema
from rules.rule_keys import keys_page
from tests.cli.running import QuickShell, Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return QuickShell({}, tmp_path)


def test_on_stdout(shell: Shell) -> None:
    """The schema and nothing else."""
    done = shell.run("rules", "schema")
    assert done.code == 0, done.err
    assert json.loads(done.out) == rule_file_schema()


def test_into_files(shell: Shell, tmp_path: Path) -> None:
    """Made anew each time, for both are generated."""
    for _ in range(2):
        assert shell.run("rules", "schema", "-o", "rules.schema.json").code == 0
        assert shell.run("rules", "schema", "--keys", "-o", "rule-keys.md").code == 0
    assert json.loads((tmp_path / "rules.schema.json").read_text(encoding="utf-8")) == rule_file_schema()
    assert (tmp_path / "rule-keys.md").read_text(encoding="utf-8") == keys_page()


def test_a_place_where_nothing_can_be_written(shell: Shell) -> None:
    """Exit 2 and the reason."""
    done = shell.run("rules", "schema", "-o", "no/such/folder.json")
    assert (done.code, "cannot be written: No such file or directory" in done.err) == (2, True)
