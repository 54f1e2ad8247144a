"""Lint of what can never match or count: said only where no event could prove it wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import facts_from_event
from rules.lint.actions import JUDGED, texts_of
from rules.lint.reach import ever_in_force, living
from rules.patterns import compile_pattern
from rules.patterns.structure import flatten
from rules.windows import Window
from tests.rules.judging import NOW
from tests.rules.lint.test_lint import JUDGED_EVENTS, of_match, of_rule

if TYPE_CHECKING:
    from pathlib import Path

NEVER = "error [never-matches] can never match: "
COUNT = "is a whole number of at least 0, and "


@pytest.mark.parametrize(
    ("match", "messages"),
    [
        (
            "{detail: {eventName: [DeleteTabel]}}",
            [
                (f'{NEVER}nothing that is watched has detail.eventName ["DeleteTabel"],'
                " so that the watcher judges no such event; did you mean 'DeleteTable'?")
            ],
        ),
        (
            "{detail: {eventName: [CreateTable]}}",
            [f'{NEVER}detail.eventName ["CreateTable"] only explains other changes, and is not judged by itself'],
        ),
        (
            "{detail: {eventName: [DeleteTable, DeleteTabel]}}",
            ["warning [not-watched] no watched change has detail.eventName 'DeleteTabel'; did you mean 'DeleteTable'?"],
        ),
        (
            "{detail: {eventSource: [glue.amazonaws.com], eventName: [DeleteTable]}}",
            [
                (f'{NEVER}nothing that is watched has detail.eventSource ["glue.amazonaws.com"],'
                " so that the watcher judges no such event")
            ],
        ),
        (
            "{detail: {eventSource: [cloudformation.amazonaws.com], eventName: [DeleteTable]}}",
            [
                (f'{NEVER}no watched change has detail.eventSource ["cloudformation.amazonaws.com"]'
                ' and detail.eventName ["DeleteTable"] together')
            ],
        ),
        (
            "{facts: {weight: [tampering]}, detail: {eventName: [DeleteTable]}}",
            [
                (f'{NEVER}no watched change has facts.weight ["tampering"]'
                ' and detail.eventName ["DeleteTable"] together')
            ],
        ),
        (
            "{detail: {eventName: [DeleteStack]}, facts: {region: [x], table: {tags: {env: [prod]}}}}",
            [
                (f'{NEVER}no watched change has detail.eventName ["DeleteStack"]'
                ' and facts.table.tags.env ["prod"] together')
            ],
        ),
        (
            "{source: [aws.cloudformation], detail: {eventName: [{prefix: Delete}]}, facts: {resource: {type: [table]}}}",
            [
                (f'{NEVER}no watched change has source ["aws.cloudformation"] and detail.eventName [{{"prefix": "Delete"}}]'
                ' and facts.resource.type ["table"] together')
            ],
        ),
        (
            "{facts: {table: {itemCount: [{numeric: ['>', 3, '<', 4]}]}}}",
            [f'{NEVER}facts.table.itemCount {COUNT}[{{"numeric": [">", 3, "<", 4]}}] holds none'],
        ),
        (
            "{facts: {recent: {deletions: [{numeric: ['<', 0]}, -1, 2.5]}}}",
            [f'{NEVER}facts.recent.deletions {COUNT}[{{"numeric": ["<", 0]}}, -1, 2.5] holds none'],
        ),
        (
            "{facts: {backup: {ageHours: [{numeric: ['<', 0]}]}}}",
            [f'{NEVER}facts.backup.ageHours is at least 0, and [{{"numeric": ["<", 0]}}] holds none'],
        ),
        (
            "{$or: [{detail: {eventName: [DeleteTable]}}, {detail: {eventName: [DeleteTabel]}}]}",
            [
                ("warning [never-matches] one alternative of its $or can never match: nothing that is watched has"
                ' detail.eventName ["DeleteTabel"], so that the watcher judges no such event; did you mean \'DeleteTable\'?')
            ],
        ),
    ],
)  # fmt: skip
def test_what_never_matches(tmp_path: Path, match: str, messages: list[str]) -> None:
    """The fewest conditions that rule every event out are named."""
    assert of_match(tmp_path, match) == messages


@pytest.mark.parametrize(
    "match",
    [
        "{detail: {eventName: [DeleteTable]}, facts: {weight: [destructive], resource: {type: [table]}}}",
        "{detail: {eventName: [UpdateTable]}, facts: {weight: [weakening], change: [index-removed]}}",
        "{facts: {change: [table-deleted]}, detail: {eventName: [{exists: false}]}}",
        "{facts: {resource: {type: [stack]}}, detail: {eventName: [DeleteStackInstances]}}",
        "{detail: {eventName: [DeleteStack]}, facts: {table: {itemCount: [{exists: false}]}}}",
        "{detail: {eventName: [DeleteStack]}, facts: {origin: {stack: [shop]}}}",
        "{facts: {table: {itemCount: [{numeric: ['>', 3, '<', 5]}]}}}",
        "{facts: {table: {itemCount: [{numeric: ['>', -5, '<=', 3]}]}}}",
        "{facts: {table: {itemCount: [{numeric: ['<=', 0]}]}, backup: {ageHours: [{numeric: ['<', 1]}]}}}",
        "{facts: {backup: {ageHours: [{numeric: ['>', 3, '<', 4]}]}}}",
        "{source: [aws.s3], detail: {bucket: {name: [x]}}}",
        "{facts: {net: {part: [vault]}}, detail-type: [Object Deleted]}",
    ],
)
def test_what_may_match(tmp_path: Path, match: str) -> None:
    """Nothing is said of a rule that an event could match."""
    assert [line for line in of_match(tmp_path, match) if "never" in line or "watched" in line] == []


TEXTS = {
    path: sorted({text for one in JUDGED for text in texts_of(one)[path]}) for path in texts_of(JUDGED[0])
}


def conditions(path: str) -> st.SearchStrategy[list[Any]]:
    """A field's array over texts that some event has at the path."""
    one = st.sampled_from(TEXTS[path])
    value = st.one_of(
        one,
        one.map(lambda text: {"prefix": text[:4]}),
        one.map(lambda text: {"anything-but": [text]}),
        st.just({"exists": False}),
        st.just({"exists": True}),
    )
    return st.lists(value, min_size=1, max_size=3)


PATTERNS = st.fixed_dictionaries({}, optional={path: conditions(path) for path in TEXTS}).filter(bool)


@settings(max_examples=200, deadline=None)
@given(PATTERNS)
def test_nothing_that_a_real_event_matches_is_called_dead(pattern: dict[str, Any]) -> None:
    """Whatever pattern over what tells actions apart: if an event at hand matches it, the lint lets it live."""
    compiled = compile_pattern(pattern)
    for one in JUDGED_EVENTS.values():
        if compiled.matches({**one.envelope, "facts": facts_from_event(one)}):
            assert living(flatten(pattern))


def test_an_intentional_rule_on_tampering_only(tmp_path: Path) -> None:
    """No rule can silence tampering, so one that matches nothing else is an error; a wider one is not."""
    message = "error [tampering] never counts: it matches tampering with the safety net only, which no rule can make intentional"
    match = "{{detail: {{eventName: [{}]}}, facts: {{actor: {{role: [x]}}, resource: {{name: [y]}}}}}}"
    assert message in of_rule(tmp_path, match.format("DeleteBackup, DeleteTrail"), verdict="intentional")
    assert message not in of_rule(tmp_path, match.format("DeleteBackup, DeleteTable"), verdict="intentional")
    assert message not in of_rule(tmp_path, match.format("DeleteBackup"))


@pytest.mark.parametrize(
    ("unless", "always"),
    [
        ("{facts: {weight: [destructive]}}", True),
        ("{detail: {eventName: [{prefix: Delete}]}}", True),
        ("{facts: {weight: [destructive], failed: [true]}}", False),
        ("{facts: {failed: [true]}}", False),
    ],
)
def test_unless_that_always_matches(tmp_path: Path, unless: str, always: bool) -> None:
    """Where unless matches whatever match does, the rule never counts; also by what is certain of the event."""
    message = "error [always-excluded] never counts: unless matches whatever match does"
    lines = of_rule(tmp_path, "{detail: {eventName: [DeleteTable]}}", more=f", unless: {unless}")
    assert lines == ([message] if always else [])


def test_windows_that_are_over(tmp_path: Path) -> None:
    """A rule all of whose windows are excepted for good never counts; one window that comes is enough."""
    head = (
        "windows: {past: {weekly: [mon-sun], except: [2020-01-01..2099-12-31]}, "
        'gone: {cron: "0 1 * * *", lasts: 2h, except: [2020-01-01..2099-12-31]}, open: {weekly: [mon]}}'
    )
    match = "{detail: {eventName: [DeleteTable]}}"
    (one,) = of_rule(tmp_path, match, more=", during: [past, gone]", head=head)[1:]
    assert (
        one
        == "error [never-in-force] never counts: windows past and gone are in force on no day of the next ten years"
    )
    assert not [
        line for line in of_rule(tmp_path, match, more=", during: [past, open]", head=head) if "error" in line
    ]


@pytest.mark.parametrize(
    ("window", "comes"),
    [
        ({"weekly": ["mon"]}, True),
        ({"weekly": ["mon-fri"], "except": ["2026-11-20..2027-02-01"]}, True),
        ({"weekly": ["mon-fri"], "except": ["2026-11-01..2026-12-31", "2027-01-01..2060-01-01"]}, False),
        ({"cron": "0 3 24 12 *", "lasts": "1d", "except": ["2026-12-24"]}, True),
        ({"cron": "*/5 * * * *", "lasts": "1m", "except": ["2026-11-01..2060-01-01"]}, False),
        ({"cron": "*/5 * * * *", "lasts": "1m", "except": ["2026-11-01..2030-01-01"]}, True),
        ({"cron": "0 0 29 2 *", "lasts": "1d", "except": ["2028-02-29", "2032-02-29", "2036-02-29"]}, False),
    ],
)
def test_whether_a_window_ever_comes(window: dict[str, Any], comes: bool) -> None:
    """Looked for ten years ahead; excepted spans are passed over in one step."""
    assert ever_in_force(Window.model_validate(window), NOW) is comes


def test_a_window_that_is_in_force_now() -> None:
    """The one that began before the exceptions is not over yet."""
    window = Window.model_validate({"cron": "0 1 * * *", "lasts": "2d", "except": ["2026-11-23..2090-01-01"]})
    assert ever_in_force(window, datetime(2026, 11, 23, 3, tzinfo=UTC))
    assert not ever_in_force(window, datetime(2026, 11, 25, 3, tzinfo=UTC))
