"""YAML: only plain values come out, every fault has its place, and nothing hangs or blows up."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from rules.yaml_nodes import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES
from rules.yaml_source import Fault, FileFaultsError, YamlSource, did_you_mean, load_yaml

# Pieces that make up most of what YAML has; text of any kind alone would hardly ever be more than a scalar.
PIECES = [
    "a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&x ", "*x", "<<", "? ", "|\n", ">-\n", "'", '"', "#",
    "!!str ", "!t ", "---\n", "...\n", "%YAML 1.1\n", "\t", "1", "0x", ".inf", "~", "true", "\\", "\r\n", "\ufeff", "é",
]  # fmt: skip
# To YAML these three end a line, inside quotes, too.
TEXTS = st.text(st.characters(exclude_characters="\x85\u2028\u2029", exclude_categories=["Cs"]), max_size=5)


def plain(text: str) -> Any:
    """What a text holds."""
    return load_yaml(text, "f.yaml").plain


def loaded(text: str) -> Any:
    """What a text holds, or the error."""
    try:
        return plain(text)
    except FileFaultsError as error:
        return error


def faults(text: str) -> list[str]:
    """The faults of a text; it must have some."""
    with pytest.raises(FileFaultsError) as caught:
        load_yaml(text, "f.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1", 1), ("-7", -7), ("+7", 7), ("0", 0), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), ("-.5", -0.5), ("1e3", 1000.0),
        ("1.", 1.0), ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("no", "no"), ("on", "on"), ("y", "y"), ("22:00", "22:00"), ("2026-01-31", "2026-01-31"),
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"), ("012345678901", "012345678901"), ("1_000", "1_000"),
        ("0b1", "0b1"), ("1.2.3", "1.2.3"), ("-", "-"), ("+", "+"), (".", "."), ("'1'", "1"), ('"true"', "true"),
        ("! 1", "1"), ("!!str 1", "1"), ("&a 1", 1), ("&a true", True), ("|\n  a\n  b\n", "a\nb\n"),
    ],
)  # fmt: skip
def test_scalars(written: str, meant: Any) -> None:
    """YAML 1.2's core schema: numbers, booleans and null; whatever else looks like something stays text."""
    found = plain(f"a: {written}" if written != "-" else "a: '-'")
    assert found == {"a": meant}
    assert type(found["a"]) is type(meant)


def test_an_alias_is_the_very_value() -> None:
    """Anchored values keep their type, whatever they are; the last of two anchors of a name counts."""
    assert plain("a: &t true\nb: *t\nc: &n null\nd: *n\ne: &m {x: [1]}\nf: *m") == {
        "a": True, "b": True, "c": None, "d": None, "e": {"x": [1]}, "f": {"x": [1]},
    }  # fmt: skip
    assert plain("a: &t 1\nb: &t 2\nc: *t") == {"a": 1, "b": 2, "c": 2}


def test_merge_keys() -> None:
    """``<<`` takes over what the mapping lacks; of several the first counts; in quotes it is a key."""
    assert plain("a: &a {x: 1, y: 1}\nb: {<<: *a, y: 2}") == {"a": {"x": 1, "y": 1}, "b": {"y": 2, "x": 1}}
    assert plain("a: &a {x: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b]}")["c"] == {"x": 1, "z": 2}
    assert plain("{<<: {x: 1}, y: 2}") == {"x": 1, "y": 2}
    assert plain('"<<": 1') == {"<<": 1}


@pytest.mark.parametrize("text", ["", "\n", "# nothing", "---\n", "\ufeff"])
def test_nothing_is_null(text: str) -> None:
    """An empty file is one empty document."""
    assert plain(text) is None


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        (
            "a: !!python/object/apply:os.system ['ls']",
            "1:4",
            "tags are not allowed: '!!python/object/apply:os.system'",
        ),
        ("a:\n  - !!python/object:x {b: 1}", "2:5", "tags are not allowed"),
        ("a: !mine b", "1:4", "tags are not allowed: '!mine'"),
        ("a: !!binary aGVsbG8=", "1:4", "tags are not allowed"),
        ("a: !!int 'x'", "1:4", "tags are not allowed"),
        ("a: !!set {b, c}", "1:4", "tags are not allowed"),
        ("a: !!str {b: c}", "1:4", "tags are not allowed"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "4:3", "key 'c' appears twice"),
        ("{a: 1, 'a': 2}", "1:8", "key 'a' appears twice"),
        ("<<: {a: 1}\n<<: {b: 1}", "2:1", "key '<<' appears twice"),
        ("<<: 5", "1:5", "'<<' takes a mapping or a list of mappings"),
        ("<<: [{a: 1}, 5]", "1:15", "'<<' takes a mapping or a list of mappings"),
        ("a:\n\tb: 1", "2:1", "cannot start any token"),
        ("a:\n  1: x", "2:3", "a key must be text; put it in quotes: '1'"),
        ("a:\n  true: x", "2:3", "a key must be text; put it in quotes: 'true'"),
        ("~: x", "1:1", "a key must be text; put it in quotes: '~'"),
        ("? [a, b]\n: 1", "1:3", "a key must be text"),
        ("a: &k b\n*k : 1", "2:1", "a key must be text, not an alias"),
        ("a: 1\n---\nb: 2", "2:1", "a second document"),
        ("%YAML 1.1\n---\na: no", "2:1", "only YAML 1.2 is read"),
        ("a: *nope", "1:4", "no anchor 'nope'"),
        ("a: &x [*x]", "1:8", "alias 'x' stands inside what it names"),
        ("a: 1\nb: .nan", "2:4", "not a number that JSON has: .nan"),
        ("- -.inf", "1:3", "not a number that JSON has: -.inf"),
        ("- 1e999", "1:3", "not a number that JSON has: 1e999"),
        ("a: " + "1" * 5000, "1:4", "a number of more than 100 characters"),
        ("a: 1\nb: \x00", "2:4", r"a character that is not allowed: '\x00'"),
        ("a: \ud800", "1:4", "a character that is not allowed"),
        ('a: "\\ud800"', "1:4", "half of a surrogate pair"),
        ('a: "\\U00110000"', "1:1", "not valid YAML"),
        ("a: [1\nb: 2", "2:2", "not valid YAML"),
        ("a: 'b", "1:6", "not valid YAML"),
        ("a: b: c", "1:5", "not valid YAML"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(text: str, place: str, why: str) -> None:
    """One line, with file, line and column, that says what is wrong."""
    (fault,) = faults(text)
    assert fault.startswith(f"f.yaml:{place}: "), fault
    assert why in fault


def laughs(levels: int) -> str:
    """Ten aliases of ten aliases of ten."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    """Mappings that take each other over, and hold each other besides."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [
        f"a{level}: &a{level} {{<<: *a{level - 1}, k{level}: *a{level - 1}}}" for level in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (laughs(10), f"6:15: more than {MAX_NODES:,} values, aliases written out"),
        (
            "\n".join(["a0: &a0 []"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200)]),
            "nested deeper than 100 levels, aliases",
        ),
        (merges(30), f"more than {MAX_NODES:,} values"),
        ("[" * 100_000, f"1:{MAX_DEPTH + 1}: nested deeper than {MAX_DEPTH} levels"),
        ("{a: " * 100_000, "nested deeper"),
        ("- " * 100_000, "nested deeper"),
        ("? " * 100_000, "a key must be text"),
        ("{" * 100_000, "a key must be text"),
        ("a: " * 100_000, "not valid YAML"),
        ("x" * (MAX_CHARACTERS + 1), f"f.yaml: more than {MAX_CHARACTERS:,} characters"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_nothing_blows_up(text: str, why: str) -> None:
    """What grows without end is refused soon, where it begins to."""
    started = time.perf_counter()
    assert why in faults(text)[0]
    assert time.perf_counter() - started < 5


def test_a_long_text_many_times_over_is_one_text() -> None:
    """Aliases of a long text do not copy it."""
    found = plain(f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 10_000)}]")
    assert len({id(text) for text in found["b"]}) == 1


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH])
def test_deep_files_up_to_the_limit(levels: int) -> None:
    """As deep as allowed is fine, written out or by aliases."""
    assert plain("[" * levels + "]" * levels)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=30))
def test_any_text(text: str) -> None:
    """A value that JSON can hold, or faults in file f.yaml that take a line each; never anything else."""
    found = loaded(text)
    if isinstance(found, FileFaultsError):
        assert found.faults
        assert len(str(found).splitlines()) == len(found.faults)
        assert all(fault.path == "f.yaml" and fault.line >= 1 and fault.column >= 1 for fault in found.faults)
    else:
        assert json.loads(json.dumps(found, allow_nan=False)) == found


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXTS
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_json_is_yaml(content: Any) -> None:
    """Whatever JSON says, the same text says as YAML."""
    # Unescaped: JSON escapes characters beyond 16 bits as two halves, which YAML does not put together.
    found = loaded(json.dumps(content, ensure_ascii=False))
    if isinstance(found, FileFaultsError):
        assert "a character that is not allowed" in str(found)
    else:
        assert found == content


class Leaf(BaseModel):
    """A model below."""

    model_config = ConfigDict(extra="forbid")
    colour: str = ""


class Tree(BaseModel):
    """A model with models in lists, in mappings and perhaps."""

    model_config = ConfigDict(extra="forbid")
    leaves: list[Leaf] = []
    named: dict[str, Leaf] = {}
    last: Leaf | None = None
    height: int = 0


def explained(text: str) -> list[str]:
    """The faults that the model finds in a text."""
    source = load_yaml(text, "f.yaml")
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate(source.plain)
    return [str(fault) for fault in source.faults_of(caught.value, Tree)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("leafs: []", "1:1: unknown key 'leafs'; did you mean 'leaves'?"),
        ("leaves:\n  - color: red", "2:5: unknown key 'color'; did you mean 'colour'?"),
        ("named:\n  oak: {color: red}", "2:9: unknown key 'color'; did you mean 'colour'?"),
        ("last: {color: red}", "1:8: unknown key 'color'; did you mean 'colour'?"),
        ("leaves:\n  - height: 1", "2:5: unknown key 'height'"),
        ("colour: red", "1:1: unknown key 'colour'"),
        ("a: &a\n  color: red\nheight: 1", "1:1: unknown key 'a'"),
        (
            "height: tall",
            "1:1: height: input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_faults_of_a_model(text: str, fault: str) -> None:
    """Each at its line, and with the key of that very level that was probably meant, never another level's."""
    assert explained(text) == [f"f.yaml:{fault}"]


def test_a_fault_in_merged_keys_is_where_they_are_written() -> None:
    """The place of a key that came by ``<<`` is where its text stands."""
    assert (
        explained("named:\n  a: &a\n    color: red\n  b: {<<: *a}")
        == ["f.yaml:3:5: unknown key 'color'; did you mean 'colour'?"] * 2
    )


def test_places() -> None:
    """A place is named as deep as it exists."""
    source = load_yaml("a:\n  - b: 1\n    c: [x, y]\n", "f.yaml")
    places: list[tuple[list[str | int], str]] = [
        ([], "1:1"), (["a"], "1:1"), (["a", 0], "2:5"), (["a", 0, "c", 1], "3:12"), (["a", 0, "c", 9], "3:5"),
        (["a", "x"], "1:1"), (["z", 0], "1:1"), (["a", 0, "b", "deeper"], "2:5"),
    ]  # fmt: skip
    assert [str(source.fault(place, "m")) for place, _ in places] == [f"f.yaml:{at}: m" for _, at in places]


def test_faults_are_sorted_and_told_in_a_line_each() -> None:
    """File by file, from top to bottom; a fault of a whole file has no line."""
    error = FileFaultsError([Fault("b", 2, 1, "late"), Fault("a", 9, 1, "x"), Fault("b", 0, 0, "whole")])
    assert str(error) == "a:9:1: x\nb: whole\nb:2:1: late"
    assert error.exit_code == 2
    assert error.hint
    assert FileFaultsError([], hint="do this").hint == "do this"


def test_a_source_keeps_its_path() -> None:
    """The path is for messages; it is never opened."""
    assert isinstance(load_yaml("a: 1", "/nowhere"), YamlSource)
    assert load_yaml("a: 1", "/nowhere").path == "/nowhere"


@pytest.mark.parametrize(
    ("name", "meant"), [("mach", "; did you mean 'match'?"), ("zzz", ""), ("", ""), ("m" * 100_000, "")]
)
def test_did_you_mean(name: str, meant: str) -> None:
    """Something close, or nothing."""
    assert did_you_mean(name, ["match", "unless"]) == meant
