"""Why an event is judged as it is: every rule, the first condition that it fails, and how the rules are resolved.

Built on ``RuleSet.judge_each`` and ``Pattern.first_failure``, so that it cannot say anything else than ``judge``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rules.explain_words import resolution
from rules.facts import NOT_LOOKED_UP, Facts, has_fact, with_facts
from rules.patterns.elements import ElementSearch
from rules.patterns.fields import Field
from rules.rulefile import DEFAULT_PACK_NAME
from rules.verdicts import Judged, RuleState, Verdict, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.patterns import Pattern
    from rules.rule_set import RuleSet

# A rule is a near miss if it fails in no more conditions than this, and meets at least one.
NEAR_CONDITIONS, MOST_NEAR = 2, 5
_LONGEST_VALUE, _LONGEST_LIST = 100, 240
_WINDOWS = "windows"
_INTENTS = "facts.intents"


class Standing(StrEnum):
    """What part a rule had in the verdict, the most telling first."""

    DECIDES = "decides"
    MATCHES = "matches"  # it would count, were the event one that is judged
    OUTWEIGHED = "outweighed"
    NOTED = "noted"
    KEPT_OUT = "kept out"
    NEAR = "nearly"
    FAR = "far"


@dataclass(frozen=True, slots=True)
class ConditionSeen:
    """One condition of a pattern, as it is written, and every value that the event has at its path.

    ``unknown`` is the reason why nobody could look there; ``other_element`` is true where one of the values would
    do, but stands in another element of an array than those of the other conditions.
    """

    path: str
    condition: tuple[object, ...]
    found: tuple[object, ...]
    unknown: str = ""
    other_element: bool = False

    @property
    def asked_words(self) -> str:
        """What was asked, in the pattern's own words: ``["a", {"prefix": "b"}]``."""
        return f"[{_listed(self.condition)}]"

    @property
    def found_words(self) -> str:
        """What was found: the values, ``nothing there``, or ``unknown`` with the reason."""
        if self.found:
            return _listed(self.found) + (" (in another element of the array)" if self.other_element else "")
        return f"unknown: {self.unknown}" if self.unknown else "nothing there"


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """One rule, what it came to, and the conditions that led there.

    ``failed`` is the first condition of ``match`` that fails, in the combination of ``$or`` that comes closest;
    ``failing`` and ``met`` count the conditions of that combination, and ``unjudged`` are the unknown facts for which
    alone some of the failing ones fail. ``excluded_by`` are the conditions of
    ``unless`` that the event satisfies. ``unknown`` are the unknown facts that the rule asks about, with reasons.
    """

    judged: Judged
    standing: Standing
    failed: ConditionSeen | None = None
    failing: int = 0
    met: int = 0
    unjudged: tuple[str, ...] = ()
    excluded_by: tuple[ConditionSeen, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one judgement. ``verdict`` is None for an event that the watcher does not judge.

    ``rules`` are in the order of their standing, then of their distance. ``resolution`` says, a sentence each, how
    the rules became the verdict and its severity. ``windows`` are the change windows in force at the event's time.
    """

    event: ChangeEvent
    facts: Facts
    at: datetime
    verdict: Verdict | None
    resolution: tuple[str, ...]
    rules: tuple[ExplainedRule, ...]
    windows: tuple[str, ...]

    def standing(self, *standings: Standing) -> list[ExplainedRule]:
        """The rules with one of these standings."""
        return [one for one in self.rules if one.standing in standings]


def explain(rules: RuleSet, event: ChangeEvent, facts: Facts, at: datetime) -> Explanation:
    """Why ``rules.judge(event, facts, at)`` gives what it gives."""
    if _WINDOWS not in facts.document:
        facts = Facts({**facts.document, _WINDOWS: rules.windows_in_force(event.time)}, facts.unknown)
    judged = rules.judge_each(event, facts, at)
    verdict = resolve(event, judged) if event.alerting else None
    document = {**event.envelope, "facts": facts.document}
    explained = [_explained(one, document, facts, verdict) for one in judged]
    explained.sort(key=lambda one: (list(Standing).index(one.standing), one.failing, -one.met))
    in_force = facts.document[_WINDOWS]
    return Explanation(
        event, facts, at, verdict, resolution(event, judged, verdict), tuple(_nearest(explained)),
        tuple(str(name) for name in in_force) if isinstance(in_force, list) else (),
    )  # fmt: skip


def laid_over(facts: Facts, given: Mapping[str, Any]) -> Facts:
    """Facts with others laid over them; what is given is no longer unknown."""
    document = with_facts(facts.document, given)
    unknown = {path: why for path, why in facts.unknown.items() if not has_fact(document, path)}
    return Facts(document, unknown)


def _explained(
    judged: Judged, document: Mapping[str, Any], facts: Facts, verdict: Verdict | None
) -> ExplainedRule:
    rule = judged.rule
    touched = facts.unknown_among(rule.fields) if judged.state is not RuleState.NO_MATCH else {}
    standing = _standing(judged, verdict)
    if standing is Standing.NOTED and _rests_on_intents(judged, facts):
        standing = Standing.FAR
    one = ExplainedRule(judged, standing, unknown=tuple(sorted(touched.items())))
    if judged.state is RuleState.EXCLUDED and rule.unless is not None:
        return replace(one, excluded_by=_satisfied(rule.unless, document, facts))
    mismatch = rule.match.first_failure(document)
    if mismatch is None:
        return one
    why = "; ".join(facts.unknown_among([mismatch.path]).values())
    failed = ConditionSeen(mismatch.path, mismatch.condition, mismatch.found, why, mismatch.other_element)
    return replace(_with_distance(one, document, facts), failed=failed)


def _rests_on_intents(judged: Judged, facts: Facts) -> bool:
    """Whether it is the default pack's rule on declared intents, which nobody looked up: that says nothing."""
    return (
        judged.rule.origin.startswith(DEFAULT_PACK_NAME)
        and _INTENTS in judged.rule.match.fields
        and judged.state is RuleState.UNDECIDED
        and facts.unknown.get("intents") == NOT_LOOKED_UP.reason
    )


def _standing(judged: Judged, verdict: Verdict | None) -> Standing:
    if judged.state is RuleState.COUNTS:
        if verdict is None:
            return Standing.MATCHES
        decides = any(hit.rule_id == judged.rule.id for hit in verdict.hits)
        return Standing.DECIDES if decides else Standing.OUTWEIGHED
    if judged.state.is_worth_a_word:
        return Standing.NOTED
    return Standing.FAR if judged.state is RuleState.NO_MATCH else Standing.KEPT_OUT


def _nearest(explained: Sequence[ExplainedRule]) -> list[ExplainedRule]:
    """The same with the nearest misses marked; they come in the order of their distance.

    People ask about their own rules, so those of the default pack come after them; that none is declared is no near
    miss of its rule on intents.
    """
    near = [
        one.judged.rule.id
        for one in sorted(explained, key=_is_of_default_pack)
        if one.standing is Standing.FAR and one.failing <= NEAR_CONDITIONS and one.met
        if one.failed is None or one.failed.path != _INTENTS or not _is_of_default_pack(one)
    ][:MOST_NEAR]
    return [replace(one, standing=Standing.NEAR) if one.judged.rule.id in near else one for one in explained]


def _is_of_default_pack(one: ExplainedRule) -> bool:
    return one.judged.rule.origin.startswith(DEFAULT_PACK_NAME)


def _fields(pattern: Pattern) -> list[list[Field]]:
    return [[Field(path, condition) for path, condition in one.items()] for one in pattern.conditions]


def _fails(search: ElementSearch, field: Field) -> bool:
    found = search.values_of(field)
    return not found.accepted and not (field.absent and not found.values)


def _with_distance(one: ExplainedRule, document: Mapping[str, Any], facts: Facts) -> ExplainedRule:
    """How many conditions fail, and how many are met, in the combination that comes closest.

    Conditions that only fail together, in elements of an array, count as one that fails.
    """
    search = ElementSearch(document)
    failing = [
        ([field.path for field in fields if _fails(search, field)], len(fields))
        for fields in _fields(one.judged.rule.match)
    ]
    paths, asked = min(failing, key=lambda counted: len(counted[0]))
    fail = max(len(paths), 1)
    unjudged = tuple(path for path in paths if facts.is_unknown(path))
    return replace(one, failing=fail, met=asked - fail, unjudged=unjudged)


def _satisfied(pattern: Pattern, document: Mapping[str, Any], facts: Facts) -> tuple[ConditionSeen, ...]:
    """The conditions of the first combination that the event satisfies."""
    search = ElementSearch(document)
    for fields in _fields(pattern):
        if search.first_unsatisfied(fields) is None:
            return tuple(
                ConditionSeen(
                    field.path, field.condition.written, tuple(search.values_of(field).values),
                    "; ".join(facts.unknown_among([field.path]).values()),
                )
                for field in fields
            )  # fmt: skip
    return ()


def _listed(values: Sequence[object]) -> str:
    """The values as JSON, each cut where it is long, with a count of those that are left out."""
    shown: list[str] = []
    size = 0
    for value in values:
        text = json.dumps(value, ensure_ascii=False, default=str)
        text = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
        size += len(text) + 2
        if shown and size > _LONGEST_LIST:
            return f"{', '.join(shown)}, and {len(values) - len(shown):,} more"
        shown.append(text)
    return ", ".join(shown)
