"""The whole watcher in memory: killed at every single call it makes, racing with another one, and under load.

`make test-crash` does the same to processes (``tests/crash``), `make bench-watch` gives the figures.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from recovery.backups.catalog import Catalog
from recovery.intents import IntentStore
from recovery.testing.memory_vault import MemoryVault
from rules.errors import UnavailableError
from rules.rulefile import load_rules
from tests.watcher.bursts import BurstQueue, burst, deleted_stack
from tests.watcher.watching import NOON, Clockwork, by, delete_table
from watcher.alerts.digest import DIGEST, DigestPolicy, Digests
from watcher.alerts.notifier import TAKEOVER_SECONDS
from watcher.alerts.outbox import Outbox, everybody
from watcher.facts.enrichment import VaultFacts
from watcher.incidents.causes import Causes
from watcher.incidents.incident import AlertState, Incident, NoticeKind
from watcher.incidents.incident_store import IncidentStore
from watcher.pipeline import Pipeline
from watcher.testing.memory_source import MemorySource
from watcher.testing.recording_notifier import RecordingNotifier
from watcher.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from recovery.clock import Clock, Sleep
    from recovery.vault.vault import StoredObject, Vault
    from watcher.alerts.notifier import Notice, Notifier
    from watcher.sources.source import EventSource

RULES = load_rules([]).rule_set
MANY = DigestPolicy(more_than=1000)


class Killed(BaseException):
    """The process ends here; nothing catches it."""


@dataclass
class Fate:
    """Kills the process at a call, before or after it is done; from then on no call gets out any more."""

    at: int = 0
    after: bool = False
    calls: int = 0

    def meet(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with what fate has for it."""

        def fated(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.at and self.calls >= self.at:
                if self.after and self.calls == self.at:
                    call(*arguments, **named)
                raise Killed
            return call(*arguments, **named)

        return fated


class Mortal:
    """Stands in front of a vault, a source or a notifier: every call of it meets its fate."""

    def __init__(self, target: object, fate: Fate) -> None:
        self._target = target
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        return self._fate.meet(found) if callable(found) and name != "release" else found


def watcher_of(
    vault: Vault,
    source: EventSource,
    notifier: Notifier,
    clock: Clock,
    sleep: Sleep,
    policy: DigestPolicy = MANY,
) -> Watcher:
    """What a new process would make."""
    incidents = IncidentStore(vault)
    outbox = Outbox(incidents, [notifier], clock, digests=Digests(vault, incidents, clock, policy))
    facts = VaultFacts(Catalog(vault), IntentStore(vault, clock), incidents, clock=clock)
    causes = Causes(vault, incidents, sleep)
    pipeline = Pipeline(incidents, facts, RULES, clock, everybody(outbox.names), causes)
    return Watcher([source], pipeline, outbox, clock, sleep)


@dataclass
class World:
    """What outlives a process: the vault, the queue, the people, the time."""

    bodies: Sequence[bytes]
    policy: DigestPolicy = MANY
    vault: MemoryVault = field(default_factory=MemoryVault)
    source: MemorySource = field(default_factory=MemorySource)
    notifier: RecordingNotifier = field(default_factory=RecordingNotifier)
    clock: Clockwork = field(default_factory=Clockwork)

    def __post_init__(self) -> None:
        """Put the messages on the queue."""
        for body in self.bodies:
            self.source.put(body)

    def watch(self, fate: Fate) -> None:
        """One process: until it has worked through all, or is killed."""
        mortal = [cast("Any", Mortal(one, fate)) for one in (self.vault, self.source, self.notifier)]
        watcher_of(mortal[0], mortal[1], mortal[2], self.clock, self.clock.sleep, self.policy).drain()

    def later(self) -> None:
        """Nobody who began to send something is waited for any more."""
        self.clock.now += timedelta(seconds=TAKEOVER_SECONDS)


def incidents_of(vault: MemoryVault) -> list[Incident]:
    """The incidents that tell of changes themselves, digests too."""
    found = IncidentStore(vault).all()
    return [one for one in found if isinstance(one, Incident) and not one.part_of]


def told(incidents: Sequence[Incident]) -> set[str]:
    """The names of all that they tell of."""
    return {
        subject.name
        for one in incidents
        if one.subject.type != DIGEST
        for subject in (one.subject, *(member.subject for member in one.members))
    }


def assert_all_visible(vault: MemoryVault, notifier: RecordingNotifier) -> None:
    """Every incident has one message of its own or is told in a digest that has one; nothing came twice."""
    incidents = incidents_of(vault)
    assert [entry.key for one in incidents for entry in one.unsent] == []
    messages = Counter((notice.incident.id, notice.entry.key) for notice in notifier.sent)
    assert set(messages.values()) <= {1}
    opened = {notice.incident.id for notice in notifier.sent if notice.entry.kind is NoticeKind.OPENED}
    digests = {one.id: one for one in incidents if one.subject.type == DIGEST}
    for one in incidents:
        (entry,) = [entry for entry in one.outbox if entry.kind is NoticeKind.OPENED]
        assert entry.state is AlertState.SENT
        digest = entry.reference.get("digest", "")
        assert (one.id in opened) is not bool(digest)
        if digest:
            assert digest in opened
            assert one.id in {member.id for member in digests[digest].members}


BURST_OF_THREE = [delete_table(name) for name in ("orders", "carts", "users")]
TWO_PEOPLE = [delete_table("orders", **by("a")), delete_table("carts", **by("b"))]
SCENES: Mapping[str, tuple[list[bytes], DigestPolicy, set[str], int]] = {
    "one deletion": ([delete_table("orders")], MANY, {"orders"}, 1),
    "a burst of three": (BURST_OF_THREE, MANY, {"orders", "carts", "users"}, 1),
    "a stack": (
        deleted_stack("shop", ["orders", "carts"], by("deployer"), NOON - timedelta(minutes=1)),
        MANY,
        {"shop", "orders", "carts"},
        1,
    ),
    "too many": (TWO_PEOPLE, DigestPolicy(more_than=1), {"orders", "carts"}, 3),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_every_call(scene: str, after: bool) -> None:
    """Wherever a watcher dies, the next one ends with one incident and one message, and an empty queue."""
    bodies, policy, names, incidents = SCENES[scene]
    for number in itertools.count(1):
        world, fate = World(bodies, policy), Fate(number, after)
        try:
            world.watch(fate)
        except Killed:
            killed = True
        else:
            killed = False
        world.later()
        world.watch(Fate())
        assert world.source.waiting == [], number
        found = incidents_of(world.vault)
        assert told(found) == names, number
        assert len(found) == incidents, number
        assert_all_visible(world.vault, world.notifier)
        if not killed:
            assert fate.calls == number - 1
            assert number > 20
            return


@pytest.mark.parametrize("scene", ["one deletion", "a burst of three"])
def test_killed_twice(scene: str) -> None:
    """The second watcher dies as well, at each third of its calls: still one message."""
    bodies, policy, names, _ = SCENES[scene]
    for first, second in itertools.product(range(1, 60, 4), range(1, 40, 3)):
        world = World(bodies, policy)
        for number in (first, second):
            try:
                world.watch(Fate(number, after=bool(number % 2)))
            except Killed:
                world.later()
        world.watch(Fate())
        assert world.source.waiting == [], (first, second)
        (lead,) = incidents_of(world.vault)
        assert told([lead]) == names, (first, second)
        assert_all_visible(world.vault, world.notifier)


@dataclass
class FastClock:
    """A minute of it is a second of ours, its waits too."""

    begun: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        """Now."""
        return NOON + timedelta(minutes=time.monotonic() - self.begun)

    def sleep(self, seconds: float) -> None:
        """Wait, a sixtieth of what is asked for."""
        time.sleep(seconds / 60)


class FarVault(MemoryVault):
    """Every call takes a millisecond, in which others get on: as S3, only faster."""

    def get(self, key: str) -> StoredObject:
        """See Vault.get."""
        time.sleep(0.001)
        return super().get(key)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """See Vault.replace."""
        time.sleep(0.001)
        return super().replace(key, body, etag)

    def put_new(self, key: str, body: bytes) -> str:
        """See Vault.put_new."""
        time.sleep(0.001)
        return super().put_new(key, body)


class FarNotifier(RecordingNotifier):
    """A message shows some time after it was begun to be sent."""

    def send(self, notice: Notice) -> dict[str, str]:
        """See Notifier.send."""
        found = self.sent if notice.earlier_attempt else []
        if any((one.incident.id, one.entry.key) == (notice.incident.id, notice.entry.key) for one in found):
            return {"message": "there"}
        time.sleep(0.01)
        self.sent.append(notice)
        return {"message": "sent"}


class TroubledSlack(RecordingNotifier):
    """Throttles, fails, and fails after having posted, in turn, until a given time."""

    def __init__(self, clock: Clock, until: datetime) -> None:
        super().__init__()
        self._clock = clock
        self.until = until
        self._count = itertools.count()
        self._posting = threading.Lock()
        self.faults = 0

    def send(self, notice: Notice) -> dict[str, str]:
        """See Notifier.send."""
        with self._posting:
            if self._clock() >= self.until:
                return super().send(notice)
            self.faults += 1
            if next(self._count) % 3 == 0:
                super().send(notice)
            raise UnavailableError("Slack answered 429 or 500")


def watched(watchers: Sequence[Watcher], is_done: Callable[[], bool]) -> None:
    """Run them side by side until all is done, or for a minute."""
    failures: list[BaseException] = []

    def run(watcher: Watcher) -> None:
        try:
            watcher.run()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=run, args=(one,)) for one in watchers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while not is_done() and not failures and time.monotonic() < deadline:
        time.sleep(0.05)
    for one in watchers:
        one.stop()
    for thread in threads:
        thread.join()
    assert failures == []


def all_sent(vault: MemoryVault) -> bool:
    """Whether nothing is owed any more."""
    return not any(one.unsent for one in incidents_of(vault))


def test_a_burst_while_slack_is_down() -> None:
    """Hundreds of changes in any order, some twice, while Slack fails for a minute: all are told, none twice.

    The clock runs sixty times as fast, so that minute is one second of ours.
    """
    clock, vault = FastClock(), FarVault()
    story = burst(400, clock(), sessions=20)
    queue, slack = BurstQueue(story.bodies), TroubledSlack(clock, clock() + timedelta(minutes=1))
    watcher = watcher_of(vault, queue, slack, clock, clock.sleep, DigestPolicy(more_than=5))
    watched([watcher], lambda: not queue.left and clock() > slack.until and all_sent(vault))
    assert queue.left == 0
    assert slack.faults > 3
    assert told(incidents_of(vault)) >= story.tables
    assert_all_visible(vault, slack)


def test_two_watchers_that_race() -> None:
    """Two watchers that get every message both, each in an order of its own: one incident and one message a session."""
    clock, vault, notifier = FastClock(), FarVault(), FarNotifier()
    story = burst(160, clock(), sessions=20)
    queues = [BurstQueue(story.bodies), BurstQueue(reversed(story.bodies))]
    watchers = [watcher_of(vault, one, notifier, clock, clock.sleep) for one in queues]
    watched(watchers, lambda: not any(one.left for one in queues) and all_sent(vault))
    found = incidents_of(vault)
    assert told(found) >= story.tables
    assert len(found) == story.sessions
    assert_all_visible(vault, notifier)


def test_changes_that_come_together_are_told_together() -> None:
    """Of a session's burst none is lost, and its incident is written much less often than there are changes."""
    clock, vault = FastClock(), FarVault()
    names = {f"table-{number:02}" for number in range(40)}
    queue = BurstQueue(delete_table(name) for name in sorted(names))
    watcher = watcher_of(vault, queue, FarNotifier(), clock, clock.sleep)
    watched([watcher], lambda: not queue.left and all_sent(vault))
    (lead,) = incidents_of(vault)
    assert told([lead]) == names
    assert vault.writes.count(IncidentStore.key(lead.id)) < len(names)
