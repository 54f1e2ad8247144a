"""The local Slack answers slack-sdk's client as Slack does, and fails on demand."""

from __future__ import annotations

import threading
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from watcher.testing.slack import BOT_ID, TOKEN, Fault, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slack_sdk.web import SlackResponse

CHANNEL = "C0ALERTS"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A running stand-in."""
    with SlackStandIn() as standin:
        yield standin


@pytest.fixture
def client(slack: SlackStandIn) -> WebClient:
    """slack-sdk's own client, which repeats nothing."""
    return WebClient(token=TOKEN, base_url=slack.base_url, retry_handlers=[])


def error_of(call: Any, **arguments: Any) -> str:
    """The code with which Slack refuses the call."""
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    return str(caught.value.response.get("error"))


def listed(answer: SlackResponse) -> list[dict[str, Any]]:
    """The messages in an answer."""
    messages = answer.get("messages")
    assert isinstance(messages, list)
    return messages


def test_a_message_is_posted_and_read_back(slack: SlackStandIn, client: WebClient) -> None:
    """What was posted is what is listed, with a ts and the channel's id."""
    metadata = {"event_type": "x", "event_payload": {"id": "1"}}
    answer = client.chat_postMessage(channel="#dynamodb-alerts", text="hello", metadata=metadata)
    (message,) = slack.visible(CHANNEL)
    assert (answer.get("channel"), answer.get("ts")) == (CHANNEL, message.ts)
    assert (message.text, message.metadata, message.edited, message.bot_id) == (
        "hello",
        metadata,
        False,
        BOT_ID,
    )
    assert slack.calls == {"chat.postMessage": 1}


def test_form_and_json_bodies_mean_the_same(slack: SlackStandIn, client: WebClient) -> None:
    """Blocks and metadata arrive whole, as JSON or as JSON inside a form field."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "a & b = ü"}}]
    client.chat_postMessage(channel=CHANNEL, text="t", blocks=blocks)
    fields = {"channel": CHANNEL, "text": "t", "blocks": '[{"type": "divider"}]'}
    client.api_call("chat.postMessage", params=fields)
    first, second = slack.messages
    assert first.blocks == tuple(blocks)
    assert second.blocks == ({"type": "divider"},)


def test_ts_is_unique_and_increasing_whatever_the_clock_does() -> None:
    """A clock that stands still or goes back never gives two messages one ts."""
    times = iter([1763900000.0001, 1763900000.0001, 1763899999.0])
    with SlackStandIn(clock=lambda: next(times)) as slack:
        stamps = [slack.add_message(CHANNEL, "x") for _ in range(3)]
    assert stamps == ["1763900000.000100", "1763900000.000101", "1763900000.000102"]


def test_a_reply_goes_into_the_thread(slack: SlackStandIn, client: WebClient) -> None:
    """A reply is not visible in the channel, and a reply to a reply goes to the same thread."""
    parent = str(client.chat_postMessage(channel=CHANNEL, text="parent").get("ts"))
    reply = str(client.chat_postMessage(channel=CHANNEL, text="one", thread_ts=parent).get("ts"))
    client.chat_postMessage(channel=CHANNEL, text="two", thread_ts=reply)
    assert [message.text for message in slack.visible(CHANNEL)] == ["parent"]
    assert [message.text for message in slack.replies(CHANNEL, parent)] == ["one", "two"]
    thread = listed(client.conversations_replies(channel=CHANNEL, ts=parent))
    assert [message["text"] for message in thread] == ["parent", "one", "two"]


def test_history_is_newest_first_in_pages_that_new_messages_do_not_shift(
    slack: SlackStandIn, client: WebClient
) -> None:
    """Every message comes once, newest first, though others are posted between the pages."""
    for number in range(5):
        client.chat_postMessage(channel=CHANNEL, text=str(number))
    seen, cursor = [], None
    for _ in range(3):
        page = client.conversations_history(channel=CHANNEL, limit=2, cursor=cursor)
        seen += [message["text"] for message in listed(page)]
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        client.chat_postMessage(channel=CHANNEL, text="later")
    assert seen == ["4", "3", "2", "1", "0"]
    assert cursor == ""
    assert error_of(client.conversations_history, channel=CHANNEL, cursor="zzz") == "invalid_cursor"


def test_oldest_is_exclusive_unless_inclusive(slack: SlackStandIn, client: WebClient) -> None:
    """``oldest`` leaves its own message out, and lets it in with ``inclusive``."""
    first, second = (slack.add_message(CHANNEL, text) for text in ("first", "second"))
    after = listed(client.conversations_history(channel=CHANNEL, oldest=first))
    since = listed(client.conversations_history(channel=CHANNEL, oldest=first, inclusive=True))
    assert [message["ts"] for message in after] == [second]
    assert [message["ts"] for message in since] == [second, first]
    assert error_of(client.conversations_history, channel=CHANNEL, oldest="x") == "invalid_ts_oldest"


def test_metadata_is_listed_only_when_asked_for(slack: SlackStandIn, client: WebClient) -> None:
    """Without ``include_all_metadata`` the metadata stays away, as on Slack."""
    slack.add_message(CHANNEL, "x", metadata={"event_type": "x", "event_payload": {}})
    plain = listed(client.conversations_history(channel=CHANNEL))
    full = listed(client.conversations_history(channel=CHANNEL, include_all_metadata=True))
    assert ("metadata" in plain[0], "metadata" in full[0]) == (False, True)


def test_an_update_changes_the_message_and_keeps_its_metadata(slack: SlackStandIn, client: WebClient) -> None:
    """chat.update replaces text and blocks of our own messages only; metadata not given is kept."""
    metadata = {"event_type": "x", "event_payload": {"id": "1"}}
    ts = str(client.chat_postMessage(channel=CHANNEL, text="a", metadata=metadata).get("ts"))
    client.chat_update(channel=CHANNEL, ts=ts, text="b")
    (message,) = slack.messages
    assert (message.text, message.metadata, message.edited) == ("b", metadata, True)
    assert error_of(client.chat_update, channel=CHANNEL, ts="1.000000", text="b") == "message_not_found"
    assert error_of(client.chat_update, channel=CHANNEL, ts=ts, text="b" * 4001) == "msg_too_long"
    foreign = slack.add_message(CHANNEL, "theirs")
    assert error_of(client.chat_update, channel=CHANNEL, ts=foreign, text="b") == "cant_update_message"


def test_tokens_channels_threads_and_methods_are_checked(slack: SlackStandIn, client: WebClient) -> None:
    """Slack's own words for a wrong token, channel, thread, metadata, text and method."""
    assert client.auth_test().get("bot_id") == BOT_ID
    assert error_of(WebClient(token="xoxb-wrong", base_url=slack.base_url).auth_test) == "invalid_auth"
    assert error_of(WebClient(base_url=slack.base_url).auth_test) == "not_authed"
    post = client.chat_postMessage
    assert error_of(post, channel="C0OTHER", text="x") == "channel_not_found"
    assert error_of(post, channel=CHANNEL, text="x", thread_ts="0") == "invalid_thread_ts"
    assert error_of(post, channel=CHANNEL, text="x", thread_ts="1.000000") == "thread_not_found"
    assert (
        error_of(post, channel=CHANNEL, text="x", metadata={"event_type": "x"}) == "invalid_metadata_schema"
    )
    assert error_of(client.conversations_replies, channel=CHANNEL, ts="1.000000") == "thread_not_found"
    assert error_of(client.conversations_history, channel="dynamodb-alerts") == "channel_not_found"
    history = {"api_method": "conversations.history", "params": {"channel": CHANNEL, "limit": "all"}}
    assert error_of(client.api_call, **history) == "invalid_limit"
    assert error_of(client.api_call, api_method="chat.shout") == "unknown_method"
    with pytest.warns(UserWarning, match="text"):
        assert error_of(post, channel=CHANNEL) == "no_text"
    assert slack.messages == []


PLAIN = {"type": "plain_text", "text": "x"}


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ([{"type": "divider"}] * 51, "invalid_blocks"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "invalid_blocks"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "🚨" * 76}}], "invalid_blocks"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "invalid_blocks"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}], "invalid_blocks"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}], "invalid_blocks"),
        ([{"type": "section"}], "invalid_blocks"),
        ([{"type": "section", "fields": [PLAIN] * 11}], "invalid_blocks"),
        ([{"type": "section", "fields": [{"type": "plain_text", "text": "x" * 2001}]}], "invalid_blocks"),
        ([{"type": "actions", "elements": [{"type": "button"}] * 26}], "invalid_blocks"),
        ([{"type": "context", "elements": [PLAIN] * 11}], "invalid_blocks"),
        ([{"type": "carousel"}], "invalid_blocks"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}] * 5, "msg_blocks_too_long"),
        ("{", "invalid_blocks_format"),
        (["x"], "invalid_blocks_format"),
    ],
)
def test_blocks_over_a_limit_are_refused(client: WebClient, blocks: Any, code: str) -> None:
    """Each of Block Kit's limits is kept, so that a message that passes here passes on Slack."""
    assert error_of(client.chat_postMessage, channel=CHANNEL, text="x", blocks=blocks) == code


def test_blocks_at_their_limit_pass(slack: SlackStandIn, client: WebClient) -> None:
    """The limits are not stricter than Slack's."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}, "fields": [PLAIN] * 10},
        {"type": "context", "elements": [PLAIN] * 10},
        *[{"type": "divider"}] * 47,
    ]
    client.chat_postMessage(channel=CHANNEL, text="x", blocks=blocks)
    assert len(slack.messages[0].blocks) == 50


def test_faults_come_in_order_and_by_method(slack: SlackStandIn, client: WebClient) -> None:
    """Each fault hits one call: the next of its method, in the order given; then all is well again."""
    slack.fail_next(Fault.rate_limited(retry_after=7), method="chat.postMessage")
    slack.fail_next(Fault.server_error())
    slack.fail_next(Fault.error("missing_scope"))
    with pytest.raises(SlackApiError) as failed:
        client.auth_test()
    assert failed.value.response.status_code == 500
    with pytest.raises(SlackApiError) as limited:
        client.chat_postMessage(channel=CHANNEL, text="x")
    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "7"
    assert limited.value.response.data == {"ok": False, "error": "ratelimited"}
    assert error_of(client.chat_postMessage, channel=CHANNEL, text="x") == "missing_scope"
    assert slack.messages == []
    client.chat_postMessage(channel=CHANNEL, text="x")
    assert (len(slack.messages), slack.calls) == (1, {"auth.test": 1, "chat.postMessage": 3})


def test_a_lost_answer_has_its_effect_and_a_refused_call_has_none(
    slack: SlackStandIn, client: WebClient
) -> None:
    """Both look the same to the caller: a connection that breaks."""
    slack.fail_next(Fault.lost_answer())
    slack.fail_next(Fault.refused())
    for text in ("done", "not done"):
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            client.chat_postMessage(channel=CHANNEL, text=text)
    assert [message.text for message in slack.messages] == ["done"]


def test_wait_for_wakes_on_a_message_and_gives_up_in_time(slack: SlackStandIn, client: WebClient) -> None:
    """A waiting thread sees the message as soon as it is there; without one it gets False."""
    assert slack.wait_for(lambda: bool(slack.messages), timeout=0.01) is False
    poster = threading.Thread(target=lambda: client.chat_postMessage(channel=CHANNEL, text="x"))
    poster.start()
    assert slack.wait_for(lambda: bool(slack.visible(CHANNEL)), timeout=5) is True
    poster.join()


def test_many_threads_post_at_once(slack: SlackStandIn, client: WebClient) -> None:
    """No message is lost or shares its ts when calls come together."""
    threads = [
        threading.Thread(target=lambda: client.chat_postMessage(channel=CHANNEL, text="x")) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({message.ts for message in slack.messages}) == 20


def test_messages_outlive_the_server() -> None:
    """What was posted can be read after stop, and an address is only had while it runs."""
    slack = SlackStandIn()
    slack.start()
    WebClient(token=TOKEN, base_url=slack.base_url).chat_postMessage(channel=CHANNEL, text="x")
    slack.stop()
    slack.stop()
    assert len(slack.messages) == 1
    with pytest.raises(RuntimeError, match="not started"):
        _ = slack.base_url
