"""Change events, facts and rules, as the tests of this room need them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rules.events import ChangeEvent, parse_event, parse_event_json
from rules.facts import Facts, facts_from_event
from rules.patterns import compile_pattern
from rules.rule_set import RuleSet
from rules.verdicts import CompiledRule, Severity, Verdict, VerdictKind

EVENTS = Path(__file__).parent / "events"
# Records that others published; they are read from beside the repository, never copied into it.
PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "events"
ACCOUNT = "111122223333"
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def document(name: str) -> dict[str, Any]:
    """One of the synthetic documents in ``events/``."""
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def event(name: str) -> ChangeEvent:
    """One of the synthetic documents, parsed from its bytes."""
    return parse_event_json((EVENTS / f"{name}.json").read_bytes())


def record(**changes: Any) -> dict[str, Any]:
    """A small DeleteTable record; a change to ``...`` takes the key out."""
    whole = {
        "eventVersion": "1.11",
        "eventID": "00000000-0000-4000-8000-000000000000",
        "eventTime": "2026-11-23T02:13:44Z",
        "eventSource": "dynamodb.amazonaws.com",
        "eventName": "DeleteTable",
        "awsRegion": "eu-west-1",
        "recipientAccountId": ACCOUNT,
        "requestParameters": {"tableName": "orders"},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def changed(**changes: Any) -> ChangeEvent:
    """The event of ``record(**changes)``."""
    return parse_event(record(**changes))


def rule(
    rule_id: str,
    verdict: str,
    match: dict[str, Any] | None = None,
    *,
    unless: dict[str, Any] | None = None,
    severity: str | None = None,
    expires: datetime | None = None,
) -> CompiledRule:
    """A rule; one without ``match`` matches every event."""
    written = match or {"detail": {"eventSource": [{"prefix": ""}]}}
    return CompiledRule(
        id=rule_id,
        verdict=VerdictKind(verdict),
        severity=None if severity is None else Severity(severity),
        match=compile_pattern(written),
        unless=None if unless is None else compile_pattern(unless),
        expires=expires,
        reason=f"reason of {rule_id}",
        description="",
        origin="test",
        written_match=written,
        written_unless=unless,
    )


def facts(of: ChangeEvent, unknown: dict[str, str] | None = None, **known: Any) -> Facts:
    """The facts of an event with more laid beside them."""
    return Facts({**facts_from_event(of), **known}, unknown or {})


def judge(*rules: CompiledRule, of: ChangeEvent | None = None, around: Facts | None = None) -> Verdict:
    """The verdict of the rules on an event, at ``NOW``."""
    what = of or changed()
    return RuleSet(rules).judge(what, around or facts(what), NOW)
