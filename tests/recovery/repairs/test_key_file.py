"""--keys: a key a line, and every fault with its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from recovery.repairs.key_file import KeyFileError, read_keys
from recovery.repairs.table_key import TableKey

if TYPE_CHECKING:
    from pathlib import Path

KEY = TableKey(("pk", "sk"), ("S", "N"))
BINARY = TableKey(("id",), ("B",))


def keys_in(folder: Path, *lines: str, key: TableKey = KEY) -> list[dict[str, dict[str, str]]]:
    """What a file of these lines gives."""
    path = folder / "keys.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return [json.loads(found) for some in read_keys(path, key) for found in some]


@pytest.mark.parametrize(
    "line",
    [
        '{"pk": {"S": "a"}, "sk": {"N": "5.0"}}',
        '{"sk": 5, "pk": "a"}',
        '{"pk": "a", "sk": 5.00}',
        '{"pk": "a", "sk": {"N": "5e0"}}',
        '{"event": "difference", "kind": "added", "key": {"pk": {"S": "a"}, "sk": {"N": "5"}}, "after": null}',
    ],
)
def test_spellings_of_one_key(tmp_path: Path, line: str) -> None:
    """DynamoDB JSON, plain JSON with the table's types, a line of `diff --json`."""
    assert keys_in(tmp_path, line) == [{"pk": {"S": "a"}, "sk": {"N": "5"}}]


def test_blank_lines_and_the_summary_of_a_diff_are_no_keys(tmp_path: Path) -> None:
    """So that what `diff --json` prints can be handed in as it is."""
    assert keys_in(tmp_path, "", '{"event": "summary", "changed": 0}', "  ") == []


def test_numbers_keep_all_their_digits(tmp_path: Path) -> None:
    """They never become floats."""
    digits = "1234567890123456789.12345678901234567"
    assert keys_in(tmp_path, f'{{"pk": "a", "sk": {digits}}}') == [{"pk": {"S": "a"}, "sk": {"N": digits}}]


def test_binary_keys_are_base64(tmp_path: Path) -> None:
    """In both spellings."""
    found = keys_in(tmp_path, '{"id": "AP8="}', '{"id": {"B": "AP8="}}', key=BINARY)
    assert found == [{"id": {"B": "AP8="}}] * 2
    with pytest.raises(KeyFileError, match="line 1: id is no base64"):
        keys_in(tmp_path, '{"id": "A?8="}', key=BINARY)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"pk": "a"}', r"has no sk; the key of the table is pk \(S\), sk \(N\)"),
        ('{"pk": "a", "sk": 1, "n": 2}', "has more: n"),
        ('{"pk": 1, "sk": 1}', "pk is not of the table's type, S"),
        ('{"pk": "a", "sk": "1"}', "sk is not of the table's type, N"),
        ('{"pk": "a", "sk": true}', "sk is not of the table's type, N"),
        ('{"pk": "a", "sk": NaN}', "is no JSON"),
        ('{"pk": "a", "sk": {"N": "one"}}', "the key is no number"),
        ('{"pk": "a", "sk": {"S": "1"}}', "sk is not of the table's type, N"),
        ('{"pk": "", "sk": 1}', "pk is not of the table's type, S"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_faults(tmp_path: Path, line: str, fault: str) -> None:
    """Named with the line's number; nothing of the values is quoted."""
    with pytest.raises(KeyFileError, match=f"keys.jsonl: line 2: {fault}"):
        keys_in(tmp_path, '{"pk": "a", "sk": 1}', line)


def test_all_faults_at_once(tmp_path: Path) -> None:
    """The first twenty, and how many more."""
    with pytest.raises(KeyFileError) as caught:
        keys_in(tmp_path, *["?"] * 25)
    assert len(str(caught.value).splitlines()) == 21
    assert str(caught.value).endswith("and 5 more")


def test_no_such_file(tmp_path: Path) -> None:
    """A fault of what was typed, too."""
    with pytest.raises(KeyFileError, match="cannot be read"):
        list(read_keys(tmp_path / "none", KEY))


def test_many_keys_come_in_batches(tmp_path: Path) -> None:
    """As many at a time as BatchGetItem takes."""
    path = tmp_path / "keys.jsonl"
    path.write_text("".join(f'{{"pk": "a", "sk": {number}}}\n' for number in range(250)), encoding="utf-8")
    assert [len(some) for some in read_keys(path, KEY)] == [100, 100, 50]
