"""Lint of tests, lists and windows: a test that names what there is not proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rules.lint.test_lint import findings, found

if TYPE_CHECKING:
    from pathlib import Path

RULE = "rules: [{id: shop-preview, verdict: suspicious, reason: x, match: {facts: {tool: [cli]}}}]\n"
WINDOW = "windows: {release: {weekly: [mon]}}\n"


def of_test(folder: Path, keys: str) -> list[str]:
    """The findings on a test with these keys."""
    test = f"{{name: t, event: {{eventName: DeleteTable}}, {keys}}}"
    text = f"{WINDOW}{RULE}tests: [{test}]"
    return [one.replace("test 't': ", "") for one in found(folder, text) if "unused" not in one]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("expect: {verdict: suspicious, rule: shop-preview}", []),
        (
            "expect: {verdict: suspicious, rule: shop-previw}",
            ["error [unknown-rule] no rule 'shop-previw'; did you mean 'shop-preview'?"],
        ),
        (
            "expect: {verdict: suspicious, not_rule: [shop-preview, x]}",
            ["error [unknown-rule] no rule 'x'"],
        ),
        (
            "facts: {tool: cli, table: {tags: {any: thing}, itemCount: 5}, intents: [x], windows: [release]}",
            [],
        ),
        ("facts: {tol: cli}", ["error [unknown-fact] no fact 'tol'; did you mean 'facts.tool'?"]),
        (
            "facts: {table: {tagz: {a: b}}}",
            ["error [unknown-fact] no fact 'table.tagz'; did you mean 'facts.table.tags'?"],
        ),
        ("facts: {actor: bob}", ['error [wrong-type] facts.actor holds other facts, and not "bob"']),
        ("facts: {tool: clii}", ["error [unknown-value] facts.tool is never \"clii\"; did you mean 'cli'?"]),
        (
            'facts: {backup: {found: "true"}}',
            ['error [wrong-type] facts.backup.found is true or false, and "true" is a text'],
        ),
        (
            "facts: {backup: {ageHours: true}}",
            ["error [wrong-type] facts.backup.ageHours is a number, and true is a flag"],
        ),
        ("facts: {intents: x}", ['error [wrong-type] facts.intents is an array of texts, and not "x"']),
        (
            "facts: {table: {tags: [x]}}",
            ['error [wrong-type] facts.table.tags is texts by name, and not ["x"]'],
        ),
        (
            "facts: {table: {tags: {env: 1}}}",
            ["error [wrong-type] facts.table.tags is a text, and 1 is a number"],
        ),
        ("facts: {tool: [cli]}", ["error [wrong-type] facts.tool is a single value"]),
        (
            "facts: {windows: [relese]}",
            ["error [unknown-window] no change window 'relese'; did you mean 'release'?"],
        ),
    ],
)
def test_tests(tmp_path: Path, keys: str, said: list[str]) -> None:
    """Rules, facts, values and windows in a test have to exist."""
    assert of_test(tmp_path, keys if "expect" in keys else f"{keys}, expect: {{verdict: suspicious}}") == said


def test_events_that_cannot_be_used(tmp_path: Path) -> None:
    """A missing file, one that is no event, and a record that is none: at the test, before anybody runs it."""
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    (tmp_path / "fine.json").write_text('{"eventName": "DeleteTable"}', encoding="utf-8")
    tests = "".join(
        f"- {{name: t, event: {event}, expect: {{verdict: suspicious}}}}\n"
        for event in ("fine.json", "missing.json", "list.json", "{eventName: X, eventTime: today}")
    )
    made = [one for one in findings(tmp_path, f"{RULE}tests:\n{tests}") if one.check == "test-event"]
    assert [(one.level, one.fault.line) for one in made] == [("error", 5), ("error", 6), ("error", 7)]
    assert [one.fault.message.replace(str(tmp_path), "") for one in made] == [
        "test 't': event file /missing.json: No such file or directory",
        "test 't': event file /list.json: expected a JSON object, found list",
        "test 't': not a usable CloudTrail record: eventTime: a time like 2026-01-31T09:30:00Z is needed",
    ]


def test_names_that_stand_twice(tmp_path: Path) -> None:
    """Whoever reads that a test failed has to know which; the later one is told of."""
    tests = "".join(
        f"- {{name: {name}, event: {{eventName: DeleteTable}}, expect: {{verdict: suspicious}}}}\n"
        for name in ("a", "b", "a", "A")
    )
    assert found(tmp_path, f"{RULE}tests:\n{tests}") == [
        "warning [same-name] test 'a': the test in line 4 has the same name"
    ]


def test_lists_and_windows_that_nobody_uses(tmp_path: Path) -> None:
    """They are notes; what is named in match, unless, during or a fact is used."""
    text = """
    lists: {one: [a], two: [b], three: [c]}
    windows: {one: {weekly: [mon]}, two: {weekly: [mon]}, three: {weekly: [mon]}, prefixed: {weekly: [mon]}}
    rules:
      - {id: a, verdict: suspicious, reason: x, during: one, match: {region: [{list: one}]}, unless: {account: [{anything-but: {list: two}}]}}
      - {id: b, verdict: suspicious, reason: x, match: {facts: {windows: [two, {prefix: pre}]}}}
    """
    assert [line for line in found(tmp_path, text) if "unused" in line] == [
        "note [unused-list] list three is used by no rule",
        "note [unused-window] window three is used by no rule",
    ]
