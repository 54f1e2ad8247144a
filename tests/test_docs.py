"""The documents are true: commands exist, settings and exit codes are documented, examples work, links lead on."""

from __future__ import annotations

import importlib
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import typer

from cli.main import COMMANDS
from cli.settings import Settings
from rules.rule_schema import Rule
from tests.cli.running import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def text(name: str) -> str:
    """A document's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def command_lines() -> list[str]:
    """Every line `$ safetynet ...` in a console block of any document."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]
    lines = [line.removeprefix("$ ").split(" #")[0] for block in blocks for line in block.splitlines()]
    return [line for line in lines if "safetynet " in line and not line.startswith("pip ")]


def click_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words after it."""
    command: Any = typer.main.get_command(importlib.import_module(COMMANDS[words[0]][0]).app)
    rest = words[1:]
    while hasattr(command, "commands") and rest:
        load = getattr(command, "load", command.commands.__getitem__)
        command, rest = load(rest[0]), rest[1:]
    return command, rest


@pytest.mark.parametrize("line", command_lines())
def test_documented_commands_exist(line: str) -> None:
    """The command, its subcommand and all its options are there as written."""
    words = [
        word
        for word in shlex.split(line.replace("|", " ").replace("[", "").replace("]", ""))
        if "=" not in word
    ]
    assert words[0] == "safetynet"
    command, rest = click_command(words[1:])
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_every_command_is_in_the_readme() -> None:
    """A command that is not named there does not exist for most people."""
    readme = text("README.md")
    assert [name for name in COMMANDS if f"safetynet {name}" not in readme] == []


def setting_names(model: Any, prefix: str = "") -> list[str]:
    """``slack.token`` and so on: the leaves of the settings."""
    names: list[str] = []
    for python_name, field in model.model_fields.items():
        name = field.alias or python_name
        inner = [
            one
            for one in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if hasattr(one, "model_fields")
        ]
        names += setting_names(inner[0], f"{prefix}{name}.") if inner else [prefix + name]
    return names


def test_every_setting_is_documented() -> None:
    """By its path, in the table."""
    page = text("docs/settings.md")
    assert [name for name in setting_names(Settings) if f"`{name}`" not in page] == []


def test_every_key_of_a_rule_is_documented() -> None:
    """The keys that rule files may have."""
    page = text("docs/rules.md")
    assert [name for name in Rule.model_fields if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file or folder."""
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
