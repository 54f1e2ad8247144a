"""How an explanation of a verdict reads: on a terminal, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.rendering import SEVERITY_STYLES, facts_grid
from cli.wording import moment
from rules.explain import Standing
from rules.facts import NOT_LOOKED_UP
from rules.verdicts import RuleState
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from rules.explain import ConditionSeen, ExplainedRule, Explanation
    from watcher.incidents.incident import Incident

_STYLES = {Standing.DECIDES: "bold", Standing.NOTED: "yellow", Standing.NEAR: "dim", Standing.FAR: "dim"}
_LABEL_WIDTH = 10
_NAMES_WIDTH = 32


def explanation_lines(
    explanation: Explanation, incident: Incident | None = None, *, everything: bool = False
) -> Group:
    """What happened, the verdict and why, then each rule that had a part in it.

    Rules that are far from matching are only counted, unless ``everything``.
    """
    shown = [one for one in explanation.rules if everything or one.standing is not Standing.FAR]
    parts: list[RenderableType] = [_event(explanation, incident)]
    for one in shown:
        parts += [Text(), _rule(one)]
    left = len(explanation.rules) - len(shown)
    if left:
        more = (
            f"{left:,} more {'rule is' if left == 1 else 'rules are'} far from matching: see them with --all"
        )
        parts += [Text(), Text(more, style="dim")]
    return Group(*parts)


def _event(explanation: Explanation, incident: Incident | None) -> RenderableType:
    event, verdict = explanation.event, explanation.verdict
    actor, resource = event.actor, event.resource
    source = f" from {actor.source_ip}" if actor.source_ip else ""
    rows = [
        ("event", f"{event.id}  {event.event_name} on {event.event_source}"),
        ("what", f"{event.title}: {resource.type} {resource.name}".rstrip(": ")),
        ("who", f"{actor.label}, with {event.tool.value}{source}"),
        ("where", f"account {event.account or '?'}, {event.region}"),
        ("when", f"{moment(event.time)}{_judged_at(explanation)}"),
        *(("windows", f"in force: {name}") for name in explanation.windows),
        *_unknown(explanation.facts.unknown),
    ]
    grid = facts_grid(rows)
    answer = Text("none", style="dim")
    if verdict is not None:
        answer = Text(
            f"{verdict.kind.value}, severity {verdict.severity.value}",
            style=SEVERITY_STYLES[verdict.severity],
        )
    grid.add_row(Text("verdict"), answer)
    for sentence in explanation.resolution:
        grid.add_row(Text("because"), Text(clean(sentence)))
    judged_otherwise = _judged_otherwise(explanation, incident)
    if judged_otherwise:
        grid.add_row(Text("but"), Text(judged_otherwise, style="yellow"))
    return grid


def _judged_at(explanation: Explanation) -> str:
    if explanation.at == explanation.event.time:
        return ""
    return f", judged as of {moment(explanation.at)}"


def _judged_otherwise(explanation: Explanation, incident: Incident | None) -> str:
    verdict = explanation.verdict
    if (
        incident is None
        or verdict is None
        or (verdict.kind, verdict.severity) == (incident.verdict, incident.severity)
    ):
        return ""
    return f"the incident was judged {incident.verdict.value}, severity {incident.severity.value}: rules have changed"


def _unknown(unknown: Any) -> list[tuple[str, str]]:
    """A short line for each reason, with the first of the facts that are unknown for it; JSON has them all."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in sorted(unknown.items()):
        by_reason.setdefault(reason, []).append(path)
    return [
        ("unknown", f"{_few(paths)} ({reason}{'; give --facts' if reason == NOT_LOOKED_UP.reason else ''})")
        for reason, paths in by_reason.items()
    ]


def _few(names: Sequence[str]) -> str:
    """As many names as leave room for a reason on the same line, and how many more there are."""
    shown = [name for end, name in enumerate(names, 1) if len(", ".join(names[:end])) <= _NAMES_WIDTH]
    shown = shown or list(names[:1])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _rule(one: ExplainedRule) -> Table:
    rule = one.judged.rule
    style = _STYLES.get(one.standing, "")
    head = Text(rule.id, style="bold")
    head.append(
        f"  {rule.verdict.value}{f', {rule.severity.value}' if rule.severity else ''}", style=style or "none"
    )
    head.append(f"  {clean(rule.origin)}", style="dim")
    cells: list[RenderableType] = [head]
    if one.standing in {Standing.DECIDES, Standing.OUTWEIGHED, Standing.MATCHES}:
        cells.append(Text(clean(rule.text)))
    else:
        cells.append(Text(clean(_state(one))))
    cells += [_condition(seen) for seen in one.excluded_by]
    if one.failed is not None and not _is_only_unjudged(one):
        cells += [_condition(one.failed), *_others(one, one.failed)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, width=_LABEL_WIDTH, style=style or None)
    grid.add_column(overflow="fold")
    grid.add_row(Text(one.standing.value), Group(*cells))
    return grid


def _is_only_unjudged(one: ExplainedRule) -> bool:
    """Whether nothing keeps the rule from matching but facts that nobody knows; then there is nothing to compare."""
    return one.judged.state is RuleState.NO_MATCH and len(one.unjudged) == one.failing


def _others(one: ExplainedRule, shown: ConditionSeen) -> list[Text]:
    """How many conditions fail beside the one that is shown."""
    unjudged = len(one.unjudged) - bool(shown.unknown)
    fail = one.failing - len(one.unjudged) - (not shown.unknown)
    said = [f"{fail:,} more {'condition fails' if fail == 1 else 'conditions fail'}"] if fail > 0 else []
    said += [f"{unjudged:,} more cannot be judged"] if unjudged > 0 else []
    return [Text(f"and {' and '.join(said)}", style="dim")] if said else []


def _state(one: ExplainedRule) -> str:
    judged = one.judged
    if judged.state is RuleState.NO_MATCH:
        met = f", {one.met:,} {'is' if one.met == 1 else 'are'} met" if one.met else ""
        if _is_only_unjudged(one):
            met = f"; {one.met:,} {'other is' if one.met == 1 else 'others are'} met" if one.met else ""
            return (
                f"cannot be judged: {_few(one.unjudged)} {'is' if one.failing == 1 else 'are'} unknown{met}"
            )
        fail = one.failing - len(one.unjudged)
        unjudged = f", {len(one.unjudged):,} cannot be judged" if one.unjudged else ""
        return f"does not match: {fail:,} of its conditions {'fails' if fail == 1 else 'fail'}{unjudged}{met}"
    return f"{judged.state.value}: {judged.why}" if judged.why else judged.state.value


def _condition(seen: ConditionSeen) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(Text("  at"), Text(clean(seen.path), style="cyan"))
    grid.add_row(Text("  asked"), Text(clean(seen.asked_words)))
    grid.add_row(Text("  found"), Text(clean(seen.found_words)))
    return grid


def explanation_document(explanation: Explanation, incident: Incident | None = None) -> dict[str, Any]:
    """The same for machines; all rules are in it."""
    event, verdict = explanation.event, explanation.verdict
    return {
        "event": {
            "id": event.id,
            "name": event.event_name,
            "source": event.event_source,
            "title": event.title,
            "time": event.time.isoformat(),
            "account": event.account,
            "region": event.region,
            "resource": {"type": event.resource.type, "name": event.resource.name},
            "actor": event.actor.label,
        },
        "incident": incident.id if incident else None,
        "at": explanation.at.isoformat(),
        "verdict": verdict.kind.value if verdict else None,
        "severity": verdict.severity.value if verdict else None,
        "resolution": list(explanation.resolution),
        "windows": list(explanation.windows),
        "unknown": dict(explanation.facts.unknown),
        "rules": [_rule_document(one) for one in explanation.rules],
    }


def _rule_document(one: ExplainedRule) -> dict[str, Any]:
    rule = one.judged.rule
    return {
        "id": rule.id,
        "verdict": rule.verdict.value,
        "severity": rule.severity.value if rule.severity else None,
        "origin": rule.origin,
        "standing": one.standing.value,
        "state": one.judged.state.value,
        "why": one.judged.why,
        "failed": _condition_document(one.failed) if one.failed else None,
        "failing": one.failing,
        "met": one.met,
        "unjudged": list(one.unjudged),
        "excluded_by": _all(one.excluded_by),
        "unknown": dict(one.unknown),
    }


def _all(seen: Sequence[ConditionSeen]) -> list[dict[str, Any]]:
    return [_condition_document(one) for one in seen]


def _condition_document(seen: ConditionSeen) -> dict[str, Any]:
    return {
        "path": seen.path,
        "asked": list(seen.condition),
        "found": list(seen.found),
        "unknown": seen.unknown,
        "other_element": seen.other_element,
    }
