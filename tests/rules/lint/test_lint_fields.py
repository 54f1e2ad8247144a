"""Lint of fields: names that no event has are found, with what was meant; names that events have are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rules.lint.test_lint import found, of_match, of_rule

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = "error [unknown-field] no event has"


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ("{Source: [aws.dynamodb]}", f"{UNKNOWN} Source; did you mean 'source'?"),
        ("{detail-typ: [x]}", f"{UNKNOWN} detail-typ; did you mean 'detail-type'?"),
        ("{eventName: [DeleteTable]}", f"{UNKNOWN} eventName; did you mean 'detail.eventName'?"),
        ("{detail: {eventNam: [DeleteTable]}}", f"{UNKNOWN} detail.eventNam; did you mean 'detail.eventName'?"),
        (
            "{detail: {tableName: [x]}}",
            f"{UNKNOWN} detail.tableName; did you mean 'detail.requestParameters.tableName'?",
        ),
        (
            "{detail: {userIdentity: {sessionContext: {sessionIssuer: {username: [x]}}}}}",
            (f"{UNKNOWN} detail.userIdentity.sessionContext.sessionIssuer.username;"
            " did you mean 'detail.userIdentity.sessionContext.sessionIssuer.userName'?"),
        ),
        ("{nonsense: [x]}", f"{UNKNOWN} nonsense; at the top there are source, detail-type, detail and facts"),
        (
            "{detail: {flavour: [x]}}",
            "warning [unknown-field] detail.flavour is in no record that AWS documents",
        ),
        (
            "{detail: {requestParameters: {tablename: [x]}}}",
            ("warning [unknown-field] no watched call has detail.requestParameters.tablename;"
            " did you mean 'detail.requestParameters.tableName'?"),
        ),
        (
            "{detail: {responseElements: {tableDescription: {tableid: [x]}}}}",
            ("warning [unknown-field] no watched call has detail.responseElements.tableDescription.tableid;"
            " did you mean 'detail.responseElements.tableDescription.tableId'?"),
        ),
        ("{facts: {actor: {rol: [x]}}}", "error [unknown-fact] no fact 'actor.rol'; did you mean 'facts.actor.role'?"),
        ("{facts: {role: [x]}}", "error [unknown-fact] no fact 'role'; did you mean 'facts.actor.role'?"),
        ("{facts: {actor: {role: {name: [x]}}}}", "error [unknown-fact] no fact 'actor.role.name'; did you mean 'facts.actor.name'?"),
        ("{facts: {weight: [destructiv]}}", "error [unknown-value] facts.weight is never \"destructiv\"; did you mean 'destructive'?"),
        (
            "{facts: {weight: [{prefix: x}]}}",
            ('error [unknown-value] facts.weight is never {"prefix": "x"};'
            " it is one of destructive, weakening, tampering, context"),
        ),
        (
            "{facts: {tool: [{anything-but: [clii]}]}}",
            ('error [unknown-value] facts.tool is never {"anything-but": ["clii"]}; it is one of console, cli,'
            " cloudformation, cdk, terraform, pulumi, serverless, sdk, service, unknown"),
        ),
        ('{facts: {failed: ["true"]}}', 'error [wrong-type] facts.failed is true or false, and "true" is a text'),
        ("{facts: {failed: [{prefix: t}]}}", "error [wrong-type] facts.failed is true or false, and prefix looks at texts only"),
        ('{facts: {backup: {ageHours: ["48"]}}}', 'error [wrong-type] facts.backup.ageHours is a number, and "48" is a text'),
        ("{facts: {account: [111122223333]}}", "error [wrong-type] facts.account is a text, and 111122223333 is a number"),
        ("{facts: {app: [{numeric: ['>', 1]}]}}", "error [wrong-type] facts.app is a text, and numeric looks at numbers only"),
        ("{facts: {app: [null]}}", "error [wrong-type] facts.app is never null; what is absent is asked for with {exists: false}"),
        ("{facts: {table: {tags: {env: [true]}}}}", "error [wrong-type] facts.table.tags.env is a text, and true is a flag"),
    ],
)  # fmt: skip
def test_what_no_event_has(tmp_path: Path, match: str, message: str) -> None:
    """An unknown path, fact, value or type is told, with what was probably meant."""
    assert message in of_match(tmp_path, match)


@pytest.mark.parametrize(
    "match",
    [
        "{source: [aws.dynamodb], detail-type: [{prefix: AWS}], account: ['1'], region: [x], resources: [x], id: [x]}",
        "{detail: {userIdentity: {onBehalfOf: {userId: [x]}, inScopeOf: {anything: [x]}}}}",
        "{detail: {requestParameters: {tableName: [x], someOther: [x], deep: {er: [1]}}}}",
        "{detail: {requestParameters: {replicaUpdates: {delete: {regionName: [x]}}}}}",
        "{detail: {additionalEventData: {whatever: [x]}}}",
        "{detail: {requestParameters: {deletionProtectionEnabled: [false]}}}",
        "{detail: {bucket: {name: [x]}}}",
        "{facts: {table: {tags: {anything at all: [x]}, itemCount: [{numeric: ['>', 5]}]}, failed: [true, false]}}",
        "{facts: {weight: [{anything-but: weakening}], change: [{wildcard: '*-deleted'}]}}",
        "{facts: {tool: [{equals-ignore-case: CLI}], recent: {weakened: [protection-off]}}}",
    ],
)
def test_what_events_have(tmp_path: Path, match: str) -> None:
    """Documented paths, free parameters and possible values are left alone."""
    assert of_match(tmp_path, match) == []


def test_unless_is_looked_at_too(tmp_path: Path) -> None:
    """A name in unless that no event has would never keep the rule out."""
    (one,) = of_rule(
        tmp_path, "{detail: {eventName: [DeleteTable]}}", more=", unless: {facts: {fail: [true]}}"
    )
    assert one == "error [unknown-fact] no fact 'fail'; did you mean 'facts.failed'?"


def test_windows_in_facts_must_exist(tmp_path: Path) -> None:
    """A window that nobody defined is never in force; one that there is may be asked for."""
    head = "windows: {release: {weekly: [mon]}}"
    assert of_rule(tmp_path, "{facts: {windows: [release]}}", head=head) == []
    (one,) = [
        line for line in of_rule(tmp_path, "{facts: {windows: [relaese]}}", head=head) if "error" in line
    ]
    assert one == "error [unknown-window] no change window 'relaese'; did you mean 'release'?"
    (one,) = of_match(tmp_path, "{facts: {windows: [x]}}")
    assert one.endswith("no change window 'x'; there are none")


def test_all_faults_of_a_field(tmp_path: Path) -> None:
    """Each wrong value of one field is told by itself."""
    text = "rules: [{id: r, verdict: suspicious, reason: x, match: {facts: {tool: [clii, cli, terrafrom]}}}]"
    assert [one.rpartition("; ")[2] for one in found(tmp_path, text)] == [
        "did you mean 'cli'?",
        "did you mean 'terraform'?",
    ]
