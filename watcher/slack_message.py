"""What an incident says on Slack: Block Kit in, nothing else; pure, and careful with foreign text.

Names, ARNs, user agents, error messages and reasons come from events that anybody may have written. They are
shown only in places where Slack parses nothing: in ``plain_text`` objects and in code spans, always escaped
(Slack's reference, 'Formatting message text'), on one line, with whatever cannot be seen made visible.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

from rules.actions import Weight
from rules.verdicts import Severity, VerdictKind
from watcher.incidents import IncidentState, NoticeKind
from watcher.slack_text import Block, SlackMessage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from watcher.incidents import Incident, OutboxEntry, RecoveryPoint

# All below Slack's own limits: 150 for a header, 2,000 a field, 3,000 a section; and about 13,000 for all
# blocks together, which is written nowhere (slackapi/bolt-js issue 2509).
MAX_TEXT = 3000
HEADER_LIMIT, VALUE_LIMIT, LINE_LIMIT, ID_LIMIT, COMMAND_LIMIT = 140, 250, 300, 400, 600
REASONS_LIMIT, BODY_LIMIT = 1500, 2500
SHOWN_REASONS, SHOWN_POINTS = 5, 5

_SEVERITY_MARKS = {
    Severity.INFO: "ℹ️",  # noqa: RUF001 - the emoji, not a letter
    Severity.LOW: "🟡",
    Severity.MEDIUM: "🟠",
    Severity.HIGH: "🔴",
    Severity.CRITICAL: "🚨",
}
_VERDICTS = {
    VerdictKind.ACCIDENTAL: "judged an accident",
    VerdictKind.SUSPICIOUS: "judged suspicious",
    VerdictKind.INTENTIONAL: "judged intentional",
}
# What the header and the line below it say once the incident is no longer open.
_STATES = {
    IncidentState.ACKNOWLEDGED: ("👀", "Acknowledged", "Somebody is looking at it."),
    IncidentState.RECOVERING: ("🔄", "Recovering", "A recovery is running; progress is in the thread."),
    IncidentState.RECOVERED: ("✅", "Recovered", "What was restored and checked is in the thread."),
    IncidentState.DISMISSED: ("⚪", "Dismissed", "Somebody decided that nothing has to be done."),
}
_OPEN_LINES = {
    IncidentState.OPEN: "*Open.* Nobody has acknowledged it yet.",
    IncidentState.QUIET: "*Recorded.* Nobody was alerted.",
}
_FAILED_LINE = "*Open again.* A recovery failed; why is in the thread."
_NOTICES = {
    NoticeKind.RECOVERING: ("🔄", "Recovery started"),
    NoticeKind.PROGRESS: ("🔄", "Recovery under way"),
    NoticeKind.RECOVERED: ("✅", "Recovered"),
    NoticeKind.RECOVERY_FAILED: ("❌", "Recovery failed"),
}
_FINAL = frozenset({IncidentState.RECOVERED, IncidentState.DISMISSED})
_RECOVERABLE = frozenset({"table", "stack"})
_NO_BACKUP = "NO BACKUP FOUND."
# What incidents hold that are too old to say how bad it was.
_DESTRUCTIVE = frozenset({"DeleteTable", "DeleteStack"})

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Blank to the eye, but letters and marks to Unicode.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_REGION = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,12}){1,3}-[0-9]{1,2}")
_CONSOLES = (
    ("cn-", "console.amazonaws.cn"),
    ("us-gov-", "console.amazonaws-us-gov.com"),
    ("", "console.aws.amazon.com"),
)


def opened_message(incident: Incident) -> SlackMessage:
    """The message that opens the incident's thread, as it has to read in the incident's present state."""
    headline = _headline(incident)
    blocks: list[Block] = [_header(headline), _section(_state_line(incident)), _facts(incident)]
    blocks += _why(incident)
    if not _failed(incident):
        blocks += _recovery(incident)
    blocks.append(_footer(incident))
    details = [
        headline,
        f"{incident.severity.value}, {_VERDICTS[incident.verdict]}",
        f"by {incident.actor.label}",
        f"account {incident.account}, {incident.region}",
        *([_NO_BACKUP] if _without_backup(incident) else []),
        incident.id,
    ]
    return SlackMessage(escaped(" | ".join(clean(part) for part in details), MAX_TEXT), tuple(blocks))


def thread_message(incident: Incident, entry: OutboxEntry) -> SlackMessage:
    """A message in the incident's thread: what became of the recovery, with the entry's own text."""
    if entry.kind is NoticeKind.OPENED:
        return opened_message(incident)
    mark, words = _NOTICES[entry.kind]
    headline = f"{mark} {words}: {_name(incident)}"
    blocks = [_header(headline)]
    body = [line for line in map(clean, entry.text.splitlines()) if line]
    if body:
        blocks.append(_plain(body, BODY_LIMIT))
    if entry.kind is NoticeKind.RECOVERY_FAILED:
        blocks += _command(incident, "To go on, run it again: it resumes where it stopped")
    blocks.append(_context(f"Incident {_code(incident.id, ID_LIMIT)}"))
    text = " | ".join([clean(headline), *body, incident.id])
    return SlackMessage(escaped(text, MAX_TEXT), tuple(blocks))


def clean(value: str) -> str:
    """The value on one line, with what cannot be seen (control, bidi, zero width) shown as U+FFFD."""
    return " ".join("".join(_seen(char) for char in value).split())


def escaped(value: str, limit: int) -> str:
    """The value with ``&``, ``<`` and ``>`` escaped, cut with an ellipsis to ``limit`` UTF-16 units."""
    pieces = [_ENTITIES.get(char, char) for char in value]
    sizes = [len(piece.encode("utf-16-le")) // 2 for piece in pieces]
    if sum(sizes) <= limit:
        return "".join(pieces)
    room, kept = limit - 1, 0
    while room >= sizes[kept]:
        room -= sizes[kept]
        kept += 1
    return "".join(pieces[:kept]).rstrip() + "…"


def _seen(char: str) -> str:
    if char.isspace():
        return " "
    return "\ufffd" if unicodedata.category(char).startswith("C") or char in _BLANKS else char


def _name(incident: Incident) -> str:
    return incident.subject.name or incident.title


def _headline(incident: Incident) -> str:
    if incident.state in _STATES:
        mark, words, _ = _STATES[incident.state]
        return f"{mark} {words}: {_name(incident)}"
    name = incident.subject.name
    what = incident.title if name in incident.title else f"{incident.title}: {name}"
    return f"{_SEVERITY_MARKS[incident.severity]} {what}"


def _state_line(incident: Incident) -> str:
    if incident.state not in _STATES:
        tried = any(entry.kind is NoticeKind.RECOVERY_FAILED for entry in incident.outbox)
        return _FAILED_LINE if tried else _OPEN_LINES[incident.state]
    _, words, meaning = _STATES[incident.state]
    line = f"*{words}.* {meaning}"
    if incident.timeline:
        last = incident.timeline[-1]
        line += f"\nLast: {_utc(last.time)}, {_code(f'{last.who}: {last.what}', LINE_LIMIT)}"
    return line


def _facts(incident: Incident) -> Block:
    actor, subject = incident.actor, incident.subject
    tool = actor.user_agent if actor.tool in {"", "unknown"} and actor.user_agent else actor.tool
    fields = [
        ("What", _code(incident.title) + (f"\n{_code(subject.arn, LINE_LIMIT)}" if subject.arn else "")),
        ("Who", f"{_code(actor.label)}, {_code(actor.kind)}"),
        ("With", f"{_code(tool)} from {_code(actor.source_ip)}"),
        ("When", _when(incident)),
        ("Where", f"account {_code(incident.account)} in {_code(incident.region)}"),
    ]
    if not incident.events:
        # Of a message that nobody understands, nobody knows who, with what and where.
        told = {"What", "When", *(["Where"] if incident.account else [])}
        fields = [(label, value) for label, value in fields if label in told]
    fields = [
        *fields,
        *([_stake(incident)] if subject.type in _RECOVERABLE else []),
    ]
    return {"type": "section", "fields": [_mrkdwn(f"*{label}*\n{value}") for label, value in fields]}


def _when(incident: Incident) -> str:
    times = sorted(event.time for event in incident.events)
    if not times:
        return _utc(incident.opened_at)
    if len(times) == 1:
        return _utc(times[0])
    return f"{_utc(times[0])}, {len(times)} events until {_utc(times[-1])}"


def _stake(incident: Incident) -> tuple[str, str]:
    if _failed(incident):
        return "Lost", "nothing: the call was refused"
    lost = any(
        event.weight == Weight.DESTRUCTIVE or (not event.weight and event.name in _DESTRUCTIVE)
        for event in incident.events
    )
    items, size = incident.subject.item_count, incident.subject.size_bytes
    parts = [f"{items:,} {'item' if items == 1 else 'items'}"] if items is not None else []
    parts += [_size(size)] if size is not None else []
    # Where no call was seen a backup told, and what it is compared with is the one before.
    which = "newest backup" if incident.events else "backup before"
    known = f"{', '.join(parts)}, as of the {which}" if parts else "unknown: no backup tells"
    return ("Lost" if lost else "At stake"), known


def _failed(incident: Incident) -> bool:
    """Whether AWS refused every call: then nothing has changed, and there is nothing to recover."""
    return bool(incident.events) and all(event.error_code for event in incident.events)


def _why(incident: Incident) -> list[Block]:
    refusals = {
        f"AWS answered {event.error_code}: {event.error_message}": None
        for event in incident.events
        if event.error_code
    }
    lines = [f"• {reason}" for reason in _shortened([*incident.reasons, *refusals], SHOWN_REASONS)]
    label = _section(f"*Why: severity {incident.severity.value}, {_VERDICTS[incident.verdict]}*")
    return [label, _plain(lines, REASONS_LIMIT)] if lines else [label]


def _recovery(incident: Incident) -> list[Block]:
    """The points to go back to, newest first, and the command; none of it once there is nothing to do."""
    if incident.state in _FINAL:
        return []
    points = sorted(incident.recovery_points, key=lambda point: point.time, reverse=True)
    blocks: list[Block] = []
    if points:
        lines = [f"• {_point(point, newest=point is points[0], at=_moment(incident))}" for point in points]
        blocks = [_section("*Recovery points*"), _plain(_shortened(lines, SHOWN_POINTS), BODY_LIMIT)]
    elif _without_backup(incident) and incident.recovery_unknown:
        why = _shortened([incident.recovery_unknown], 1)
        blocks = [_section("⚠️ *The backups could not be looked at.*"), _plain(why, BODY_LIMIT)]
    elif _without_backup(incident):
        blocks = [_section(f"⚠️ *{_NO_BACKUP}* There was no recovery point when this was written.")]
    running = incident.state is IncidentState.RECOVERING
    return blocks + _command(
        incident, "Should the recovery stop, resume it" if running else "To recover, run"
    )


def _without_backup(incident: Incident) -> bool:
    """Whether people must be told that nothing was found to go back to."""
    return (
        incident.subject.type in _RECOVERABLE
        and not incident.recovery_points
        and incident.state not in _FINAL
        and not _failed(incident)
    )


def _moment(incident: Incident) -> datetime:
    return min((event.time for event in incident.events), default=incident.opened_at)


def _point(point: RecoveryPoint, *, newest: bool, at: datetime) -> str:
    loss = _span(point.loss_seconds)
    lost = f"changes of the last {loss} are lost" if point.loss_seconds > 0 else "nothing is lost"
    old = _span((at - point.time).total_seconds())
    # The age is the window of loss as a rule; it is said only where it differs.
    age = "" if old == loss else f" ({old} old)"
    items = f"{point.item_count:,} {'item' if point.item_count == 1 else 'items'}"
    return f"{'newest' if newest else 'older'} {_source(point)} {_utc(point.time)}{age}, {items}; {lost}"


def _source(point: RecoveryPoint) -> str:
    known = {"s3-backup": "backup", "pitr": "point-in-time recovery"}
    return known.get(point.source, clean(point.source)[:60])


def _command(incident: Incident, label: str) -> list[Block]:
    """The command to type, exactly or not at all: a command that was altered must not be run."""
    command = clean(incident.recover_command)
    shown = escaped(command, COMMAND_LIMIT)
    if not command:
        return []
    if command != incident.recover_command.strip() or "`" in command or html.unescape(shown) != command:
        shown = f"safetynet incidents show {incident.id}"
        label = "The recovery command cannot be shown here; see it with"
    return [_section(f"*{label}*\n```\n{shown}\n```")]


def _footer(incident: Incident) -> Block:
    parts = [f"Incident {_code(incident.id, ID_LIMIT)}"]
    link = event_url(incident.region, incident.events[0].id) if incident.events else ""
    return _context(*parts, *([f"<{link}|CloudTrail event>"] if link else []))


def event_url(region: str, event_id: str) -> str:
    """The event in CloudTrail's console (it keeps 90 days), or "" where no address can be made of it."""
    if not event_id or _REGION.fullmatch(region) is None:
        return ""
    console = next(host for prefix, host in _CONSOLES if region.startswith(prefix))
    shown = quote(event_id.encode("utf-8", "replace")[:200], safe="")
    return f"https://{region}.{console}/cloudtrailv2/home?region={region}#/events/{shown}"


def _shortened(lines: list[str], count: int) -> list[str]:
    shown = [_cut(clean(line)) for line in lines[:count]]
    return [*shown, f"and {len(lines) - count} more"] if len(lines) > count else shown


def _cut(line: str) -> str:
    return line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 1] + "…"


def _code(value: str, limit: int = VALUE_LIMIT) -> str:
    """A code span: nothing in it is parsed. A backtick would end it, so it becomes an apostrophe."""
    shown = escaped(clean(value).replace("`", "'"), limit)
    return f"`{shown}`" if shown else "unknown"


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _span(seconds: float) -> str:
    """The two largest units of a time span: ``1 h 12 min``."""
    whole = max(0, int(seconds))
    units = (("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    first = next((index for index, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count) or "0 s"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - the step between decimal units
            return f"{count:,} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _header(headline: str) -> Block:
    text = escaped(clean(headline), HEADER_LIMIT)
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _section(mrkdwn: str) -> Block:
    return {"type": "section", "text": _mrkdwn(mrkdwn)}


def _plain(lines: Iterable[str], limit: int) -> Block:
    text = escaped("\n".join(lines), limit)
    return {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _context(*mrkdwn: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text) for text in mrkdwn]}


def _mrkdwn(text: str) -> Block:
    """Text that was put together here; ``verbatim`` keeps Slack from finding links and names in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}
