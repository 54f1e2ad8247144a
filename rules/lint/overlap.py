"""Lint of rules against each other: which can never decide, and which contradict one another.

A rule is covered by another if whatever it counts for, the other counts for, too: every condition of the other is
implied. It is decided soundly (``rules.lint.implies``); where that cannot be told, nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.actions import Weight
from rules.fact_schema import FACTS
from rules.lint.actions import certain_texts, possible_actions
from rules.lint.findings import Finding, Level, Subject
from rules.lint.implies import implies
from rules.lint.reach import living
from rules.verdicts import Severity, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from rules.patterns.structure import Combination

_RANK = {VerdictKind.SUSPICIOUS: 0, VerdictKind.INTENTIONAL: 1, VerdictKind.ACCIDENTAL: 2}
_LOOKED_UP = tuple(f"facts.{fact.path}" for fact in FACTS if fact.looked_up)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a rule matches: its combinations with what is certain of each, and those of ``unless``."""

    subject: Subject
    order: int
    match: Sequence[Combination]
    certain: Sequence[Mapping[str, frozenset[str]]]
    excluding: Sequence[Combination]
    tampers: bool

    @property
    def verdict(self) -> VerdictKind:
        return self.subject.rule.verdict

    @property
    def named(self) -> str:
        return f"rule {self.subject.rule.id} ({self.subject.compiled.origin})"


def overlap_findings(subjects: Sequence[Subject], at: datetime) -> Iterator[Finding]:
    """Findings on all rules together; of each kind one a rule is enough. What has expired is past."""
    reaches = [
        _reach(subject, order)
        for order, subject in enumerate(subjects)
        if subject.compiled.expires is None or subject.compiled.expires > at
    ]
    pairs: set[frozenset[int]] = set()
    for one in reaches:
        told: set[str] = set()
        for other in reaches:
            pair = frozenset({one.order, other.order})
            if one is other or pair in pairs or not _covered(one, other):
                continue
            finding = _equal(one, other) if _covered(other, one) else _within(one, other)
            if finding is not None and finding.level is Level.NOTE and not _is_worth_a_note(one, other):
                continue
            if finding is not None and finding.check not in told:
                pairs.add(pair)
                told.add(finding.check)
                yield finding


def _reach(subject: Subject, order: int) -> _Reach:
    combinations = living(subject.combinations)
    actions = [possible_actions(one) for one in combinations]
    return _Reach(
        subject,
        order,
        combinations,
        [certain_texts(some) for some in actions],
        subject.excluding,
        any(action.weight is Weight.TAMPERING for some in actions for action in some),
    )


def _covered(one: _Reach, other: _Reach) -> bool:
    """Whether the other counts wherever the one does, as far as ``match``, ``unless``, windows and expiry go."""
    mine, theirs = one.subject.compiled, other.subject.compiled
    if theirs.expires is not None and (mine.expires is None or mine.expires > theirs.expires):
        return False
    if theirs.during and not (mine.during and set(mine.during) <= set(theirs.during)):
        return False
    if other.excluding and not (one.excluding and implies(other.excluding, one.excluding)):
        return False
    return implies(one.match, other.match, one.certain)


def _equal(one: _Reach, other: _Reach) -> Finding | None:
    """Two rules that match the same; told at the one that has to give way, or the later one."""
    if one.verdict is other.verdict:
        first, later = sorted((one, other), key=lambda reach: (_is_ours(reach), reach.order))
        if _adds(later, first):
            return None
        return _finding(Level.WARNING, "shadowed", later, f"matches the same as {first.named}")
    weaker, stronger = sorted((one, other), key=lambda reach: _RANK[reach.verdict])
    at = weaker if _is_ours(weaker) or not _is_ours(stronger) else stronger
    beside = stronger if at is weaker else weaker
    message = f"is {at.verdict}, and {beside.named}, which matches the same, is {beside.verdict}: {stronger.verdict} wins"
    return _finding(Level.WARNING, "contradicted", at, message)


def _within(one: _Reach, other: _Reach) -> Finding | None:
    """One rule that matches only what another does, which matches more."""
    matched = f"all that it matches {other.named} matches, too"
    weaker = _RANK[one.verdict] - _RANK[other.verdict]
    if weaker < 0 and _always_wins(one, other):
        message = f"never decides: {matched}, and {other.verdict} wins"
        return _finding(Level.WARNING, "shadowed", one, message)
    if weaker == 0 and not _adds(one, other):
        if one.verdict is VerdictKind.INTENTIONAL or not one.subject.rule.reason:
            return _finding(Level.WARNING, "shadowed", one, f"changes nothing: {matched}")
        return _finding(Level.NOTE, "shadowed", one, f"adds no more than its reason: {matched}")
    if weaker > 0 and one.verdict is VerdictKind.INTENTIONAL:
        return _finding(Level.NOTE, "contradicted", one, f"silences what {other.named} calls suspicious")
    return None


def _is_worth_a_note(one: _Reach, other: _Reach) -> bool:
    """Whether what is no fault is worth knowing.

    Between somebody's rule and one of the default pack, which is always there, it is only where the first silences what
    the pack calls critical.
    """
    if _is_ours(one) == _is_ours(other):
        return True
    return (
        _is_ours(one)
        and one.verdict is VerdictKind.INTENTIONAL
        and other.subject.rule.severity is Severity.CRITICAL
    )


def _always_wins(one: _Reach, other: _Reach) -> bool:
    """Whether nothing can hold back the higher rule where the lower one counts."""
    if other.verdict is not VerdictKind.INTENTIONAL:
        return True
    # Tampering is never intentional, and an intentional rule gives way where a fact that it asks for is unknown:
    # the lower one has to ask for that fact, too, so that it does not count either.
    needed = [
        {path for path, condition in combination.items() if {"exists": False} not in condition.written}
        for combination in one.match
    ]
    return not one.tampers and all(path in paths for path in _looked_up(other) for paths in needed)


def _looked_up(reach: _Reach) -> set[str]:
    """The facts that a rule asks for and that can be unknown."""
    return {path for path in reach.subject.compiled.fields if path.startswith(_LOOKED_UP)}


def _adds(one: _Reach, other: _Reach) -> bool:
    """Whether a rule may do something that another of its verdict does not: alert worse, or be surer of its facts."""
    if one.verdict is VerdictKind.INTENTIONAL and not _looked_up(other) <= _looked_up(one):
        return True
    mine, theirs = one.subject.rule.severity, other.subject.rule.severity
    if mine is theirs or theirs is Severity.CRITICAL:
        return False
    return mine is None or theirs is None or mine.rank > theirs.rank


def _is_ours(reach: _Reach) -> bool:
    """Whether it is a rule of somebody's file, who can change it, and not one of the default pack."""
    return not reach.subject.of_default_pack


def _finding(level: Level, check: str, reach: _Reach, message: str) -> Finding:
    return reach.subject.finding(level, check, message)
