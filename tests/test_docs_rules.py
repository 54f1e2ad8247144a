"""docs/rules.md is true: its files are written, its commands run, and what they print is what the page shows.

The page is read from top to bottom, as somebody does who follows along in one folder. What is done with a block is
said in a comment above it, which readers of the page do not see:

    <!-- file: rules.d/shop.yaml -->      the file, new
    <!-- append: rules.d/shop.yaml -->    more lines of it
    <!-- edit: rules.d/shop.yaml -->      lines of it that change, as a diff
    <!-- not run: needs an AWS account -->  commands that cannot be run here; tests/test_docs.py holds their options

All other console blocks are run. Only beside them there is ``trail/``, which is in tests/docs.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import app, run
from recovery.clock import utc_now
from rules.lint.checks import lint
from rules.rulefile import DEFAULT_PACK, load_rules
from rules.yaml_source import load_yaml
from tests.cli.running import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
WRITES = ("file: ", "append: ", "edit: ")
NOT_RUN = "not run: "
LEFT_OUT = "..."
# What may differ: the default pack, which is always loaded along, grows.
MAY_VARY = ((re.compile(r"default pack:\d+"), "default pack:N"),)

pytestmark = pytest.mark.xdist_group("docs-rules")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, the comment above it, and the line of the page at which its content begins."""

    marker: str
    language: str
    content: str
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command, what the page shows below it, and where."""

    arguments: tuple[str, ...]
    shown: str
    line: int


def blocks() -> Iterator[Block]:
    """Every fenced block of the page, in order."""
    found = re.finditer(
        r"^(?:<!-- (?P<marker>.+?) -->\n)?```(?P<language>\w*)\n(?P<content>.*?)^```$",
        PAGE,
        re.DOTALL | re.MULTILINE,
    )
    for match in found:
        line = PAGE.count("\n", 0, match.start("content")) + 1
        yield Block(match["marker"] or "", match["language"], match["content"], line)


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block, each with the lines up to the next one."""
    lines = block.content.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"docs/rules.md:{block.line}: a console block begins with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        words = shlex.split(lines[start].removeprefix("$ "))
        assert words[0] == "safetynet"
        yield Command(tuple(words[1:]), "\n".join(lines[start + 1 : end]), block.line + start)


BLOCKS = tuple(blocks())
COMMANDS = tuple(
    command
    for block in BLOCKS
    if block.language == "console" and not block.marker.startswith(NOT_RUN)
    for command in commands(block)
)


def table(heading: str) -> list[list[str]]:
    """The cells of a table's rows, by the first column's heading."""
    match = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert match is not None
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in match[1].splitlines()]


def write(block: Block, folder: Path) -> None:
    """Do to a file what a reader does."""
    action, _, name = block.marker.partition(": ")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if action != "file" else ""
    if action == "edit":
        lines = block.content.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert before.count(old) == 1, f"docs/rules.md:{block.line}: these lines are not in {name}"
        path.write_text(before.replace(old, new), encoding="utf-8")
    else:
        assert (action == "append") is path.exists(), f"docs/rules.md:{block.line}: {block.marker}"
        path.write_text(before + block.content, encoding="utf-8")


def typed(arguments: tuple[str, ...]) -> tuple[int, str]:
    """The command, run in this process: its exit code, and all that a terminal would show."""
    screen = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(screen),
        redirect_stderr(screen),
    ):
        patch.setattr(sys, "argv", ["safetynet", *arguments])
        return run(app), screen.getvalue()


def normal(text: str) -> str:
    """The text without what may vary."""
    for pattern, instead in MAY_VARY:
        text = pattern.sub(instead, text)
    return text.strip("\n")


def matches(shown: str, printed: str) -> bool:
    """Whether it is the same, with at least one line for each ``...``."""
    lines = ["(?:.*\n)+?" if line == LEFT_OUT else re.escape(line) + "\n" for line in shown.splitlines()]
    return re.fullmatch("".join(lines), printed + "\n" if printed else "") is not None


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[int, str]]:
    """The page, followed from top to bottom: exit code and output of each command, by its line."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "tests" / "docs" / "trail", folder / "trail")
    outcomes: dict[int, tuple[int, str]] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SAFETYNET_")]:
            patch.delenv(name)
        patch.setenv("COLUMNS", "100")
        patch.chdir(folder)
        for block in BLOCKS:
            if block.marker.startswith(WRITES):
                write(block, folder)
            elif block.language == "console" and not block.marker.startswith(NOT_RUN):
                outcomes |= {command.line: typed(command.arguments) for command in commands(block)}
    return outcomes


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"{one.line}: {' '.join(one.arguments)}")
def test_the_output_is_as_shown(command: Command, followed: dict[int, tuple[int, str]]) -> None:
    """Line by line; and it fails if, and only if, the page shows an error."""
    code, printed = followed[command.line]
    assert (code != 0) is any(line.startswith("error: ") for line in command.shown.splitlines()), printed
    shown, printed = normal(command.shown), normal(printed)
    if not matches(shown, printed):
        assert printed == shown, f"docs/rules.md:{command.line}"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda one: f"{one.line}")
def test_no_block_is_passed_over(block: Block) -> None:
    """An example that no test would notice is none."""
    if block.language == "console":
        assert block.marker == "" or block.marker.startswith(NOT_RUN)
    else:
        assert block.marker.startswith("edit: " if block.language == "diff" else ("file: ", "append: "))


def test_every_rule_file_is_tried() -> None:
    """A command names the file, or the folder that it is in."""
    named = {argument for command in COMMANDS for argument in command.arguments}
    files = {block.marker.partition(": ")[2] for block in BLOCKS if block.language == "yaml"}
    assert [file for file in files if not {file, file.partition("/")[0]} & named] == []


def in_yaml(cell: str) -> dict[str, Any]:
    """What the code in a cell says."""
    document: dict[str, Any] = load_yaml(cell.strip("`"), "docs/rules.md").plain
    return document


def checks_of(folder: Path, keys: dict[str, Any]) -> set[str]:
    """The checks that find something in a rule with some keys."""
    rule = {"id": "trap", "verdict": "suspicious", "reason": "a trap", "match": {"source": ["aws.dynamodb"]}}
    document = {"version": 1, "rules": [{**rule, **keys}]}
    (folder / "trap.yaml").write_text(json.dumps(document), encoding="utf-8")
    loaded = load_rules([folder / "trap.yaml"], default_pack=False)
    return {finding.check for finding in lint(loaded, utc_now())}


@pytest.mark.parametrize("row", table("it seems to say"), ids=lambda row: row[0])
def test_traps(row: list[str], tmp_path: Path) -> None:
    """The check of that name finds each, and finds nothing in what is to be written instead."""
    trap, _, instead, check = row
    assert checks_of(tmp_path, {"match": in_yaml(trap)}) == {check.strip("`")}
    pattern = in_yaml(instead)
    assert checks_of(tmp_path, pattern if "unless" in pattern else {"match": pattern}) == set()


def test_the_default_pack() -> None:
    """Each of its rules is in the table, with its verdict and severity, in its order."""
    (pack,) = (file for _, file in load_rules([DEFAULT_PACK], default_pack=False).files)
    assert [row[:3] for row in table("rule")] == [
        [f"`{rule.id}`", rule.verdict.value, rule.severity.value if rule.severity else "info"]
        for rule in pack.rules
    ]


def test_the_checks_of_the_lint() -> None:
    """Each name in the table is one that the lint gives."""
    source = "".join(path.read_text("utf-8") for path in sorted((ROOT / "rules" / "lint").glob("*.py")))
    source += (ROOT / "cli" / "commands" / "rules" / "check.py").read_text("utf-8")
    source = source.replace('f"unused-{kind}"', '"unused-list", "unused-window"')
    names = [name for row in table("check") for name in re.findall(r"`([a-z-]+)`", row[0])]
    assert len(names) > 30
    assert [name for name in names if f'"{name}"' not in source] == []


def test_anchors_lead_somewhere() -> None:
    """Each link within the page names one of its headings."""
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert [link for link in re.findall(r"\]\(#([^)]+)\)", PAGE) if link not in anchors] == []
