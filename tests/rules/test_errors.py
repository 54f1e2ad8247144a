"""The error tree, and that this room is pure."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import rules
from rules.errors import EventError, PatternError, SafetyNetError, UsageError
from rules.yaml_source import FileFaultsError

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = {1, 2, 3, 10, 11, 12, 13, 14, 15, 130}
MODULES = sorted(module.name for module in pkgutil.walk_packages(rules.__path__, "rules."))
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}


def tree(root: type[SafetyNetError]) -> list[type[SafetyNetError]]:
    """A class and all below it."""
    return [root, *(found for child in root.__subclasses__() for found in tree(child))]


def test_every_error_has_a_documented_exit_code() -> None:
    """Whatever error class there is, the command ends with a code that the documents name."""
    for name in MODULES:
        importlib.import_module(name)
    found = tree(SafetyNetError)
    assert {EventError, FileFaultsError, PatternError} <= set(found)
    assert {error.exit_code for error in found} <= DOCUMENTED
    assert {error.exit_code for error in (EventError, FileFaultsError, PatternError)} == {
        UsageError.exit_code
    }


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every class of the module, and the fault of files, is drawn with its code."""
    drawn = sys.modules["rules.errors"].__doc__ or ""
    declared = [
        error for error in tree(SafetyNetError) if error.__module__ in {"rules.errors", "rules.yaml_source"}
    ]
    for error in declared:
        (line,) = [line for line in drawn.splitlines() if f" {error.__name__} " in f" {line.strip('│├└─ ')} "]
        assert str(error.exit_code) in line.split()


def test_hints() -> None:
    """The class has a hint, an error may have one of its own, or none."""
    assert EventError("x").hint == EventError.default_hint
    assert EventError("x", hint="y").hint == "y"
    assert EventError("x", hint="").hint == ""
    assert SafetyNetError("x").hint == ""
    assert str(SafetyNetError("what happened")) == "what happened"


def test_a_pattern_error_names_its_place() -> None:
    """The path stands before the reason, and each can be had alone."""
    error = PatternError("is refused", path="detail.x[0]")
    assert (str(error), error.path, error.reason) == ("detail.x[0]: is refused", "detail.x[0]", "is refused")
    assert str(PatternError("is refused")) == "is refused"


def test_the_room_is_pure() -> None:
    """Importing all of it brings neither AWS nor Slack nor a network into a fresh interpreter."""
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {MODULES!r}];"
        "print(sorted({name.split('.')[0] for name in sys.modules} &"
        " {'boto3', 'botocore', 'slack_sdk', 'requests', 'urllib3', 'recovery', 'watcher', 'cli'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_no_clock(name: str) -> None:
    """Time is handed in: no module asks a clock."""
    path = ROOT.joinpath(*name.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    calls = [
        node.func
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    asked = [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]
    assert asked == []
    imported = [
        node
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
    ]
    assert not [alias.name for node in imported for alias in node.names if alias.name == "time"]
