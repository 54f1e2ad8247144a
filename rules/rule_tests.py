"""The inline tests of rule files: run them, and say plainly what differs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rules.errors import EventError
from rules.events import parse_event, read_json_object
from rules.facts import Facts, facts_from_event
from rules.yaml_source import Fault, FileFaultsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.rulefile import LoadedRules, RuleTest
    from rules.verdicts import RuleSet, Verdict
    from rules.yaml_source import YamlSource

# What a record must have and a test should not have to repeat.
RECORD_DEFAULTS: dict[str, Any] = {
    "eventVersion": "1.08",
    "eventID": "00000000-0000-4000-8000-000000000000",
    "eventTime": "2026-01-01T00:00:00Z",
    "eventSource": "dynamodb.amazonaws.com",
    "awsRegion": "us-east-1",
    "recipientAccountId": "111122223333",
    "userAgent": "",
    "readOnly": False,
}
NOT_GIVEN = "not given in the test"
TABLE_FACTS = ("table.tags", "table.itemCount", "table.sizeBytes", "backup")
INTENTS = "intents"


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """One test's outcome. ``differences`` is empty when it passed."""

    name: str
    place: str
    differences: tuple[str, ...]
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether everything that was expected came."""
        return not self.differences


def run_rule_tests(loaded: LoadedRules, at: datetime) -> list[RuleTestResult]:
    """Every test of every file, against all rules together, as they are used.

    Raises FileFaultsError, with every fault, where a test's event cannot be read.
    """
    results: list[RuleTestResult] = []
    faults: list[Fault] = []
    for source, index, test in loaded.tests:
        try:
            results.append(_run(loaded.rule_set, source, index, test, at))
        except FileFaultsError as error:
            faults.extend(error.faults)
    if faults:
        raise FileFaultsError(faults)
    return results


def untested_rules(loaded: LoadedRules, results: list[RuleTestResult]) -> list[str]:
    """The ids of rules that no test made count."""
    counted = {hit.rule_id for result in results for hit in result.verdict.hits}
    return [rule.id for rule in loaded.rule_set.rules if rule.id not in counted]


def _run(rules: RuleSet, source: YamlSource, index: int, test: RuleTest, at: datetime) -> RuleTestResult:
    event = _event(source, index, test)
    verdict = rules.judge(event, _facts(event, test.facts), at)
    fault = source.fault(["tests", index], "")
    return RuleTestResult(
        test.name, f"{fault.path}:{fault.line}", tuple(_differences(test, verdict)), verdict
    )


def _differences(test: RuleTest, verdict: Verdict) -> list[str]:
    differences = []
    expected = test.expect
    if verdict.kind is not expected.verdict:
        differences.append(f"verdict: expected {expected.verdict}, got {verdict.kind}")
    hits = [hit.rule_id for hit in verdict.hits]
    if expected.rule is not None and expected.rule not in hits:
        differences.append(f"rule: expected {expected.rule}, got {', '.join(hits) or 'none'}")
    if expected.severity is not None and verdict.severity is not expected.severity:
        differences.append(f"severity: expected {expected.severity}, got {verdict.severity}")
    return differences


def _event(source: YamlSource, index: int, test: RuleTest) -> ChangeEvent:
    place: list[str | int] = ["tests", index, "event"]
    document = test.event
    if isinstance(document, str):
        path = Path(source.path).parent / document
        try:
            document = read_json_object(path.read_bytes())
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            why = getattr(error, "strerror", None) or error
            raise FileFaultsError([source.fault(place, f"event file {path}: {why}")]) from error
        except EventError as error:
            raise FileFaultsError([source.fault(place, f"event file {path}: {error}")]) from error
    if "detail" not in document:
        document = {**RECORD_DEFAULTS, **document}
    try:
        return parse_event(document)
    except EventError as error:
        raise FileFaultsError([source.fault(place, str(error))]) from error


def _facts(event: ChangeEvent, given: Mapping[str, Any]) -> Facts:
    document = _laid_over(facts_from_event(event), given)
    # As in `facts_of`: only a table has table facts; those of a stack are absent, not unknown.
    looked_up = (*TABLE_FACTS, INTENTS) if event.resource.type == "table" else (INTENTS,)
    unknown = {path: NOT_GIVEN for path in looked_up if not _has(document, path)}
    return Facts(document, unknown)


def _has(document: Mapping[str, Any], path: str) -> bool:
    node: Any = document
    for part in path.split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
