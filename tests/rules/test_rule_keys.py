"""The page of all keys: complete, and as current as the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rules.fact_schema import FACT_PATHS
from rules.pattern_operators import OPERATORS
from rules.patterns import PatternError, compile_pattern
from rules.rule_keys import COMMAND, keys_page
from rules.rule_schema import Expectation, Rule, RuleFile, RuleTest
from rules.watched import WATCHED_ACTIONS
from rules.windows import Window
from rules.yaml_source import load_yaml

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = Path(__file__).parents[2] / "docs" / "rule-keys.md"


def test_the_page_is_current() -> None:
    """It is made from the code, and says by which command."""
    assert PAGE.read_text(encoding="utf-8") == keys_page(), f"out of date; renew it: {COMMAND}"
    assert COMMAND in keys_page()


@pytest.mark.parametrize(
    "model", [RuleFile, Rule, Window, RuleTest, Expectation], ids=lambda one: one.__name__
)
def test_every_key_has_a_meaning(model: type[BaseModel]) -> None:
    """A key without a description would leave an empty cell."""
    for name, field in model.model_fields.items():
        assert field.description, name
        assert f"| `{field.alias or name}` |" in keys_page()


def test_every_fact_and_every_watched_event_is_there() -> None:
    """By its path, or its name."""
    page = keys_page()
    assert [path for path in FACT_PATHS if f"`facts.{path}`" not in page] == []
    assert [action.event_name for action in WATCHED_ACTIONS if f"`{action.event_name}`" not in page] == []


def test_every_operator_is_there() -> None:
    """Those that the compiler knows, no more and no less; each example compiles."""
    with pytest.raises(PatternError) as caught:
        compile_pattern({"a": [{"zzzzzz": 1}]})
    known = caught.value.reason.partition("known here: ")[2].split(", ")
    assert sorted(operator.name for operator in OPERATORS) == sorted(known)
    for operator in OPERATORS:
        compile_pattern({"a": [load_yaml(operator.example, "example").plain]})


def test_tables_are_tables() -> None:
    """Every row has as many cells as its head: a bar in a cell is escaped."""
    widths: list[int] = []
    for line in keys_page().splitlines():
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(len(re.findall(r"(?<!\\)\|", line)))
        assert widths[-1] == widths[0], line
