"""Verdicts: how the rules that match an event are resolved into one answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rules.actions import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rules.events import ChangeEvent
    from rules.facts import Facts
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
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule, ready to judge: its patterns compiled, its file and line kept for messages."""

    id: str
    verdict: VerdictKind
    severity: Severity | None
    match: Pattern
    unless: Pattern | None
    expires: datetime | None
    reason: str
    description: str
    origin: str

    @property
    def text(self) -> str:
        """What the rule says, for people."""
        return self.reason or self.description or self.id


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that matched, and what it said."""

    rule_id: str
    verdict: VerdictKind
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, the rules that led there, and the reasons as sentences for people."""

    kind: VerdictKind
    severity: Severity
    hits: tuple[RuleHit, ...]
    reasons: tuple[str, ...]

    @property
    def alerts(self) -> bool:
        """Whether a person is told. Intentional changes are recorded and stay quiet."""
        return self.kind is not VerdictKind.INTENTIONAL


_DEFAULT_SEVERITY = {
    Weight.DESTRUCTIVE: Severity.HIGH,
    Weight.WEAKENING: Severity.MEDIUM,
    Weight.TAMPERING: Severity.CRITICAL,
}


class RuleSet:
    """All rules of all files; their order never matters."""

    def __init__(self, rules: Iterable[CompiledRule]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))

    def judge(self, event: ChangeEvent, facts: Facts, at: datetime) -> Verdict:
        """The verdict on one event. ``at`` decides which rules have expired; it is an aware UTC time.

        Unknown means alert: a change that no rule explains is suspicious, an ``intentional`` rule that
        rests on an unknown fact does not apply, and tampering with the net is never intentional. The reasons
        name every rule that would have counted but for that, or but for its expiry.
        """
        hits: list[RuleHit] = []
        reasons: list[str] = []
        document = {**event.envelope, "facts": facts.document}
        for rule in self.rules:
            if not _matches(rule, document):
                undecided = _undecided(rule, document, facts)
                if undecided:
                    reasons.append(f"rule {rule.id} cannot be judged: {undecided}")
                continue
            refusal = _refusal(rule, event, facts, at)
            if refusal:
                reasons.append(f"rule {rule.id} does not apply: {refusal}")
                continue
            hits.append(
                RuleHit(rule.id, rule.verdict, rule.severity or _severity(event, rule.verdict), rule.text)
            )
        return _resolve(event, hits, reasons)


def _matches(rule: CompiledRule, document: dict[str, Any]) -> bool:
    return rule.match.matches(document) and not (rule.unless is not None and rule.unless.matches(document))


def _refusal(rule: CompiledRule, event: ChangeEvent, facts: Facts, at: datetime) -> str:
    """Why a rule that matches does not count, or ""."""
    if rule.expires is not None and rule.expires <= at:
        return f"it expired on {rule.expires:%Y-%m-%d}"
    if rule.verdict is not VerdictKind.INTENTIONAL:
        return ""
    if event.action is not None and event.action.weight is Weight.TAMPERING:
        return "tampering with the safety net is never intentional by rule"
    return _rests_on(facts, [*rule.match.fields, *(rule.unless.fields if rule.unless is not None else ())])


def _undecided(rule: CompiledRule, document: dict[str, Any], facts: Facts) -> str:
    """What keeps a rule from matching where that is an unknown fact, which looks missing to the pattern; or "".

    Only for ``intentional`` rules: their silence would have mattered. The others could only have added to it.
    """
    if rule.verdict is not VerdictKind.INTENTIONAL or not facts.unknown:
        return ""
    mismatch = rule.match.first_failure(document)
    return _rests_on(facts, [mismatch.path]) if mismatch is not None else ""


def _rests_on(facts: Facts, paths: Sequence[str]) -> str:
    touched = sorted(facts.unknown_among(paths).items())
    if not touched:
        return ""
    return "it rests on unknown facts: " + "; ".join(f"{path} ({why})" for path, why in touched)


def _severity(event: ChangeEvent, verdict: VerdictKind) -> Severity:
    if verdict is VerdictKind.INTENTIONAL:
        return Severity.INFO
    if event.failed:
        return Severity.LOW
    return _DEFAULT_SEVERITY[event.action.weight] if event.action else Severity.MEDIUM


def _resolve(event: ChangeEvent, hits: Sequence[RuleHit], notes: Sequence[str]) -> Verdict:
    for kind in (VerdictKind.ACCIDENTAL, VerdictKind.INTENTIONAL, VerdictKind.SUSPICIOUS):
        winners = [hit for hit in hits if hit.verdict is kind]
        if not winners:
            continue
        severity = max((hit.severity for hit in winners), key=lambda severity: severity.rank)
        if event.failed and kind is not VerdictKind.INTENTIONAL:
            severity = Severity.LOW
        reasons = [f"{hit.text} (rule {hit.rule_id})" for hit in winners]
        reasons += [f"outweighed: {hit.text} (rule {hit.rule_id})" for hit in hits if hit.verdict is not kind]
        return Verdict(kind, severity, tuple(winners), (*reasons, *notes))
    reason = "No rule and no declared intent explains this change."
    return Verdict(VerdictKind.SUSPICIOUS, _severity(event, VerdictKind.SUSPICIOUS), (), (reason, *notes))
