"""What a back-test shows people: first what would have woken somebody, then what stayed quiet, then by what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.rendering import SEVERITY_STYLES
from cli.wording import counted, size
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from rich.console import RenderableType

    from rules.backtest import Period
    from rules.backtest_report import Comparison, Difference, JudgedChange, Report, Scope, Tally

ItemT = TypeVar("ItemT")

_EFFECT_STYLES = {"quiet now": "bold red", "alerts now": "yellow", "changed": "cyan"}
_FACT_WORDS = {
    "table": "tags, sizes and stacks of tables",
    "backup": "backups",
    "intents": "declared intents",
}


def report_lines(scope: Scope, period: Period, report: Report, limit: int) -> Group:
    """A whole report. ``limit``: so many lines of each list."""
    parts: list[RenderableType] = [_scope(scope, period, report), Text(), _answer(report), Text()]
    if report.alerts:
        parts += _listed("What would have alerted, worst first", report.alerts, limit)
    if report.judged:
        for title, lines in (
            ("RULE", report.by_rule),
            ("ACTOR", report.by_actor),
            ("TABLE, STACK, PART OF THE NET", report.by_resource),
        ):
            parts += [_tallies(title, lines[:limit]), *_more(len(lines), limit), Text()]
    parts += [*_idle(report), *_unreadable(scope, limit)]
    return Group(*parts)


def comparison_lines(
    scope: Scope, period: Period, comparison: Comparison, limit: int, rule_files: tuple[str, str]
) -> Group:
    """What a change of the rules changes: the changes that get quiet first. ``rule_files``: the old set, and the new."""
    old, new = rule_files
    sets = [("old rules", old), ("new rules", f"{new} (the whole set, by --diff)")]
    parts: list[RenderableType] = [_scope(scope, period, comparison.new, sets), Text()]
    effects = comparison.by_effect
    same = len(comparison.new.judged) - len(comparison.differences)
    answer = Text()
    for effect, style in _EFFECT_STYLES.items():
        answer.append(
            f"{effect.upper()} {effects.get(effect, 0)}", style=style if effects.get(effect) else "dim"
        )
        answer.append("    ")
    answer.append(f"the same {same}")
    parts += [answer, Text(), _totals(comparison), Text()]
    for effect, style in _EFFECT_STYLES.items():
        pairs = [pair for pair in comparison.differences if pair.effect == effect]
        if pairs:
            parts.append(Text(f"{effect.capitalize()} ({len(pairs)})", style=style))
            alike = _alike(
                pairs,
                lambda pair: (
                    pair.new.title,
                    pair.new.resource,
                    _doer(pair.new),
                    pair.old.decision,
                    pair.new.decision,
                ),
            )
            parts += [line for group in alike[:limit] for line in _difference(group)]
            parts += [*_more(len(alike), limit), Text()]
    parts += [*_idle(comparison.new), *_unreadable(scope, limit)]
    return Group(*parts)


def _scope(scope: Scope, period: Period, report: Report, sets: Sequence[tuple[str, str]] = ()) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    rows = [("archive", location) for location in scope.archives]
    rows.append(
        (
            "read",
            f"{counted(scope.pieces, 'file')}, {size(scope.content_bytes)} of JSON, {counted(scope.records, 'record')}",
        )
    )
    if period.start or period.end:
        first = f"from {period.start:%Y-%m-%d}" if period.start else ""
        last = f"to {period.end - timedelta(days=1):%Y-%m-%d}" if period.end else ""
        rows.append(("period", " ".join(part for part in (first, last, "(whole days, UTC)") if part)))
    left_out = [
        f"{count:,} {what}"
        for count, what in ((scope.duplicates, "delivered twice"), (scope.outside, "outside the period"))
        if count
    ]
    if left_out:
        rows.append(("left out", ", ".join(left_out)))
    changes = f"{len(report.judged):,} watched"
    if report.attempts:
        changes += f", {report.attempts:,} of them refused by AWS"
    if report.judged:
        changes += f", {report.judged[0].time:%Y-%m-%d %H:%M} to {report.judged[-1].time:%Y-%m-%d %H:%M} UTC"
    rows += [("changes", changes), *sets]
    for name, value in rows:
        grid.add_row(Text(name), Text(clean(value)))
    return grid


def _answer(report: Report) -> Text:
    alerts, quiet = len(report.alerts), len(report.quiet)
    line = Text(f"{alerts:,} would have alerted", style="bold red" if alerts else "bold green")
    if alerts:
        line.append(": ", style="not bold")
    for number, (severity, count) in enumerate(report.by_severity.items()):
        line.append(", " if number else "", style="not bold default")
        line.append(f"{count:,} {severity}", style=f"not bold default {SEVERITY_STYLES[severity]}")
    line.append(f"\n{quiet:,} would have been quiet", style="not bold default bold")
    rules = [f"{tally.name} {tally.quiet:,}" for tally in report.by_rule if tally.quiet]
    if rules:
        line.append(f": {', '.join(rules)}", style="not bold default")
    return line


def _listed(title: str, changes: Sequence[JudgedChange], limit: int) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(title, style="bold")]
    alike = _alike(changes, lambda one: (one.severity, one.title, one.resource, _doer(one), one.rules))
    for group in alike[:limit]:
        change = group[0]
        severity = change.severity.value
        line = Text(f"{change.time:%Y-%m-%d %H:%M:%S}")
        line.append(f"  {severity:8}", style=SEVERITY_STYLES[severity])
        line.append(f"  {change.title}: ")
        line.append(clean(change.resource or "?"), style="bold")
        lines += [line, _detail(f"{_who(change)}; {_why(change)}"), *_again(group)]
    return [*lines, *_more(len(alike), limit), Text()]


def _alike(items: Iterable[ItemT], key: Callable[[ItemT], Hashable]) -> list[list[ItemT]]:
    """What is told the same way is told once: a nightly job is one line, not a page."""
    groups: dict[Hashable, list[ItemT]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _again(changes: Sequence[JudgedChange]) -> list[RenderableType]:
    if len(changes) == 1:
        return []
    sessions = len({change.actor for change in changes})
    by = f", by {sessions:,} sessions of {clean(changes[0].principal)}" if sessions > 1 else ""
    return [_detail(f"{len(changes):,} times{by}, last {changes[-1].time:%Y-%m-%d %H:%M:%S}", style="")]


def _detail(text: str | Text, style: str = "dim") -> Padding:
    """A line below a headline; where it wraps, it stays indented."""
    return Padding(text if isinstance(text, Text) else Text(text, style=style), (0, 0, 0, 4), expand=False)


def _doer(change: JudgedChange) -> Hashable:
    """Who did it, and how; of a role not the session, for each job of a CI role has one of its own."""
    return change.principal, change.tool, change.account, change.region


def _who(change: JudgedChange) -> str:
    return clean(f"by {change.actor} with {change.tool}, {change.account or '?'}/{change.region}")


def _why(change: JudgedChange) -> str:
    return ", ".join(change.rules) or "no rule explains it"


def _difference(pairs: Sequence[Difference]) -> Iterable[RenderableType]:
    pair = pairs[0]
    line = Text(f"{pair.new.time:%Y-%m-%d %H:%M:%S}  {pair.new.title}: ")
    line.append(clean(pair.new.resource or "?"), style="bold")
    yield line
    yield _detail(_who(pair.new))
    for word, change in (("was", pair.old), ("now", pair.new)):
        told = Text(f"{word} ")
        if change.alerts:
            told.append(f"alert {change.severity.value}", style=SEVERITY_STYLES[change.severity.value])
        else:
            told.append("quiet", style="bold")
        yield _detail(told.append(f", {change.verdict}: {_why(change)}"))
    yield from _again([pair.new for pair in pairs])


def _totals(comparison: Comparison) -> Table:
    table = _plain_table("", ("OLD", "NEW"))
    severities = [
        name
        for name in SEVERITY_STYLES
        if name in comparison.old.by_severity or name in comparison.new.by_severity
    ]
    old, new = comparison.old, comparison.new
    table.add_row("alerts", f"{len(old.alerts):,}", f"{len(new.alerts):,}")
    for name in severities:
        counts = [f"{report.by_severity.get(name, 0):,}" for report in (old, new)]
        table.add_row(Text(f"  {name}", style=SEVERITY_STYLES[name]), *counts)
    table.add_row("quiet", f"{len(old.quiet):,}", f"{len(new.quiet):,}")
    return table


def _tallies(title: str, tallies: Iterable[Tally]) -> Table:
    table = _plain_table(title, ("ALERTS", "QUIET"))
    for column in ("WORST", "FIRST", "LAST"):
        table.add_column(column, no_wrap=True)
    for tally in tallies:
        worst = tally.worst.value if tally.worst else ""
        table.add_row(
            Text(clean(tally.name)),
            Text(f"{tally.alerts:,}", style="bold" if tally.alerts else "dim"),
            Text(f"{tally.quiet:,}", style="" if tally.quiet else "dim"),
            Text(worst, style=SEVERITY_STYLES.get(worst, "")),
            f"{tally.first:%Y-%m-%d}",
            f"{tally.last:%Y-%m-%d}",
        )
    return table


def _plain_table(title: str, numbers: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    # As wide in each table, so that the numbers of all of them stand under one another.
    table.add_column(title, overflow="fold", min_width=30)
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _more(count: int, limit: int) -> list[Text]:
    return [Text(f"  and {count - limit:,} more (--limit)", style="dim")] if count > limit else []


def _idle(report: Report) -> list[Text]:
    """What the report cannot say, once."""
    lines: list[Text] = []
    if report.never_counted:
        lines.append(Text(f"Rules that decided nothing here: {', '.join(report.never_counted)}"))
    if report.unknown_facts:
        roots = {path.split(".")[0] for path in report.unknown_facts}
        words = [word for root, word in _FACT_WORDS.items() if root in roots]
        lines.append(Text(f"An archive does not tell {', '.join(words)}."))
        if report.unjudgeable:
            lines.append(Text(f"Rules that rest on that do not count here: {', '.join(report.unjudgeable)}"))
    return lines


def _unreadable(scope: Scope, limit: int) -> list[RenderableType]:
    if not scope.unreadable:
        return []
    lines: list[RenderableType] = [
        Text(f"\nCould not be read ({scope.unreadable:,}); all else was", style="bold red")
    ]
    lines += [_detail(f"{clean(one.piece)}: {clean(one.why)}", style="") for one in scope.complaints[:limit]]
    return [*lines, *_more(scope.unreadable, min(limit, len(scope.complaints)))]
