"""The page of all settings is about the settings that there are, in the order in which they are put on."""

from __future__ import annotations

import re

from recovery.definitions.definition import Settings
from recovery.definitions.putting_back import STEPS
from recovery.definitions.surroundings import Surroundings
from tests.cli.running import ROOT

PAGE = (ROOT / "docs" / "recovery-settings.md").read_text(encoding="utf-8")
HEAD = ["setting", "vault: write, bulk", "vault: import", "PITR, system or on-demand backup", "AWS Backup"]
PROOFS = {"moto", "ministack", "answers"}
# What CreateTable alone can give a table.
BORN_WITH = {"key_schema", "local_indexes"}


def rows() -> dict[str, list[str]]:
    """The cells of each row after the first, by the name in the first."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in lines[0].strip("|").split("|")][:5] == HEAD
    found: dict[str, list[str]] = {}
    for line in lines[2:]:
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        (name,) = re.findall(r"`(\w+)`", first)
        found[name] = others
    return found


def test_every_setting_has_its_row() -> None:
    """None is forgotten when one is added, none stays that is gone."""
    assert set(rows()) == {*Settings.model_fields, *Surroundings.model_fields, *STEPS, *BORN_WITH}


def test_the_rows_are_in_the_order_of_the_pass() -> None:
    """It is the order that causes no harm."""
    assert [name for name in rows() if name in STEPS] == list(STEPS)


def test_what_the_pass_puts_on_is_proved() -> None:
    """From every point a setting comes at creation, by the pass, or never; and what comes is proved somewhere."""
    for name, (*sources, calls, proofs) in rows().items():
        assert set(sources) <= {"creation", "pass", "never"}, name
        comes = set(sources) != {"never"}
        assert comes == (name in STEPS or name in BORN_WITH), name
        assert (calls != "-") == comes, name
        assert (set(proofs.split(", ")) <= PROOFS) == comes, name
        # Only what is born with a table can be out of the pass's reach.
        assert name in STEPS or "pass" not in sources, name


def test_every_setting_has_its_note_where_it_never_comes() -> None:
    """Whoever reads `never` finds out why."""
    notes = PAGE.partition("## Notes")[2]
    for name, sources in rows().items():
        assert "never" not in sources or f"**`{name}`**" in notes, name
