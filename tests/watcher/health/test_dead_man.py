"""The dead man's switch: called when a canary arrives, and its address never shown."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from rules.errors import SafetyNetError, UnavailableError, UsageError
from watcher.health.dead_man import PingedDeadMan
from watcher.testing.http_sink import HttpSink, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.watcher.watching import Clockwork

SECRET = "5f1a7e40-0000-4000-8000-000000000001"


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A service that keeps its calls."""
    with HttpSink() as running:
        yield running


def test_all_is_well(sink: HttpSink, clock: Clockwork) -> None:
    """A call of the address itself."""
    PingedDeadMan(f"{sink.url}/{SECRET}", clock.sleep).alive()
    (call,) = sink.received
    assert (call.path, call.body) == (f"/{SECRET}", b"")


@pytest.mark.parametrize("ending", ["", "/", "?create=1"])
def test_something_is_not_well(sink: HttpSink, clock: Clockwork, ending: str) -> None:
    """The address with /fail, and why in its body, cut short."""
    PingedDeadMan(f"{sink.url}/{SECRET}{ending}", clock.sleep).failed("queue: " + "x" * 2000)
    (call,) = sink.received
    assert call.path == f"/{SECRET}/fail" + (ending if ending.startswith("?") else "")
    assert call.body.startswith(b"queue: xxx")
    assert len(call.body) == 1000


def test_it_is_tried_three_times(sink: HttpSink, clock: Clockwork) -> None:
    """What passes by itself is waited out."""
    sink.reply_next(Reply(status=503), Reply(status=429))
    PingedDeadMan(f"{sink.url}/{SECRET}", clock.sleep).alive()
    assert (len(sink.received), len(clock.slept)) == (3, 2)


def test_it_gives_up_where_nobody_answers(sink: HttpSink, clock: Clockwork) -> None:
    """With an error that says so; the next round tries again."""
    sink.usual = Reply(lost=True)
    with pytest.raises(UnavailableError):
        PingedDeadMan(f"{sink.url}/{SECRET}", clock.sleep).alive()
    assert len(sink.received) == 3


def test_a_refusal_is_no_matter_of_waiting(sink: HttpSink, clock: Clockwork) -> None:
    """A check that is not there: one call, one error with a hint; a redirect is not followed."""
    for status in (404, 302):
        sink.reply_next(Reply(status=status, headers={"Location": f"{sink.url}/elsewhere"}))
        with pytest.raises(SafetyNetError) as caught:
            PingedDeadMan(f"{sink.url}/{SECRET}", clock.sleep).alive()
        assert not isinstance(caught.value, UnavailableError)
        assert "watch.dead_man.url" in caught.value.hint
    assert [call.path for call in sink.received] == [f"/{SECRET}"] * 2


@pytest.mark.parametrize("reply", [Reply(status=404), Reply(status=500), Reply(lost=True)])
def test_the_address_is_in_no_error_and_no_log(
    sink: HttpSink, clock: Clockwork, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even in urllib3's own lines: whoever knows it can keep the switch quiet."""
    caplog.set_level(logging.DEBUG)
    sink.usual = reply
    dead_man = PingedDeadMan(f"{sink.url}/{SECRET}", clock.sleep)
    for call in (dead_man.alive, lambda: dead_man.failed("x")):
        with pytest.raises(SafetyNetError) as caught:
            call()
        assert SECRET not in f"{caught.value}{caught.value.hint}{caught.value.__cause__}"
    assert ("/..." in caplog.text) is not reply.lost  # only an answer has a line of its own
    assert SECRET not in caplog.text


def test_an_address_in_the_clear_is_refused(clock: Clockwork) -> None:
    """It is a secret, so it does not travel for all to read."""
    with pytest.raises(UsageError, match="https"):
        PingedDeadMan(f"http://example.com/{SECRET}", clock.sleep)


def test_by_the_proxy_of_the_environment(
    sink: HttpSink, clock: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As AWS's own clients go: where only the proxy gets out, the switch is called all the same."""
    monkeypatch.setenv("http_proxy", sink.url.removeprefix("http://"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    PingedDeadMan(f"http://localhost:9/{SECRET}", clock.sleep).alive()
    assert [call.path for call in sink.received] == [f"http://localhost:9/{SECRET}"]
