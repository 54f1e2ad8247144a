"""The watcher, killed with SIGKILL before and after every single call that it makes: `make test-crash`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from recovery.testing.embedded_aws import REGION
from recovery.vault.s3 import S3Vault
from tests.cli.running import ROOT
from tests.crash.one_watcher import Order
from tests.watcher.watching import by, delete_table
from watcher.incidents.incident import AlertState, Incident
from watcher.incidents.incident_store import IncidentStore
from watcher.testing.slack import TOKEN, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recovery.aws import Aws
    from recovery.testing.embedded_aws import EmbeddedEndpoint

SCRIPT = Path(__file__).with_name("one_watcher.py")
BUCKET = "crash-watcher"
# A message whose watcher was killed comes back after so long; meanwhile the next ones are killed.
VISIBILITY_SECONDS = 2
CHUNK = 12
ROUNDS = 12
# Each leaves what the other began to send to it, and nothing is told in a digest.
PATIENT = {"SAFETYNET_TAKEOVER_SECONDS": "120", "SAFETYNET_ALERTS__DIGEST__MORE_THAN": "100"}


class Watchers:
    """Runs one watcher after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, order: Order) -> tuple[int, int]:
        """The exit code, and how many calls were made."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        code, calls = json.loads(self._process.stdout.readline())
        return code, calls


@contextmanager
def watchers(url: str) -> Iterator[Watchers]:
    """The process that forks them."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={
            **kept,
            "PYTHONPATH": os.fspath(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        },
    ) as process:
        try:
            yield Watchers(process)
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Scene:
    """A queue with messages on it, a vault and a channel of their own."""

    aws: Aws
    slack: SlackStandIn
    name: str
    queue: str
    bodies: Sequence[bytes]

    @property
    def settings(self) -> dict[str, str]:
        """What the watcher is told."""
        return {
            "SAFETYNET_VAULT": f"s3://{BUCKET}/{self.name}",
            "SAFETYNET_QUEUE_URL": self.queue,
            "SAFETYNET_SLACK__TOKEN": TOKEN,
            "SAFETYNET_SLACK__CHANNEL": self.name,
            "SAFETYNET_SLACK__API_URL": self.slack.base_url,
            "SAFETYNET_TAKEOVER_SECONDS": "0",
            "SAFETYNET_WATCH__CATCH_UP": "off",
        }

    def order(self, kill_at: int = 0, *, after: bool = False, messages: int = 0) -> Order:
        """One watcher on it."""
        return Order(self.settings, kill_at, after, messages)

    def left(self) -> int:
        """How many messages the queue holds, invisible ones too."""
        client: Any = self.aws.sqs()
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = client.get_queue_attributes(QueueUrl=self.queue, AttributeNames=[*names])
        return sum(int(found["Attributes"][name]) for name in names)

    def incidents(self) -> list[Incident]:
        """All documents."""
        store = IncidentStore(S3Vault(self.aws.s3(), BUCKET, self.name))
        return [one for one in store.all() if isinstance(one, Incident)]

    def assert_one_incident_and_one_alert(self, tables: set[str], why: str) -> None:
        """One lead that tells of all tables, one visible message that is the lead's, an empty queue."""
        (lead,) = [one for one in self.incidents() if not one.part_of]
        assert {lead.subject.name, *(member.subject.name for member in lead.members)} == tables, why
        assert {entry.state for one in self.incidents() for entry in one.unsent} == set(), why
        (message,) = self.slack.visible(self.name)
        (entry,) = [entry for entry in lead.outbox if entry.kind == "opened"]
        assert (entry.state, entry.reference["ts"]) == (AlertState.SENT, message.ts), why
        assert self.left() == 0, why


@dataclass(frozen=True, slots=True)
class Stage:
    """Where scenes are set."""

    aws: Aws
    slack: SlackStandIn
    watchers: Watchers

    def scene(self, bodies: Sequence[bytes], visibility: int = VISIBILITY_SECONDS) -> Scene:
        """A new one."""
        name = f"C{uuid.uuid4().hex[:12].upper()}"
        self.slack.channels[name] = name.lower()
        client = self.aws.sqs()
        queue = client.create_queue(QueueName=name, Attributes={"VisibilityTimeout": str(visibility)})[
            "QueueUrl"
        ]
        for body in bodies:
            client.send_message(QueueUrl=queue, MessageBody=body.decode())
        return Scene(self.aws, self.slack, name, queue, bodies)


@pytest.fixture(scope="module")
def stage(endpoint: EmbeddedEndpoint) -> Iterator[Stage]:
    """The embedded AWS and a Slack, in this process; the watchers are in others."""
    aws = endpoint.aws()
    client: Any = aws.s3()
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    with SlackStandIn() as slack, watchers(endpoint.url) as running:
        yield Stage(aws, slack, running)


TABLES = ("carts", "orders", "users")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which calls a watcher is killed at: each ``step``-th, before or after it (None: in turn)."""

    tables: Sequence[str]
    after: bool | None
    step: int = 1
    side_by_side: bool = False

    def order(self, scene: Scene, number: int) -> Order:
        """The watcher that is killed there."""
        after = bool(number // self.step % 2) if self.after is None else self.after
        return scene.order(number, after=after, messages=len(self.tables) if self.side_by_side else 0)


@pytest.mark.parametrize(
    "sweep",
    [
        pytest.param(Sweep(TABLES[:1], after=False), id="one deletion, before"),
        pytest.param(Sweep(TABLES[:1], after=True), id="one deletion, after"),
        pytest.param(Sweep(TABLES, after=False), id="a burst, before"),
        pytest.param(Sweep(TABLES, after=True), id="a burst, after"),
        # Which call is which differs from run to run, so that half of them is as good as all.
        pytest.param(Sweep(TABLES, after=None, step=2, side_by_side=True), id="a burst, side by side"),
    ],
)
def test_killed_at_every_call(stage: Stage, sweep: Sweep) -> None:
    """Wherever it dies, the next watcher ends with one incident, one visible alert and an empty queue."""
    bodies = [delete_table(name) for name in sweep.tables]
    killed, ended, first = 0, False, 1
    while not ended:
        scenes: list[tuple[int, Scene]] = []
        for number in range(first, first + CHUNK * sweep.step, sweep.step):
            scene = stage.scene(bodies)
            scenes.append((number, scene))
            code, _ = stage.watchers.run(sweep.order(scene, number))
            assert code in (0, -signal.SIGKILL), number
            killed += code != 0
            ended = code == 0
            if ended:
                break
        first += CHUNK * sweep.step
        time.sleep(VISIBILITY_SECONDS)
        for number, scene in scenes:
            code, _ = stage.watchers.run(scene.order())
            assert code == 0
            scene.assert_one_incident_and_one_alert(set(sweep.tables), f"killed at call {number}")
    print(f"killed at {killed} calls")  # noqa: T201 - a proof
    assert killed > 20


def test_watchers_that_race(stage: Stage, endpoint: EmbeddedEndpoint) -> None:
    """Two processes on one queue that hands each message out to both: one incident and one alert for each session."""
    sessions = {f"user-{number}": [f"{name}-{number}" for name in TABLES] for number in range(ROUNDS)}
    bodies = [delete_table(name, **by(who)) for who, names in sessions.items() for name in names]
    # Nothing is invisible: whoever asks is given what is not deleted yet.
    scene = stage.scene(bodies, visibility=0)
    order = replace(scene.order(), settings={**scene.settings, **PATIENT})
    with watchers(endpoint.url) as other:
        threads = [
            threading.Thread(target=lambda one=one: ends.append(one.run(order)[0]))
            for one in (stage.watchers, other)
        ]
        ends: list[int] = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ends == [0, 0]
    assert stage.watchers.run(scene.order())[0] == 0
    leads = [one for one in scene.incidents() if not one.part_of]
    told = {
        name for one in leads for name in (one.subject.name, *(each.subject.name for each in one.members))
    }
    assert told == {name for names in sessions.values() for name in names}
    assert len(leads) == len(scene.slack.visible(scene.name)) == ROUNDS
    assert not any(one.unsent for one in scene.incidents())
    assert scene.left() == 0
