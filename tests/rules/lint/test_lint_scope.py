"""Lint of what rules take upon themselves: breadth, owners, reasons and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rules.lint.test_lint import found, of_rule

if TYPE_CHECKING:
    from pathlib import Path

WHO = "actor: {role: [ci]}"
WHAT = "resource: {name: [{prefix: preview-}]}"


def breadth(folder: Path, match: str) -> list[str]:
    """The level and check of what is said of an intentional rule's breadth."""
    checks = ("too-broad", "tool-only", "no-who", "no-what")
    lines = of_rule(folder, match, verdict="intentional")
    return [" ".join(line.split()[:2]) for line in lines if line.split()[1].strip("[]") in checks]


@pytest.mark.parametrize(
    ("match", "said"),
    [
        (f"{{facts: {{{WHO}, {WHAT}}}}}", []),
        ("{facts: {intents: [{exists: true}]}}", []),
        (
            "{detail: {userIdentity: {sessionContext: {sessionIssuer: {userName: [ci]}}}, requestParameters: {tableName: [t]}}}",
            [],
        ),
        (f"{{facts: {{{WHO}, table: {{tags: {{env: [dev]}}}}}}}}", []),
        (f"{{facts: {{{WHO}, origin: {{stack: [{{wildcard: 'preview-*'}}]}}}}}}", []),
        ("{detail: {eventName: [DeleteTable]}}", ["error [too-broad]"]),
        ("{facts: {weight: [destructive], region: [eu-west-1], failed: [false]}}", ["error [too-broad]"]),
        (
            "{facts: {actor: {role: [{exists: true}]}, resource: {name: [{wildcard: '*'}]}}}",
            ["error [too-broad]"],
        ),
        (
            "{facts: {actor: {name: [{anything-but: bob}]}, resource: {name: [{prefix: ''}]}}}",
            ["error [too-broad]"],
        ),
        ("{facts: {actor: {kind: [assumed-role], mfa: [true]}}}", ["error [too-broad]"]),
        ("{facts: {intents: [{exists: false}]}}", ["error [too-broad]"]),
        (
            "{detail: {userIdentity: {sessionContext: {sessionIssuer: {type: [Role]}}}}}",
            ["error [too-broad]"],
        ),
        (f"{{$or: [{{facts: {{{WHO}, {WHAT}}}}}, {{region: [x]}}]}}", ["error [too-broad]"]),
        ("{facts: {tool: [terraform]}}", ["error [tool-only]"]),
        (
            "{detail: {userAgent: [{wildcard: '*Terraform*'}], eventName: [DeleteTable]}}",
            ["error [tool-only]"],
        ),
        ("{facts: {app: [nightly], weight: [weakening]}}", ["error [tool-only]"]),
        (f"{{facts: {{{WHAT}}}}}", ["warning [no-who]"]),
        (f"{{facts: {{tool: [cdk], {WHAT}}}}}", ["warning [no-who]"]),
        ("{facts: {account: ['111122223333']}}", ["error [too-broad]"]),
        ("{facts: {tool: [cdk], account: ['111122223333']}}", ["error [tool-only]"]),
        ("{facts: {tool: [cdk], actor: {session: [job-7]}}}", ["error [tool-only]"]),
        (f"{{facts: {{actor: {{session: [job-7]}}, {WHAT}}}}}", ["warning [no-who]"]),
        (f"{{facts: {{{WHO}, actor.arn: [{{prefix: 'arn:'}}], {WHAT}}}}}", []),
        (f"{{facts: {{{WHO}}}}}", ["warning [no-what]"]),
        (f"{{facts: {{{WHO}, tool: [cdk]}}}}", ["warning [no-what]"]),
    ],
)
def test_how_much_an_intentional_rule_silences(tmp_path: Path, match: str, said: list[str]) -> None:
    """Neither who nor what is an error, only one a warning; a tool is nobody, and what everybody has narrows nothing."""
    assert breadth(tmp_path, match) == said


def test_why_a_tool_is_not_enough(tmp_path: Path) -> None:
    """The sentence that everybody has to read once."""
    assert of_rule(tmp_path, "{facts: {tool: [terraform]}}", verdict="intentional") == [
        (
            "error [tool-only] never counts: a tool alone explains nothing, for anybody can set a user agent;"
            " name a role and the tables or stacks"
        )
    ]
    (line,) = of_rule(tmp_path, f"{{facts: {{tool: [cdk], {WHAT}}}}}", verdict="intentional")
    assert line.endswith("such as by facts.actor.role (a tool is nobody: anybody can set a user agent)")


def test_a_tool_in_unless_is_a_tool(tmp_path: Path) -> None:
    """To silence all but what another tool does is to silence by tool; with who and what named it is not."""
    unless = ", unless: {facts: {tool: [{anything-but: terraform}]}}"
    weight = "{facts: {weight: [destructive]}}"
    (line,) = of_rule(tmp_path, weight, verdict="intentional", more=unless)
    assert line.startswith("error [tool-only] never counts: a tool alone explains nothing")
    named = f"{{facts: {{{WHO}, {WHAT}}}}}"
    assert of_rule(tmp_path, named, verdict="intentional", more=unless) == []


@pytest.mark.parametrize("verdict", ["suspicious", "accidental"])
def test_an_alert_may_be_broad(tmp_path: Path, verdict: str) -> None:
    """A rule that makes noise may match everything."""
    assert of_rule(tmp_path, "{facts: {failed: [false]}}", verdict=verdict) == []


def test_owner_and_reason(tmp_path: Path) -> None:
    """Who silences has to answer for it; an alert should say more than an id; a description will do."""
    match = f"match: {{facts: {{{WHO}, {WHAT}}}}}"
    assert found(
        tmp_path, f"rules: [{{id: r, verdict: intentional, {match}, owner: ' ', description: text}}]"
    ) == [
        "warning [no-owner] rule r: has no owner: nobody knows whom to ask when it silences what it should not",
        "warning [no-reason] rule r: has no reason: nobody knows why the change is intended",
    ]
    assert found(tmp_path, f"rules: [{{id: r, verdict: suspicious, {match}}}]") == [
        "note [no-reason] rule r: has no reason, so that the alert can only name its id"
    ]
    assert found(tmp_path, f"rules: [{{id: r, verdict: suspicious, {match}, description: text}}]") == []


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-11-22", ["warning [expired] has expired on 2026-11-22 and no longer counts"]),
        ("2026-11-23", ["warning [expired] has expired on 2026-11-23 and no longer counts"]),
        ("2026-11-24", ["note [expires-soon] expires on 2026-11-24 and then no longer counts"]),
        ("2026-12-07", ["note [expires-soon] expires on 2026-12-07 and then no longer counts"]),
        ("2026-12-08", []),
    ],
)
def test_rules_that_end(tmp_path: Path, day: str, said: list[str]) -> None:
    """By the time that is handed in: from midnight (UTC) of its day on a rule is past; two weeks before it is told."""
    assert of_rule(tmp_path, "{detail: {eventName: [DeleteTable]}}", more=f", expires: {day}") == said
