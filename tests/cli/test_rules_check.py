"""``safetynet rules check`` as people and machines run it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from cli.rule_lines import print_findings
from rules.lint.checks import Finding, Level
from rules.yaml_source import Fault
from tests.cli.running import Outcome, QuickShell

if TYPE_CHECKING:
    from pathlib import Path

WHO = "actor: {role: [ci]}"
CLEAN = f"{{id: shop, verdict: intentional, owner: a, reason: b, match: {{facts: {{{WHO}, resource: {{name: [x]}}}}}}}}"
WARNED = f"{{id: shop, verdict: intentional, owner: a, reason: b, match: {{facts: {{{WHO}}}}}}}"
WRONG = "{id: shop, verdict: suspicious, reason: b, match: {facts: {tol: [cli]}}}"


def check(folder: Path, rules: str, *options: str) -> Outcome:
    """Check one file with some rules."""
    (folder / "shop.yaml").write_text(f"version: 1\nrules:\n- {rules}\n", encoding="utf-8")
    return QuickShell({}, folder).run("rules", "check", "shop.yaml", *options)


def test_clean_rules(tmp_path: Path) -> None:
    """Exit 0, and a line that says what was looked at."""
    done = check(tmp_path, CLEAN, "--strict")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("1 file, 1 rule, no tests (and the default pack): ")
    assert done.out.endswith(": no errors, no warnings, no notes\n")


def test_an_error(tmp_path: Path) -> None:
    """Exit 2, one line for each finding, with its place, its level and its check."""
    done = check(tmp_path, WRONG)
    assert done.code == 2
    first, last = done.out.splitlines()
    assert (
        first == "shop.yaml:3:62: error: rule shop: no fact 'tol'; did you mean 'facts.tool'? [unknown-fact]"
    )
    assert last.endswith("1 error, no warnings, no notes")
    assert done.err.startswith("error: 1 error, no warnings, no notes in the rule files\nhint: ")


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 2)])
def test_a_warning(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    """It does not fail, unless that is asked for."""
    done = check(tmp_path, WARNED, *options)
    assert done.code == code
    assert "warning: rule shop: silences whatever they change" in done.out
    assert ("error: 1 warning in the rule files, and --strict makes it an error" in done.err) is bool(options)


def test_for_machines(tmp_path: Path) -> None:
    """JSON alone on stdout, with every finding and the counts; the exit code is the same."""
    done = check(tmp_path, WRONG, "--json")
    assert done.code == 2
    document: dict[str, Any] = json.loads(done.out)
    assert document["findings"] == [
        {
            "file": "shop.yaml",
            "line": 3,
            "column": 62,
            "level": "error",
            "check": "unknown-fact",
            "message": "rule shop: no fact 'tol'; did you mean 'facts.tool'?",
        }
    ]
    assert (document["files"], document["rules"], document["default_pack"]) == (1, 1, True)
    assert (document["errors"], document["warnings"], document["notes"]) == (1, 0, 0)


def test_files_that_do_not_load(tmp_path: Path) -> None:
    """Their faults are errors as all others are, each with its place, also as JSON."""
    broken = "{id: shop, verdict: intentionall, match: {facts: {tool: [{prefixx: a}]}}}"
    done = check(tmp_path, broken)
    assert done.code == 2
    first, last = done.out.splitlines()
    assert first.startswith("shop.yaml:3:14: error: verdict: input should be")
    assert first.endswith(" [schema]")
    assert last == "1 file does not load: 1 error, no warnings, no notes"
    assert done.err.startswith("error: 1 error, no warnings, no notes in the rule files\nhint: ")
    document = json.loads(check(tmp_path, broken, "--json").out)
    assert {(one["line"], one["check"], one["level"]) for one in document["findings"]} == {
        (3, "schema", "error")
    }
    assert (document["files"], document["rules"]) == (1, None)


def test_the_files_that_load_are_checked_all_the_same(tmp_path: Path) -> None:
    """Beside one that does not load; but nothing is called missing or unused that may be in that one."""
    lists = "lists: {few: [a]}\nwindows: {nights: {weekly: [mon]}}\n"
    (tmp_path / "broken.yaml").write_text(f"version: 1\n{lists}rule: []\n", encoding="utf-8")
    test = "{name: t, event: {eventName: DeleteTable}, expect: {verdict: suspicious, rule: elsewhere}}"
    done = check(tmp_path, f"{WRONG}\nlists: {{many: [b]}}\ntests:\n- {test}", ".")
    assert done.code == 2
    assert [line.rsplit("[", 1)[-1] for line in done.out.splitlines()[:-1]] == ["schema]", "unknown-fact]"]
    assert done.out.endswith(
        "1 file does not load; the rest: 1 file, 1 rule, 1 test (and the default pack): "
        "2 errors, no warnings, no notes\n"
    )
    needs = WRONG.replace("tol: [cli]", "tol: [{list: few}]").replace("match:", "during: [nights], match:")
    done = check(tmp_path, needs, ".")
    assert [line.rsplit("[", 1)[-1] for line in done.out.splitlines()[:-1]] == ["schema]"]
    assert "the others may need what is in it and were not looked into" in done.out


def test_a_numeric_text_under_numeric(tmp_path: Path) -> None:
    """EventBridge refuses it, and so does the check, with the place."""
    done = check(
        tmp_path,
        "{id: a, verdict: suspicious, match: {facts: {table: {itemCount: [{numeric: ['>', '5']}]}}}}",
    )
    assert done.code == 2
    assert "shop.yaml:3:" in done.out
    assert "must be a number" in done.out


def test_the_default_pack_alone(tmp_path: Path) -> None:
    """Without a path it is what is checked, and it is clean."""
    done = QuickShell({}, tmp_path).run("rules", "check", "--strict")
    assert done.code == 0
    assert done.out.startswith("1 file, ")


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_terminal(width: int) -> None:
    """Long lines are folded between words and indented; nothing is lost, and no control character gets through."""
    message = "rule shop: " + "some words and more of them " * 9 + "\x1b[2J[bold]end"
    out = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    print_findings(out, [Finding(Fault("rules.d/shop.yaml", 3, 5, message), Level.WARNING, "some-check")])
    assert isinstance(out.file, io.StringIO)
    lines = out.file.getvalue().splitlines()
    assert len(lines) > 1
    assert all(len(line) <= width for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    text = " ".join(line.strip() for line in lines)
    assert text.startswith("rules.d/shop.yaml:3:5: warning: rule shop: some words")
    assert text.endswith("[bold]end [some-check]")
    assert "\x1b" not in text


def test_in_a_pipe() -> None:
    """A finding is one line, however long, so that other tools can read it."""
    out = Console(file=io.StringIO(), width=80)
    print_findings(out, [Finding(Fault("f.yaml", 1, 1, "word " * 50), Level.ERROR, "c")])
    assert isinstance(out.file, io.StringIO)
    assert len(out.file.getvalue().splitlines()) == 1
