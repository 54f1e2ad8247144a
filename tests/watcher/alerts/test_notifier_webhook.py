"""A webhook's receiver can trust what it gets, tell repetitions apart, and rely on its form."""

from __future__ import annotations

import hashlib
import hmac
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rules.errors import UnavailableError, UsageError
from rules.verdicts import Severity, VerdictKind
from tests.watcher.alerting import INCIDENT_ID, NIGHT, a_notice, an_incident
from watcher.alerts.http_posting import PostDeniedError, PostRefusedError, PostUnavailableError
from watcher.alerts.notifier_webhook import WebhookMessage, WebhookNotifier, signature_of, webhook_message
from watcher.incidents.incident import Member, NoticeKind, Person, Subject
from watcher.testing.http_sink import HttpSink, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.watcher.watching import Clockwork
    from watcher.alerts.notifier import Notifier

SECRET = "a-shared-secret"


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A receiver."""
    with HttpSink() as running:
        yield running


@pytest.fixture
def notifier(sink: HttpSink, clock: Clockwork) -> WebhookNotifier:
    """Posts to the receiver, signed."""
    return a_notifier(sink, clock, secret=SECRET)


def a_notifier(sink: HttpSink, clock: Clockwork, **more: Any) -> WebhookNotifier:
    """A notifier that never really waits."""
    return WebhookNotifier(f"{sink.url}/hooks/very-secret", clock=clock, sleep=clock.sleep, **more)


def test_it_is_a_notifier(notifier: WebhookNotifier) -> None:
    """The adapter fits the port, and goes by the name it was given."""
    port: Notifier = notifier
    assert port.name == "webhook"


def test_the_body_is_the_documented_message(sink: HttpSink, notifier: WebhookNotifier) -> None:
    """Version, kind, keys, texts, command, links and the incident as it is."""
    reference = notifier.send(a_notice(text="news"))
    (request,) = sink.received
    body = request.document
    assert WebhookMessage.model_validate(body) == webhook_message(a_notice(text="news"))
    assert request.headers["content-type"] == "application/json"
    assert (body["version"], body["kind"], body["news"]) == (1, "opened", "news")
    assert body["headline"] == "CRITICAL: Table deleted: orders"
    assert body["text"].startswith(body["headline"])
    assert body["command"] == f"safetynet recover {INCIDENT_ID}"
    assert body["links"]["CloudTrail event"].startswith("https://")
    assert body["incident"]["opened_at"] == "2026-11-23T03:12:07Z"
    assert body["incident"]["resource"]["name"] == "orders"
    assert body["incident"]["recovery_points"][0]["loss_seconds"] == 3600
    assert reference == {"idempotency_key": body["idempotency_key"]}


def test_all_that_was_hit_is_posted(sink: HttpSink, notifier: WebhookNotifier) -> None:
    """Of a cause with several changes each is there, with its resource."""
    lost = Member(
        id="x",
        title="Table deleted",
        time=NIGHT,
        who="developer",
        change="table-deleted",
        weight="destructive",
        failed=False,
        severity=Severity.HIGH,
        verdict=VerdictKind.ACCIDENTAL,
        subject=Subject(type="table", name="carts", item_count=7),
    )
    notifier.send(a_notice(incident=an_incident(members=(lost,))))
    body = sink.received[0].document
    assert body["headline"] == "CRITICAL: 2 tables deleted: orders, carts"
    (member,) = body["incident"]["members"]
    assert (member["title"], member["severity"]) == ("Table deleted", "high")
    assert member["resource"] == {
        "type": "table", "name": "carts", "arn": "", "item_count": 7, "size_bytes": None,
    }  # fmt: skip


def test_the_content_of_events_stays_here(sink: HttpSink, notifier: WebhookNotifier) -> None:
    """Of an event its id, name, time and error are posted, and nothing of what its record holds."""
    notifier.send(a_notice())
    (request,) = sink.received
    assert request.document["incident"]["events"] == [
        {"id": "7c3c6f9e", "name": "DeleteTable", "time": "2026-11-23T03:12:07Z", "error_code": ""}
    ]
    assert b"raw-content" not in request.body


def test_the_signature_proves_sender_and_time(
    sink: HttpSink, notifier: WebhookNotifier, clock: Clockwork
) -> None:
    """It is the HMAC-SHA256 of the time in seconds, a dot and the body as it was sent."""
    notifier.send(a_notice())
    (request,) = sink.received
    timestamp = request.headers["x-safetynet-timestamp"]
    assert timestamp == str(int(clock.now.timestamp()))
    signed = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-safetynet-signature"] == f"v1={signed}"


def test_the_signature_depends_on_all_that_it_covers() -> None:
    """Another secret, time or body gives another one; a known value holds the form."""
    known = signature_of("secret", "1790000000", b"{}")
    assert known == "v1=" + hmac.new(b"secret", b"1790000000.{}", "sha256").hexdigest()
    others = {
        signature_of("Secret", "1790000000", b"{}"),
        signature_of("secret", "1790000001", b"{}"),
        signature_of("secret", "1790000000", b"{ }"),
    }
    assert len(others | {known}) == 4


def test_without_a_secret_nothing_is_signed(sink: HttpSink, clock: Clockwork) -> None:
    """A signature that anybody could make would only look like one."""
    a_notifier(sink, clock).send(a_notice())
    assert "x-safetynet-signature" not in sink.received[0].headers


def test_a_lost_answer_is_repeated_under_the_same_key(
    sink: HttpSink, notifier: WebhookNotifier, clock: Clockwork
) -> None:
    """The receiver sees the message twice and can know it, and each try is signed anew, for old ones may be refused."""
    sink.reply_next(Reply(lost=True))
    notifier.send(a_notice(key="hook:opened"))
    first, second = sink.received
    assert (
        first.headers["idempotency-key"] == second.headers["idempotency-key"] == f"{INCIDENT_ID}/hook:opened"
    )
    assert first.body == second.body
    assert first.headers["x-safetynet-timestamp"] <= second.headers["x-safetynet-timestamp"]
    assert len(clock.slept) == 1


def test_each_message_has_a_key_of_its_own(sink: HttpSink, notifier: WebhookNotifier) -> None:
    """News of the same kind are no repetitions; what belongs together has one dedup key."""
    for key in ("hook:recovered:20261123T031500", "hook:recovered:20261123T041500"):
        notifier.send(a_notice(NoticeKind.RECOVERED, key=key))
    first, second = (request.document for request in sink.received)
    assert first["idempotency_key"] != second["idempotency_key"]
    assert first["dedup_key"] == second["dedup_key"] == INCIDENT_ID


def test_a_receiver_that_is_busy_is_waited_for(
    sink: HttpSink, notifier: WebhookNotifier, clock: Clockwork
) -> None:
    """As long as it asks for."""
    sink.reply_next(Reply(429, headers={"Retry-After": "7"}))
    notifier.send(a_notice())
    assert clock.slept == [7.0]
    assert clock.now - NIGHT > timedelta(seconds=7)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(500), PostUnavailableError),
        (Reply(503, headers={"Retry-After": "600"}), PostUnavailableError),
        (Reply(401), PostDeniedError),
        (Reply(404), PostRefusedError),
        (Reply(302, headers={"Location": "https://example.com/"}), PostRefusedError),
    ],
)
def test_what_was_not_taken_is_not_sent(
    sink: HttpSink, notifier: WebhookNotifier, reply: Reply, error: type[Exception]
) -> None:
    """Only a 2xx is a confirmation."""
    sink.usual = reply
    with pytest.raises(error):
        notifier.send(a_notice())


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_a_confirmation(sink: HttpSink, notifier: WebhookNotifier, status: int) -> None:
    """Whatever the receiver likes to answer with."""
    sink.reply_next(Reply(status, b""))
    assert notifier.send(a_notice())


def test_headers_of_the_settings_are_sent_and_never_shown(
    sink: HttpSink, clock: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    """Authorization reaches the receiver and no log, even if the receiver sends it back."""
    caplog.set_level(logging.DEBUG)
    notifier = a_notifier(sink, clock, secret=SECRET, headers={"Authorization": "Bearer key-of-mine"})
    sink.usual = Reply(500, f"Bearer key-of-mine {SECRET} /hooks/very-secret".encode())
    with pytest.raises(UnavailableError) as error:
        notifier.send(a_notice())
    assert sink.received[0].headers["authorization"] == "Bearer key-of-mine"
    for text in (caplog.text, str(error.value), error.value.hint):
        assert not any(secret in text for secret in ("key-of-mine", SECRET, "very-secret"))


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Safetynet-Signature": "v1=key-of-mine"},
        {"idempotency-key": "key-of-mine"},
        {"Host": "key-of-mine"},
        {"X Y": "key-of-mine"},
        {"X-Y": "key-of-mine\r\nX-Z: 1"},
        {"X-Y": "key-of-mine-ä"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused(
    sink: HttpSink, clock: Clockwork, headers: dict[str, str]
) -> None:
    """At once, in the settings' words, and without their values."""
    with pytest.raises(UsageError, match="header") as error:
        a_notifier(sink, clock, headers=headers)
    assert "key-of-mine" not in str(error.value)


def test_foreign_text_is_cleaned(sink: HttpSink, notifier: WebhookNotifier) -> None:
    """Names from events come on one line, with what cannot be seen made visible: receivers show them."""
    incident = an_incident(
        subject=Subject(type="table", name="or\u202eders"), actor=Person(label="a\n\x1bb", kind="iam-user")
    )
    notifier.send(a_notice(incident=incident))
    told = sink.received[0].document["incident"]
    assert (told["resource"]["name"], told["actor"]["label"]) == ("or\ufffdders", "a \ufffdb")


def test_nothing_is_brought_up_to_date(sink: HttpSink, notifier: WebhookNotifier) -> None:
    """What was posted stays as it was."""
    notifier.refresh(an_incident(), {})
    assert sink.received == []
