"""Verdicts: how the rules that count for an event are resolved into one answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from rules.actions import Weight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.patterns import Pattern


class VerdictKind(StrEnum):
    """``accidental`` beats ``intentional``, which beats ``suspicious``."""

    INTENTIONAL = "intentional"
    SUSPICIOUS = "suspicious"
    ACCIDENTAL = "accidental"


class Severity(StrEnum):
    """In rising order."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info up to 4 for critical."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule, ready to judge: its patterns compiled and, with lists written out, as written.

    ``during`` names the change windows in one of which it counts, always where it is empty. ``origin`` is where it
    stands: ``rules.d/shop.yaml:12``.
    """

    id: str
    verdict: VerdictKind
    severity: Severity | None
    match: Pattern
    unless: Pattern | None
    expires: datetime | None
    reason: str
    description: str
    origin: str
    during: tuple[str, ...] = ()
    owner: str = ""
    tags: tuple[str, ...] = ()
    written_match: Mapping[str, Any] = field(default_factory=dict, compare=False)
    written_unless: Mapping[str, Any] | None = field(default=None, compare=False)
    _hits: dict[Severity, RuleHit] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def text(self) -> str:
        """What the rule says, for people."""
        return self.reason or self.description or self.id

    def hit(self, severity: Severity) -> RuleHit:
        """What it says when it counts, made once for each severity."""
        made = self._hits.get(severity)
        if made is None:
            made = self._hits[severity] = RuleHit(self.id, self.verdict, severity, self.text)
        return made

    @property
    def fields(self) -> frozenset[str]:
        """The paths that its patterns ask about."""
        return self.match.fields | (self.unless.fields if self.unless is not None else frozenset())


class RuleHit(msgspec.Struct, frozen=True):
    """A rule that counted, and what it said."""

    rule_id: str
    verdict: VerdictKind
    severity: Severity
    text: str


class RuleState(StrEnum):
    """What a rule came to for an event."""

    COUNTS = "counts"
    NO_MATCH = "does not match"
    EXCLUDED = "is excluded by unless"
    OUTSIDE = "counts only in its change windows"
    EXPIRED = "has expired"
    TAMPERING = "cannot silence tampering"
    TOOL_ALONE = "asks for a tool alone"
    RESTS_ON_UNKNOWN = "rests on unknown facts"
    UNDECIDED = "cannot be judged"

    @property
    def is_worth_a_word(self) -> bool:
        """Whether an alert should name the rule although it does not count."""
        return self in _NOTED


_NOTED = frozenset(
    {
        RuleState.EXPIRED,
        RuleState.TAMPERING,
        RuleState.TOOL_ALONE,
        RuleState.RESTS_ON_UNKNOWN,
        RuleState.UNDECIDED,
    }
)


class Judged(msgspec.Struct, frozen=True):
    """One rule, what it came to, and why, in words; ``why`` is empty where the state says it all."""

    rule: CompiledRule
    state: RuleState
    why: str = ""

    @property
    def holds_back(self) -> bool:
        """An ``accidental`` rule that only an unknown fact keeps from counting: nothing may be quiet over it."""
        return self.state is RuleState.UNDECIDED and self.rule.verdict is VerdictKind.ACCIDENTAL

    @property
    def note(self) -> str:
        """One sentence for the alert."""
        verb = "cannot be judged" if self.state is RuleState.UNDECIDED else "does not apply"
        return f"rule {self.rule.id} {verb}: {self.why}"


class Verdict(msgspec.Struct, frozen=True):
    """The answer, the rules that led there, those they outweighed, and notes on rules that could have counted."""

    kind: VerdictKind
    severity: Severity
    hits: tuple[RuleHit, ...]
    outweighed: tuple[RuleHit, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def alerts(self) -> bool:
        """Whether a person is told. Intentional changes are recorded and stay quiet."""
        return self.kind is not VerdictKind.INTENTIONAL

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, as sentences for people."""
        because = [f"{hit.text} (rule {hit.rule_id})" for hit in self.hits] or [NOTHING_EXPLAINS]
        outweighed = [f"outweighed: {hit.text} (rule {hit.rule_id})" for hit in self.outweighed]
        return (*because, *outweighed, *self.notes)


_BEST_FIRST = (VerdictKind.ACCIDENTAL, VerdictKind.INTENTIONAL, VerdictKind.SUSPICIOUS)
NOTHING_EXPLAINS = "No rule and no declared intent explains this change."
_DEFAULT_SEVERITY = {
    Weight.DESTRUCTIVE: Severity.HIGH,
    Weight.WEAKENING: Severity.MEDIUM,
    Weight.TAMPERING: Severity.CRITICAL,
    Weight.CONTEXT: Severity.INFO,
}


def severity_of(event: ChangeEvent, verdict: VerdictKind) -> Severity:
    """How bad a change is where no rule says so; an attempt weighs little, but one at the net itself."""
    if verdict is VerdictKind.INTENTIONAL:
        return Severity.INFO
    weight = event.action.weight if event.action else None
    if event.failed:
        return Severity.MEDIUM if weight is Weight.TAMPERING else Severity.LOW
    return Severity.MEDIUM if weight is None else _DEFAULT_SEVERITY[weight]


def resolve(event: ChangeEvent, judged: Sequence[Judged]) -> Verdict:
    """The one answer: ``accidental`` beats ``intentional``, which beats ``suspicious``; nothing is suspicious.

    An ``intentional`` rule is held back by an ``accidental`` one that only an unknown fact keeps from counting.
    """
    if not judged:
        return _UNEXPLAINED[severity_of(event, VerdictKind.SUSPICIOUS)]
    if len(judged) == 1 and judged[0].state is RuleState.COUNTS:
        hit = _hit(event, judged[0].rule)
        return Verdict(hit.verdict, _worst(event, (hit,)), (hit,))
    hits = []
    notes = []
    held_back = False
    for one in judged:
        if one.state is RuleState.COUNTS:
            hits.append(_hit(event, one.rule))
        elif one.state in _NOTED:
            notes.append(one.note)
            held_back = held_back or one.holds_back
    for kind in _BEST_FIRST:
        if held_back and kind is VerdictKind.INTENTIONAL:
            continue
        winners = tuple([hit for hit in hits if hit.verdict is kind])
        if winners:
            outweighed = tuple([hit for hit in hits if hit.verdict is not kind])
            return Verdict(kind, _worst(event, winners), winners, outweighed, tuple(notes))
    suspicious = VerdictKind.SUSPICIOUS
    return Verdict(suspicious, severity_of(event, suspicious), (), tuple(hits), tuple(notes))


_UNEXPLAINED = {severity: Verdict(VerdictKind.SUSPICIOUS, severity, ()) for severity in Severity}


def _hit(event: ChangeEvent, rule: CompiledRule) -> RuleHit:
    return rule.hit(rule.severity or severity_of(event, rule.verdict))


def _worst(event: ChangeEvent, winners: Sequence[RuleHit]) -> Severity:
    if event.failed and winners[0].verdict is not VerdictKind.INTENTIONAL:
        return severity_of(event, winners[0].verdict)
    if len(winners) == 1:
        return winners[0].severity
    return max((hit.severity for hit in winners), key=_RANKS.__getitem__)
