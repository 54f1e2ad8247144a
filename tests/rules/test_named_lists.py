"""Named lists: written out wherever they stand, and a fault in one is shown where the list was named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rules.errors import PatternError
from rules.named_lists import lists_in, with_lists, written_steps
from rules.rulefile import load_rules
from rules.yaml_source import FileFaultsError

if TYPE_CHECKING:
    from pathlib import Path

LISTS: dict[str, list[Any]] = {"roles": ["ci", "deploy"], "mixed": ["a", {"prefix": "b-"}], "empty": []}


@pytest.mark.parametrize(
    ("pattern", "written_out"),
    [
        ({"role": [{"list": "roles"}]}, {"role": ["ci", "deploy"]}),
        ({"role": ["bob", {"list": "roles"}, "eve"]}, {"role": ["bob", "ci", "deploy", "eve"]}),
        ({"role": [{"list": "mixed"}]}, {"role": ["a", {"prefix": "b-"}]}),
        ({"role": [{"anything-but": {"list": "roles"}}]}, {"role": [{"anything-but": ["ci", "deploy"]}]}),
        (
            {"role": [{"anything-but": {"prefix": {"list": "roles"}}}]},
            {"role": [{"anything-but": {"prefix": ["ci", "deploy"]}}]},
        ),
        ({"$or": [{"a": [{"list": "roles"}]}, {"b": [1]}]}, {"$or": [{"a": ["ci", "deploy"]}, {"b": [1]}]}),
        ({"list": ["roles"]}, {"list": ["roles"]}),
        ({"list": {"x": ["y"]}}, {"list": {"x": ["y"]}}),
        ({"role": [{"list": "empty"}]}, {"role": []}),
    ],
)
def test_written_out(pattern: Any, written_out: Any) -> None:
    """In an array its values stand there, as an operator's value the array of them; a field may be called list."""
    assert with_lists(pattern, LISTS) == written_out


def test_a_list_that_does_not_exist() -> None:
    """It is named."""
    with pytest.raises(PatternError, match="no list of the name 'rules'"):
        with_lists({"a": [{"list": "rules"}]}, LISTS)


def test_where_lists_are_named() -> None:
    """Every place, with the steps to it."""
    pattern = {"a": ["x", {"list": "roles"}], "$or": [{"b": [{"anything-but": {"list": "mixed"}}]}]}
    assert sorted(lists_in(pattern)) == [
        ("mixed", ["$or", 0, "b", 0, "anything-but"]),
        ("roles", ["a", 1]),
    ]


@pytest.mark.parametrize(
    ("steps", "written"),
    [
        (["a", 0], ["a", 0]),
        (["a", 1], ["a", 1]),
        (["a", 2], ["a", 1]),
        (["a", 3], ["a", 2]),
        (["a", 3, "prefix"], ["a", 2, "prefix"]),
        (["b", 0, "anything-but", 1], ["b", 0, "anything-but"]),
        (["nowhere", 0], ["nowhere"]),
    ],
)
def test_places_as_they_were_written(steps: list[str | int], written: list[str | int]) -> None:
    """A fault inside a list leads to the place where the list was named."""
    pattern = {"a": ["x", {"list": "roles"}, {"prefix": "y"}], "b": [{"anything-but": {"list": "roles"}}]}
    assert written_steps(pattern, steps, LISTS) == written


def faults(folder: Path, **files: str) -> list[str]:
    """The faults of some rule files together, without the folder."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    try:
        load_rules([folder], default_pack=False)
    except FileFaultsError as error:
        return [str(fault).removeprefix(f"{folder}/") for fault in error.faults]
    return []


LIST = "version: 1\nlists: {ci-roles: [ci, deploy]}\n"
WINDOW = "version: 1\nwindows: {night: {weekly: ['mon-sun 01:00-05:00']}}\n"
RULE = """version: 1
rules:
  - id: one
    verdict: intentional
    during: night
    match:
      facts: {actor: {role: [{list: ci-roles}]}}
"""


def test_files_share_lists_and_windows(tmp_path: Path) -> None:
    """A list and a window of one file serve the rules of all others."""
    assert faults(tmp_path, z=LIST, y=WINDOW, a=RULE) == []
    (one,) = load_rules([tmp_path], default_pack=False).rule_set.rules
    assert one.during == ("night",)
    assert one.match.matches({"facts": {"actor": {"role": "deploy"}}})
    assert not one.match.matches({"facts": {"actor": {"role": "ci-roles"}}})


def test_names_that_nobody_has(tmp_path: Path) -> None:
    """A list or window that does not exist is a fault at its place, with what was probably meant."""
    assert faults(
        tmp_path, z=LIST.replace("ci-roles", "ci-role"), y=WINDOW.replace("night", "nights"), a=RULE
    ) == [
        "a.yaml:5:5: no change window 'night'; did you mean 'nights'?",
        "a.yaml:7:30: no list 'ci-roles'; did you mean 'ci-role'?",
    ]


def test_names_that_two_files_have(tmp_path: Path) -> None:
    """Which one would count would hang on the order of files, so it is refused."""
    found = faults(tmp_path, a=LIST, b=LIST, c=WINDOW, d=WINDOW)
    assert [fault.partition(": ")[2] for fault in found] == [
        f"list 'ci-roles' is already used at {tmp_path}/a.yaml:2",
        f"window 'night' is already used at {tmp_path}/c.yaml:2",
    ]


def test_a_fault_in_a_list_is_shown_where_it_is_named(tmp_path: Path) -> None:
    """The pattern is refused at the place that took the list in."""
    found = faults(tmp_path, z=LIST.replace("[ci, deploy]", "[ci, {prefx: x}]"), y=WINDOW, a=RULE)
    assert found == [
        "a.yaml:7:30: rule one: match: facts.actor.role[1]: unknown operator 'prefx', did you mean 'prefix'?"
    ]
