"""An incident is one alert in PagerDuty: opened, acknowledged and resolved once, and never for what is over."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from rules.errors import SafetyNetError, UnavailableError
from rules.verdicts import Severity
from tests.watcher.alerting import ARN, INCIDENT_ID, a_notice, an_event, an_incident
from watcher.alerts.http_posting import PostRefusedError, PostUnavailableError
from watcher.alerts.notifier_pagerduty import MAX_DEDUP_KEY, PagerDutyNotifier, dedup_key, event_action
from watcher.incidents.incident import IncidentState, NoticeKind, Subject
from watcher.testing.http_sink import HttpSink, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.alerts.notifier import Notifier

KEY = "0123456789abcdef0123456789abcdef"
ACCEPTED = Reply(
    202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": "x"}).encode()
)


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A PagerDuty that accepts."""
    with HttpSink(ACCEPTED) as running:
        yield running


@pytest.fixture
def sleeps() -> list[float]:
    """The seconds that the notifier wanted to wait."""
    return []


@pytest.fixture
def notifier(sink: HttpSink, sleeps: list[float]) -> PagerDutyNotifier:
    """Sends to the sink, and never really waits."""
    return PagerDutyNotifier(KEY, sink.url, sleep=sleeps.append)


def sent(sink: HttpSink) -> dict[str, Any]:
    """The only event that was sent."""
    (request,) = sink.received
    document = request.document
    assert isinstance(document, dict)
    return document


def test_it_is_a_notifier(notifier: PagerDutyNotifier) -> None:
    """The adapter fits the port."""
    port: Notifier = notifier
    assert port.name == "pagerduty"


def test_an_alert_says_what_who_and_what_to_type(sink: HttpSink, notifier: PagerDutyNotifier) -> None:
    """The event has the fields of the Events API v2, filled with what the one who is paged needs."""
    reference = notifier.send(a_notice())
    assert sink.received[0].path == "/v2/enqueue"
    event = sent(sink)
    details = event["payload"].pop("custom_details")
    message = details.pop("message")
    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": INCIDENT_ID,
        "client": "safetynet",
        "payload": {
            "summary": "CRITICAL: Table deleted: orders",
            "source": ARN,
            "severity": "critical",
            "timestamp": "2026-11-23T03:12:07+00:00",
            "component": "orders",
            "class": "table-deleted",
            "group": "unknown",
        },
        "links": [
            {
                "href": "https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/7c3c6f9e",
                "text": "CloudTrail event",
            }
        ],
    }
    assert details == {
        "to recover, run": f"safetynet recover {INCIDENT_ID}",
        "by": "developer",
        "account": "123456789012",
        "region": "eu-west-1",
        "verdict": "accidental",
        "incident": INCIDENT_ID,
    }
    assert message.startswith("CRITICAL: Table deleted: orders\nby developer")
    assert reference == {"dedup_key": INCIDENT_ID, "event_action": "trigger"}


@pytest.mark.parametrize(
    ("kind", "state", "action"),
    [
        (NoticeKind.OPENED, IncidentState.OPEN, "trigger"),
        (NoticeKind.OPENED, IncidentState.ACKNOWLEDGED, "trigger"),
        (NoticeKind.WORSE, IncidentState.OPEN, "trigger"),
        (NoticeKind.LEARNT, IncidentState.OPEN, "trigger"),
        (NoticeKind.ESCALATED, IncidentState.OPEN, "trigger"),
        (NoticeKind.RECOVERY_FAILED, IncidentState.OPEN, "trigger"),
        (NoticeKind.ACKNOWLEDGED, IncidentState.ACKNOWLEDGED, "acknowledge"),
        (NoticeKind.RECOVERING, IncidentState.RECOVERING, "acknowledge"),
        (NoticeKind.RECOVERED, IncidentState.RECOVERED, "resolve"),
        (NoticeKind.DISMISSED, IncidentState.DISMISSED, "resolve"),
    ],
)
def test_the_alert_follows_the_incident(
    sink: HttpSink, notifier: PagerDutyNotifier, kind: NoticeKind, state: IncidentState, action: str
) -> None:
    """Each kind of message does to the one alert what it means."""
    reference = notifier.send(a_notice(kind, an_incident(state=state), "news"))
    event = sent(sink)
    assert (event["event_action"], event["dedup_key"]) == (action, INCIDENT_ID)
    assert reference["event_action"] == action
    assert ("payload" in event) == (action == "trigger")


def test_every_kind_is_thought_of() -> None:
    """Only progress has nothing to say to a pager."""
    silent = [kind for kind in NoticeKind if not event_action(a_notice(kind))[0]]
    assert silent == [NoticeKind.PROGRESS]


def test_progress_is_confirmed_without_a_call(sink: HttpSink, notifier: PagerDutyNotifier) -> None:
    """It is settled, and the reference says why nothing was sent."""
    assert notifier.send(a_notice(NoticeKind.PROGRESS)) == {"skipped": "PagerDuty has no event for progress"}
    assert sink.received == []


@pytest.mark.parametrize("state", [IncidentState.RECOVERED, IncidentState.DISMISSED])
@pytest.mark.parametrize("kind", [NoticeKind.OPENED, NoticeKind.ESCALATED])
def test_nobody_is_woken_for_what_is_over(
    sink: HttpSink, notifier: PagerDutyNotifier, kind: NoticeKind, state: IncidentState
) -> None:
    """An alert that could not be sent before the incident's end is not sent after it."""
    assert "already" in notifier.send(a_notice(kind, an_incident(state=state)))["skipped"]
    assert sink.received == []


@pytest.mark.parametrize(
    ("severity", "told"),
    [
        (Severity.CRITICAL, "critical"),
        (Severity.HIGH, "error"),
        (Severity.MEDIUM, "warning"),
        (Severity.LOW, "info"),
        (Severity.INFO, "info"),
    ],
)
def test_severities(sink: HttpSink, notifier: PagerDutyNotifier, severity: Severity, told: str) -> None:
    """Ours in PagerDuty's words."""
    notifier.send(a_notice(incident=an_incident(severity=severity)))
    assert sent(sink)["payload"]["severity"] == told


def test_a_lost_answer_repeats_the_same_event(
    sink: HttpSink, notifier: PagerDutyNotifier, sleeps: list[float]
) -> None:
    """PagerDuty sees one dedup key twice, which is one alert."""
    sink.reply_next(Reply(lost=True))
    notifier.send(a_notice())
    first, second = sink.received
    assert first.body == second.body
    assert len(sleeps) == 1


def test_throttling_is_waited_for(sink: HttpSink, notifier: PagerDutyNotifier, sleeps: list[float]) -> None:
    """As long as it asks for, if that is short; otherwise the outbox waits."""
    sink.reply_next(Reply(429, headers={"Retry-After": "3"}))
    notifier.send(a_notice())
    assert sleeps == [3.0]
    sink.reply_next(Reply(429, headers={"Retry-After": "180"}))
    with pytest.raises(UnavailableError):
        notifier.send(a_notice())
    assert len(sink.received) == 3


def test_a_refusal_says_what_is_wrong(
    sink: HttpSink, notifier: PagerDutyNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    """PagerDuty's own words reach the person who set it up, and the key does not."""
    caplog.set_level(logging.DEBUG)
    said = {"status": "invalid event", "errors": ["Length of 'routing_key' is incorrect", f"got {KEY}"]}
    sink.reply_next(Reply(400, json.dumps(said).encode()))
    with pytest.raises(PostRefusedError, match="Length of 'routing_key' is incorrect") as error:
        notifier.send(a_notice())
    assert "Events API V2" in error.value.hint
    assert KEY not in f"{error.value} {error.value.hint} {caplog.text}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>log in</html>"),
        Reply(200, b'{"status": "success"}'),
        Reply(202, b"[]"),
        Reply(202, b'{"status": "invalid"}'),
    ],
)
def test_only_pagerduty_confirms(sink: HttpSink, notifier: PagerDutyNotifier, reply: Reply) -> None:
    """The friendly page of something in between does not count as sent."""
    sink.usual = reply
    with pytest.raises(PostUnavailableError, match="not PagerDuty answered"):
        notifier.send(a_notice())


def test_server_errors_are_unavailable(sink: HttpSink, notifier: PagerDutyNotifier) -> None:
    """After three tries."""
    sink.usual = Reply(500)
    with pytest.raises(UnavailableError):
        notifier.send(a_notice())
    assert len(sink.received) == 3


def test_long_ids_and_names_fit(sink: HttpSink, notifier: PagerDutyNotifier) -> None:
    """Ids beyond 255 characters get a key that is the same every time and differs from any other's."""
    name = "n" * 255
    long = f"20261123T031207Z-{name}-1a2b3c4d"
    other = f"20261123T031207Z-{name}-1a2b3c4e"
    incident = an_incident(id=long, subject=Subject(type="table", name=name), title="t" * 2000)
    notifier.send(a_notice(incident=incident))
    event = sent(sink)
    assert event["dedup_key"] == dedup_key(long) != dedup_key(other)
    assert len(event["dedup_key"]) <= MAX_DEDUP_KEY
    assert len(event["payload"]["summary"]) <= 1024


def test_the_stack_groups_alerts(sink: HttpSink, notifier: PagerDutyNotifier) -> None:
    """PagerDuty can group what one stack lost."""
    notifier.send(a_notice(incident=an_incident(events=(an_event(origin_stack="shop"),))))
    assert sent(sink)["payload"]["group"] == "shop"


def test_nothing_is_brought_up_to_date(sink: HttpSink, notifier: PagerDutyNotifier) -> None:
    """The events themselves move the alert."""
    notifier.refresh(an_incident(), {})
    assert sink.received == []


def test_an_address_in_the_clear_is_refused() -> None:
    """The routing key is in the body."""
    with pytest.raises(SafetyNetError, match="in the clear"):
        PagerDutyNotifier(KEY, "http://events.example.com")
