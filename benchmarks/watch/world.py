"""What the watcher talks to: an S3 and an SQS in memory over HTTP, and a Slack that takes its time and has bad minutes.

They answer at once, in the process that makes the load: what they take is not counted, but on few cores it slows the
watcher down all the same.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import time
from bisect import bisect_right, insort
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from benchmarks.backup.replay import LOOPBACK, Connection, ReplayServer
from benchmarks.backup.replay_bucket import Bucket, Reply
from recovery.aws import Aws, AwsSettings
from recovery.testing.embedded_aws import EXAMPLE_KEYS, REGION
from recovery.vault.s3 import S3Vault
from watcher.incidents.incident import Incident
from watcher.incidents.incident_store import IncidentStore
from watcher.testing.slack import TOKEN, Fault, SlackStandIn
from watcher.testing.slack_http import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

CHANNEL = "C0ALERTS"
BUCKET, PREFIX = "vault", "net"
SLACK_SECONDS = 0.05
VISIBILITY_SECONDS = 30
SQS_TARGET = "AmazonSQS."
_JSON = (("Content-Type", "application/x-amz-json-1.0"),)


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    sent: float
    receives: int = 0
    visible_at: float = 0.0


class Queue:
    """One queue of SQS, with long polling and a visibility timeout. Times are seconds since 1970."""

    def __init__(self) -> None:
        self._ready: deque[_Message] = deque()
        self._taken: dict[str, _Message] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self.acknowledged = 0
        self.most_receives = 0

    def send(self, bodies: Iterable[str]) -> None:
        """Put messages on it."""
        with self._changed:
            now = time.time()
            self._ready.extend(_Message(f"m{next(self._numbers)}", body, now) for body in bodies)
            self._changed.notify_all()

    @property
    def left(self) -> int:
        """How many messages are not deleted."""
        with self._changed:
            return len(self._ready) + len(self._taken)

    def answer(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One call of SQS's JSON protocol; what nobody needs here answers with nothing."""
        if operation == "ReceiveMessage":
            return {"Messages": [_shown(one) for one in self._receive(asked)]}
        with self._changed:
            if operation == "DeleteMessage":
                self.acknowledged += self._taken.pop(asked["ReceiptHandle"], None) is not None
            if operation == "ChangeMessageVisibilityBatch":
                for entry in asked["Entries"]:
                    if (held := self._taken.get(entry["ReceiptHandle"])) is not None:
                        held.visible_at = time.time() + entry["VisibilityTimeout"]
                return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}
        if operation == "GetQueueAttributes":
            return {"Attributes": {"VisibilityTimeout": str(VISIBILITY_SECONDS)}}
        return {}

    def _receive(self, asked: Mapping[str, Any]) -> list[_Message]:
        until = time.time() + asked.get("WaitTimeSeconds", 0)
        with self._changed:
            while not self._is_ready() and (left := until - time.time()) > 0:
                self._changed.wait(min(left, 1))
            most = min(int(asked.get("MaxNumberOfMessages", 1)), len(self._ready))
            found = [self._ready.popleft() for _ in range(most)]
            for one in found:
                one.receives += 1
                one.visible_at = time.time() + VISIBILITY_SECONDS
                self.most_receives = max(self.most_receives, one.receives)
                self._taken[one.id] = one
        return found

    def _is_ready(self) -> bool:
        now = time.time()
        for one in [one for one in self._taken.values() if one.visible_at <= now]:
            self._ready.append(self._taken.pop(one.id))
        return bool(self._ready)


def _shown(message: _Message) -> dict[str, Any]:
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.id,
        "Body": message.body,
        "MD5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "Attributes": {
            "SentTimestamp": str(int(message.sent * 1000)),
            "ApproximateReceiveCount": str(message.receives),
        },
    }


class SortedBucket(Bucket):
    """A bucket whose listings do not look at every key: there are tens of thousands."""

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[str] = []

    def _put(self, path: str, headers: Mapping[str, str], body: bytes | None, size: int) -> Reply:
        new = path not in self._objects
        reply = super()._put(path, headers, body, size)
        if new and path in self._objects:
            insort(self._sorted, path)
        return reply

    def _list(self, bucket: str, query: Mapping[str, str]) -> Reply:
        everything, first = self._objects, f"/{bucket}/{query.get('prefix', '')}"
        start = bisect_right(self._sorted, max(first, f"/{bucket}/{query.get('start-after', '')}"))
        found = itertools.takewhile(lambda path: path.startswith(first), self._sorted[start:])
        self._objects = {path: everything[path] for path in found}
        try:
            return super()._list(bucket, query)
        finally:
            self._objects = everything


class _Connection(Connection):
    """SQS besides what the replay server knows."""

    def _request(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        operation = headers.get("x-amz-target", "")
        if not operation.startswith(SQS_TARGET):
            super()._request(method, target, headers)
            return
        body, _ = self._body(headers, drop=False)
        name = operation.removeprefix(SQS_TARGET)
        cast("AwsServer", self.replay).count(f"sqs:{name}", 0)
        answer = cast("AwsServer", self.replay).queue.answer(name, json.loads(body or b"{}"))
        self._answer(Reply(200, json.dumps(answer).encode(), _JSON), method)


class AwsServer(ReplayServer):
    """The AWS of the benchmark: no tables, one bucket, one queue."""

    def __init__(self) -> None:
        super().__init__([])
        self.RequestHandlerClass = _Connection
        self.bucket = SortedBucket()
        self.queue = Queue()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.server_address[1]}"


class SlowSlack(SlackStandIn):
    """Answers after 50 ms. Until ``bad_until`` (seconds since 1970) it throttles and fails in turn instead.

    Of the failed calls every second was done all the same, and nobody can know.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bad_until = 0.0
        self.refused = 0

    def answer(self, method: str, token: str, arguments: Mapping[str, Any]) -> Answer | None:
        """See SlackStandIn.answer."""
        if method.startswith("chat.") and time.time() < self.bad_until:
            self.refused += 1
            if self.refused % 2:
                return Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "1"}, SLACK_SECONDS)
            if self.refused % 4 == 0:
                super().answer(method, token, arguments)
            fault = Fault.server_error()
            return Answer(fault.status, {"ok": False, "error": fault.code}, {}, SLACK_SECONDS)
        answer = super().answer(method, token, arguments)
        if answer is None:
            return None
        return Answer(answer.status, answer.body, answer.headers, SLACK_SECONDS)


@dataclass
class World:
    """All of it, for one watcher; a context manager. ``s3_url``: another S3 than the one in memory."""

    s3_url: str = ""
    aws: AwsServer = field(default_factory=AwsServer)
    slack: SlowSlack = field(default_factory=SlowSlack)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        threading.Thread(target=self.aws.serve_forever, daemon=True).start()
        self._stack.enter_context(self.aws)
        self._stack.callback(self.aws.shutdown)
        self._stack.enter_context(self.slack)
        self.vault_client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def vault_client(self) -> Any:
        """An S3 client of our own."""
        keys = EXAMPLE_KEYS
        url = self.s3_url or self.aws.url
        return Aws(AwsSettings("", REGION, url, keys.access_key, keys.secret_key)).s3()

    def settings(self) -> dict[str, str]:
        """The environment of the watcher."""
        return {
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_ENDPOINT_URL_S3": self.s3_url or self.aws.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": EXAMPLE_KEYS.access_key,
            "AWS_SECRET_ACCESS_KEY": EXAMPLE_KEYS.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAFETYNET_VAULT": f"s3://{BUCKET}/{PREFIX}",
            "SAFETYNET_QUEUE_URL": f"{self.aws.url}/123456789012/changes",
            "SAFETYNET_SLACK__TOKEN": TOKEN,
            "SAFETYNET_SLACK__CHANNEL": CHANNEL,
            "SAFETYNET_SLACK__API_URL": self.slack.base_url,
            "SAFETYNET_WATCH__CATCH_UP": "off",
            "SAFETYNET_WATCH__CANARY__ENABLED": "false",
        }

    def incidents(self) -> list[Incident]:
        """All documents that the watcher has stored."""
        store = IncidentStore(S3Vault(self.vault_client, BUCKET, PREFIX))
        return [one for one in store.all() if isinstance(one, Incident)]
