"""An incoming webhook: the bot's messages, confirmed by Slack's "ok" alone, and an address that nobody gets to see."""

from __future__ import annotations

import logging
import socket
import traceback
from typing import TYPE_CHECKING

import pytest

from rules.errors import SafetyNetError, UnavailableError, UsageError
from tests.watcher.alerting import INCIDENT_ID, NIGHT, a_notice, an_incident
from watcher.alerts.notifier_slack_webhook import SlackWebhookNotifier
from watcher.alerts.slack_errors import SlackDeniedError, SlackRefusedError, SlackUnavailableError
from watcher.alerts.slack_message import opened_message, thread_message
from watcher.incidents.incident import NoticeKind
from watcher.testing.http_sink import HttpSink, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.alerts.notifier import Notifier

PATH = "/services/T0/B0/very-secret"


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A Slack that says "ok"."""
    with HttpSink() as running:
        yield running


@pytest.fixture
def sleeps() -> list[float]:
    """The seconds that the notifier wanted to wait."""
    return []


@pytest.fixture
def notifier(sink: HttpSink, sleeps: list[float]) -> SlackWebhookNotifier:
    """Posts to the sink, and never really waits."""
    return SlackWebhookNotifier(sink.url + PATH, sleep=sleeps.append, timeout=5)


def test_it_is_a_notifier(notifier: SlackWebhookNotifier) -> None:
    """The adapter fits the port."""
    port: Notifier = notifier
    assert port.name == "slack-webhook"


def test_an_alert_is_the_bots_message(sink: HttpSink, notifier: SlackWebhookNotifier) -> None:
    """The same blocks and the same text; nothing that only the Web API knows."""
    reference = notifier.send(a_notice())
    (request,) = sink.received
    message = opened_message(an_incident())
    assert request.path == PATH
    assert request.document == {
        "text": message.text,
        "blocks": list(message.blocks),
        "unfurl_links": False,
    }
    assert reference == {"message": f"{INCIDENT_ID}/oncall:opened"}


def test_news_are_messages_that_name_the_incident(sink: HttpSink, notifier: SlackWebhookNotifier) -> None:
    """There is no thread to put them into."""
    notice = a_notice(NoticeKind.RECOVERED, text="orders is back")
    notifier.send(notice)
    message = thread_message(notice.incident, notice.entry)
    assert sink.received[0].document["blocks"] == list(message.blocks)
    assert INCIDENT_ID in str(message.blocks)
    assert "thread_ts" not in sink.received[0].document


def test_an_escalation_tells_the_whole(sink: HttpSink, notifier: SlackWebhookNotifier) -> None:
    """Whoever reads it may not have heard of the incident, and there is no thread to read up in."""
    notifier.send(a_notice(NoticeKind.ESCALATED, text="Nobody has\nacknowledged <this>."))
    why, *blocks = sink.received[0].document["blocks"]
    assert why["text"]["text"] == "Nobody has acknowledged &lt;this&gt;."
    assert blocks == list(opened_message(an_incident()).blocks)
    assert sink.received[0].document["text"].startswith("Nobody has acknowledged &lt;this&gt;. | ")


def test_throttling_is_waited_for(
    sink: HttpSink, notifier: SlackWebhookNotifier, sleeps: list[float]
) -> None:
    """The SDK hands a 429 back as an answer: it is not taken for one that confirms."""
    sink.reply_next(Reply(429, b"rate_limited", {"Retry-After": "7"}))
    notifier.send(a_notice())
    assert sleeps == [7.0]
    assert len(sink.received) == 2


def test_a_long_wait_is_left_to_the_outbox(sink: HttpSink, notifier: SlackWebhookNotifier) -> None:
    """Others wait behind it."""
    sink.reply_next(Reply(429, b"", {"Retry-After": "60"}))
    with pytest.raises(SlackUnavailableError) as error:
        notifier.send(a_notice())
    assert error.value.retry_after == 60
    assert len(sink.received) == 1


@pytest.mark.parametrize("reply", [Reply(500, b"rollup_error"), Reply(503), Reply(lost=True)])
def test_what_passes_is_tried_again(sink: HttpSink, notifier: SlackWebhookNotifier, reply: Reply) -> None:
    """An alert twice is better than none."""
    sink.reply_next(reply)
    notifier.send(a_notice())
    assert len(sink.received) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>log in</html>"),
        Reply(200, b""),
        Reply(302, headers={"Location": "/elsewhere"}, body=b""),
        Reply(200, b"\xff\xfe", {"Content-Type": "text/plain; charset=utf-8"}),
        Reply(200, b"ok", {"Content-Type": "text/plain; charset=klingon"}),
    ],
    ids=["portal", "empty", "redirect", "bytes", "charset"],
)
def test_only_slack_confirms(sink: HttpSink, notifier: SlackWebhookNotifier, reply: Reply) -> None:
    """Whatever is not Slack's "ok" was not sent."""
    sink.usual = reply
    with pytest.raises(UnavailableError):
        notifier.send(a_notice())


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "action_prohibited", "admin"),
        (403, "invalid_token", "incoming webhook"),
        (404, "channel_not_found", "incoming webhook"),
        (404, "no_service", "incoming webhook"),
        (404, "no_team", "incoming webhook"),
        (410, "channel_is_archived", "archived"),
    ],
)
def test_a_webhook_that_is_gone_is_told(
    sink: HttpSink, notifier: SlackWebhookNotifier, status: int, code: str, hint: str
) -> None:
    """What no retry mends is an access error that says what to do, at once."""
    sink.usual = Reply(status, code.encode())
    with pytest.raises(SlackDeniedError, match=code) as error:
        notifier.send(a_notice())
    assert hint in error.value.hint
    assert len(sink.received) == 1


def test_refused_blocks_go_out_as_text(sink: HttpSink, notifier: SlackWebhookNotifier) -> None:
    """A plain alert is an alert."""
    sink.reply_next(Reply(400, b"invalid_blocks"))
    notifier.send(a_notice())
    assert "blocks" not in sink.received[1].document
    assert "Table deleted: orders" in sink.received[1].document["text"]


def test_another_refusal_is_told(sink: HttpSink, notifier: SlackWebhookNotifier) -> None:
    """By Slack's own word."""
    sink.usual = Reply(400, b"invalid_payload")
    with pytest.raises(SlackRefusedError, match="invalid_payload"):
        notifier.send(a_notice())
    assert len(sink.received) == 1


@pytest.mark.parametrize(
    "reply", [Reply(), Reply(lost=True), Reply(500, PATH.encode()), Reply(404, b"no_service")]
)
def test_the_address_is_in_no_log_and_no_error(
    sink: HttpSink, sleeps: list[float], caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    """Whoever knows it can post: the SDK logs it, and must not, even when everything is logged."""
    caplog.set_level(logging.DEBUG)
    for name in ("", "slack_sdk", "slack_sdk.webhook", "watcher.alerts.notifier_slack_webhook"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    sink.usual = reply
    told = ""
    try:
        SlackWebhookNotifier(sink.url + PATH, sleep=sleeps.append).send(a_notice(earlier_attempt=NIGHT))
    except SafetyNetError:
        told = traceback.format_exc()
    assert "may come twice" in caplog.text
    assert "very-secret" not in caplog.text + told


def test_nobody_there_is_unavailable(sleeps: list[float]) -> None:
    """After three tries."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        notifier = SlackWebhookNotifier(
            f"http://127.0.0.1:{taken.getsockname()[1]}{PATH}", sleep=sleeps.append
        )
        with pytest.raises(SlackUnavailableError, match="cannot be reached"):
            notifier.send(a_notice())
    assert len(sleeps) == 2


def test_a_bad_address_is_refused_without_being_shown() -> None:
    """It is a usage error that says where to get a good one."""
    with pytest.raises(UsageError, match="write https") as error:
        SlackWebhookNotifier("hooks.slack.com/services/very-secret")
    assert "very-secret" not in f"{error.value} {error.value.hint}"


def test_nothing_is_brought_up_to_date(sink: HttpSink, notifier: SlackWebhookNotifier) -> None:
    """A webhook cannot change what it has posted."""
    notifier.refresh(an_incident(), {})
    assert sink.received == []
