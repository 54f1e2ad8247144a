"""The frame of the command: exit codes, help, laziness."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from cli.main import COMMANDS, run
from recovery import errors as recovery_errors
from rules import errors as rules_errors
from rules.errors import SafetyNetError
from tests.cli.running import ROOT

if TYPE_CHECKING:
    from tests.cli.conftest import Desk

DOCUMENTED = {1, 2, 3, 10, 11, 12, 13, 14, 15, 130}


def families() -> list[type[SafetyNetError]]:
    """Every error class there is in the two modules that declare them."""
    classes = {**vars(rules_errors), **vars(recovery_errors)}.values()
    return [one for one in classes if isinstance(one, type) and issubclass(one, SafetyNetError)]


@pytest.mark.parametrize("error", families(), ids=lambda error: error.__name__)
def test_every_error_has_a_documented_exit_code(
    error: type[SafetyNetError], capsys: pytest.CaptureFixture[str]
) -> None:
    """The class says the code; the message and the hint come out in a line each, without a traceback."""

    def fail() -> None:
        failure = error.__new__(error)
        SafetyNetError.__init__(failure, "it broke", hint="do this")
        raise failure

    assert run(fail) in DOCUMENTED
    assert run(fail) == error.exit_code
    shown = capsys.readouterr()
    assert "it broke" in shown.err
    assert "hint: do this" in shown.err
    assert shown.out == ""


def test_an_unexpected_error_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A defect ends with exit 1 and a line that says how to see more."""

    def fail() -> None:
        raise ZeroDivisionError("oops")

    assert run(fail) == 1
    assert "SAFETYNET_DEBUG" in capsys.readouterr().err


def test_ctrl_c_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    """Interrupted work says that it can be continued."""

    def fail() -> None:
        raise KeyboardInterrupt

    assert run(fail) == 130
    assert "continue" in capsys.readouterr().err


def test_ctrl_c_inside_of_a_command_is_not_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Typer ends the command itself and says nothing: the person is told all the same."""
    program = typer.Typer(pretty_exceptions_enable=False)

    @program.command()
    def work() -> None:
        raise KeyboardInterrupt

    assert run(lambda: program([])) == 130
    assert "continue" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(desk: Desk, name: str) -> None:
    """--help works for each command, and its subcommands show an example."""
    command: Any = typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app)
    calls = [[name, one] for one in command.commands] if hasattr(command, "commands") else [[name]]
    for call in calls:
        done = desk.shell.run(*call, "--help", COLUMNS="200")
        assert done.code == 0, done.err
        assert "Example: " in done.out
        assert f"safetynet {' '.join(call)}" in done.out


def test_help_imports_neither_aws_nor_slack() -> None:
    """Start-up stays fast: the overview loads no command's module."""
    code = (
        "import sys; from cli.main import app, run; sys.argv = ['safetynet', '--help']; run(app);"
        "print([name for name in ('boto3', 'slack_sdk', 'pydantic', 'moto') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.strip() == "[]"
    assert "recover" in done.stdout
