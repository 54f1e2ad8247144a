"""The notifier that opens, acknowledges and resolves alerts in PagerDuty, through its Events API v2.

All that is told of an incident carries one ``dedup_key``, so that PagerDuty shows one alert, and a repeated event
changes nothing: a message whose answer was lost is simply sent again.

    opened, worse, learnt, escalated, recovery failed  ->  trigger
    acknowledged, recovering                           ->  acknowledge
    recovered, dismissed                               ->  resolve
    progress                                           ->  nothing: PagerDuty has no word for it

Source: PagerDuty's developer documentation, "Events API v2 Overview" and "Send an Alert Event".
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from rules.verdicts import Severity
from watcher.alerts.alert_text import command_of, headline, links_of, message_text
from watcher.alerts.http_posting import HttpPoster, PostUnavailableError, retrying
from watcher.alerts.slack_message import clean
from watcher.incidents.incident import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recovery.clock import Sleep
    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident

API_URL = "https://events.pagerduty.com"
MAX_DEDUP_KEY, MAX_SUMMARY, MAX_FIELD = 255, 1024, 255
_ACCEPTED = 202

_ACTIONS = {
    NoticeKind.OPENED: "trigger",
    NoticeKind.WORSE: "trigger",
    NoticeKind.LEARNT: "trigger",
    NoticeKind.ESCALATED: "trigger",
    NoticeKind.RECOVERY_FAILED: "trigger",
    NoticeKind.ACKNOWLEDGED: "acknowledge",
    NoticeKind.RECOVERING: "acknowledge",
    NoticeKind.RECOVERED: "resolve",
    NoticeKind.DISMISSED: "resolve",
}
_SEVERITIES = {
    Severity.INFO: "info",
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "critical",
}
_HINT = "Set the 32-character integration key of an 'Events API V2' integration of the service in PagerDuty."


class PagerDutyNotifier:
    """Sends incidents to one PagerDuty integration. See ``watcher.alerts.notifier.Notifier``.

    ``routing_key`` is the integration's key. ``api_url`` is ``https://events.eu.pagerduty.com`` for accounts in
    PagerDuty's EU region. ``sleep`` takes seconds. Raises UsageError for an address that is none.
    """

    def __init__(
        self,
        routing_key: str,
        api_url: str = API_URL,
        *,
        name: str = "pagerduty",
        sleep: Sleep = time.sleep,
        timeout: float = 10,
    ) -> None:
        self.name = name
        self._key = routing_key.strip()
        self._sleep = sleep
        url = f"{api_url.rstrip('/')}/v2/enqueue"
        self._poster = HttpPoster(url, "PagerDuty", hint=_HINT, secrets=[self._key], timeout=timeout)

    def send(self, notice: Notice) -> dict[str, str]:
        """Send the event; gives ``{"dedup_key": key, "event_action": action}``, or ``{"skipped": why}``.

        Raises PostUnavailableError (after 3 tries, or if PagerDuty asks for a long wait), PostDeniedError,
        PostRefusedError.
        """
        action, skipped = event_action(notice)
        if not action:
            return {"skipped": skipped}
        event = _event(notice, action) | {"routing_key": self._key}
        body = json.dumps(event, ensure_ascii=False).encode()
        retrying(self._sleep)(lambda: self._post(body))
        return {"dedup_key": event["dedup_key"], "event_action": action}

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """Nothing: the alert's state in PagerDuty changes by the events themselves."""

    def _post(self, body: bytes) -> None:
        answer = self._poster.post(body, {"Content-Type": "application/json"})
        if answer.status != _ACCEPTED or not _says_success(answer.body):
            raise PostUnavailableError(
                f"not PagerDuty answered, but something between (HTTP {answer.status})"
            )


def event_action(notice: Notice) -> tuple[str, str]:
    """What PagerDuty is to do (``trigger``, ``acknowledge``, ``resolve``), or "" and why there is nothing to send."""
    kind = notice.entry.kind
    action = _ACTIONS.get(kind, "")
    if not action:
        return "", "PagerDuty has no event for progress"
    if action == "trigger" and notice.incident.is_over:
        # It would wake somebody for what is over. Whatever resolves it is owed as well, and does no harm.
        return "", f"the incident is {notice.incident.state.value} already: nobody has to be paged for it"
    return action, ""


def dedup_key(incident_id: str) -> str:
    """One key for the incident's whole life: its id, or a digest of one that is too long for PagerDuty."""
    if len(incident_id) <= MAX_DEDUP_KEY:
        return incident_id
    return f"{incident_id[:180]}-{hashlib.sha256(incident_id.encode()).hexdigest()}"


def _event(notice: Notice, action: str) -> dict[str, Any]:
    incident = notice.incident
    event: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(incident.id)}
    if action != "trigger":
        return event
    subject = incident.subject
    stack = next((note.origin_stack for note in incident.events if note.origin_stack), "")
    payload = {
        "summary": headline(notice)[:MAX_SUMMARY],
        "source": _field(subject.arn or f"{incident.account} {incident.region} {subject.name}"),
        "severity": _SEVERITIES[incident.severity],
        "timestamp": incident.opened_at.isoformat(),
        "component": _field(subject.name),
        "group": _field(stack),
        "class": _field(next((note.change for note in incident.events if note.change), incident.title)),
        "custom_details": _details(notice),
    }
    links = [{"href": href, "text": text} for text, href in links_of(incident).items()]
    return event | {
        "payload": {name: value for name, value in payload.items() if value},
        "links": links,
        "client": "safetynet",
    }


def _details(notice: Notice) -> dict[str, str]:
    """What the pager shows as a table."""
    incident = notice.incident
    details = {
        "to recover, run": command_of(incident),
        "by": clean(incident.actor.label),
        "account": incident.account,
        "region": incident.region,
        "verdict": incident.verdict.value,
        "incident": incident.id,
        "message": message_text(notice),
    }
    return {name: value for name, value in details.items() if value}


def _field(value: str) -> str:
    return clean(value)[:MAX_FIELD] or "unknown"


def _says_success(body: bytes) -> bool:
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("status") == "success"
