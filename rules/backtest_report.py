"""What a back-test came to: alerts and quiet changes by rule, actor and table, and what two rule sets tell apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.actors import ActorKind
from rules.backtest import judge_all
from rules.facts import Facts
from rules.net import ANY_NET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from rules.actors import Actor
    from rules.backtest import Replay, Unreadable
    from rules.events import ChangeEvent
    from rules.net import NetParts
    from rules.rule_set import RuleSet
    from rules.verdicts import Severity, Verdict

NO_RULE = "(no rule)"


@dataclass(frozen=True, slots=True)
class JudgedChange:
    """One change and what the rules said of it. ``rules`` are those that decided.

    ``actor`` is who an alert would name; ``principal`` is the same, but of an assumed role the role alone, since the
    sessions of a CI role are as many as its jobs.
    """

    id: str
    time: datetime
    title: str
    failed: bool
    resource_type: str
    resource: str
    account: str
    region: str
    actor: str
    principal: str
    tool: str
    verdict: str
    severity: Severity
    alerts: bool
    rules: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def decision(self) -> tuple[str, str, tuple[str, ...]]:
        """What a change of rules can change."""
        return self.verdict, self.severity.value, self.rules


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a rule, an actor or a table came up. ``worst`` is the worst severity of its alerts."""

    name: str
    alerts: int
    quiet: int
    worst: Severity | None
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """What was read."""

    archives: tuple[str, ...]
    pieces: int
    content_bytes: int
    records: int
    duplicates: int
    outside: int
    unreadable: int
    complaints: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One rule set over one archive. ``judged`` is in the order of time.

    Of the rules that decided nothing, ``unjudgeable`` are those that rest on facts which no archive tells, and
    ``never_counted`` are all others.
    """

    judged: tuple[JudgedChange, ...]
    never_counted: tuple[str, ...]
    unjudgeable: tuple[str, ...]
    unknown_facts: tuple[str, ...]

    @property
    def alerts(self) -> tuple[JudgedChange, ...]:
        """What would have alerted, worst first, then by time."""
        told = (one for one in self.judged if one.alerts)
        return tuple(sorted(told, key=lambda one: (-one.severity.rank, one.time)))

    @property
    def quiet(self) -> tuple[JudgedChange, ...]:
        """What the rules call intentional."""
        return tuple(one for one in self.judged if not one.alerts)

    @property
    def attempts(self) -> int:
        """How many were calls that AWS refused."""
        return sum(one.failed for one in self.judged)

    @property
    def by_severity(self) -> dict[str, int]:
        """Alerts of each severity, worst first."""
        return dict(Counter(one.severity.value for one in self.alerts))

    @property
    def by_verdict(self) -> dict[str, int]:
        """Changes of each verdict."""
        return dict(sorted(Counter(one.verdict for one in self.judged).items()))

    @property
    def by_rule(self) -> tuple[Tally, ...]:
        """A change counts for every rule that decided it."""
        return tallies(self.judged, lambda one: one.rules or (NO_RULE,))

    @property
    def by_actor(self) -> tuple[Tally, ...]:
        """Who did it: persons, services, and roles without their sessions."""
        return tallies(self.judged, lambda one: (one.principal,))

    @property
    def by_resource(self) -> tuple[Tally, ...]:
        """The tables, stacks and parts of the net."""
        return tallies(self.judged, lambda one: (f"{one.resource_type} {one.resource or '?'}",))


@dataclass(frozen=True, slots=True)
class Difference:
    """One change on which two rule sets do not say the same."""

    old: JudgedChange
    new: JudgedChange

    @property
    def effect(self) -> str:
        """``alerts now``, ``quiet now``, or ``changed``, where as many people are told as before."""
        if self.old.alerts == self.new.alerts:
            return "changed"
        return "alerts now" if self.new.alerts else "quiet now"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a change of the rules changes: what gets quiet comes first, for that is where a loss would hide."""

    old: Report
    new: Report

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Every change that is judged differently."""
        order = ("quiet now", "alerts now", "changed")
        pairs = [
            Difference(old, new)
            for old, new in zip(self.old.judged, self.new.judged, strict=True)
            if old.decision != new.decision
        ]
        return tuple(sorted(pairs, key=lambda pair: (order.index(pair.effect), pair.old.time)))

    @property
    def by_effect(self) -> dict[str, int]:
        """How many of each effect."""
        return dict(Counter(pair.effect for pair in self.differences))


def reports(replay: Replay, rule_sets: Sequence[RuleSet], net: NetParts = ANY_NET) -> list[Report]:
    """A report for each rule set, over the same changes."""
    rows: list[list[JudgedChange]] = [[] for _ in rule_sets]
    unknown: dict[str, str] = {}
    for judged in judge_all(replay.changes, rule_sets, net):
        unknown.update(judged.facts.unknown)
        for row, verdict in zip(rows, judged.verdicts, strict=True):
            row.append(_judged(judged.event, verdict))
    return [_report(row, rules, unknown) for row, rules in zip(rows, rule_sets, strict=True)]


def scope_of(replay: Replay, archives: Iterable[str]) -> Scope:
    """What was read."""
    return Scope(
        tuple(archives),
        replay.pieces,
        replay.content_bytes,
        replay.records,
        replay.duplicates,
        replay.outside,
        replay.unreadable,
        tuple(replay.complaints),
    )


def _judged(event: ChangeEvent, verdict: Verdict) -> JudgedChange:
    return JudgedChange(
        id=event.id,
        time=event.time,
        title=event.title,
        failed=event.failed,
        resource_type=event.resource.type,
        resource=event.resource.name,
        account=event.account,
        region=event.region,
        actor=event.actor.label,
        principal=_principal(event.actor),
        tool=event.tool.value,
        verdict=verdict.kind.value,
        severity=verdict.severity,
        alerts=verdict.alerts,
        rules=tuple(sorted(hit.rule_id for hit in verdict.hits)),
        reasons=verdict.reasons,
    )


def _principal(actor: Actor) -> str:
    return f"role {actor.role}" if actor.kind is ActorKind.ASSUMED_ROLE and actor.role else actor.label


def _report(judged: list[JudgedChange], rules: RuleSet, unknown: Mapping[str, str]) -> Report:
    counted = {rule_id for one in judged for rule_id in one.rules}
    idle = [rule for rule in rules.rules if rule.id not in counted]
    facts = Facts({}, unknown)
    resting = {rule.id for rule in idle if facts.unknown_among(rule.fields)}
    return Report(
        tuple(judged),
        never_counted=tuple(rule.id for rule in idle if rule.id not in resting),
        unjudgeable=tuple(sorted(resting)),
        unknown_facts=tuple(sorted(unknown)),
    )


def tallies(
    judged: Iterable[JudgedChange], names_of: Callable[[JudgedChange], Sequence[str]]
) -> tuple[Tally, ...]:
    """One line a name: those with the most alerts first, then those with the most quiet changes."""
    found: dict[str, list[JudgedChange]] = {}
    for one in judged:
        for name in names_of(one):
            found.setdefault(name, []).append(one)
    lines = [
        Tally(
            name,
            sum(one.alerts for one in group),
            sum(not one.alerts for one in group),
            max(
                (one.severity for one in group if one.alerts),
                key=lambda severity: severity.rank,
                default=None,
            ),
            min(one.time for one in group),
            max(one.time for one in group),
        )
        for name, group in found.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.alerts, -line.quiet, line.name)))
