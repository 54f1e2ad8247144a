"""How declared intents, and what became of them, read on a terminal.

Ids are never wrapped, so that they can be copied whole: print with ``crop=False``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from cli.rendering import facts_grid
from cli.wording import moment
from rules.intents import IntentState
from watcher.alerts.slack_message import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from recovery.errors import DamagedObjectError
    from rules.intents import Intent
    from watcher.facts.intent_usage import IntentUsage, UsedFor

STATE_STYLES = {
    IntentState.PLANNED: "cyan",
    IntentState.ACTIVE: "green",
    IntentState.OVER: "dim",
    IntentState.REVOKED: "dim",
}
SHOWN_CHANGES = 3
_BOUNDS = (
    ("session", "session"),
    ("source identity", "source_identity"),
    ("app", "app"),
    ("request token", "request_token"),
)


def intents_list(usages: Sequence[IntentUsage]) -> Group:
    """Some lines an intent: state, time and what; the id, whole, to copy; by whom and why; what it covered."""
    return Group(*(line for usage in usages for line in _entry(usage)))


def intent_lines(usage: IntentUsage) -> Group:
    """All of one intent, with the id of every incident in its account."""
    intent = usage.intent
    rows = [
        ("intent", intent.id),
        ("state", usage.state.value),
        ("covers", f"{', '.join(intent.operations)} of {_what(intent)}"),
        ("by", intent.by),
        *((name, value) for name, field in _BOUNDS if (value := getattr(intent, field))),
        ("where", f"account {intent.account or 'any'}, region {intent.region or 'any'}"),
        ("from", moment(intent.starts)),
        ("until", moment(intent.until)),
        ("reason", intent.reason),
        *((("ticket", intent.ticket),) if intent.ticket else ()),
        ("declared", f"{moment(intent.declared_at)} by {intent.declared_by}"),
    ]
    if intent.revoked_at is not None:
        rows.append(("revoked", f"{moment(intent.revoked_at)} by {intent.revoked_by or 'unknown'}"))
    rows.append(("covered", _count(usage)))
    lines: list[RenderableType] = [facts_grid(rows)]
    lines += _changes(usage.covered, with_ids=True)
    lines += _declarer(usage)
    lines += _warnings(usage, with_ids=True)
    return Group(*lines)


def declared_lines(intent: Intent) -> Group:
    """What was just declared."""
    begins = f"from {moment(intent.starts)} " if intent.starts > intent.declared_at else ""
    what = f"{', '.join(intent.operations)} of {_what(intent)} by {intent.by}"
    return Group(_id(f"declared {intent.id}"), Text(f"{clean(what)}, {begins}until {moment(intent.until)}"))


def damaged_lines(damaged: Iterable[DamagedObjectError]) -> Group:
    """Two lines for each document that cannot be read: its key, whole, to copy; what is wrong with it."""
    lines: list[RenderableType] = []
    for one in damaged:
        wrong = str(one).removeprefix(f"{one.key}: ")
        lines.append(Text(f"damaged   {clean(one.key)}", style="red", no_wrap=True, overflow="ignore"))
        lines.append(Padding(Text(clean(wrong), style="red"), (0, 0, 0, 4), expand=False))
    return Group(*lines)


def _entry(usage: IntentUsage) -> Iterable[RenderableType]:
    intent = usage.intent
    line = Text(f"{usage.state.value:8}", style=STATE_STYLES[usage.state])
    times = f"{intent.starts:%Y-%m-%d %H:%M} to {intent.until:%Y-%m-%d %H:%M} UTC"
    line.append(f"  {times}  ", style="default")
    line.append(clean(_what(intent)), style="default bold")
    yield line
    yield _id(f"    {intent.id}")
    operations = ", ".join(intent.operations)
    bounds = "".join(f", {name} {value}" for name, field in _BOUNDS if (value := getattr(intent, field)))
    yield _indented(f"{operations} by {intent.by}{bounds}")
    yield _indented(f"{intent.reason}{f' ({intent.ticket})' if intent.ticket else ''}")
    yield _indented(f"covered {_count(usage)}")
    shown = usage.covered[-SHOWN_CHANGES:]
    yield from _changes(shown)
    if len(usage.covered) > len(shown):
        yield _indented(f"and {len(usage.covered) - len(shown)} earlier ones", 6)
    yield from _declarer(usage)
    yield from _warnings(usage)


def _what(intent: Intent) -> str:
    """``table preview-*``, ``stack shop``, ``table orders of stack shop``."""
    parts = [f"{kind} {name}" for kind, name in (("table", intent.table), ("stack", intent.stack)) if name]
    return " of ".join(parts)


def _count(usage: IntentUsage) -> str:
    most = usage.intent.max_changes
    number = len(usage.covered)
    allowed = f", {most} allowed" if most is not None else ""
    return f"{number or 'no'} change{'' if number == 1 else 's'}{allowed}"


def _declarer(usage: IntentUsage) -> Iterable[RenderableType]:
    """Nothing is wrong with it, but nobody else knew of the plan."""
    if usage.self_declared:
        yield _indented("declared by the actor himself")


def _warnings(usage: IntentUsage, *, with_ids: bool = False) -> Iterable[RenderableType]:
    if usage.over_used:
        most = usage.intent.max_changes
        yield _warning(
            f"over-used: {usage.counted} changes fit, {most} {'was' if most == 1 else 'were'} allowed"
        )
        yield from _changes(usage.beyond, with_ids=with_ids)
    if usage.unused:
        yield _warning("unused: nothing that it covers was done")
    if usage.after_the_fact:
        yield _warning("declared after the fact: what it covers was done in the 24 hours before it")
        yield from _changes(usage.before, with_ids=with_ids)


def _changes(changes: Iterable[UsedFor], *, with_ids: bool = False) -> Iterable[RenderableType]:
    for one in changes:
        yield _indented(f"{one.time:%Y-%m-%d %H:%M:%S}  {one.event_name} {one.resource}", 6)
        if with_ids:
            yield _id(f"        {one.incident_id}")


def _warning(text: str) -> RenderableType:
    return Padding(Text(text, style="yellow"), (0, 0, 0, 4), expand=False)


def _indented(text: str, columns: int = 4) -> RenderableType:
    return Padding(Text(clean(text)), (0, 0, 0, columns), expand=False)


def _id(text: str) -> Text:
    return Text(text, style="dim", no_wrap=True, overflow="ignore")
