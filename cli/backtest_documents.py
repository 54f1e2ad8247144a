"""A back-test as JSON, for machines."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.backtest import Period
    from rules.backtest_report import Comparison, JudgedChange, Report, Scope, Tally


def report_document(scope: Scope, period: Period, report: Report) -> dict[str, Any]:
    """Everything in a report; lists are whole."""
    return {
        **_scope(scope, period),
        **_totals(report),
        "by_rule": [_tally(tally) for tally in report.by_rule],
        "by_actor": [_tally(tally) for tally in report.by_actor],
        "by_resource": [_tally(tally) for tally in report.by_resource],
        "never_counted": report.never_counted,
        "unjudgeable": report.unjudgeable,
        "unknown_facts": report.unknown_facts,
        "changes": [_change(change) for change in report.judged],
    }


def comparison_document(
    scope: Scope, period: Period, comparison: Comparison, rule_files: tuple[Sequence[str], Sequence[str]]
) -> dict[str, Any]:
    """Everything in a comparison. ``rule_files``: those of the old set, and of the new."""
    return {
        **_scope(scope, period),
        "old": {"rule_files": list(rule_files[0]), **_totals(comparison.old)},
        "new": {"rule_files": list(rule_files[1]), **_totals(comparison.new)},
        "effects": comparison.by_effect,
        "differences": [
            {"effect": pair.effect, "old": _change(pair.old), "new": _change(pair.new)}
            for pair in comparison.differences
        ],
        "unknown_facts": comparison.new.unknown_facts,
    }


def _scope(scope: Scope, period: Period) -> dict[str, Any]:
    document = _plain(asdict(scope))
    document["unreadable"] = {"count": scope.unreadable, "examples": document.pop("complaints")}
    return {"read": document, "period": _plain(asdict(period))}


def _totals(report: Report) -> dict[str, Any]:
    return {
        "watched": len(report.judged),
        "attempts": report.attempts,
        "alerts": len(report.alerts),
        "quiet": len(report.quiet),
        "by_severity": report.by_severity,
        "by_verdict": report.by_verdict,
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return _plain(asdict(tally))


def _change(change: JudgedChange) -> dict[str, Any]:
    return _plain(asdict(change))


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    """Times as AWS writes them."""
    return {
        key: f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
        for key, value in document.items()
    }
