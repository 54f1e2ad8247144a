"""Telling an incident's thread beside a recovery: in order, at the latest at the end, and never in its way."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from cli.telling import Teller
from recovery.testing.memory_vault import MemoryVault
from rules.errors import UnavailableError, UsageError
from tests.watcher.watching import Clockwork, Parts, delete_table
from watcher.incidents.incident import AlertState, NoticeKind
from watcher.incidents.recovery_notes import RecoveryNotes
from watcher.testing.memory_source import MemorySource
from watcher.testing.recording_notifier import RecordingNotifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident

WHO = "anna"
LONG = 20  # seconds, after which a test that hangs fails


@pytest.fixture
def parts() -> Parts:
    """A watcher in memory."""
    return Parts(MemoryVault(), MemorySource(), RecordingNotifier(), Clockwork())


@pytest.fixture
def incident(parts: Parts) -> Incident:
    """An incident whose first message is sent."""
    found = parts.pipeline.take(delete_table())
    assert found is not None
    parts.outbox.deliver_all()
    return found


@pytest.fixture
def notes(parts: Parts, incident: Incident) -> RecoveryNotes:
    """What a recovery writes into it."""
    return RecoveryNotes(parts.incidents, incident.id, parts.clock, WHO)


def step(parts: Parts, notes: RecoveryNotes, text: str) -> Callable[[], Incident]:
    """A note of a later second than the one before."""

    def do() -> Incident:
        parts.clock.sleep(1)
        return notes.under_way(text)

    return do


def sent(parts: Parts) -> list[str]:
    """What has come into the thread."""
    return [notice.entry.text for notice in parts.notifier.sent if notice.entry.kind is NoticeKind.PROGRESS]


def test_all_is_told_in_order_before_the_end(parts: Parts, notes: RecoveryNotes) -> None:
    """Whoever leaves the block has told everything, each once."""
    texts = [f"step {number}" for number in range(12)]
    with Teller(lambda: parts.outbox) as teller:
        for text in texts:
            teller.tell(step(parts, notes, text))
    assert sent(parts) == texts
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tell")]


def test_what_is_noted_already_is_sent(parts: Parts, notes: RecoveryNotes) -> None:
    """A note that must be stored is made first, by whoever needs it; sending it is not waited for."""
    incident = notes.under_way("begun")
    with Teller(lambda: parts.outbox) as teller:
        teller.send(incident)
    assert sent(parts) == ["begun"]


class Slow(RecordingNotifier):
    """Answers only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.asked = threading.Event()

    def send(self, notice: Notice) -> dict[str, str]:
        """See Notifier.send."""
        if notice.entry.kind is NoticeKind.PROGRESS:
            self.asked.set()
            assert self.may.wait(LONG)
        return super().send(notice)

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """See Notifier.refresh."""


def test_a_slow_slack_holds_nothing_up() -> None:
    """While it has not answered yet, what is told next returns at once, and nothing overtakes."""
    slow = Slow()
    parts = Parts(MemoryVault(), MemorySource(), slow, Clockwork())
    found = parts.pipeline.take(delete_table())
    assert found is not None
    parts.outbox.deliver_all()
    notes = RecoveryNotes(parts.incidents, found.id, parts.clock, WHO)
    with Teller(lambda: parts.outbox) as teller:
        teller.tell(step(parts, notes, "first"))
        assert slow.asked.wait(LONG)
        teller.tell(step(parts, notes, "second"))
        before = sent(parts)
        slow.may.set()
    assert before == []
    assert sent(parts) == ["first", "second"]


def test_a_broken_slack_is_logged_and_the_message_stays_owed(
    parts: Parts, incident: Incident, notes: RecoveryNotes, caplog: pytest.LogCaptureFixture
) -> None:
    """The recovery goes on; the watcher sends it later, for it is in the incident."""
    parts.notifier.failures = [UnavailableError("Slack is down")]
    with caplog.at_level(logging.WARNING), Teller(lambda: parts.outbox) as teller:
        teller.tell(step(parts, notes, "first"))
    assert "Slack is down" in caplog.text
    (owed,) = parts.incidents.get(incident.id).unsent
    assert (owed.text, owed.state) == ("first", AlertState.POSTING)
    parts.clock.sleep(60)
    parts.outbox.deliver_all()
    assert sent(parts) == ["first"]


@pytest.mark.parametrize("where", ["note", "outbox"])
def test_what_cannot_be_noted_is_not_worth_failing_for(
    parts: Parts, notes: RecoveryNotes, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """A vault that is out of reach, or a Slack that is set up wrongly: a warning, and the next note is tried."""
    broken = [True]

    def once(error: Exception) -> None:
        if broken:
            broken.clear()
            raise error

    def note() -> Incident:
        if where == "note":
            once(UnavailableError("the vault is out of reach"))
        return step(parts, notes, "tried")()

    def outbox() -> Any:
        if where == "outbox":
            once(UsageError("a Slack token is set, but no channel"))
        return parts.outbox

    with caplog.at_level(logging.WARNING), Teller(outbox) as teller:
        teller.tell(note)
        teller.tell(step(parts, notes, "next"))
    assert "the incident's thread was not told" in caplog.text
    assert sent(parts)[-1] == "next"


def test_an_error_of_the_block_comes_out_after_all_is_told(parts: Parts, notes: RecoveryNotes) -> None:
    """A recovery that fails has told so by the time that its command ends."""

    def fail() -> None:
        with Teller(lambda: parts.outbox) as teller:
            teller.tell(step(parts, notes, "it stopped"))
            raise UnavailableError("the region is down")

    with pytest.raises(UnavailableError, match="the region"):
        fail()
    assert sent(parts) == ["it stopped"]
