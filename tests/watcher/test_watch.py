"""The loop: nothing is acknowledged before it is stored, nothing is lost, nothing comes twice."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rules.errors import AccessDeniedError, UnavailableError
from tests.watcher.watching import by, delete_table
from watcher.alerts.notifier import TAKEOVER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.watcher.watching import Clockwork, Parts
    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident
    from watcher.sources.source import Delivery


class Killed(BaseException):
    """The process ends here; nothing catches it."""


def test_a_message_is_acknowledged_after_its_incident_is_stored(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order of effects: store, acknowledge, tell."""
    order: list[str] = []
    acknowledge, send = parts.source.acknowledge, parts.notifier.send

    def acknowledged(delivery: Delivery) -> None:
        order.append(f"acknowledged after {parts.vault.writes[-1].partition('/')[0]}")
        acknowledge(delivery)

    def told(notice: Notice) -> dict[str, str]:
        order.append("told")
        return send(notice)

    monkeypatch.setattr(parts.source, "acknowledge", acknowledged)
    monkeypatch.setattr(parts.notifier, "send", told)
    parts.source.put(delete_table())
    parts.watcher.step()
    assert order == ["acknowledged after incidents", "told"]


def test_what_cannot_be_stored_is_not_acknowledged(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the vault out of reach the message stays on the queue."""

    def broken(*_: object) -> str:
        raise UnavailableError("S3 is down")

    monkeypatch.setattr(parts.vault, "put_new", broken)
    parts.source.put(delete_table())
    with pytest.raises(UnavailableError):
        parts.watcher.step()
    assert len(parts.source.waiting) == 1
    monkeypatch.undo()
    parts.watcher.step()
    assert parts.source.waiting == []
    assert len(parts.notifier.sent) == 1


def test_a_poison_message_is_alerted_and_left_for_the_dead_letter_queue(parts: Parts) -> None:
    """It is never dropped, and however often it comes back people hear of it once."""
    parts.source.put(b"{ this is no event")
    parts.source.put(delete_table())
    for _ in range(3):
        parts.watcher.step()
    assert parts.source.waiting == [b"{ this is no event"]
    titles = sorted(notice.incident.title for notice in parts.notifier.sent)
    assert titles == ["Event that cannot be understood", "Table deleted"]


def test_a_defect_of_ours_is_alerted_too(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that nobody foresaw: people are told, the message stays, and the watcher goes on."""

    def defect(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(parts.pipeline, "take", defect)
    parts.source.put(delete_table())
    parts.watcher.step()
    parts.watcher.step()
    assert len(parts.source.waiting) == 1
    (notice,) = parts.notifier.sent
    assert "ZeroDivisionError" in notice.incident.reasons[0]
    assert "could not be handled" in caplog.text


def test_an_alert_that_fails_does_not_hold_up_the_queue(parts: Parts, clock: Clockwork) -> None:
    """The incident is stored, so the message is acknowledged; the alert is owed and sent later."""
    parts.notifier.failures = [UnavailableError("Slack is down")]
    parts.source.put(delete_table())
    parts.watcher.step()
    assert parts.source.waiting == []
    clock.now += timedelta(minutes=1)
    parts.watcher.drain()
    assert len(parts.notifier.sent) == 1


def _break(parts: Parts, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the watcher killed at one place of the pipeline."""

    def before(target: object, name: str) -> None:
        def killed(*_: object) -> None:
            raise Killed

        monkeypatch.setattr(target, name, killed)

    def after(target: object, name: str) -> None:
        call: Callable[..., object] = getattr(target, name)

        def killed(*arguments: object) -> None:
            call(*arguments)
            raise Killed

        monkeypatch.setattr(target, name, killed)

    places: dict[str, Callable[[], None]] = {
        "received": lambda: before(parts.pipeline, "take"),
        "looked around": lambda: before(parts.incidents, "create"),
        "stored": lambda: before(parts.source, "acknowledge"),
        "acknowledged": lambda: after(parts.source, "acknowledge"),
        "claimed": lambda: before(parts.notifier, "send"),
        "posted": lambda: after(parts.notifier, "send"),
    }
    places[where]()


@pytest.mark.parametrize(
    "where", ["received", "looked around", "stored", "acknowledged", "claimed", "posted"]
)
def test_killed_anywhere_and_started_again(
    parts: Parts, clock: Clockwork, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deletion is one incident and one message, wherever the watcher is killed."""
    parts.source.put(delete_table())
    _break(parts, where, monkeypatch)
    with pytest.raises(Killed):
        parts.watcher.step()
    monkeypatch.undo()
    clock.now += timedelta(seconds=TAKEOVER_SECONDS)
    after = parts.restart()
    after.watcher.drain()
    assert len(parts.notifier.sent) == 1
    assert len(list(parts.incidents.all())) == 1
    assert parts.source.waiting == []


def test_it_runs_until_it_is_told_to_stop(parts: Parts) -> None:
    """Stopping ends the loop after the message at hand; what is owed from before is sent first."""
    owed = parts.pipeline.take(delete_table("carts", **by("somebody-else")))
    assert owed is not None
    parts.source.put(delete_table())
    parts.watcher.on_incident = lambda _: parts.watcher.stop()
    parts.watcher.run()
    assert [notice.incident.subject.name for notice in parts.notifier.sent] == ["carts", "orders"]


def test_it_waits_while_the_queue_is_out_of_reach(
    parts: Parts, clock: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of SQS is waited out; the loop goes on by itself."""
    outages = [UnavailableError("SQS is down")] * 3
    receive = parts.source.receive

    def unreliable() -> object:
        if outages:
            raise outages.pop()
        parts.watcher.stop()
        return receive()

    monkeypatch.setattr(parts.source, "receive", unreliable)
    parts.source.put(delete_table())
    parts.watcher.run()
    assert len(clock.slept) == 3
    assert parts.source.waiting == []


def test_a_refused_queue_ends_the_watcher(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing permissions are told at once: no retry mends them."""

    def refused() -> object:
        raise AccessDeniedError("sqs:ReceiveMessage")

    monkeypatch.setattr(parts.source, "receive", refused)
    with pytest.raises(AccessDeniedError):
        parts.watcher.run()


def test_every_stored_incident_is_told_of(parts: Parts) -> None:
    """The hook for the demo and for metrics sees quiet incidents too."""
    seen: list[Incident] = []
    parts.watcher.on_incident = seen.append
    for name in ("a-table", "b-table", "c-table"):
        parts.source.put(delete_table(name, **by(f"user-of-{name}")))
    parts.watcher.drain()
    assert [incident.subject.name for incident in seen] == ["a-table", "b-table", "c-table"]


def test_a_notifier_that_hangs_holds_up_nothing(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every sender waiting for Slack, what happens is still received, stored and acknowledged."""
    hanging, send = threading.Event(), parts.notifier.send

    def hangs(notice: Notice) -> dict[str, str]:
        hanging.wait(20)
        return send(notice)

    monkeypatch.setattr(parts.notifier, "send", hangs)
    for number in range(40):
        parts.source.put(delete_table(f"table-{number}", **by(f"user-{number}")))

    def seen(_: Incident) -> None:
        if not parts.source.waiting:
            hanging.set()
            parts.watcher.stop()

    parts.watcher.on_incident = seen
    threading.Timer(15, parts.watcher.stop).start()
    parts.watcher.run()
    assert hanging.is_set()
    assert parts.source.waiting == []
    parts.restart().watcher.drain()
    assert len(parts.notifier.sent) == 40
