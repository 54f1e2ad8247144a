"""What a back-test comes to: tallies, rules that did nothing, differences between rule sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.backtest_report import NO_RULE, Comparison, Report, reports, scope_of
from rules.rule_set import RuleSet
from tests.rules.backtesting import deletion, replayed, trail_file
from tests.rules.judging import rule

if TYPE_CHECKING:
    from rules.backtest import Replay
    from rules.verdicts import CompiledRule

NAMED = {"detail": {"requestParameters": {"tableName": ["preview"]}}}
PREVIEW = rule("preview", "intentional", NAMED)


def week() -> Replay:
    """Two deletions of orders, one refused, and three of a preview table."""
    return replayed(
        trail_file(
            deletion(1),
            deletion(2, errorCode="AccessDenied"),
            *(deletion(number, "preview") for number in (3, 4, 5)),
        )
    )


def report(*rules: CompiledRule) -> Report:
    """The report of some rules on ``week``."""
    (found,) = reports(week(), [RuleSet(rules)])
    return found


def test_what_alerts_and_what_is_quiet() -> None:
    """Worst first; a refused call is an attempt, of low severity."""
    found = report(PREVIEW)
    assert [one.severity.value for one in found.alerts] == ["high", "low"]
    assert (len(found.quiet), found.attempts) == (3, 1)
    assert found.by_severity == {"high": 1, "low": 1}
    assert found.by_verdict == {"intentional": 3, "suspicious": 2}


def test_tallies_by_rule_actor_and_table() -> None:
    """Each says how often it alerted and was quiet, how bad it was, and from when to when."""
    found = report(PREVIEW)
    (none, preview) = found.by_rule
    assert (none.name, none.alerts, none.quiet, none.worst) == (NO_RULE, 2, 0, found.alerts[0].severity)
    assert (preview.name, preview.alerts, preview.quiet, preview.worst) == ("preview", 0, 3, None)
    assert (preview.first.minute, preview.last.minute) == (3, 5)
    assert [(line.name, line.alerts, line.quiet) for line in found.by_actor] == [("developer", 2, 3)]
    assert [line.name for line in found.by_resource] == ["table orders", "table preview"]


def test_the_jobs_of_a_ci_role_are_one_actor() -> None:
    """By their role: every job has a session of its own."""
    jobs = [
        deletion(number)
        | {
            "userIdentity": {
                "type": "AssumedRole",
                "arn": f"arn:aws:sts::111122223333:assumed-role/ci/job-{number}",
                "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "ci"}},
            }
        }
        for number in range(1, 4)
    ]
    (found,) = reports(replayed(trail_file(*jobs)), [RuleSet([])])
    assert [(line.name, line.alerts) for line in found.by_actor] == [("role ci", 3)]
    assert "job-1" in found.judged[0].actor


def test_rules_that_did_nothing_are_named() -> None:
    """Apart: those that could not have, since no archive tells what they rest on."""
    idle = rule("idle", "suspicious", {"detail": {"eventName": ["DeleteStack"]}})
    tagged = rule("tagged", "suspicious", {"facts": {"table": {"tags": {"env": ["prod"]}}}})
    found = report(PREVIEW, idle, tagged)
    assert (found.never_counted, found.unjudgeable) == (("idle",), ("tagged",))


def test_a_change_of_rules_is_told_change_by_change() -> None:
    """What gets quiet comes first, then what alerts now, then what alerts otherwise; all else is left out."""
    every = rule("every", "intentional", {"detail": {"requestParameters": {"tableName": ["orders"]}}})
    old, new = reports(week(), [RuleSet([PREVIEW]), RuleSet([every])])
    comparison = Comparison(old, new)
    assert comparison.by_effect == {"quiet now": 2, "alerts now": 3}
    assert [pair.effect for pair in comparison.differences] == ["quiet now"] * 2 + ["alerts now"] * 3
    first = comparison.differences[0]
    assert (first.old.rules, first.new.rules) == ((), ("every",))


def test_another_severity_or_another_rule_is_a_change_too() -> None:
    """As many people are told as before, but not the same."""
    orders = {"detail": {"requestParameters": {"tableName": ["orders"]}}}
    old, new = reports(
        week(),
        [RuleSet([PREVIEW]), RuleSet([PREVIEW, rule("bad", "suspicious", orders, severity="critical")])],
    )
    assert Comparison(old, new).by_effect == {"changed": 2}


def test_equal_rules_differ_in_nothing() -> None:
    """Compared with itself a rule set changes nothing."""
    old, new = reports(week(), [RuleSet([PREVIEW]), RuleSet([PREVIEW])])
    assert Comparison(old, new).differences == ()


def test_an_empty_archive_has_a_report() -> None:
    """No changes, no alerts, no first and last time to trip over."""
    (found,) = reports(replayed(trail_file()), [RuleSet([PREVIEW])])
    assert (found.alerts, found.by_rule, found.never_counted) == ((), (), ("preview",))


def test_what_was_read_is_in_the_report() -> None:
    """Files, records and what could not be read, with its place."""
    scope = scope_of(replayed(trail_file(deletion(1), 7), b"no json"), ["a", "b"])
    assert (scope.pieces, scope.records, scope.unreadable) == (2, 2, 2)
    assert [complaint.piece for complaint in scope.complaints] == ["piece 0", "piece 1"]
