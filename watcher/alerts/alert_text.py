"""An incident's messages in plain text: for e-mail, SMS, pagers and webhooks. Pure.

The first lines alone must do, for somebody who reads them on a phone's lock screen: how bad, what, whose, what to
type. Below them comes all that Slack shows, in the same words. Foreign text is on one line, with whatever cannot be
seen made visible (``watcher.alerts.slack_message.clean``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from watcher.alerts.slack_message import clean, event_url, opened_message
from watcher.alerts.slack_text import plain_text
from watcher.incidents.incident import IncidentState, NoticeKind
from watcher.incidents.incident_words import headline as what_happened

if TYPE_CHECKING:
    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident

HEADLINE_LIMIT, NEWS_LIMIT, TEXT_LIMIT = 300, 3000, 16_000
# An SMS may have 1,600 characters in all, 70 a part where one of them is not of the GSM alphabet.
SHORT_LIMIT = 600
# Publish: "less than 100 characters long", and once it had to be ASCII: what delivers e-mail still cares.
SUBJECT_LIMIT = 99
_WIDE = 10_000  # nothing is wrapped: that is the reader's business

_HEADS = {
    NoticeKind.OPENED: "",
    NoticeKind.WORSE: "WORSE THAN TOLD BEFORE",
    NoticeKind.LEARNT: "MORE IS KNOWN",
    NoticeKind.ESCALATED: "NOBODY HAS ACKNOWLEDGED THIS",
    NoticeKind.ACKNOWLEDGED: "ACKNOWLEDGED",
    NoticeKind.DISMISSED: "DISMISSED",
    NoticeKind.RECOVERING: "RECOVERY STARTED",
    NoticeKind.PROGRESS: "RECOVERY UNDER WAY",
    NoticeKind.RECOVERED: "RECOVERED",
    NoticeKind.RECOVERY_FAILED: "RECOVERY FAILED",
}
# After these the reader wants to know the whole of it; it may be the first that he hears.
_TELL_ALL = frozenset({NoticeKind.OPENED, NoticeKind.WORSE, NoticeKind.LEARNT, NoticeKind.ESCALATED})
# What an alert that comes late must say first.
_STATES = frozenset(
    {
        IncidentState.ACKNOWLEDGED,
        IncidentState.RECOVERING,
        IncidentState.RECOVERED,
        IncidentState.DISMISSED,
    }
)
# The marks that Slack's messages begin lines with: text messages with them cost three times as much.
_MARK = re.compile("^[\u2139\u2600-\u27bf\U0001f300-\U0001faff\ufe0f]+ ", re.MULTILINE)
_BULLET = re.compile("^• ", re.MULTILINE)


def headline(notice: Notice) -> str:
    """One line, 300 characters at most: ``CRITICAL: Table deleted: orders``."""
    incident = notice.incident
    what = what_happened(incident)
    state = incident.state.value.upper() if incident.state in _STATES else ""
    told = _HEADS[notice.entry.kind]
    parts = [told or state, incident.severity.value.upper() if notice.entry.kind in _TELL_ALL else "", what]
    return _cut(clean(": ".join(part for part in parts if part)), HEADLINE_LIMIT)


def subject_line(notice: Notice) -> str:
    """For e-mail: the headline and the region, in ASCII, on one line, less than 100 characters."""
    where = f" ({notice.incident.region})" if notice.incident.region else ""
    line = f"[safetynet] {headline(notice)}"
    room = SUBJECT_LIMIT - len(where)
    line = (line if len(line) <= room else line[: room - 3] + "...") + where
    return line.encode("ascii", "replace").decode("ascii")[:SUBJECT_LIMIT]


def message_text(notice: Notice) -> str:
    """The whole message, 16,000 characters at most; the essence is in the first lines."""
    incident, entry = notice.incident, notice.entry
    news = [line for line in map(clean, entry.text.splitlines()) if line]
    paragraphs = [_essence(notice), _cut("\n".join(news), NEWS_LIMIT)]
    if entry.kind in _TELL_ALL:
        paragraphs.append(_whole(incident))
    else:
        paragraphs.append(f"Incident {incident.id}\nSee: safetynet incidents show {incident.id}")
    return _cut("\n\n".join(part for part in paragraphs if part), TEXT_LIMIT)


def short_text(notice: Notice) -> str:
    """The first lines of the message and what is new, 600 characters at most: for SMS."""
    news = clean(notice.entry.text)
    lines = [_essence(notice), *([news] if news else []), f"Incident {notice.incident.id}"]
    return _cut("\n".join(lines), SHORT_LIMIT)


def command_of(incident: Incident) -> str:
    """The command to type, exactly or not at all; "" where there is nothing to recover (any more)."""
    command = clean(incident.recover_command)
    if not command or incident.is_over:
        return ""
    if command != incident.recover_command.strip() or "`" in command:
        return f"safetynet incidents show {incident.id}"
    return command


def links_of(incident: Incident) -> dict[str, str]:
    """What can be looked at, by what it is: the first event in CloudTrail's console."""
    link = event_url(incident.region, incident.events[0].id) if incident.events else ""
    return {"CloudTrail event": link} if link else {}


def _essence(notice: Notice) -> str:
    incident = notice.incident
    where = [f"account {incident.account}"] if incident.account else []
    where += [incident.region] if incident.region else []
    who = [f"by {incident.actor.label}"] if incident.events else []
    lines = [headline(notice), clean(", ".join([*who, *where]))]
    command = command_of(incident)
    if command and notice.entry.kind in _TELL_ALL | {NoticeKind.RECOVERY_FAILED}:
        running = incident.state is IncidentState.RECOVERING
        lines.append(f"{'Should the recovery stop, resume it' if running else 'To recover'}: {command}")
    return "\n".join(line for line in lines if line)


def _whole(incident: Incident) -> str:
    """All that Slack shows below the header, without its marks."""
    text = _BULLET.sub("- ", _MARK.sub("", plain_text(opened_message(incident), width=_WIDE)))
    _, _, below = text.partition("\n")
    return below.strip()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."
