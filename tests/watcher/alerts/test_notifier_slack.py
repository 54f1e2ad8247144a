"""One alert is one visible message on Slack, whatever the network does in between."""

from __future__ import annotations

import inspect
import logging
import socket
from datetime import UTC, datetime, timedelta
from http.client import IncompleteRead
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest
import slack_sdk.errors
import slack_sdk.http_retry.handler
from slack_sdk.web import SlackResponse

import watcher.alerts.notifier_slack
from rules.errors import AccessDeniedError, SafetyNetError, UnavailableError, UsageError
from rules.verdicts import Severity, VerdictKind
from watcher.alerts.notifier import Notice, Notifier
from watcher.alerts.notifier_slack import EVENT_TYPE, MAX_ATTEMPTS, SlackNotifier
from watcher.alerts.slack_client import BoundedRateLimitRetryHandler, posting_client, reading_client
from watcher.alerts.slack_errors import (
    SlackDeniedError,
    SlackRefusedError,
    SlackUnavailableError,
    slack_errors,
)
from watcher.incidents.incident import (
    EventNote,
    Incident,
    IncidentState,
    NoticeKind,
    OutboxEntry,
    Person,
    Subject,
)
from watcher.testing.slack import BOT_ID, TOKEN, Fault, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHANNEL = "C0ALERTS"
INCIDENT_ID = "20261123T031207Z-orders-1a2b3c4d"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A running stand-in."""
    with SlackStandIn() as standin:
        yield standin


@pytest.fixture(autouse=True)
def _slack_sdk_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack-sdk's own handlers, which repeat calls that read, wait seconds in between and cannot be told not to."""
    monkeypatch.setattr(slack_sdk.http_retry.handler, "time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def sleeps() -> list[float]:
    """The seconds that the notifier wanted to wait."""
    return []


@pytest.fixture
def notifier(slack: SlackStandIn, sleeps: list[float]) -> SlackNotifier:
    """A notifier that posts to the stand-in and never really waits."""
    return SlackNotifier(TOKEN, CHANNEL, slack.base_url, sleep=sleeps.append)


def an_incident(name: str = "orders", state: IncidentState = IncidentState.OPEN) -> Incident:
    """A deleted table."""
    now = datetime.now(UTC)
    return Incident(
        id=INCIDENT_ID,
        state=state,
        title="Table deleted",
        verdict=VerdictKind.ACCIDENTAL,
        severity=Severity.CRITICAL,
        account="123456789012",
        region="eu-west-1",
        subject=Subject(type="table", name=name),
        actor=Person(label="developer", kind="iam-user"),
        events=(EventNote(id="e1", name="DeleteTable", time=now, received=now),),
        opened_at=now,
        recover_command=f"safetynet recover {INCIDENT_ID}",
    )


def a_notice(
    kind: NoticeKind = NoticeKind.OPENED,
    *,
    earlier_attempt: datetime | None = None,
    thread: Mapping[str, str] | None = None,
    created: datetime | None = None,
) -> Notice:
    """A message that is owed."""
    entry = OutboxEntry(
        key=kind.value, notifier="slack", kind=kind, text="details", created_at=created or datetime.now(UTC)
    )
    return Notice(an_incident(), entry, earlier_attempt, thread)


def test_it_is_a_notifier(notifier: SlackNotifier) -> None:
    """The adapter fits the port."""
    port: Notifier = notifier
    assert port.name == "slack"


def test_a_message_is_posted_with_its_metadata(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """The reference is Slack's channel id and ts; the metadata names incident and entry."""
    reference = notifier.send(a_notice())
    (message,) = slack.visible(CHANNEL)
    assert reference == {"channel": CHANNEL, "ts": message.ts}
    assert message.blocks[0]["text"]["text"] == "🚨 Table deleted: orders"
    payload = {"incident_id": INCIDENT_ID, "entry": "opened"}
    assert message.metadata == {"event_type": EVENT_TYPE, "event_payload": payload}
    assert slack.calls == {"chat.postMessage": 1}


def test_a_throttled_post_waits_as_long_as_slack_says(
    slack: SlackStandIn, notifier: SlackNotifier, sleeps: list[float]
) -> None:
    """A 429 did nothing: wait Retry-After, post once, look for nothing."""
    slack.fail_next(Fault.rate_limited(retry_after=7), method="chat.postMessage")
    notifier.send(a_notice())
    assert len(slack.visible(CHANNEL)) == 1
    assert sleeps == [7.0]
    assert slack.calls == {"chat.postMessage": 2}


@pytest.mark.parametrize("fault", [Fault.server_error(), Fault.refused(), Fault.error("service_unavailable")])
def test_a_post_that_failed_is_repeated(slack: SlackStandIn, notifier: SlackNotifier, fault: Fault) -> None:
    """A 5xx or a broken connection that did nothing ends in one message, after a look for it."""
    slack.fail_next(fault, method="chat.postMessage")
    reference = notifier.send(a_notice())
    assert [message.ts for message in slack.visible(CHANNEL)] == [reference["ts"]]
    assert (slack.calls["chat.postMessage"], slack.calls["conversations.history"]) == (2, 1)


def test_a_lost_answer_makes_no_second_message(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """The message that was posted is found by its metadata, and is the confirmed one."""
    slack.fail_next(Fault.lost_answer(), method="chat.postMessage")
    reference = notifier.send(a_notice())
    assert [message.ts for message in slack.visible(CHANNEL)] == [reference["ts"]]
    assert slack.calls["chat.postMessage"] == 1


def test_a_late_answer_makes_no_second_message(slack: SlackStandIn, sleeps: list[float]) -> None:
    """A time-out is a lost answer too."""
    slack.fail_next(Fault.late_answer(5), method="chat.postMessage")
    SlackNotifier(TOKEN, CHANNEL, slack.base_url, sleep=sleeps.append, timeout=1).send(a_notice())
    assert len(slack.visible(CHANNEL)) == 1


def test_a_chain_of_faults_still_makes_one_message(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """Failures of the look itself are retried, not taken for an answer."""
    slack.fail_next(Fault.lost_answer(), method="chat.postMessage")
    slack.fail_next(Fault.server_error(), method="auth.test")
    slack.fail_next(Fault.refused(), method="conversations.history")
    slack.fail_next(Fault.rate_limited(), method="conversations.history")
    notifier.send(a_notice())
    assert (len(slack.visible(CHANNEL)), slack.calls["chat.postMessage"]) == (1, 1)


def test_a_restart_finds_what_was_posted_before(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """With an earlier attempt the message is looked for first, beyond one page of other people's talk."""
    created = datetime.now(UTC)
    posted = notifier.send(a_notice(created=created))
    for number in range(205):
        slack.add_message(CHANNEL, f"talk {number}")
    # A later attempt that crashed must not hide what the first one posted.
    crashed = created + timedelta(hours=1)
    again = SlackNotifier(TOKEN, CHANNEL, slack.base_url, sleep=lambda _: None)
    assert again.send(a_notice(earlier_attempt=crashed, created=created)) == posted
    assert (slack.calls["chat.postMessage"], slack.calls["conversations.history"]) == (1, 2)


def test_a_restart_posts_what_was_not_posted_before(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """Another incident's or entry's message is not taken for this one."""
    notifier.send(a_notice(NoticeKind.RECOVERED))
    notifier.send(a_notice(earlier_attempt=datetime.now(UTC)))
    assert len(slack.visible(CHANNEL)) == 2


def test_somebody_elses_metadata_silences_nothing(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """A message of another app that carries our metadata is not our message."""
    payload = {"incident_id": INCIDENT_ID, "entry": "opened"}
    slack.add_message(
        CHANNEL, "nothing to see", metadata={"event_type": EVENT_TYPE, "event_payload": payload}
    )
    reference = notifier.send(a_notice(earlier_attempt=datetime.now(UTC)))
    (ours,) = [message for message in slack.visible(CHANNEL) if message.bot_id == BOT_ID]
    assert reference["ts"] == ours.ts


def test_a_reply_goes_into_its_thread_once(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """A lost answer in a thread is looked up in the thread."""
    thread = notifier.send(a_notice())
    slack.fail_next(Fault.lost_answer(), method="chat.postMessage")
    reference = notifier.send(a_notice(NoticeKind.RECOVERED, thread=thread))
    assert [message.ts for message in slack.replies(CHANNEL, thread["ts"])] == [reference["ts"]]
    assert len(slack.visible(CHANNEL)) == 1
    assert slack.calls["conversations.replies"] == 1


def test_a_reply_without_its_thread_goes_to_the_channel(
    slack: SlackStandIn, notifier: SlackNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the opening message was deleted, people are told in the channel, and once."""
    gone = {"channel": CHANNEL, "ts": "1.000000"}
    slack.fail_next(Fault.error("thread_not_found"), method="chat.postMessage")
    slack.fail_next(Fault.lost_answer(), method="chat.postMessage")
    reference = notifier.send(a_notice(NoticeKind.RECOVERED, thread=gone))
    assert [message.ts for message in slack.visible(CHANNEL)] == [reference["ts"]]
    assert "sending it without thread_ts" in caplog.text


def test_refresh_updates_the_message_in_place(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    """The header turns with the state; the metadata stays; failures on the way are retried."""
    reference = notifier.send(a_notice())
    for fault in (Fault.rate_limited(), Fault.lost_answer(), Fault.server_error()):
        slack.fail_next(fault, method="chat.update")
    notifier.refresh(an_incident(state=IncidentState.RECOVERED), reference)
    (message,) = slack.visible(CHANNEL)
    assert message.blocks[0]["text"]["text"] == "✅ Recovered: orders"
    assert message.metadata is not None
    assert slack.calls["chat.update"] == 4


def test_refresh_lets_a_deleted_message_go(
    slack: SlackStandIn, notifier: SlackNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that somebody deleted is no reason to fail for ever; another refusal is an error."""
    reference = {"channel": CHANNEL, "ts": "1.000000"}
    notifier.refresh(an_incident(), reference)
    assert "no longer on Slack" in caplog.text
    slack.fail_next(Fault.error("msg_too_long"))
    with pytest.raises(SlackRefusedError, match="msg_too_long"):
        notifier.refresh(an_incident(), reference)


@pytest.mark.parametrize("code", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"])
def test_blocks_that_slack_refuses_do_not_lose_the_alert(
    slack: SlackStandIn, notifier: SlackNotifier, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """The same alert goes out as plain text, with its command and its metadata."""
    slack.fail_next(Fault.error(code), method="chat.postMessage")
    reference = notifier.send(a_notice())
    (message,) = slack.visible(CHANNEL)
    assert (message.blocks, message.metadata is not None) == ((), True)
    assert f"safetynet recover {INCIDENT_ID}" in message.text
    assert "sending it without blocks" in caplog.text
    slack.fail_next(Fault.error(code), method="chat.update")
    notifier.refresh(an_incident("x" * 5000, IncidentState.RECOVERED), reference)
    assert slack.visible(CHANNEL)[0].text.startswith("✅ Recovered: xxx")


def test_metadata_that_slack_refuses_does_not_lose_the_alert(
    slack: SlackStandIn, notifier: SlackNotifier
) -> None:
    """Blocks and metadata can go one after the other; then the refusal is an error."""
    for code in ("metadata_must_be_sent_from_app", "invalid_blocks"):
        slack.fail_next(Fault.error(code))
    notifier.send(a_notice())
    (message,) = slack.visible(CHANNEL)
    assert (message.blocks, message.metadata) == ((), None)
    for _ in range(2):
        slack.fail_next(Fault.error("invalid_blocks"))
    with pytest.raises(SlackRefusedError) as refused:
        notifier.send(a_notice())
    assert refused.value.code == "invalid_blocks"


@pytest.mark.parametrize("fault", [Fault.server_error(), Fault.refused(), Fault.rate_limited(retry_after=2)])
def test_a_send_gives_up_in_bounded_time(
    slack: SlackStandIn, notifier: SlackNotifier, sleeps: list[float], fault: Fault
) -> None:
    """After five tries, each with one of slack-sdk's own on a 429, the outbox waits instead."""
    for _ in range(2 * MAX_ATTEMPTS):
        slack.fail_next(fault)
    with pytest.raises(UnavailableError) as failed:
        notifier.send(a_notice())
    assert MAX_ATTEMPTS - 1 <= len(sleeps) < 2 * MAX_ATTEMPTS
    assert slack.messages == []
    assert max(sleeps) <= 10
    assert "later" in failed.value.hint


def test_a_long_retry_after_is_left_to_the_outbox(
    slack: SlackStandIn, notifier: SlackNotifier, sleeps: list[float]
) -> None:
    """A wait that would outlast the sender's claim on the message is not begun."""
    slack.fail_next(Fault.rate_limited(retry_after=61))
    with pytest.raises(SlackUnavailableError) as failed:
        notifier.send(a_notice())
    assert (sleeps, failed.value.retry_after, failed.value.maybe_done) == ([], 61.0, False)
    slack.fail_next(Fault.rate_limited(retry_after=120))
    with pytest.raises(UnavailableError):
        notifier.refresh(an_incident(), {"channel": CHANNEL, "ts": "1.000000"})
    assert sleeps == []


@pytest.mark.parametrize("code", ["missing_scope", "not_in_channel", "channel_not_found"])
def test_without_history_an_alert_twice_is_better_than_none(
    slack: SlackStandIn, notifier: SlackNotifier, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """Where the channel cannot be read the message is sent, and the log says what to do about it."""
    slack.fail_next(Fault.error(code), method="conversations.history")
    notifier.send(a_notice(earlier_attempt=datetime.now(UTC)))
    assert len(slack.visible(CHANNEL)) == 1
    assert f"({code}): after a lost answer an alert may come twice." in caplog.text


def test_a_channel_name_can_be_posted_to_but_not_looked_up(
    slack: SlackStandIn, sleeps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Slack takes a name for posting only; the check warns of it beforehand."""
    notifier = SlackNotifier(TOKEN, "#dynamodb-alerts", slack.base_url, sleep=sleeps.append)
    notifier.check()
    assert "Set the channel's id" in caplog.text
    assert notifier.send(a_notice())["channel"] == CHANNEL


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("invalid_auth", "token"),
        ("not_authed", "token"),
        ("account_inactive", "removed"),
        ("token_revoked", "uninstalled"),
        ("token_of_a_new_kind", "token"),
        ("channel_not_found", "/invite"),
        ("not_in_channel", "/invite"),
        ("is_archived", "archived"),
        ("missing_scope", "chat:write"),
        ("restricted_action", "admin"),
    ],
)
def test_a_refused_caller_is_told_what_to_do(
    slack: SlackStandIn, notifier: SlackNotifier, sleeps: list[float], code: str, hint: str
) -> None:
    """Token, channel and scope faults are AccessDeniedError at once, each with its hint."""
    slack.fail_next(Fault.error(code))
    with pytest.raises(AccessDeniedError, match=code) as denied:
        notifier.send(a_notice())
    assert hint in denied.value.hint
    assert sleeps == []


def test_a_wrong_token_and_a_wrong_channel_fail_the_check(slack: SlackStandIn) -> None:
    """The check asks Slack anew each time, and passes when all is well."""
    good = SlackNotifier(TOKEN, CHANNEL, slack.base_url)
    good.check()
    good.check()
    assert slack.calls["auth.test"] == 2
    with pytest.raises(SlackDeniedError, match="invalid_auth"):
        SlackNotifier("xoxb-wrong", CHANNEL, slack.base_url).check()
    with pytest.raises(SlackDeniedError, match="channel_not_found"):
        SlackNotifier(TOKEN, "C0OTHER", slack.base_url).check()
    with pytest.raises(SlackDeniedError, match="channel_not_found"):
        SlackNotifier(TOKEN, "C0OTHER", slack.base_url).send(a_notice())


def test_nobody_listening_is_unavailable(sleeps: list[float]) -> None:
    """A refused connection, and a name that does not resolve, are UnavailableError."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    notifier = SlackNotifier(TOKEN, CHANNEL, f"http://127.0.0.1:{port}/api/", sleep=sleeps.append)
    for call in (notifier.check, lambda: notifier.send(a_notice())):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            call()


def raised(error: Exception) -> SafetyNetError:
    """What ``slack_errors`` makes of an error."""
    with pytest.raises(SafetyNetError) as caught, slack_errors():
        raise error
    return caught.value


def refusal(status: int, data: Any, headers: Mapping[str, str]) -> SafetyNetError:
    """What ``slack_errors`` makes of an answer that slack-sdk did not take for a success."""
    response = SlackResponse(
        client=None,
        http_verb="POST",
        api_url="",
        req_args={},
        data=data,
        headers=dict(headers),
        status_code=status,
    )
    with pytest.raises(SafetyNetError) as caught, slack_errors():
        response.validate()  # type: ignore[no-untyped-call]  # slack-sdk left it without types
    return caught.value


@pytest.mark.parametrize(
    "error", [URLError("down"), TimeoutError(), ConnectionResetError(), IncompleteRead(b""), OSError("tls")]
)
def test_every_error_of_the_network_is_unavailable(error: Exception) -> None:
    """After each of them the call may have been done."""
    translated = raised(error)
    assert isinstance(translated, SlackUnavailableError)
    assert translated.maybe_done


def test_every_error_of_slack_sdk_is_translated() -> None:
    """Fails when slack-sdk gains an error that would slip through."""
    classes = [
        kind
        for _, kind in inspect.getmembers(slack_sdk.errors, inspect.isclass)
        if issubclass(kind, Exception) and not issubclass(kind, slack_sdk.errors.SlackApiError)
    ]
    assert len(classes) > 5
    for kind in classes:
        arguments = [None] if issubclass(kind, slack_sdk.errors.SlackTokenRotationError) else []
        assert type(raised(kind(*arguments))) is SafetyNetError


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (200, {"ok": False, "error": "Received a response in a non-JSON format: <html>"}, UnavailableError),
        (403, {"ok": False, "error": "Received a response in a non-JSON format: <html>"}, UnavailableError),
        (200, [], UnavailableError),
        (502, {"ok": False, "error": "Received a response in a non-JSON format: <html>"}, UnavailableError),
        (200, {"ok": False, "error": "fatal_error"}, UnavailableError),
        (200, {"ok": False, "error": "brand_new_error"}, SlackRefusedError),
        (200, {"ok": False, "error": "missing_scope", "needed": "channels:history"}, AccessDeniedError),
    ],
)
def test_answers_that_are_no_success_are_told_apart(status: int, data: Any, kind: type[Exception]) -> None:
    """A proxy's page, a failing Slack, a refusal, an unknown code: each has its family."""
    assert isinstance(refusal(status, data, {}), kind)


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("1.5", 1.5), ("soon", 1.0), (None, 1.0)])
def test_retry_after_is_read_with_care(header: str | None, seconds: float) -> None:
    """Whatever the header holds, there is a number of seconds to wait."""
    headers = {} if header is None else {"retry-after": header}
    error = refusal(429, {"ok": False, "error": "ratelimited"}, headers)
    assert isinstance(error, SlackUnavailableError)
    assert error.retry_after == seconds


def test_the_token_is_never_shown(slack: SlackStandIn, caplog: pytest.LogCaptureFixture) -> None:
    """Neither logs at their loudest nor errors hold it, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    secret = "xoxb-very-secret"
    notifier = SlackNotifier(secret, CHANNEL, slack.base_url, sleep=lambda _: None)
    seen = []
    for fault in (
        Fault.error("invalid_auth"),
        Fault.server_error(),
        Fault.refused(),
        Fault.error("fatal_error"),
    ):
        for _ in range(MAX_ATTEMPTS if fault.code != "invalid_auth" else 1):
            slack.fail_next(fault)
        with pytest.raises(SafetyNetError) as failed:
            notifier.send(a_notice())
        seen += [str(failed.value), failed.value.hint, repr(failed.value)]
    with pytest.raises(UsageError) as unusable:
        SlackNotifier(f"{secret}\nx", CHANNEL)
    seen.append(str(unusable.value))
    assert secret not in caplog.text + "".join(seen)


@pytest.mark.parametrize("token", ["", " ", "xoxb a", "xoxb-\u00e9"])
def test_a_token_that_is_none_is_a_usage_error(token: str) -> None:
    """What no header can carry is refused before any call."""
    with pytest.raises(UsageError, match="token"):
        SlackNotifier(token, CHANNEL)


@pytest.mark.parametrize("address", ["http://[", "file:///etc/"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    """A wrong base URL is an error of ours, never a bare one of urllib or slack-sdk."""
    with pytest.raises(SafetyNetError):
        SlackNotifier(TOKEN, CHANNEL, address).check()


def test_only_reading_calls_are_repeated_by_slack_sdk() -> None:
    """A broken connection or a 5xx may hide a post that was done: its client repeats 429 alone."""
    posting, reading = (make(TOKEN, None, lambda _: None) for make in (posting_client, reading_client))
    repeated = {type(handler).__name__ for handler in reading.retry_handlers}
    assert [type(handler) for handler in posting.retry_handlers] == [BoundedRateLimitRetryHandler]
    assert repeated >= {"ConnectionErrorRetryHandler", "ServerErrorRetryHandler"}


def test_the_proxy_of_the_environment_knows_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY is heeded, which slack-sdk alone does not do."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert posting_client(TOKEN, None, lambda _: None).proxy == "http://proxy.example:3128"
    assert posting_client(TOKEN, "http://127.0.0.1:1/api/", lambda _: None).proxy is None


def test_a_search_gives_up_after_many_pages(
    slack: SlackStandIn,
    notifier: SlackNotifier,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A channel without end is not read to its end; the alert is sent."""
    monkeypatch.setattr(watcher.alerts.notifier_slack, "PAGE_SIZE", 1)
    for _ in range(60):
        slack.add_message(CHANNEL, "talk")
    notifier.send(a_notice(earlier_attempt=datetime.now(UTC)))
    assert "gave up" in caplog.text
    assert slack.calls["conversations.history"] == watcher.alerts.notifier_slack.MAX_PAGES
