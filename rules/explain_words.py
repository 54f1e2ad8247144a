"""How rules became a verdict, in sentences for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.actions import Weight
from rules.verdicts import RuleState, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rules.events import ChangeEvent
    from rules.verdicts import Judged, Verdict

_MOST_NAMES = 6


def resolution(event: ChangeEvent, judged: Sequence[Judged], verdict: Verdict | None) -> tuple[str, ...]:
    """How the rules became the verdict, then its severity; why there is none where ``verdict`` is None."""
    if verdict is None:
        return (_without_verdict(event),)
    return (
        *_held_back(judged),
        _decision(event, verdict),
        *_tampering(event, judged),
        _severity(event, judged, verdict),
    )


def _without_verdict(event: ChangeEvent) -> str:
    if event.action is None:
        return f"nobody watches {event.event_name} on {event.event_source}, so there is no verdict"
    if event.read_only:
        return "it only asks what would happen, so there is no verdict"
    return (
        f"{event.title}: harmless by itself and kept only to understand other events, so there is no verdict"
    )


def _held_back(judged: Sequence[Judged]) -> list[str]:
    """An ``accidental`` rule that cannot be judged takes what is intentional its effect."""
    silent = [
        one.rule.id
        for one in judged
        if one.state is RuleState.COUNTS and one.rule.verdict is VerdictKind.INTENTIONAL
    ]
    holding = [one.rule.id for one in judged if one.holds_back]
    accidental = any(
        one.state is RuleState.COUNTS and one.rule.verdict is VerdictKind.ACCIDENTAL for one in judged
    )
    if not silent or not holding or accidental:
        return []
    return [
        (
            f"{_names(silent)}: held back by {_names(holding)}, which may be accidental: only an unknown fact keeps it "
            "from counting"
        )
    ]


def _decision(event: ChangeEvent, verdict: Verdict) -> str:
    if not verdict.hits:
        what = "attempt" if event.failed else f"{_weight(event)} change"
        nothing = "nothing else counts" if verdict.outweighed else "nothing matched"
        return f"{nothing}, and an unexplained {what} is suspicious"
    deciding = [hit.rule_id for hit in verdict.hits]
    beaten = [kind for kind in VerdictKind if any(hit.verdict is kind for hit in verdict.outweighed)]
    if beaten and verdict.kind is not VerdictKind.SUSPICIOUS:
        over = _names(hit.rule_id for hit in verdict.outweighed)
        return f"{verdict.kind} beats {' and '.join(beaten)}: {_names(deciding)} before {over}"
    others = ", and no accidental rule counts" if verdict.kind is VerdictKind.INTENTIONAL else ""
    return f"{verdict.kind}, as {_say(deciding)}{others}"


def _tampering(event: ChangeEvent, judged: Sequence[Judged]) -> list[str]:
    if event.action is None or event.action.weight is not Weight.TAMPERING:
        return []
    silenced = [one.rule.id for one in judged if one.state is RuleState.TAMPERING]
    names = f", so {_names(silenced)} cannot silence it" if silenced else ""
    return [f"tampering is never intentional by rule{names}"]


def _severity(event: ChangeEvent, judged: Sequence[Judged], verdict: Verdict) -> str:
    severity = f"severity {verdict.severity}"
    if verdict.kind is not VerdictKind.INTENTIONAL and event.failed:
        return f"{severity}: AWS refused the call, so it is an attempt and no change"
    deciding = {hit.rule_id for hit in verdict.hits}
    said = [
        one.rule.id for one in judged if one.rule.id in deciding and one.rule.severity is verdict.severity
    ]
    if said:
        return f"{severity}, as {_say(said)}"
    if verdict.kind is VerdictKind.INTENTIONAL:
        return f"{severity}: it is recorded, and nobody is alerted"
    return f"{severity}, by the weight of the change: {_weight(event)}"


def _weight(event: ChangeEvent) -> str:
    return event.action.weight.value if event.action else "unknown"


def _say(names: Sequence[str]) -> str:
    return f"{_names(names)} {'says' if len(names) == 1 else 'say'}"


def _names(ids: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; of many only the first few."""
    names = list(ids)
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1:,} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
