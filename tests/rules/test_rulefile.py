"""Rule files: every fault with its place, all in one go, and no file that brings the command down."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import PatternError, UsageError
from rules.pattern_places import empty_lists, steps_to
from rules.patterns import compile_pattern
from rules.rulefile import DEFAULT_PACK, LoadedRules, expired, load_rules, read_rule_file
from rules.verdicts import Severity, VerdictKind
from rules.yaml_source import FileFaultsError
from tests.rules.test_yaml_source import PIECES

RULE = """\
version: 1
rules:
  - id: {id}
    verdict: suspicious
    match: {{detail: {{eventName: [DeleteTable]}}}}
"""
WORDS = [
    *PIECES,
    "version: 1\n",
    "rules:\n",
    "  - id: a\n",
    "    verdict: suspicious\n",
    "    match:\n",
    "      detail: {x: [",
    "tests:\n",
    "    expires: ",
]


def write(folder: Path, text: str | bytes, name: str = "f.yaml") -> Path:
    """A rule file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(*paths: Path) -> LoadedRules:
    """The rules of these files alone."""
    return load_rules(paths, default_pack=False)


def faults(*paths: Path) -> list[str]:
    """The faults of these files, their folder left out; they must have some."""
    with pytest.raises(FileFaultsError) as caught:
        load(*paths)
    folder = f"{os.path.commonpath([path.parent for path in paths])}{os.sep}"
    return [line.replace(folder, "") for line in str(caught.value).splitlines()]


def test_a_whole_rule(tmp_path: Path) -> None:
    """Every key of a rule arrives, and the day it expires begins at midnight UTC."""
    text = RULE.format(id="whole") + (
        "    unless: {facts: {failed: [true]}}\n    severity: low\n    expires: 2027-01-31\n    reason: because\n"
        "    description: something\n    owner: team\n    tags: [x]\n"
    )
    (one,) = load(write(tmp_path, text)).rule_set.rules
    assert (one.id, one.verdict, one.severity) == ("whole", VerdictKind.SUSPICIOUS, Severity.LOW)
    assert one.expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert (one.reason, one.description, one.text) == ("because", "something", "because")
    assert one.origin == f"{tmp_path / 'f.yaml'}:3"
    assert one.unless is not None
    assert one.match.matches({"detail": {"eventName": "DeleteTable"}})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["1:1: a rule file is a mapping with version, rules and tests"]),
        ("- a", ["1:1: a rule file is a mapping with version, rules and tests"]),
        ("rules: []", ["1:1: missing key 'version'"]),
        ("rules: []\nversion: 2", ["2:1: version: input should be 1"]),
        ("version: '1'", ["1:1: version: input should be 1"]),
        ("version: true", ["1:1: version: input should be 1"]),
        ("version: 1\nrule: []", ["2:1: unknown key 'rule'; did you mean 'rules'?"]),
        ("version: 1\nrules:", ["2:1: rules: input should be a valid list"]),
        ("version: 1\nrules: [a]", ["2:9: 0: input should be a valid dictionary or instance of Rule"]),
        ("version: 1\nversion: 1", ["2:1: key 'version' appears twice"]),
        ("version: 1\n\tx: 1", ["2:1: not valid YAML: found character '\\t' that cannot start any token"]),
        (b"version: 1\n# \xff\n", ["2:3: not text in UTF-8"]),
        (b"\x00\x01\x02" * 50, ["1:1: not valid YAML: a character that is not allowed: '\\x00'"]),
        (b"\x89PNG\r\n\x1a\n", ["1:1: not text in UTF-8"]),
        (b"#" * 3_000_000, [": more than 500,000 characters"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_faults_of_a_file(tmp_path: Path, text: str | bytes, found: list[str]) -> None:
    """Empty, binary, too large, of another version: each is one line that says where and what."""
    path = write(tmp_path, text)
    assert faults(path) == [f"f.yaml:{fault}".replace("f.yaml::", "f.yaml:") for fault in found]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("verdict: suspicous", "verdict: input should be 'intentional', 'suspicious' or 'accidental'; did you mean 'suspicious'?"),
        ("verdict: 5", "verdict: input should be 'intentional', 'suspicious' or 'accidental'"),
        ("verdict:", "verdict: input should be 'intentional', 'suspicious' or 'accidental'"),
        ("severity: hihg", "severity: input should be 'info', 'low', 'medium', 'high' or 'critical'; did you mean 'high'?"),
        ("verdikt: suspicious", "unknown key 'verdikt'; did you mean 'verdict'?"),
        ("rule: x", "unknown key 'rule'"),
        ("facts: {}", "unknown key 'facts'"),
        ("expires: tomorrow", "expires: a day like 2027-01-31 is needed"),
        ("expires: 20270131", "expires: a day like 2027-01-31 is needed"),
        ("expires: '20270131'", "expires: a day like 2027-01-31 is needed"),
        ("expires: 0", "expires: a day like 2027-01-31 is needed"),
        ("expires: 2027-02-30", "expires: a day like 2027-01-31 is needed"),
        ("expires: 2027-01-31T00:00:00Z", "expires: a day like 2027-01-31 is needed"),
        ("expires: true", "expires: a day like 2027-01-31 is needed"),
        ("id: Not An Id", "id: string should match pattern '^[a-z0-9][a-z0-9-]*$'"),
        ("id: 7", "id: input should be a valid string"),
        ("match: [a]", "match: input should be a valid dictionary"),
        ("unless: x", "unless: input should be a valid dictionary"),
        ("tags: x", "tags: input should be a valid list"),
    ],
)  # fmt: skip
def test_faults_of_a_rule(tmp_path: Path, line: str, fault: str) -> None:
    """At the line of the key, with what was probably meant at that level."""
    keys = {"id": "one", "verdict": "suspicious", "match": "{detail: {x: [y]}}"}
    key, _, value = line.partition(":")
    written = "".join(f"    {name}: {text}\n" for name, text in keys.items() if name != key)
    path = write(tmp_path, f"version: 1\nrules:\n  -\n    {key}:{value}\n{written}")
    found = [one for one in faults(path) if "missing" not in one]
    assert found == [f"f.yaml:4:5: {fault}"]


@pytest.mark.parametrize("key", ["id", "verdict", "match"])
def test_what_a_rule_must_have(tmp_path: Path, key: str) -> None:
    """A missing key is named at the rule that lacks it."""
    keys = {"id": "one", "verdict": "suspicious", "match": "{detail: {x: [y]}}"}
    written = ", ".join(f"{name}: {text}" for name, text in keys.items() if name != key)
    assert faults(write(tmp_path, f"version: 1\nrules:\n  - {{{written}}}\n")) == [
        f"f.yaml:3:5: missing key '{key}'"
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("event: 5", "event: a record or the name of a JSON file is needed"),
        ("event:", "event: a record or the name of a JSON file is needed"),
        ("event: [a]", "event: a record or the name of a JSON file is needed"),
        ("expekt: {}", "unknown key 'expekt'; did you mean 'expect'?"),
        ("fact: {}", "unknown key 'fact'; did you mean 'facts'?"),
        ("facts: []", "facts: input should be a valid dictionary"),
        ("name: ''", "name: string should have at least 1 character"),
        ("expect: {verdict: suspicious, rul: x}", "unknown key 'rul'; did you mean 'rule'?"),
        ("expect: {}", "missing key 'verdict'"),
    ],
)
def test_faults_of_a_test(tmp_path: Path, line: str, fault: str) -> None:
    """Tests are checked as strictly as rules."""
    keys = {"name": "t", "event": "{}", "expect": "{verdict: suspicious}"}
    key = line.partition(":")[0]
    written = "".join(f"    {name}: {text}\n" for name, text in keys.items() if name != key)
    (found,) = faults(write(tmp_path, f"version: 1\ntests:\n  -\n    {line}\n{written}"))
    place, _, message = found.partition(": ")
    assert place.startswith("f.yaml:4:")
    assert message == fault


PATTERN_FAULTS = """\
version: 1
rules:
  - id: one
    verdict: suspicious
    match:
      detail:
        eventName:
          - DeleteTable
          - prefx: Delete
  - id: two
    verdict: suspicious
    match:
      detail:
        $or:
          - eventName: [DeleteTable]
          - eventName:
              - prefix: Delete
              - sufix: Table
  - id: three
    verdict: suspicious
    match: {detail: {x: [y]}}
    unless:
      facts.table.itemCount:
        - numeric:
            - "<"
            - many
  - id: four
    verdict: suspicious
    match: {}
  - id: five
    verdict: suspicious
    match:
      detail:
        eventName: DeleteTable
"""


def test_faults_inside_patterns(tmp_path: Path) -> None:
    """The exact line of an unknown operator, also in an alternative of ``$or`` and under a dotted key; all at once."""
    found = faults(write(tmp_path, PATTERN_FAULTS))
    assert [one.partition(" ")[0] for one in found] == [
        "f.yaml:9:13:", "f.yaml:18:17:", "f.yaml:26:15:", "f.yaml:29:5:", "f.yaml:34:9:",
    ]  # fmt: skip
    assert (
        "rule one: match: detail.eventName[1]: unknown operator 'prefx', did you mean 'prefix'?" in found[0]
    )
    assert (
        "rule two: match: detail.$or[1].eventName[1]: unknown operator 'sufix', did you mean 'suffix'?"
        in found[1]
    )
    assert "rule three: unless: facts.table.itemCount[0].numeric[1]: must be a number" in found[2]


def test_both_patterns_of_a_rule_are_looked_at(tmp_path: Path) -> None:
    """A fault in ``match`` does not hide one in ``unless``."""
    path = write(
        tmp_path,
        "version: 1\nrules:\n  - id: a\n    verdict: suspicious\n    match: {x: []}\n    unless: {y: []}\n",
    )
    assert [one.split(": ")[0] for one in faults(path)] == ["f.yaml:5:13", "f.yaml:6:14"]


@pytest.mark.parametrize(
    ("pattern", "path", "steps"),
    [
        ({"a": {"b": ["x"]}}, "a.b[0]", ["a", "b", 0]),
        ({"a": {"b": ["x"]}}, "a.b[7]", ["a", "b"]),
        ({"a": {"b": ["x"]}}, "a.c", ["a"]),
        ({"a": ["x"], "ab": ["y"]}, "ab[0]", ["ab", 0]),
        ({"a": {"bc": ["x"]}, "a.b": ["y"]}, "a.bc[0]", ["a", "bc", 0]),
        ({"a.b": {"c": ["x"]}}, "a.b.c[0]", ["a.b", "c", 0]),
        ({"a": [{"numeric": ["<", "x"]}]}, "a[0].numeric[1]", ["a", 0, "numeric", 1]),
        ({"a": {"b": ["x"]}, "a.b": [{}]}, "a.b[0]", ["a.b", 0]),
        ({"a": {"b": [{}]}, "a.b": ["x"]}, "a.b[0]", ["a", "b", 0]),
        ({"$or": [{"a": ["x"]}, {"a": [{}]}]}, "$or[1].a[0]", ["$or", 1, "a", 0]),
        ({"$or": [{"a": ["x"]}, {"a": "x"}]}, "$or[1].a", ["$or", 1, "a"]),
        ({"$or": [{"a": ["x"]}, {}]}, "$or[1]", ["$or", 1]),
        ({"$or": [{"prefix": ["x"]}, {"a": ["b"]}]}, "$or[0].prefix", ["$or", 0, "prefix"]),
        ({"a": {"$or": [{"b": ["x"]}]}}, "a.$or", ["a", "$or"]),
        ({"a": {"$or": [{"b": ["x"]}, 5]}}, "a.$or[1]", ["a", "$or", 1]),
        (
            {"$or": [{"$or": [{"a": ["x"]}, {"a": [[]]}]}, {"b": ["x"]}]},
            "$or[0].$or[1].a[0]",
            ["$or", 0, "$or", 1, "a", 0],
        ),
        ({"a": ["x"]}, "abc[0]", []),
        ({}, "", []),
        ({"a": 5}, "", []),
        ({"": ["x"]}, "a", []),
    ],
    ids=str,
)
def test_steps_to_a_fault(pattern: dict[str, Any], path: str, steps: list[str | int]) -> None:
    """The path of a pattern error leads to its place: by whole keys, through dots, arrays and alternatives."""
    assert steps_to(pattern, path) == steps


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ({"detail": {"$or": [{"a": ["x"]}, {}]}}, ["detail", "$or", 1]),
        ({"$or": [{"prefix": ["x"]}, {"a": ["b"]}]}, ["$or", 0, "prefix"]),
        ({"a": {"$or": [{"b": ["x"]}, {"b": [{"prefx": "y"}]}]}}, ["a", "$or", 1, "b", 0]),
        ({"a": {"$or": [{"b": [{"anything-but": []}]}, {"b": ["x"]}]}}, ["a", "$or", 0, "b", 0, "anything-but"]),
        ({"$or": [{"a": ["x"]}, {"$or": [{"b": ["x"]}, 5]}]}, ["$or", 1, "$or", 1]),
    ],
    ids=str,
)  # fmt: skip
def test_steps_to_what_is_refused(pattern: dict[str, Any], steps: list[str | int]) -> None:
    """What a pattern error says of itself leads to the very alternative that is at fault."""
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert steps_to(pattern, caught.value.path) == steps


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ({"a": [{"list": "empty"}]}, [("empty", ["a", 0])]),
        ({"a": [{"list": "empty"}, {"list": "none"}]}, [("empty", ["a", 0]), ("none", ["a", 1])]),
        ({"a": [{"list": "empty"}, "x"]}, []),
        ({"a": [{"list": "empty"}, {"list": "some"}]}, []),
        ({"a": [{"anything-but": {"list": "empty"}}]}, [("empty", ["a", 0, "anything-but"])]),
        ({"a": [{"anything-but": [{"list": "empty"}]}]}, [("empty", ["a", 0, "anything-but", 0])]),
        ({"$or": [{"a": ["x"]}, {"b": {"c": [{"list": "none"}]}}]}, [("none", ["$or", 1, "b", "c", 0])]),
        ({"a": [{"list": "unknown"}]}, []),
    ],
    ids=str,
)
def test_lists_that_leave_nothing(pattern: dict[str, Any], places: list[tuple[str, list[str | int]]]) -> None:
    """A list without values is named where it is all that an array has, since an empty array is refused."""
    lists: dict[str, list[Any]] = {"empty": [], "none": [], "some": ["x"]}
    assert sorted(empty_lists(pattern, lists)) == places


def test_dates_in_patterns_are_text(tmp_path: Path) -> None:
    """Events hold dates as text, so a pattern's unquoted date matches them."""
    text = RULE.replace("[DeleteTable]", "[2026-01-31, 22:00, no]").format(id="a")
    (one,) = load(write(tmp_path, text)).rule_set.rules
    assert one.match.matches({"detail": {"eventName": "2026-01-31"}})
    assert one.match.matches({"detail": {"eventName": "no"}})


def test_ids_are_unique_over_all_files(tmp_path: Path) -> None:
    """Both places are named: the fault stands at the second, and tells the first."""
    first = write(tmp_path, RULE.format(id="twice"), "a.yaml")
    second = write(tmp_path, RULE.format(id="twice"), "b.yml")
    assert faults(first, second) == ["b.yml:3:5: rule id 'twice' is already used at a.yaml:3"]


def test_an_id_of_the_default_pack_cannot_be_taken(tmp_path: Path) -> None:
    """A rule of the pack can be switched off with all of it, but not replaced in silence."""
    path = write(tmp_path, RULE.format(id="root-user"))
    with pytest.raises(FileFaultsError, match=r"rule id 'root-user' is already used at default pack:\d+"):
        load_rules([path])


def test_all_faults_of_all_files_in_one_go(tmp_path: Path) -> None:
    """One run names them all: broken YAML, wrong keys, wrong patterns, twice-used ids, file by file."""
    paths = [
        write(tmp_path, "a: [", "1.yaml"),
        write(tmp_path, RULE.format(id="ok") + "    nonsense: 1\n    severity: big\n", "2.yaml"),
        write(tmp_path, RULE.replace("[DeleteTable]", "[]").format(id="x"), "3.yaml"),
        write(tmp_path, RULE.format(id="x"), "4.yaml"),
    ]
    found = faults(*paths)
    assert [one.split(":")[:2] for one in found] == [
        ["1.yaml", "1"],
        ["2.yaml", "6"],
        ["2.yaml", "7"],
        ["3.yaml", "5"],
        ["4.yaml", "3"],
    ]


def test_a_folder_is_searched(tmp_path: Path) -> None:
    """Both suffixes, in every folder below; other files are left alone."""
    write(tmp_path, RULE.format(id="a"), "a.yaml")
    write(tmp_path, RULE.format(id="b"), "deep/er/b.yml")
    write(tmp_path, "not yaml: [", "notes.txt")
    (tmp_path / "folder.yaml").mkdir()
    assert [rule.id for rule in load(tmp_path).rule_set.rules] == ["a", "b"]


def test_a_file_named_twice_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its spelling: by its folder, from here or in full, and the default pack, too."""
    path = write(tmp_path, RULE.format(id="a"))
    monkeypatch.chdir(tmp_path)
    assert len(load(tmp_path, path, Path("f.yaml"), Path("../" + tmp_path.name + "/f.yaml")).files) == 1
    assert len(load_rules([DEFAULT_PACK.parent, path]).files) == 2


@pytest.mark.parametrize("name", ["nowhere.yaml", "a" * 5000, "a\0b"])
def test_a_path_that_is_not_there(tmp_path: Path, name: str) -> None:
    """It is said so, also of names that no file can have."""
    with pytest.raises(UsageError, match=r"no such rule file|cannot be read"):
        load(tmp_path / name)


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    """A folder without rule files was hardly meant."""
    with pytest.raises(UsageError, match="no rule files"):
        load(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The fault names the file and the reason."""
    with pytest.raises(FileFaultsError, match="cannot be read: No such file or directory"):
        read_rule_file(tmp_path / "gone.yaml")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless device here")
def test_an_endless_device_is_no_rule_file() -> None:
    """No more of a file is read than a rule file may have."""
    with pytest.raises(FileFaultsError, match="more than 500,000 characters"):
        load(Path("/dev/zero"))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map("".join))
def test_any_rule_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """A rule set, or faults with places; nothing else, whatever the file says."""
    path = write(tmp_path_factory.getbasetemp(), text)
    try:
        found = load(path)
    except FileFaultsError as error:
        places = [fault.line for fault in error.faults]
    else:
        places = [1]
        assert found.rule_set.rules is not None
    assert all(places)


def test_expired(tmp_path: Path) -> None:
    """Rules that no longer count are listed, and those that soon will not; a day in the past is no fault."""
    write(tmp_path, RULE.format(id="past") + "    expires: 2020-01-01\n", "1.yaml")
    write(tmp_path, RULE.format(id="soon") + "    expires: 2026-11-30\n", "2.yaml")
    write(tmp_path, RULE.format(id="never"), "3.yaml")
    rules = load(tmp_path).rule_set
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert [rule.id for rule in expired(rules, at)] == ["past"]
    assert [rule.id for rule in expired(rules, at, within=timedelta(days=7))] == ["past", "soon"]
    assert [rule.id for rule in expired(rules, datetime(2020, 1, 1, tzinfo=UTC) - timedelta(seconds=1))] == []
