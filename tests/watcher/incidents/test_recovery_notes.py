"""What an incident says of its recovery: its state, its timeline, its messages, and no more of them than help."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.follow_ups import FollowUp
from recovery.errors import DamagedObjectError
from recovery.restores.points import PointKind, RecoveryPoint
from recovery.restores.restore import RecoveryReport
from recovery.restores.several import NotRecovered, Recovered
from rules.errors import NotFoundError
from tests.recovery.recovering import WHO
from tests.recovery.restores.native_plans import native_plan, target
from tests.watcher.watching import NOON, delete_table
from watcher.incidents.incident import IncidentState, NoticeKind
from watcher.incidents.recovery_notes import PROGRESS_EVERY, NotedProgress, RecoveryNotes

if TYPE_CHECKING:
    from recovery.restores.plans import RecoveryPlan
    from tests.watcher.watching import Clockwork, Parts
    from watcher.incidents.incident import Incident

BACKUP = "20261122T020000Z-00000000"
TODO = FollowUp("ttl", "access denied", "aws dynamodb update-time-to-live")


@pytest.fixture
def incident(parts: Parts) -> Incident:
    """An incident about a table that is gone, whose first message is sent."""
    found = parts.pipeline.take(delete_table())
    assert found is not None
    parts.outbox.deliver_all()
    return found


@pytest.fixture
def notes(parts: Parts, incident: Incident, clock: Clockwork) -> RecoveryNotes:
    """What a recovery of it writes with."""
    return RecoveryNotes(parts.incidents, incident.id, clock, WHO)


def of_vault(table: str = "orders", **more: Any) -> RecoveryPlan:
    """A plan from a backup of the vault."""
    point = RecoveryPoint(kind=PointKind.VAULT, id=BACKUP, time=NOON - timedelta(hours=2))
    return native_plan(table, **{"point": point, "backup_time": NOON - timedelta(hours=2), **more})


def back(plan: RecoveryPlan, **more: Any) -> Recovered:
    """It is back, whole unless otherwise, after a minute and a half."""
    made: dict[str, Any] = {
        "run_id": "run",
        "table": plan.target.name,
        "items_verified": 1234567,
        "started_at": NOON,
        "ended_at": NOON + timedelta(seconds=90),
        "resumed": False,
        "differences": (),
        "follow_ups": (),
    }
    return Recovered(plan, RecoveryReport(**{**made, **more}))


def last(incident: Incident) -> tuple[str, NoticeKind, str]:
    """The last line of the timeline, and the kind and text of the message that is owed for it."""
    entry = incident.outbox[-1]
    assert incident.timeline[-1].who == WHO
    return incident.timeline[-1].what, entry.kind, entry.text


def test_a_recovery_from_its_start_to_its_end(
    parts: Parts, incident: Incident, notes: RecoveryNotes, clock: Clockwork
) -> None:
    """Each step is stored, is a line of the timeline, and is sent into the thread once, in order."""
    plan = of_vault()
    assert notes.started([plan]).state is IncidentState.RECOVERING
    clock.sleep(30)
    assert notes.under_way("half of it").state is IncidentState.RECOVERING
    clock.sleep(30)
    assert notes.ended([back(plan)]).state is IncidentState.RECOVERED
    parts.outbox.deliver_all()
    told = [(notice.entry.kind, notice.entry.text) for notice in parts.notifier.sent[1:]]
    assert told == [
        (NoticeKind.RECOVERING, f"Recovery of orders from backup {BACKUP} started by {WHO}."),
        (NoticeKind.PROGRESS, "half of it"),
        (
            NoticeKind.RECOVERED,
            "orders is back: 1,234,567 items verified in 90 s, definition equal.",
        ),
    ]
    stored = parts.incidents.get(incident.id)
    assert [moment.what for moment in stored.timeline[-3:]] == [text for _, text in told]
    assert stored.state is IncidentState.RECOVERED
    assert stored.unsent == ()


def test_what_is_lost_and_left_to_do_is_said(notes: RecoveryNotes) -> None:
    """The moment after which changes are gone, a definition that differs, the settings that people have to put on."""
    outcome = back(
        of_vault(loss_seconds=7200.0), differences=("ttl: wanted, found",), follow_ups=(TODO, TODO)
    )
    what, kind, text = last(notes.ended([outcome]))
    assert kind is NoticeKind.RECOVERED
    assert what == text
    assert "definition differs." in text
    assert "Changes made after 2026-11-23 10:00:00 UTC are lost." in text
    assert text.endswith("Still to do: ttl, ttl.")


def test_nothing_is_said_of_a_loss_that_nobody_knows(notes: RecoveryNotes) -> None:
    """Where the time of the deletion is unknown, silence is honest; 'nothing lost' is not said either."""
    assert "lost" not in last(notes.ended([back(of_vault())]))[2]


def test_what_aws_restored_is_not_called_verified(notes: RecoveryNotes) -> None:
    """There was nothing of ours to compare it with."""
    plan = native_plan("orders")
    assert last(notes.started([plan]))[2].startswith(
        "Recovery of orders from aws-backup as of 2026-11-23 03:00:00 UTC started"
    )
    text = last(notes.ended([back(plan, items_verified=None)]))[2]
    assert "restored by AWS" in text
    assert "verified" not in text


def test_one_of_several_that_is_not_back_is_a_failure(notes: RecoveryNotes) -> None:
    """The incident is open again; the message names each table with what became of it, and how to go on."""
    carts = of_vault("carts")
    plans = [of_vault(), carts]
    assert "Recovery of orders, carts from 2 recovery points" in last(notes.started(plans))[2]
    error = DamagedObjectError("backups/carts/data.json.gz", "is missing")
    ended = notes.ended([back(plans[0]), NotRecovered(carts, error)])
    _, kind, text = last(ended)
    assert (ended.state, kind) == (IncidentState.OPEN, NoticeKind.RECOVERY_FAILED)
    lines = text.splitlines()
    assert lines[0] == "The recovery stopped; the same command continues it."
    assert lines[1].startswith("orders is back: ")
    assert lines[2:] == ["carts: backups/carts/data.json.gz: is missing"]


def test_what_failed_beside_the_tables(notes: RecoveryNotes) -> None:
    """A stack that could not be made is a failure, though every table is back; one that was made is a line."""
    also = ["stack shop: no capture"]
    failed = notes.ended([back(of_vault())], also, failed=True)
    assert failed.state is IncidentState.OPEN
    assert last(failed)[2].endswith("\nstack shop: no capture")
    made = notes.ended([back(of_vault())], ["stack shop is back."])
    assert (made.state, last(made)[1]) == (IncidentState.RECOVERED, NoticeKind.RECOVERED)
    assert last(made)[2].splitlines()[-1] == "stack shop is back."


def test_a_recovery_that_stopped(notes: RecoveryNotes) -> None:
    """Whatever stopped it: open again, with the reason."""
    stopped = notes.failed("interrupted by a person")
    assert stopped.state is IncidentState.OPEN
    assert last(stopped)[1:] == (
        NoticeKind.RECOVERY_FAILED,
        "The recovery stopped: interrupted by a person",
    )


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"target": target("orders.copy")},
        {"target": target("orders").model_copy(update={"region": "us-east-1"})},
    ],
    ids=["another name", "another region"],
)
def test_a_copy_leaves_the_incident_as_it_is(notes: RecoveryNotes, elsewhere: dict[str, Any]) -> None:
    """The lost table is still lost: told in the thread, and neither recovering nor recovered."""
    plan = of_vault(**elsewhere)
    for change in (notes.started([plan]), notes.ended([back(plan)])):
        assert change.state is IncidentState.OPEN
    assert last(change)[1] is NoticeKind.RECOVERED
    one_of_two = notes.ended([back(of_vault()), back(plan)])
    assert one_of_two.state is IncidentState.OPEN


def test_many_tables_are_not_a_wall_of_names(notes: RecoveryNotes) -> None:
    """The first ten, and how many more; of a stack that lost no table there is none to name."""
    plans = [of_vault(f"table-{number}") for number in range(13)]
    text = last(notes.started(plans))[2]
    assert "table-9, 3 more from 13 recovery points" in text
    assert "table-10" not in text
    assert last(notes.started([]))[2] == f"Recovery started by {WHO}."


def test_what_happens_in_one_second_is_told_all_the_same(
    parts: Parts, incident: Incident, notes: RecoveryNotes
) -> None:
    """The steps of a stack follow each other quickly: each is a message of its own, and each is sent once."""
    texts = ["change set made", "stack made", "table loaded"]
    for text in texts:
        notes.under_way(text)
    parts.outbox.deliver_all()
    parts.outbox.deliver_all()
    assert [notice.entry.text for notice in parts.notifier.sent[1:]] == texts
    assert len({entry.key for entry in parts.incidents.get(incident.id).outbox}) == 4


def test_a_note_that_is_written_twice_is_one_message(notes: RecoveryNotes) -> None:
    """The same text in the same second is a writer who could not know that it was stored."""
    notes.under_way("half of it")
    assert [entry.text for entry in notes.under_way("half of it").outbox].count("half of it") == 1


def test_only_who_was_told_of_the_incident_hears_more(parts: Parts, notes: RecoveryNotes) -> None:
    """Each notifier that opened a thread is owed the news, and nobody else."""
    incident = notes.started([of_vault()])
    assert [entry.notifier for entry in incident.outbox if entry.kind is NoticeKind.RECOVERING] == [
        "recording"
    ]


def test_others_write_at_the_same_time(parts: Parts, incident: Incident, notes: RecoveryNotes) -> None:
    """What a watcher adds meanwhile stays: the note goes onto the newest version."""
    parts.incidents.update(incident.id, lambda one: one.with_moment(NOON, "ben", "acknowledged"))
    what = [moment.what for moment in notes.under_way("half of it").timeline]
    assert what[-2:] == ["acknowledged", "half of it"]


def test_an_incident_that_is_gone(parts: Parts, clock: Clockwork) -> None:
    """Raised to whoever writes, who decides what that is worth."""
    with pytest.raises(NotFoundError):
        RecoveryNotes(parts.incidents, "20261123T115958Z-orders-00000000", clock, WHO).under_way("x")


@dataclass
class Inner:
    """A progress that remembers all it is told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def start(self, task: str, label: str, total_items: int | None) -> None:
        """See Progress."""
        self.told.append(("start", task, label, total_items))

    def advance(self, task: str, items: int, size_bytes: int) -> None:
        """See Progress."""
        self.told.append(("advance", task, items, size_bytes))

    def finish(self, task: str) -> None:
        """See Progress."""
        self.told.append(("finish", task))


@dataclass
class Watched:
    """A noted progress of one task of 1,000 items, and what it has said."""

    clock: Clockwork
    lines: list[str] = field(default_factory=list)
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        """Begin it."""
        self.progress = NotedProgress(self.inner, self.clock, self.lines.append)
        self.progress.start("orders", "recover orders", 1000)

    def after(self, seconds: float, items: int, task: str = "orders") -> list[str]:
        """What is said once so many items more are done, so much later."""
        self.lines.clear()
        self.clock.sleep(seconds)
        self.progress.advance(task, items, 10 * items)
        return list(self.lines)


@pytest.fixture
def watched(clock: Clockwork) -> Watched:
    """One that has just begun."""
    return Watched(clock)


MINUTE = PROGRESS_EVERY.total_seconds()


def test_each_quarter_is_told_once(watched: Watched) -> None:
    """A quarter, a half, three quarters; nothing in between, and not the end, which the outcome tells."""
    assert watched.after(MINUTE, 249) == []
    assert watched.after(MINUTE, 1) == ["orders: 250 of 1,000 items loaded (25 %)."]
    assert watched.after(MINUTE, 200) == []
    assert watched.after(MINUTE, 300) == ["orders: 750 of 1,000 items loaded (75 %)."]
    assert watched.after(MINUTE, 249) == []
    assert watched.after(MINUTE, 1) == []


def test_a_quick_recovery_says_nothing(watched: Watched) -> None:
    """Nobody reads four messages of ten seconds; the one that is due after a minute says how far it is by then."""
    assert watched.after(MINUTE - 1, 500) == []
    assert watched.after(1, 100) == ["orders: 600 of 1,000 items loaded (60 %)."]
    assert watched.after(MINUTE - 1, 200) == []


def test_several_tables_share_the_minute(watched: Watched) -> None:
    """A stack of fifty tables floods no channel: of all of them there is one line a minute at most."""
    watched.progress.start("carts", "recover carts", 10)
    assert watched.after(MINUTE, 3, "carts") == ["carts: 3 of 10 items loaded (30 %)."]
    assert watched.after(1, 500) == []
    assert watched.after(MINUTE, 1) == ["orders: 501 of 1,000 items loaded (50 %)."]


def test_of_what_nobody_knows_the_size_nothing_is_told(watched: Watched) -> None:
    """There is no quarter of it."""
    watched.progress.start("carts", "recover carts", None)
    assert watched.after(MINUTE, 10_000, "carts") == []
    assert watched.after(MINUTE, 10_000, "never-started") == []


def test_all_of_it_goes_on_to_the_bar(watched: Watched) -> None:
    """Whether something is told or not."""
    watched.after(MINUTE, 500)
    watched.after(0, 1)
    watched.progress.finish("orders")
    assert watched.inner.told == [
        ("start", "orders", "recover orders", 1000),
        ("advance", "orders", 500, 5000),
        ("advance", "orders", 1, 10),
        ("finish", "orders"),
    ]


def test_many_threads_tell_a_quarter_once(watched: Watched) -> None:
    """Every item is counted, whoever loads it."""
    watched.clock.sleep(MINUTE)

    def load() -> None:
        for _ in range(100):
            watched.progress.advance("orders", 1, 1)

    workers = [threading.Thread(target=load) for _ in range(7)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert watched.lines == ["orders: 250 of 1,000 items loaded (25 %)."]
    assert watched.after(MINUTE, 50) == ["orders: 750 of 1,000 items loaded (75 %)."]
