"""Every message once, whatever breaks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rules.errors import AccessDeniedError, UnavailableError
from tests.watcher.watching import by, delete_table
from watcher.alerts.notifier import TAKEOVER_SECONDS
from watcher.incidents.incident import AlertState, NoticeKind
from watcher.incidents.owing import owed

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork, Parts
    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident


class Killed(BaseException):
    """The process ends here; nothing catches it."""


@pytest.fixture
def incident(parts: Parts) -> Incident:
    """An incident that owes its first message."""
    found = parts.pipeline.take(delete_table())
    assert found is not None
    return found


def state(parts: Parts, incident: Incident) -> AlertState:
    """The state of the first message."""
    return parts.incidents.get(incident.id).outbox[0].state


def test_sent_means_confirmed(parts: Parts, incident: Incident) -> None:
    """After delivery the entry is sent, with the notifier's reference, and is never sent again."""
    assert parts.outbox.deliver(incident.id) == 1
    entry = parts.incidents.get(incident.id).outbox[0]
    assert (entry.state, entry.reference) == (AlertState.SENT, {"message": f"{incident.id}/recording:opened"})
    assert parts.outbox.deliver(incident.id) == 0
    assert len(parts.notifier.sent) == 1


def test_a_failure_is_noted_and_retried_later(parts: Parts, incident: Incident, clock: Clockwork) -> None:
    """A notifier that is down keeps the message owed, with the reason; growing pauses lie between the tries."""
    parts.notifier.failures = [UnavailableError("Slack is down"), UnavailableError("still down")]
    assert parts.outbox.deliver_all() == 0
    entry = parts.incidents.get(incident.id).outbox[0]
    assert (entry.attempts, entry.last_error) == (1, "Slack is down")
    assert parts.outbox.deliver_all() == 0
    assert parts.notifier.failures, "tried again before the pause was over"
    clock.now += timedelta(seconds=6)
    assert parts.outbox.deliver_all() == 0
    clock.now += timedelta(seconds=6)
    assert parts.outbox.deliver_all() == 0
    clock.now += timedelta(seconds=6)
    assert parts.outbox.deliver_all() == 1
    assert len(parts.notifier.sent) == 1


def test_a_refused_token_keeps_the_message(parts: Parts, incident: Incident) -> None:
    """What no retry mends is noted too, and nothing is lost."""
    parts.notifier.failures = [AccessDeniedError("invalid_auth")]
    parts.outbox.deliver(incident.id)
    assert parts.incidents.get(incident.id).outbox[0].last_error == "invalid_auth"
    assert state(parts, incident) is AlertState.POSTING


def test_killed_before_the_post(parts: Parts, incident: Incident, clock: Clockwork) -> None:
    """Claimed but not posted: whoever comes after the takeover time posts it, once."""
    parts.notifier.failures = [Killed()]
    with pytest.raises(Killed):
        parts.outbox.deliver(incident.id)
    after = parts.restart()
    assert after.outbox.deliver_all() == 0, "it may still be under way elsewhere"
    clock.now += timedelta(seconds=TAKEOVER_SECONDS)
    assert after.outbox.deliver_all() == 1
    assert len(parts.notifier.sent) == 1


def test_killed_between_the_post_and_the_mark(parts: Parts, incident: Incident, clock: Clockwork) -> None:
    """Posted but not marked: the next one finds the message and posts no second."""
    parts.notifier.lose_answer = Killed()
    with pytest.raises(Killed):
        parts.outbox.deliver(incident.id)
    assert state(parts, incident) is AlertState.POSTING
    clock.now += timedelta(seconds=TAKEOVER_SECONDS)
    assert parts.restart().outbox.deliver_all() == 1
    assert len(parts.notifier.sent) == 1
    assert state(parts, incident) is AlertState.SENT


def test_two_senders_send_one_message(
    parts: Parts, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that one watcher is posting is left alone by the other."""
    other = parts.restart()
    send = parts.notifier.send
    sent_by_the_other = []

    def slow_send(notice: Notice) -> dict[str, str]:
        sent_by_the_other.append(other.outbox.deliver(incident.id))
        return send(notice)

    monkeypatch.setattr(parts.notifier, "send", slow_send)
    assert parts.outbox.deliver(incident.id) == 1
    assert sent_by_the_other == [0]
    assert len(parts.notifier.sent) == 1


def test_news_go_into_the_thread(parts: Parts, incident: Incident, clock: Clockwork) -> None:
    """A later message carries the first one's reference, and the first one is brought up to date."""
    parts.outbox.deliver(incident.id)
    parts.incidents.update(
        incident.id,
        lambda one: owed(one.revised(), ["recording"], NoticeKind.RECOVERED, clock.now, "it is back"),
    )
    assert parts.outbox.deliver(incident.id) == 1
    news = parts.notifier.sent[1]
    assert (news.entry.text, news.thread) == ("it is back", {"message": f"{incident.id}/recording:opened"})
    assert [one.id for one in parts.notifier.refreshed] == [incident.id]


def test_news_wait_for_the_first_message(parts: Parts, incident: Incident, clock: Clockwork) -> None:
    """While the opening message cannot be sent, nothing is posted outside its thread."""
    parts.notifier.failures = [UnavailableError("down")]
    parts.incidents.update(
        incident.id, lambda one: owed(one, ["recording"], NoticeKind.RECOVERED, clock.now, "back")
    )
    parts.outbox.deliver(incident.id)
    assert parts.notifier.sent == []
    clock.now += timedelta(minutes=10)
    parts.outbox.deliver(incident.id)
    assert [notice.entry.kind for notice in parts.notifier.sent] == [NoticeKind.OPENED, NoticeKind.RECOVERED]


def test_a_damaged_incident_does_not_stop_the_others(parts: Parts, incident: Incident) -> None:
    """What cannot be read is logged; the rest is delivered."""
    parts.vault.put_new("incidents/2026/01/20260101T000000Z-bad-00000000.json", b"not json")
    assert parts.outbox.deliver_all() == 1
    assert state(parts, incident) is AlertState.SENT


def test_what_owes_nothing_is_not_read_again(
    parts: Parts, incident: Incident, clock: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rounds of a watcher read only incidents that changed; news in a settled one are seen."""
    parts.outbox.deliver_all()
    parts.outbox.deliver_all()

    def nothing_to_read(key: str) -> None:
        raise AssertionError(key)

    with monkeypatch.context() as patched:
        patched.setattr(parts.vault, "get", nothing_to_read)
        parts.outbox.deliver_all()
    parts.incidents.update(
        incident.id,
        lambda one: owed(one.revised(), ["recording"], NoticeKind.RECOVERED, clock.now, "it is back"),
    )
    assert parts.outbox.deliver_all() == 1


def test_a_defect_in_one_message_does_not_stop_the_others(parts: Parts, incident: Incident) -> None:
    """An exception that nobody foresaw is noted like any failure, and the next incident is told of."""
    other = parts.pipeline.take(delete_table("carts", **by("somebody-else")))
    assert other is not None
    parts.notifier.failures = [KeyError("oops")]
    assert parts.outbox.deliver_all() == 1
    errors = [parts.incidents.get(one.id).outbox[0].last_error for one in (incident, other)]
    assert sorted(errors) == ["", "KeyError: 'oops'"]
