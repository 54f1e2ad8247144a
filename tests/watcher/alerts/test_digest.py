"""A flood of alerts is a few messages, and loses none."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rules.errors import UnavailableError
from rules.verdicts import Severity
from tests.watcher.watching import Clockwork, Parts, by, delete_table
from watcher.alerts.digest import DIGEST, DigestPolicy, Digests
from watcher.alerts.outbox import Outbox
from watcher.incidents.incident import AlertState, Incident, NoticeKind
from watcher.incidents.owing import owed

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = DigestPolicy(more_than=3, window=timedelta(minutes=5))


@pytest.fixture
def outbox(parts: Parts, clock: Clockwork) -> Outbox:
    """An outbox that collapses more than three alerts within five minutes."""
    digests = Digests(parts.vault, parts.incidents, clock, POLICY)
    return Outbox(parts.incidents, [parts.notifier], clock, digests=digests)


@pytest.fixture
def alert(parts: Parts, outbox: Outbox) -> Callable[[int], Incident]:
    """Another incident, taken in and delivered: each is another person's."""

    def one(number: int) -> Incident:
        found = parts.pipeline.take(delete_table(f"table-{number}", **by(f"user-{number}")))
        assert found is not None
        outbox.deliver(found.id)
        return parts.incidents.get(found.id)

    return one


def digests(parts: Parts) -> list[Incident]:
    """The digests there are."""
    return [one for one in parts.incidents.all() if isinstance(one, Incident) and one.subject.type == DIGEST]


def test_the_first_few_are_told_one_by_one_and_the_rest_in_one(
    parts: Parts, outbox: Outbox, clock: Clockwork, alert: Callable[[int], Incident]
) -> None:
    """Twenty alerts are four messages; the fourth grows, and tells of seventeen."""
    taken = [alert(number) for number in range(20)]
    assert [one.entry.kind for one in parts.notifier.sent] == [NoticeKind.OPENED] * 4
    (digest,) = digests(parts)
    assert {member.id for member in digest.members} == {one.id for one in taken[3:]}
    assert digest.severity is Severity.CRITICAL
    assert {entry.state for one in taken for entry in one.outbox} == {AlertState.SENT}
    assert "too many alerts" in taken[-1].outbox[0].reason
    clock.now += timedelta(seconds=4)
    outbox.deliver_due()
    assert {member.id for member in parts.notifier.refreshed[-1].members} == {one.id for one in taken[3:]}


def test_when_it_is_quiet_again_an_alert_is_a_message_of_its_own(
    parts: Parts, clock: Clockwork, alert: Callable[[int], Incident]
) -> None:
    """After the window without an alert the digest has ended."""
    for number in range(6):
        alert(number)
    clock.now += timedelta(minutes=6)
    later = alert(99)
    assert parts.notifier.sent[-1].incident.id == later.id
    assert len(digests(parts)) == 1


def test_while_it_goes_on_there_is_one_digest(
    parts: Parts, clock: Clockwork, alert: Callable[[int], Incident]
) -> None:
    """An alert every minute after a flood goes into the same digest."""
    for number in range(20):
        alert(number)
        clock.now += timedelta(minutes=1 if number > 5 else 0)
    assert len(digests(parts)) == 1
    assert len(parts.notifier.sent) == 4


def test_what_becomes_of_it_goes_into_the_digests_thread(
    parts: Parts, outbox: Outbox, clock: Clockwork, alert: Callable[[int], Incident]
) -> None:
    """An incident without a message of its own has the digest's thread."""
    one = [alert(number) for number in range(5)][-1]
    parts.incidents.update(
        one.id, lambda known: owed(known.revised(), ["recording"], NoticeKind.RECOVERED, clock.now, "back")
    )
    outbox.deliver(one.id)
    (digest,) = digests(parts)
    news = parts.notifier.sent[-1]
    assert news.thread is not None
    assert news.thread["message"] == f"{digest.id}/recording:opened"
    assert all(shown.id == digest.id for shown in parts.notifier.refreshed)


def test_while_the_digest_cannot_be_sent_nothing_counts_as_told(
    parts: Parts, outbox: Outbox, clock: Clockwork, alert: Callable[[int], Incident]
) -> None:
    """With Slack down in the flood everything stays owed, and is told in the same digest when Slack is back."""
    for number in range(3):
        alert(number)
    parts.notifier.failures = [UnavailableError("Slack is down")] * 50
    owing = [alert(number) for number in range(3, 9)]
    assert {entry.state for one in owing for entry in one.outbox} == {AlertState.PENDING}
    parts.notifier.failures = []
    clock.now += timedelta(minutes=20)
    outbox.deliver_all()
    clock.now += timedelta(minutes=20)
    outbox.deliver_all()
    assert {entry.state for one in owing for entry in parts.incidents.get(one.id).outbox} == {AlertState.SENT}
    (digest,) = digests(parts)
    assert len(digest.members) == 6
    assert len(parts.notifier.sent) == 4


def test_who_dies_in_between_changes_nothing(
    parts: Parts, clock: Clockwork, alert: Callable[[int], Incident], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any of its writes, an outbox leaves what the next one completes: told once, in the digest."""

    class Killed(BaseException):
        pass

    for number in range(4):
        alert(number)
    for write in range(1, 9):
        found = parts.pipeline.take(delete_table(f"more-{write}", **by(f"somebody-{write}")))
        assert found is not None
        left = [write]
        replace = parts.vault.replace

        def dying(key: str, body: bytes, etag: str, left: list[int] = left, real: object = replace) -> str:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real(key, body, etag)  # type: ignore[operator, no-any-return]

        digest_box = Outbox(
            parts.incidents,
            [parts.notifier],
            clock,
            digests=Digests(parts.vault, parts.incidents, clock, POLICY),
        )
        with monkeypatch.context() as patch:
            patch.setattr(parts.vault, "replace", dying)
            with suppress(Killed):
                digest_box.deliver(found.id)
        clock.now += timedelta(seconds=130)
        fresh = Outbox(
            parts.incidents,
            [parts.notifier],
            clock,
            digests=Digests(parts.vault, parts.incidents, clock, POLICY),
        )
        fresh.deliver(found.id)
        told = parts.incidents.get(found.id)
        assert told.outbox[0].state is AlertState.SENT, write
        assert sum(member.id == found.id for one in digests(parts) for member in one.members) == 1
    own = [one.incident.id for one in parts.notifier.sent if one.incident.subject.name.startswith("more-")]
    assert own == []
