"""A rule set: all rules of all files, compiled once, and how one event is judged by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.actions import Weight
from rules.facts import Facts
from rules.index.rule_index import RuleIndex, asks_facts, seen_by_rules
from rules.rule_scope import rests_on_tool_alone
from rules.verdicts import CompiledRule, Judged, RuleState, Verdict, VerdictKind, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.windows import Window

_WINDOWS = "windows"


class RuleSet:
    """All rules, in the order of their ids, since the order of files never matters; with the change windows."""

    def __init__(self, rules: Iterable[CompiledRule], windows: Mapping[str, Window] | None = None) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.windows = dict(windows or {})
        self._index = RuleIndex([rule.match for rule in self.rules])
        # What a rule comes to where its pattern is all there is to it.
        self._plain = [Judged(rule, RuleState.COUNTS) if _is_plain(rule) else None for rule in self.rules]
        self._asking_facts = self._index.asking_facts | self._index.bits_of(
            number for number, rule in enumerate(self.rules) if any(map(asks_facts, _always_asked(rule)))
        )

    def judge(
        self, event: ChangeEvent, facts: Facts | Callable[[ChangeEvent], Facts], at: datetime
    ) -> Verdict:
        """The verdict on one event. ``at`` decides which rules have expired; it is an aware UTC time.

        ``facts`` may be a function that finds those of the event: it is called only if a rule has to know.
        Unknown means alert: a change that no rule explains is suspicious, an ``intentional`` rule that
        rests on an unknown fact does not apply, and tampering with the net is never intentional. The reasons
        name every rule that would have counted but for that, or but for its expiry.
        """
        bits = self._index.select_by_event(event)
        if not bits & self._index.all:
            return resolve(event, ())
        known, document = _NO_FACTS, None
        if bits & self._asking_facts:
            known = self._with_windows(facts if isinstance(facts, Facts) else facts(event), event)
            document = known.document
            bits = self._index.select_by_facts(bits, document, tuple(known.unknown))
        judged = [
            self._plain[number] or self._matched(self.rules[number], event, known, at)
            for number in self._index.matching(bits, event, document)
        ]
        if known.unknown:
            judged = self._with_unmatched(judged, bits, event, known, at)
        return resolve(event, judged)

    def _with_unmatched(
        self, judged: list[Judged], bits: int, event: ChangeEvent, facts: Facts, at: datetime
    ) -> list[Judged]:
        """The same with the rules that only an unknown fact keeps from matching, in the order of their ids."""
        document = seen_by_rules(event, facts.document)
        matched = {one.rule.id for one in judged}
        others = (self.rules[number] for number in self._index.rules_of(bits))
        judged += [
            self._unmatched(rule, event, document, facts, at) for rule in others if rule.id not in matched
        ]
        return sorted(judged, key=lambda one: one.rule.id)

    def judge_each(self, event: ChangeEvent, facts: Facts, at: datetime) -> list[Judged]:
        """What every rule comes to, also those that the index would pass over; ``judge`` agrees with it."""
        known = self._with_windows(facts, event)
        document = seen_by_rules(event, known.document)
        return [
            self._matched(rule, event, known, at)
            if rule.match.matches(document)
            else self._unmatched(rule, event, document, known, at)
            for rule in self.rules
        ]

    def windows_in_force(self, at: datetime) -> list[str]:
        """The names of the change windows that a time is in, sorted."""
        return sorted(name for name, window in self.windows.items() if window.in_force(at))

    def _with_windows(self, facts: Facts, event: ChangeEvent) -> Facts:
        if _WINDOWS in facts.document:
            return facts
        return Facts({**facts.document, _WINDOWS: self.windows_in_force(event.time)}, facts.unknown)

    def _matched(self, rule: CompiledRule, event: ChangeEvent, facts: Facts, at: datetime) -> Judged:
        """What a rule whose pattern matches comes to."""
        if rule.unless is not None and rule.unless.matches(seen_by_rules(event, facts.document)):
            return Judged(rule, RuleState.EXCLUDED)
        if rule.during and not self._in_its_windows(rule, event, facts):
            return Judged(rule, RuleState.OUTSIDE, f"none of {', '.join(rule.during)} is in force")
        if _is_over(rule, at):
            return Judged(rule, RuleState.EXPIRED, f"it expired on {rule.expires:%Y-%m-%d}")
        if rule.verdict is not VerdictKind.INTENTIONAL:
            return Judged(rule, RuleState.COUNTS)
        return _silencing(rule, event, facts)

    def _unmatched(
        self, rule: CompiledRule, event: ChangeEvent, document: Mapping[str, Any], facts: Facts, at: datetime
    ) -> Judged:
        """A rule that does not match: for good, or only because a fact is unknown and looks missing.

        The second is told only where it matters: what could have silenced, and what could have kept from it. A rule
        that would not count even if it matched does not matter.
        """
        why = "" if rule.verdict is VerdictKind.SUSPICIOUS else _rests_on(facts, rule.match.fields)
        if not why or not rule.match.could_match(document, facts.is_unknown):
            return Judged(rule, RuleState.NO_MATCH)
        excluded = rule.unless is not None and rule.unless.matches(document)
        if excluded and not _rests_on(facts, rule.unless.fields if rule.unless is not None else ()):
            return Judged(rule, RuleState.NO_MATCH)
        if (rule.during and not self._in_its_windows(rule, event, facts)) or _is_over(rule, at):
            return Judged(rule, RuleState.NO_MATCH)
        return Judged(rule, RuleState.UNDECIDED, why)

    def _in_its_windows(self, rule: CompiledRule, event: ChangeEvent, facts: Facts) -> bool:
        in_force = facts.document.get(_WINDOWS)
        if not isinstance(in_force, list):
            in_force = [name for name in rule.during if self.windows[name].in_force(event.time)]
        return any(name in in_force for name in rule.during)


_NO_FACTS = Facts({})


def _is_plain(rule: CompiledRule) -> bool:
    conditions = rule.unless is not None or rule.during or rule.expires is not None
    return not conditions and rule.verdict is not VerdictKind.INTENTIONAL


def _always_asked(rule: CompiledRule) -> frozenset[str]:
    """What has to be known of a rule by whichever alternative it matches: to silence it may rest on nothing unknown."""
    if rule.verdict is VerdictKind.INTENTIONAL:
        return rule.fields
    return rule.unless.fields if rule.unless is not None else frozenset()


def _is_over(rule: CompiledRule, at: datetime) -> bool:
    return rule.expires is not None and rule.expires <= at


def _silencing(rule: CompiledRule, event: ChangeEvent, facts: Facts) -> Judged:
    """Whether an ``intentional`` rule whose conditions are all met may make the change a quiet one."""
    if event.action is not None and event.action.weight is Weight.TAMPERING:
        why = "tampering with the safety net is never intentional by rule"
        return Judged(rule, RuleState.TAMPERING, why)
    if rests_on_tool_alone(rule.match, rule.unless):
        why = "it asks for a tool alone, and anybody can claim to use one"
        return Judged(rule, RuleState.TOOL_ALONE, why)
    why = _rests_on(facts, rule.fields)
    return Judged(rule, RuleState.RESTS_ON_UNKNOWN if why else RuleState.COUNTS, why)


def _rests_on(facts: Facts, paths: Iterable[str]) -> str:
    if not facts.unknown:
        return ""
    touched = sorted(facts.unknown_among(paths).items())
    if not touched:
        return ""
    return "it rests on unknown facts: " + "; ".join(f"{path} ({why})" for path, why in touched)
