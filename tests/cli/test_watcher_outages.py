"""S3, SQS, DynamoDB or Slack out of reach while the watcher runs: it says so, keeps what it has, and goes on by itself.

All parts but the clock of retries are the real ones, over real sockets; each service has a door of its own that is
shut (connections are refused) and opened again.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cli.composition import Net
from cli.settings import load_settings
from cli.watching import sources_of, watching_of
from recovery.aws import Aws, AwsSettings
from recovery.testing.embedded_aws import EXAMPLE_KEYS, LOOPBACK, REGION
from recovery.vault.s3 import S3Vault
from tests.watcher.watching import by, delete_table
from watcher.incidents.incident import Incident
from watcher.incidents.incident_store import IncidentStore
from watcher.testing.slack import TOKEN, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from recovery.testing.embedded_aws import EmbeddedEndpoint

CHANNEL = "C0ALERTS"
PATIENCE = 30
SERVICES = ("s3", "sqs", "dynamodb", "slack")


class Door:
    """Passes on what comes to a port of its own, unless it is shut: then nobody listens there."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut()

    def open(self) -> None:
        """Listen, always on the same port; nothing changes where somebody does."""
        if self._listener is not None:
            return
        listener = socket.create_server((LOOPBACK, self.port), backlog=64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Listen no more, and break what is open."""
        with self._lock:
            broken, self._open = self._open, set()
            listener, self._listener = self._listener, None
        for one in (*broken, *([listener] if listener else [])):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._pass_on, args=(listener, near), daemon=True).start()

    def _pass_on(self, listener: socket.socket, near: socket.socket) -> None:
        far = socket.create_connection((LOOPBACK, self._behind))
        with self._lock:
            here = self._listener is listener
            self._open |= {near, far} if here else set()
        with suppress(OSError, ValueError):
            while here:
                for one in select.select([near, far], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    (far if one is near else near).sendall(data)
        for one in (near, far):
            one.close()


@dataclass(frozen=True, slots=True)
class Site:
    """A watcher at work, the doors between it and the world, and the world."""

    incidents: IncidentStore
    doors: dict[str, Door]
    slack: SlackStandIn
    queue: str
    aws: Aws

    def happen(self, table: str, who: str) -> None:
        """The event rule puts a deletion on the queue; it has a way of its own."""
        body = delete_table(table, **by(who)).decode()
        self.aws.sqs().send_message(QueueUrl=self.queue, MessageBody=body)

    def titles(self) -> list[str]:
        """The alerts that people see."""
        return [message.text for message in self.slack.visible(CHANNEL)]

    def shows(self, table: str) -> bool:
        """Whether people see an alert about it."""
        return any(table in text for text in self.titles())

    def settled(self) -> bool:
        """Whether nothing is owed and nothing waits."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        client: Any = self.aws.sqs()
        attributes = client.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)
        waiting = sum(int(attributes["Attributes"][name]) for name in names)
        stored = [one for one in self.incidents.all() if isinstance(one, Incident)]
        return not waiting and not any(one.unsent for one in stored)


def until(holds: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def soon(seconds: float) -> None:
    """Waits are a fiftieth of what they are."""
    time.sleep(seconds / 50)


@pytest.fixture
def site(endpoint: EmbeddedEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A watcher that runs in a thread."""
    direct, name = endpoint.aws(), f"outage-{uuid.uuid4().hex[:12]}"
    buckets: Any = direct.s3()
    buckets.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    queue = direct.sqs().create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    with ExitStack() as stack:
        slack = stack.enter_context(SlackStandIn())
        aws_port, slack_port = (
            int(url.split(":")[2].split("/")[0]) for url in (endpoint.url, slack.base_url)
        )
        doors = {
            service: stack.enter_context(Door(slack_port if service == "slack" else aws_port))
            for service in SERVICES
        }
        for service in ("s3", "sqs", "dynamodb"):
            monkeypatch.setenv(
                f"AWS_ENDPOINT_URL_{service.upper()}", f"http://{LOOPBACK}:{doors[service].port}"
            )
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
        for setting, value in {
            "VAULT": f"s3://{name}/net",
            "QUEUE_URL": queue,
            "SLACK__TOKEN": TOKEN,
            "SLACK__CHANNEL": CHANNEL,
            "SLACK__API_URL": f"http://{LOOPBACK}:{doors['slack'].port}/api/",
            "TAKEOVER_SECONDS": "1",
            "WATCH__CATCH_UP": "off",
            "WATCH__CANARY__ENABLED": "false",
        }.items():
            monkeypatch.setenv(f"SAFETYNET_{setting}", value)
        aws = Aws(AwsSettings("", REGION, "", EXAMPLE_KEYS.access_key, EXAMPLE_KEYS.secret_key, "", 1))
        net = Net(load_settings(None), aws, sleep=soon, poll_seconds=1)
        watching = watching_of(net, sources_of(net))
        failures: list[BaseException] = []

        def run() -> None:
            try:
                watching.run()
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield Site(IncidentStore(S3Vault(direct.s3(), name, "net")), doors, slack, queue, direct)
        finally:
            for door in doors.values():
                door.open()
            watching.stop()
            thread.join(20)
        assert failures == []


@pytest.mark.parametrize("service", SERVICES)
def test_an_outage_is_waited_out(site: Site, service: str, caplog: pytest.LogCaptureFixture) -> None:
    """What happens before, during and after it is told, once each, and the watcher never ends."""
    caplog.set_level(logging.WARNING)
    site.happen("before", "a")
    assert until(lambda: site.shows("before") and site.settled())
    site.doors[service].shut()
    site.happen("meanwhile", "b")
    if service == "dynamodb":
        # The look at the table is a nicety: the alert does not wait for it.
        assert until(lambda: site.shows("meanwhile"))
    else:
        assert until(lambda: any(record.name.startswith("watcher.") for record in caplog.records))
        time.sleep(0.5)
        assert not site.shows("meanwhile")
    site.doors[service].open()
    site.happen("after", "c")
    assert until(lambda: site.shows("meanwhile") and site.shows("after"))
    assert until(site.settled)
    assert len(site.titles()) == 3
    ours = [record for record in caplog.records if record.name.startswith(("cli.", "watcher."))]
    assert not any(record.levelno >= logging.ERROR for record in ours), caplog.text
