"""A POST is confirmed or told as an error, and the address, which is a secret, is in nothing that anybody reads."""

from __future__ import annotations

import logging
import socket
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import urllib3

from rules.errors import SafetyNetError, UnavailableError, UsageError
from watcher.alerts.addresses import checked_url, proxy_for, topic_region
from watcher.alerts.http_posting import (
    MAX_ATTEMPTS,
    HttpPoster,
    PostDeniedError,
    PostRefusedError,
    PostUnavailableError,
    retry_after_seconds,
    retrying,
)
from watcher.testing.http_sink import HttpSink, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/services/T0/B0/very-secret"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A server that keeps what it gets."""
    with HttpSink() as running:
        yield running


@pytest.fixture
def poster(sink: HttpSink) -> HttpPoster:
    """Posts to the sink, at a secret path."""
    return HttpPoster(sink.url + PATH, "the receiver", hint="Look at it.", clock=lambda: NOON)


def test_what_is_posted_arrives(sink: HttpSink, poster: HttpPoster) -> None:
    """Body, headers and path as they were given, over one connection for all."""
    for number in (b"1", b"2"):
        assert poster.post(number, {"X-Number": number.decode()}).body == b"ok"
    assert [(one.path, one.body, one.headers["x-number"]) for one in sink.received] == [
        (PATH, b"1", "1"),
        (PATH, b"2", "2"),
    ]
    assert len({one.peer for one in sink.received}) == 1


def test_a_long_answer_is_not_read_to_its_end(sink: HttpSink, poster: HttpPoster) -> None:
    """A receiver that answers with a book does not fill the memory, and the next message goes through."""
    sink.reply_next(Reply(body=b"x" * 1_000_000))
    assert len(poster.post(b"", {}).body) == 4096
    assert poster.post(b"", {}).status == 200


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_unavailable(sink: HttpSink, poster: HttpPoster, status: int) -> None:
    """Time-outs, throttling and server errors are to be tried again, after the time that is asked for."""
    sink.reply_next(Reply(status, headers={"Retry-After": "7"}))
    with pytest.raises(PostUnavailableError, match=str(status)) as error:
        poster.post(b"", {})
    assert error.value.retry_after == 7


@pytest.mark.parametrize("status", [401, 403, 407])
def test_refused_credentials_are_denied(sink: HttpSink, poster: HttpPoster, status: int) -> None:
    """They are an access error with the setting to look at."""
    sink.reply_next(Reply(status))
    with pytest.raises(PostDeniedError, match="credentials") as error:
        poster.post(b"", {})
    assert error.value.hint == "Look at it."


@pytest.mark.parametrize("status", [400, 404, 410, 413, 422])
def test_other_refusals_are_told_with_what_was_said(sink: HttpSink, poster: HttpPoster, status: int) -> None:
    """A person can see what the receiver objects to, on one line."""
    sink.reply_next(Reply(status, b"field\n\x1bis missing"))
    with pytest.raises(PostRefusedError, match=rf"HTTP {status} \(field \ufffdis missing\)"):
        poster.post(b"", {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(sink: HttpSink, poster: HttpPoster, status: int) -> None:
    """An alert goes where the settings say or nowhere, and a redirect does not count as sent."""
    sink.reply_next(Reply(status, headers={"Location": sink.url + "/elsewhere"}))
    with pytest.raises(PostRefusedError, match="redirect"):
        poster.post(b"", {})
    assert [one.path for one in sink.received] == [PATH]


def test_a_lost_answer_is_unavailable(sink: HttpSink, poster: HttpPoster) -> None:
    """Nobody knows whether it was done, so it is not done."""
    sink.reply_next(Reply(lost=True))
    with pytest.raises(PostUnavailableError, match="the connection broke"):
        poster.post(b"", {})


def test_nobody_there_is_unavailable() -> None:
    """A refused connection is told in words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        poster = HttpPoster(f"http://127.0.0.1:{taken.getsockname()[1]}{PATH}", "the receiver")
        with pytest.raises(
            PostUnavailableError, match="the receiver cannot be reached: no connection can be made"
        ):
            poster.post(b"", {})


def test_a_silent_server_is_unavailable() -> None:
    """A connection that is taken and never answered ends after the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        poster = HttpPoster(f"http://127.0.0.1:{silent.getsockname()[1]}{PATH}", "it", timeout=0.05)
        with pytest.raises(PostUnavailableError, match="no answer in time"):
            poster.post(b"", {})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(lost=True),
        Reply(500, f"cannot POST {PATH}".encode()),
        Reply(404, PATH.replace("/", "\\/").encode() + b" Bearer key-of-mine"),
        Reply(302, headers={"Location": PATH}),
    ],
    ids=["sent", "lost", "failed", "refused", "redirected"],
)
def test_the_address_is_in_no_log_and_no_error(
    sink: HttpSink, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    """Whoever knows it can post there: not even urllib3's own debug lines hold it, nor what the receiver echoes."""
    caplog.set_level(logging.DEBUG)
    poster = HttpPoster(sink.url + PATH, "it", secrets=["key-of-mine", ""])
    sink.reply_next(reply)
    told = ""
    try:
        poster.post(b"", {})
    except SafetyNetError:
        told = traceback.format_exc()
    assert told or reply.status == 200
    assert "urllib3" in {record.name.split(".")[0] for record in caplog.records}, "urllib3 logs no more: good"
    for text in (caplog.text, told):
        assert "very-secret" not in text
        assert "key-of-mine" not in text


def test_other_lines_of_urllib3_stay_as_they_are(
    poster: HttpPoster, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what is secret is taken out."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("%s %s", "/a/path", 80)
    assert caplog.messages == ["/a/path 80"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/very-secret",
        "ftp://hooks.example.com/very-secret",
        "http://hooks.example.com/very-secret",
        "https:///very-secret",
        "https://hooks.example.com:port/very-secret",
        "https://user:very-secret@hooks.example.com/",
        "https://hooks.example.com/very-secret\r\nX: y",
        "https://hooks.example.com/very secret",
        "https://hooks.example.com/#very-secret",
        "https://[very-secret/",
    ],
)
def test_bad_addresses_are_refused_without_being_shown(url: str) -> None:
    """What could not be posted to, or only in the clear, is a usage error that does not hold the address."""
    with pytest.raises(UsageError, match="the address of it cannot be used") as error:
        HttpPoster(url, "it")
    assert "secret" not in f"{error.value} {error.value.hint} {error.value.__cause__}"


@pytest.mark.parametrize(
    "url", ["https://example.com/x?y=z", "http://127.0.0.1:80/x", "http://[::1]/", "http://localhost"]
)
def test_good_addresses(url: str) -> None:
    """Encrypted anywhere, in the clear to this machine."""
    assert checked_url(f" {url}\n") == url


def test_topics() -> None:
    """The region of a topic is in its ARN; in any partition, FIFO or not."""
    assert topic_region("arn:aws-cn:sns:cn-north-1:123456789012:alerts.fifo") == "cn-north-1"
    with pytest.raises(ValueError, match="not the ARN"):
        topic_region("arn:aws:sqs:eu-west-1:123456789012:alerts")


def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY is used, NO_PROXY heeded, and this machine is never asked for through a proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.com:3128")
    monkeypatch.setenv("https_proxy", "proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", "inside.example.com")
    assert proxy_for("https://hooks.example.com/") == "http://proxy.example.com:3128"
    assert proxy_for("https://inside.example.com/") is None
    assert proxy_for("https://127.0.0.1/") is None
    pool = HttpPoster("https://hooks.example.com/", "it")._pool  # noqa: SLF001 - nothing outside is called here
    assert isinstance(pool, urllib3.ProxyManager)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("soon", None),
        ("-3", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """In seconds or as a date, as HTTP allows; whatever else counts for nothing."""
    assert retry_after_seconds(value, lambda: NOON) == seconds


def test_a_few_quick_tries(sink: HttpSink, poster: HttpPoster) -> None:
    """What passes is tried three times, with the pauses that the other side asks for, and then left to the outbox."""
    sink.reply_next(*[Reply(503, headers={"Retry-After": "2"})] * MAX_ATTEMPTS)
    slept: list[float] = []
    with pytest.raises(UnavailableError):
        retrying(slept.append)(lambda: poster.post(b"", {}))
    assert slept == [2.0] * (MAX_ATTEMPTS - 1)
    assert len(sink.received) == MAX_ATTEMPTS


@pytest.mark.parametrize(
    "reply", [Reply(429, headers={"Retry-After": "30"}), Reply(400)], ids=["long", "refused"]
)
def test_no_quick_try_where_it_is_of_no_use(sink: HttpSink, poster: HttpPoster, reply: Reply) -> None:
    """A long wait is the outbox's, and what is refused will be refused again."""
    sink.reply_next(reply)
    with pytest.raises((PostUnavailableError, PostRefusedError)):
        retrying(lambda _: None)(lambda: poster.post(b"", {}))
    assert len(sink.received) == 1
