"""The notifier that posts JSON to any address: a ticket system, a chat without a notifier of its own, a function.

What is posted is ``WebhookMessage``; docs/alerts.md describes it for receivers. A receiver can tell that a message is
ours and fresh by its signature, and that it has had it already by its idempotency key, which a repeated message keeps:
a message whose answer was lost is simply sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from recovery.clock import utc_now
from rules.errors import UsageError
from watcher.alerts.addresses import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, check_headers
from watcher.alerts.alert_text import command_of, headline, links_of, message_text
from watcher.alerts.http_posting import HttpPoster, retrying
from watcher.alerts.slack_message import clean
from watcher.incidents.incident import UtcTime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recovery.clock import Clock, Sleep
    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident, Subject

_HINT = "Look at the receiver, and at the notifier's url, headers and secret in the settings."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebhookResource(_Part):
    """What it happened to: ``type`` is ``table``, ``stack`` and so on. Counts come from the newest backup."""

    type: str
    name: str
    arn: str
    item_count: int | None
    size_bytes: int | None


class WebhookActor(_Part):
    """Who did it, and with which tool."""

    label: str
    kind: str
    tool: str


class WebhookEvent(_Part):
    """One change event, by its id and name; ``error_code`` is AWS's where the call failed."""

    id: str
    name: str
    time: UtcTime
    error_code: str


class WebhookMember(_Part):
    """Another change of the same cause: of a deleted stack, each of its tables."""

    title: str
    time: UtcTime
    severity: str
    resource: WebhookResource


class WebhookRecoveryPoint(_Part):
    """Something to go back to, and the seconds of changes that would be lost."""

    source: str
    backup_id: str
    time: UtcTime
    item_count: int | None
    loss_seconds: float


class WebhookIncident(_Part):
    """The incident as it is now, without the content of its events."""

    id: str
    state: str
    title: str
    verdict: str
    severity: str
    account: str
    region: str
    opened_at: UtcTime
    resource: WebhookResource
    actor: WebhookActor
    events: tuple[WebhookEvent, ...]
    members: tuple[WebhookMember, ...]
    reasons: tuple[str, ...]
    recovery_points: tuple[WebhookRecoveryPoint, ...]
    recovery_unknown: str


class WebhookMessage(_Part):
    """The body. A new field may come at any time; anything else that changes gives it a new ``version``."""

    version: Literal[1] = 1
    kind: str
    dedup_key: str
    idempotency_key: str
    headline: str
    text: str
    news: str
    command: str
    links: dict[str, str]
    incident: WebhookIncident


class WebhookNotifier:
    """Posts each message to one address. See ``watcher.alerts.notifier.Notifier``.

    ``secret``: the key of the signature, "" for none. ``headers`` are sent as well, for example Authorization; they
    are secrets. ``sleep`` takes seconds. Raises UsageError for an address or a header that cannot be sent.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "webhook",
        secret: str = "",
        headers: Mapping[str, str] | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
        timeout: float = 10,
    ) -> None:
        self.name = name
        self._secret = secret
        self._headers = dict(headers or {})
        self._clock = clock
        self._sleep = sleep
        try:
            check_headers(self._headers)
        except ValueError as error:
            raise UsageError(f"the headers of {name} cannot be used: {error}", hint=_HINT) from None
        secrets = [secret, *self._headers.values()]
        self._poster = HttpPoster(url, name, hint=_HINT, secrets=secrets, timeout=timeout, clock=clock)

    def send(self, notice: Notice) -> dict[str, str]:
        """Post it; gives ``{"idempotency_key": key}``.

        Raises PostUnavailableError (after 3 tries, or if the receiver asks for a long wait), PostDeniedError,
        PostRefusedError.
        """
        message = webhook_message(notice)
        body = message.model_dump_json().encode()
        retrying(self._sleep)(lambda: self._poster.post(body, self._signed(body, message.idempotency_key)))
        return {"idempotency_key": message.idempotency_key}

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """Nothing: each message is a new one."""

    def _signed(self, body: bytes, key: str) -> dict[str, str]:
        """The headers of one try; receivers may refuse a signature that is some minutes old."""
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            IDEMPOTENCY_HEADER: key,
            TIMESTAMP_HEADER: timestamp,
        }
        if self._secret:
            headers[SIGNATURE_HEADER] = signature_of(self._secret, timestamp, body)
        return headers


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """``v1=`` and the hex HMAC-SHA256 of ``<timestamp>.<body>``; ``timestamp`` is in seconds since 1970."""
    signed = timestamp.encode() + b"." + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def webhook_message(notice: Notice) -> WebhookMessage:
    """What is posted for a notice."""
    incident, entry = notice.incident, notice.entry
    return WebhookMessage(
        kind=entry.kind.value,
        dedup_key=incident.id,
        idempotency_key=f"{incident.id}/{entry.key}",
        headline=headline(notice),
        text=message_text(notice),
        news="\n".join(line for line in map(clean, entry.text.splitlines()) if line),
        command=command_of(incident),
        links=links_of(incident),
        incident=_summary(incident),
    )


def _summary(incident: Incident) -> WebhookIncident:
    actor = incident.actor
    return WebhookIncident(
        id=incident.id,
        state=incident.state.value,
        title=clean(incident.title),
        verdict=incident.verdict.value,
        severity=incident.severity.value,
        account=incident.account,
        region=incident.region,
        opened_at=incident.opened_at,
        resource=_resource(incident.subject),
        actor=WebhookActor(label=clean(actor.label), kind=actor.kind, tool=clean(actor.tool)),
        events=tuple(
            WebhookEvent(id=clean(note.id), name=note.name, time=note.time, error_code=clean(note.error_code))
            for note in incident.events
        ),
        members=tuple(
            WebhookMember(
                title=clean(member.title),
                time=member.time,
                severity=member.severity.value,
                resource=_resource(member.subject),
            )
            for member in incident.members
        ),
        reasons=tuple(clean(reason) for reason in incident.reasons),
        recovery_points=tuple(
            WebhookRecoveryPoint(
                source=point.source,
                backup_id=point.backup_id,
                time=point.time,
                item_count=point.item_count,
                loss_seconds=point.loss_seconds,
            )
            for point in incident.recovery_points
        ),
        recovery_unknown=clean(incident.recovery_unknown),
    )


def _resource(subject: Subject) -> WebhookResource:
    return WebhookResource(
        type=subject.type,
        name=clean(subject.name),
        arn=clean(subject.arn),
        item_count=subject.item_count,
        size_bytes=subject.size_bytes,
    )
