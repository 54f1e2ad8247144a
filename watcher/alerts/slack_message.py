"""What an incident says on Slack: Block Kit in, nothing else; pure, and careful with foreign text (``slack_parts``).

Somebody is woken at 3 a.m. by it: what happened stands first, then who did it and what is lost, then why it alerts,
what there is to go back to, and what to type.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rules.verdicts import Severity, VerdictKind
from watcher.alerts.slack_losses import (
    BODY_LIMIT,
    FINAL,
    HISTORY_LIMIT,
    command,
    history,
    nothing_to_go_back_to,
    reach,
    recovery,
    stake,
    to_type,
    when,
)
from watcher.alerts.slack_parts import (
    LINE_LIMIT,
    MAX_TEXT,
    clean,
    code,
    context,
    cut,
    escaped,
    event_url,
    header,
    mrkdwn,
    plain,
    section,
    shortened,
    utc,
)
from watcher.alerts.slack_text import Block, SlackMessage
from watcher.incidents.blast_radius import blast_radius
from watcher.incidents.incident import IncidentState, NoticeKind
from watcher.incidents.incident_words import called
from watcher.incidents.incident_words import headline as headline_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watcher.incidents.blast_radius import BlastRadius
    from watcher.incidents.incident import Incident, Moment, OutboxEntry

__all__ = ["clean", "escaped", "event_url", "opened_message", "thread_message"]

ID_LIMIT, PEOPLE_LIMIT, LEARNT_LIMIT, REASONS_LIMIT = 400, 150, 600, 1500
SHOWN_REASONS, SHOWN_PEOPLE, SHOWN_NEWS = 5, 3, 3
# Slack refuses about 13,000 for all blocks together, which is written nowhere (slackapi/bolt-js issue 2509). What has
# no bounds gets less room, step by step, until all fits; what to do is never cut.
MOST_IN_ALL = 12_500
_ROOMS = (1.0, 0.4, 0.1)

# What a button sends when it is pressed; its value is the incident's id.
ACKNOWLEDGE, INTENDED, SHOW_PLAN = "safetynet:ack", "safetynet:intended", "safetynet:plan"

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
    NoticeKind.WORSE: ("🚨", "Worse than it looked"),
    NoticeKind.LEARNT: ("🔎", "More is known"),
    NoticeKind.ESCALATED: ("⏰", "Nobody has acknowledged this"),
    NoticeKind.ACKNOWLEDGED: ("👀", "Acknowledged"),
    NoticeKind.DISMISSED: ("⚪", "Dismissed"),
    NoticeKind.RECOVERING: ("🔄", "Recovery started"),
    NoticeKind.PROGRESS: ("🔄", "Recovery under way"),
    NoticeKind.RECOVERED: ("✅", "Recovered"),
    NoticeKind.RECOVERY_FAILED: ("❌", "Recovery failed"),
}
# These tell what happened, the others what became of it.
_TELLS_WHAT = frozenset({NoticeKind.WORSE, NoticeKind.LEARNT, NoticeKind.ESCALATED})


def opened_message(incident: Incident, buttons: bool = False) -> SlackMessage:
    """The message that opens the incident's thread, as it has to read in the incident's present state.

    ``buttons``: with what can be pressed, where somebody listens to it.
    """
    return _whole(incident, _headline(incident), [section(_state_line(incident))], buttons=buttons)


def thread_message(incident: Incident, entry: OutboxEntry) -> SlackMessage:
    """A message in the incident's thread: what is new, what became of it, with the entry's own text.

    Who is told because nobody has acknowledged it may hear of it for the first time, and is told all of it.
    """
    if entry.kind is NoticeKind.OPENED:
        return opened_message(incident)
    mark, words = _NOTICES[entry.kind]
    about = headline_of(incident) if entry.kind in _TELLS_WHAT else called(incident)
    headline = f"{mark} {words}: {about}"
    body = [line for line in map(clean, entry.text.splitlines()) if line]
    news = [plain(body, BODY_LIMIT)] if body else []
    if entry.kind is NoticeKind.ESCALATED and not incident.is_over:
        return _whole(incident, headline, news or [section(_state_line(incident))])
    blocks = [header(headline), *news]
    if entry.kind is NoticeKind.WORSE and not incident.is_over:
        blocks += [_now(incident), *command(incident, "To recover, run")]
    if entry.kind is NoticeKind.RECOVERY_FAILED:
        blocks += command(incident, "To go on, run it again: it resumes where it stopped")
    blocks.append(context(*_references(incident)))
    text = " | ".join([clean(headline), *body, incident.id])
    return SlackMessage(escaped(text, MAX_TEXT), tuple(blocks))


def _whole(incident: Incident, headline: str, first: list[Block], *, buttons: bool = False) -> SlackMessage:
    """All that is known. ``first`` comes below the header."""
    radius = blast_radius(incident)
    blocks: list[Block] = []
    for room in _ROOMS:
        blocks = [header(headline), *first, *_learnt(incident, room), _facts(incident, radius)]
        if not incident.part_of:
            blocks += history(incident, radius, int(HISTORY_LIMIT * room))
        blocks += _why(incident, int(REASONS_LIMIT * room))
        if incident.part_of:
            blocks += to_type(f"safetynet incidents show {incident.part_of}", "Go on there; see it with")
        else:
            blocks += recovery(incident, radius, int(BODY_LIMIT * room))
        if buttons:
            blocks += _buttons(incident)
        blocks.append(_footer(incident))
        if len(json.dumps(blocks, ensure_ascii=False).encode("utf-16-le")) // 2 <= MOST_IN_ALL:
            break
    missing = nothing_to_go_back_to(incident, radius)
    details = [
        headline,
        f"{incident.severity.value}, {_VERDICTS[incident.verdict]}",
        f"by {incident.actor.label}",
        f"account {incident.account}, {incident.region}",
        *([missing] if missing else []),
        incident.id,
    ]
    return SlackMessage(escaped(" | ".join(clean(part) for part in details), MAX_TEXT), tuple(blocks))


def _headline(incident: Incident) -> str:
    if incident.state in _STATES:
        mark, words, _ = _STATES[incident.state]
        return f"{mark} {words}: {called(incident)}"
    return f"{_SEVERITY_MARKS[incident.severity]} {headline_of(incident)}"


def _state_line(incident: Incident) -> str:
    if incident.part_of:
        return "*Part of another incident.* It is told, acknowledged and recovered there."
    if incident.state not in _STATES:
        tried = any(entry.kind is NoticeKind.RECOVERY_FAILED for entry in incident.outbox)
        return _FAILED_LINE if tried else _OPEN_LINES[incident.state]
    _, words, meaning = _STATES[incident.state]
    line = f"*{words}.* {meaning}"
    last = incident.timeline[-1] if incident.timeline else None
    settled = _settled(incident)
    if settled is not None:
        line = f"*{words}* by {code(settled.who)}, {utc(settled.time)}."
        if incident.state is IncidentState.DISMISSED:
            line += f"\nWhy: {code(incident.dismissed_because, LINE_LIMIT)}"
    if last is not None and last != settled:
        line += f"\nLast: {utc(last.time)}, {code(f'{last.who}: {last.what}', LINE_LIMIT)}"
    return line


def _settled(incident: Incident) -> Moment | None:
    """The moment in which somebody acknowledged or dismissed it, if that is how it stands."""
    if incident.state not in (IncidentState.ACKNOWLEDGED, IncidentState.DISMISSED):
        return None
    words = incident.state.value
    return next((one for one in reversed(incident.timeline) if one.what.startswith(words)), None)


def _learnt(incident: Incident, room: float) -> list[Block]:
    """What became known later and changes what is to be done, such as that the table was made anew, empty."""
    if incident.state in FINAL:
        return []
    texts = [entry.text for entry in incident.outbox if entry.kind is NoticeKind.LEARNT and entry.text]
    lines = [cut(clean(text)) for text in dict.fromkeys(texts)][-SHOWN_NEWS:]
    return (
        [section("*Learnt since*"), plain([f"• {line}" for line in lines], int(LEARNT_LIMIT * room))]
        if lines
        else []
    )


def _facts(incident: Incident, radius: BlastRadius) -> Block:
    actor, subject = incident.actor, incident.subject
    tool = actor.user_agent if actor.tool in {"", "unknown"} and actor.user_agent else actor.tool
    first = "first: " if incident.members else ""
    fields = [
        (
            "What",
            f"{first}{code(incident.title)}" + (f"\n{code(subject.arn, LINE_LIMIT)}" if subject.arn else ""),
        ),
        ("Who", f"{code(actor.label)}, {code(actor.kind)}{_others(radius, actor.label)}"),
        ("With", f"{code(tool)} from {code(actor.source_ip)}"),
        ("When", when(incident, radius)),
        ("Where", f"account {code(incident.account)} in {code(incident.region)}"),
    ]
    if not incident.events:
        # Of a message that nobody understands, nobody knows who, with what and where.
        told = {"What", "When", *(["Where"] if incident.account else [])}
        fields = [(label, value) for label, value in fields if label in told]
    fields += [*stake(incident, radius), *reach(radius)]
    return {"type": "section", "fields": [mrkdwn(f"*{label}*\n{value}") for label, value in fields]}


def _others(radius: BlastRadius, who: str) -> str:
    others = [name for name in radius.people if name != who]
    if not others:
        return ""
    more = f" and {len(others) - SHOWN_PEOPLE:,} more" if len(others) > SHOWN_PEOPLE else ""
    return f"\nand {code(', '.join(others[:SHOWN_PEOPLE]), PEOPLE_LIMIT)}{more}"


def _why(incident: Incident, limit: int) -> list[Block]:
    refusals = {
        f"AWS answered {event.error_code}: {event.error_message}": None
        for event in incident.events
        if event.error_code
    }
    lines = [f"• {reason}" for reason in shortened([*incident.reasons, *refusals], SHOWN_REASONS)]
    label = section(f"*Why: severity {incident.severity.value}, {_VERDICTS[incident.verdict]}*")
    return [label, plain(lines, limit)] if lines else [label]


def _now(incident: Incident) -> Block:
    """How bad it is by now."""
    radius = blast_radius(incident)
    lines = [f"*Now severity {incident.severity.value}, {_VERDICTS[incident.verdict]}*"]
    lines += [f"{label}: {value}" for label, value in stake(incident, radius)]
    missing = nothing_to_go_back_to(incident, radius)
    return section("\n".join([*lines, *([missing] if missing else [])]))


def _buttons(incident: Incident) -> list[Block]:
    """What can be pressed in the incident's present state."""
    if incident.state in FINAL or incident.state is IncidentState.QUIET or incident.part_of:
        return []
    elements = [
        *(
            [_button("Acknowledge", ACKNOWLEDGE, incident.id, style="primary")]
            if incident.state is IncidentState.OPEN
            else []
        ),
        _button("This was intended", INTENDED, incident.id),
        *([_button("Show plan", SHOW_PLAN, incident.id)] if incident.recover_command else []),
    ]
    return [{"type": "actions", "elements": elements}]


def _button(text: str, action: str, value: str, **more: str) -> Block:
    words = {"type": "plain_text", "text": text, "emoji": False}
    return {"type": "button", "text": words, "action_id": action, "value": value, **more}


def _footer(incident: Incident) -> Block:
    link = event_url(incident.region, incident.events[0].id) if incident.events else ""
    return context(*_references(incident), *([f"<{link}|CloudTrail event>"] if link else []))


def _references(incident: Incident) -> Iterable[str]:
    yield f"Incident {code(incident.id, ID_LIMIT)}"
    if incident.part_of:
        yield f"Part of {code(incident.part_of, ID_LIMIT)}"
