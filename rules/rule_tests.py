"""The inline tests of rule files: run them, and say plainly what differs, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rules.errors import EventError
from rules.events import parse_event
from rules.fact_schema import FACTS
from rules.facts import STACK_TAG, Facts, facts_from_event, has_fact, with_facts
from rules.json_documents import read_json_object
from rules.net import NetParts
from rules.rulefile import DEFAULT_PACK, DEFAULT_PACK_NAME
from rules.verdicts import RuleState, resolve
from rules.yaml_source import Fault, FileFaultsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.rule_schema import RuleTest
    from rules.rule_set import RuleSet
    from rules.rulefile import LoadedRules
    from rules.verdicts import Judged, Verdict
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
# The net in tests: a bucket of this name is its vault, so that tampering with it can be tested.
TEST_NET = NetParts(vault_bucket="safetynet-vault")
NOT_GIVEN = "not given in the test"
_LONGEST = 200
_RESTING = frozenset({RuleState.RESTS_ON_UNKNOWN, RuleState.UNDECIDED})
# As in `facts_of`: only a table has these; elsewhere they are absent, not unknown.
_OF_TABLES = ("table.", "backup.", "origin.stack", "recent.stackDeleted")


@dataclass(frozen=True, slots=True)
class PreparedTest:
    """A test with its event parsed and its facts laid together, to be run against any rules; ``place`` is its line."""

    test: RuleTest
    place: Fault
    event: ChangeEvent
    facts: Facts

    @property
    def document(self) -> dict[str, Any]:
        """What patterns match."""
        return {**self.event.envelope, "facts": self.facts.document}


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """One test's outcome. ``differences`` is empty when it passed; ``explanations`` say why it did not.

    ``counted`` are the ids of all rules that counted, outweighed ones too.
    """

    name: str
    place: str
    differences: tuple[str, ...]
    verdict: Verdict
    explanations: tuple[str, ...] = ()
    counted: frozenset[str] = frozenset()

    @property
    def passed(self) -> bool:
        """Whether everything that was expected came, of an event that is judged."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A rule whose tests leave something out, and what."""

    rule_id: str
    place: str
    why: str


def run_rule_tests(loaded: LoadedRules, at: datetime) -> list[RuleTestResult]:
    """Every test of every file, against all rules together, as they are used.

    Raises FileFaultsError, with every fault, where a test's event cannot be read.
    """
    return [run_test(loaded.rule_set, prepared, at) for prepared in prepare_tests(loaded)]


def given_files(loaded: LoadedRules, paths: Sequence[Path]) -> frozenset[str]:
    """The names of the files that somebody asked for: the default pack is one only if it is among the paths."""
    asked = not paths or any(DEFAULT_PACK.resolve().is_relative_to(path.resolve()) for path in paths)
    every = {source.path for source, _ in loaded.files}
    return frozenset(every if asked else every - {DEFAULT_PACK_NAME})


def prepare_tests(
    loaded: LoadedRules, files: Collection[str] | None = None, named: str = ""
) -> list[PreparedTest]:
    """The tests of some files (None: of all) that have ``named`` in their names, in whatever case.

    Raises FileFaultsError, with every fault, where a test's event cannot be read.
    """
    prepared: list[PreparedTest] = []
    faults: list[Fault] = []
    for source, index, test in loaded.tests:
        if (files is None or source.path in files) and named.lower() in test.name.lower():
            try:
                event = event_of_test(source, index, test)
            except FileFaultsError as error:
                faults.extend(error.faults)
            else:
                facts = _facts(event, test.facts, loaded.rule_set)
                prepared.append(PreparedTest(test, source.fault(["tests", index], ""), event, facts))
    if faults:
        raise FileFaultsError(faults)
    return prepared


def run_test(rules: RuleSet, prepared: PreparedTest, at: datetime) -> RuleTestResult:
    """One test against some rules."""
    judged = rules.judge_each(prepared.event, prepared.facts, at)
    verdict = resolve(prepared.event, judged)
    found = [*_never_judged(prepared.event), *differences(prepared.test, verdict)]
    return RuleTestResult(
        prepared.test.name,
        f"{prepared.place.path}:{prepared.place.line}",
        tuple(found),
        verdict,
        tuple(_explanations(prepared, verdict, judged)) if found else (),
        frozenset(one.rule.id for one in judged if one.state is RuleState.COUNTS),
    )


def _never_judged(event: ChangeEvent) -> Iterator[str]:
    """Why the watcher asks no rule about an event: whatever a test of one expects, it shows nothing."""
    if event.alerting:
        return
    if event.action is None:
        why = "is nothing that is watched"
    elif event.read_only:
        why = "was a dry run, which changes nothing"
    else:
        why = "only explains other changes"
    yield f"the watcher does not judge such an event: {event.title} {why}"


def differences(test: RuleTest, verdict: Verdict) -> list[str]:
    """What was expected and did not come."""
    found = []
    expected = test.expect
    if verdict.kind is not expected.verdict:
        found.append(f"verdict: expected {expected.verdict}, got {verdict.kind}")
    hits = [hit.rule_id for hit in verdict.hits]
    if expected.rule is not None and expected.rule not in hits:
        found.append(f"rule: expected {expected.rule}, got {', '.join(hits) or 'none'}")
    counted = [*hits, *(hit.rule_id for hit in verdict.outweighed)]
    found += [
        f"rule: expected {rule_id} not to count, but it did"
        for rule_id in expected.not_rule
        if rule_id in counted
    ]
    if expected.severity is not None and verdict.severity is not expected.severity:
        found.append(f"severity: expected {expected.severity}, got {verdict.severity}")
    return found


def untested_rules(loaded: LoadedRules, results: Sequence[RuleTestResult]) -> list[str]:
    """The ids of rules that no test made count."""
    counted = {rule_id for result in results for rule_id in result.counted}
    return [rule.id for rule in loaded.rule_set.rules if rule.id not in counted]


def uncovered_rules(
    loaded: LoadedRules, results: Sequence[RuleTestResult], files: Collection[str]
) -> list[Uncovered]:
    """The rules of some files that lack a test in which they count, or one in which they do not."""
    uncovered = []
    for source, index, rule in loaded.written:
        if source.path not in files:
            continue
        counting = sum(rule.id in result.counted for result in results)
        if counting and counting < len(results):
            continue
        why = (
            "it counts in every test: none shows that it can stay out"
            if counting
            else "no test makes it count"
        )
        fault = source.fault(["rules", index], "")
        uncovered.append(Uncovered(rule.id, f"{fault.path}:{fault.line}", why))
    return uncovered


def _explanations(prepared: PreparedTest, verdict: Verdict, judged: Sequence[Judged]) -> Iterator[str]:
    for hit in verdict.hits:
        yield f"counted: {hit.rule_id} ({hit.verdict}, {hit.severity}): {hit.text}"
    for hit in verdict.outweighed:
        yield f"outweighed: {hit.rule_id} ({hit.verdict}): {hit.text}"
    if not verdict.hits and not verdict.outweighed:
        yield "no rule counted"
    expected = prepared.test.expect.rule
    if verdict.kind is not prepared.test.expect.verdict:
        yield from (one.note for one in judged if one.rule.id != expected and _is_worth_a_note(one))
    if expected is not None and expected not in {hit.rule_id for hit in verdict.hits}:
        yield _why_not(expected, prepared, judged)


def _is_worth_a_note(one: Judged) -> bool:
    """Whether a rule that does not count is worth naming.

    One of the default pack that rests on facts which hardly any test gives is not, unless it holds something back.
    """
    not_given = one.state in _RESTING and one.rule.origin.startswith(DEFAULT_PACK_NAME)
    return one.state.is_worth_a_word and (one.holds_back or not not_given)


def _why_not(rule_id: str, prepared: PreparedTest, judged: Sequence[Judged]) -> str:
    """Why the rule that a test expects did not decide."""
    one = next((one for one in judged if one.rule.id == rule_id), None)
    if one is None:
        return f"there is no rule {rule_id}{did_you_mean(rule_id, [one.rule.id for one in judged])}"
    if one.state is RuleState.COUNTS:
        return f"rule {rule_id} counted, and was outweighed"
    mismatch = one.rule.match.first_failure(prepared.document)
    asked = one.rule.fields if one.state in _RESTING else [mismatch.path] if mismatch else []
    missing = _to_give(prepared, asked)
    if mismatch is None:
        rests = f"rests on what is not known: {missing}" if missing else ""
        return f"rule {rule_id} matched, but {rests or one.why or one.state}"
    found = ", ".join(_shown(value) for value in mismatch.found) or "nothing there"
    if mismatch.other_element:
        found += ", in another element of the array"
    asks = f"{mismatch.path} asks for {_shown(list(mismatch.condition))}, found {found}"
    return f"rule {rule_id} did not match: {asks}{f': {missing}' if missing else ''}"


def _to_give(prepared: PreparedTest, paths: Iterable[str]) -> str:
    """The facts that some paths ask about and the test does not give, as what to do about it; "" if there are none."""
    names = [f"facts.{path}" for path in sorted(prepared.facts.unknown_among(paths))]
    return f"give {' and '.join(names)} under facts: in the test" if names else ""


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def event_of_test(source: YamlSource, index: int, test: RuleTest) -> ChangeEvent:
    """The event of a test, from its file or as it is written. Raises FileFaultsError where it cannot be used."""
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
        return parse_event(document, TEST_NET)
    except EventError as error:
        raise FileFaultsError([source.fault(place, str(error))]) from error


def _facts(event: ChangeEvent, given: Mapping[str, Any], rules: RuleSet) -> Facts:
    """The facts of an event with those given laid over; looked-up facts that neither has are unknown."""
    document = with_facts(facts_from_event(event), given)
    document.setdefault("windows", rules.windows_in_force(event.time))
    about_table = event.resource.type == "table"
    absent = _absent(document)
    unknown = {
        fact.path: NOT_GIVEN
        for fact in FACTS
        if fact.looked_up and not has_fact(document, fact.path) and fact.path not in absent
        if about_table or not fact.path.startswith(_OF_TABLES)
    }
    return Facts(document, unknown)


def _absent(document: dict[str, Any]) -> set[str]:
    """Looked-up facts that are known to be absent, by what is given of others; a stack's name stands in a tag."""
    absent = set()
    if has_fact(document, "table.tags"):
        tags, origin = document["table"]["tags"], document["origin"]
        if isinstance(tags, dict) and isinstance(origin, dict) and STACK_TAG in tags:
            origin.setdefault("stack", tags[STACK_TAG])
        absent.add("origin.stack")
    if has_fact(document, "backup.found") and document["backup"]["found"] is False:
        absent.add("backup.ageHours")
    return absent
