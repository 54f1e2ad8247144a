"""Messages that are being worked on stay invisible: their visibility timeout is extended until they are let go.

SQS developer guide, 'Amazon SQS visibility timeout': who works longer than the queue's timeout extends it from time
to time, for 12 hours at most. A process that dies extends nothing, so its messages come back within one timeout.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from recovery.aws import aws_errors
from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef

    from recovery.clock import Clock
    from watcher.sources.source import Delivery

log = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")

BATCH_SIZE = 10
EXTENSIONS_A_TIMEOUT = 3
# Nothing takes so long but what was forgotten, or hangs.
LONGEST_WORK = timedelta(minutes=30)
SQS_DEFAULT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class _Held:
    id: str
    receipt: str
    since: datetime


class Visibility:
    """Holds the messages of one queue. A thread of its own runs as long as any is held."""

    def __init__(self, client: SQSClient, queue_url: str, clock: Clock) -> None:
        self._client = client
        self._queue_url = queue_url
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._nothing_held = threading.Event()
        self._timeout: int | None = None

    def hold(self, deliveries: Sequence[Delivery]) -> None:
        """Keep them invisible until ``let_go``. Never raises: at worst a message is handed out twice."""
        timeout = self._timeout_seconds()
        if not timeout:
            return  # the queue wants its messages back at once
        now = self._clock()
        with self._lock:
            self._held |= {one.receipt: _Held(one.id, one.receipt, now) for one in deliveries}
            if self._held and self._keeper is None:
                self._keeper = threading.Thread(
                    target=self._keep, args=(timeout / EXTENSIONS_A_TIMEOUT,), name="visibility", daemon=True
                )
                self._keeper.start()

    def let_go(self, receipts: Iterable[str]) -> None:
        """Stop extending them."""
        with self._lock:
            for receipt in receipts:
                self._held.pop(receipt, None)
            if not self._held:
                self._nothing_held.set()

    def extend(self) -> None:
        """Extend all that is held by the queue's timeout, from now on. Never raises: what fails is logged."""
        timeout = self._timeout_seconds()
        for batch in in_batches(self._still_wanted()):
            try:
                with aws_errors("extend the visibility timeout"):
                    answer = self._client.change_message_visibility_batch(
                        QueueUrl=self._queue_url,
                        Entries=[
                            {"Id": str(number), "ReceiptHandle": one.receipt, "VisibilityTimeout": timeout}
                            for number, one in enumerate(batch)
                        ],
                    )
            except SafetyNetError as error:
                # The next extension comes before the timeout ends.
                log.warning("%s", error)
                continue
            for failure in answer.get("Failed", []):
                self._failed(batch[int(failure["Id"])], failure)

    def _failed(self, held: _Held, failure: BatchResultErrorEntryTypeDef) -> None:
        with self._lock:
            if held.receipt not in self._held:
                return  # acknowledged meanwhile
            if failure["SenderFault"]:
                del self._held[held.receipt]  # asking again would not help
        log.warning(
            "message %s may be handed out twice: its visibility timeout cannot be extended: %s",
            held.id, failure["Code"],
        )  # fmt: skip

    def _still_wanted(self) -> list[_Held]:
        oldest = self._clock() - LONGEST_WORK
        with self._lock:
            forgotten = [one for one in self._held.values() if one.since < oldest]
            for one in forgotten:
                del self._held[one.receipt]
            wanted = list(self._held.values())
        for one in forgotten:
            log.warning(
                "message %s has been worked on for %s; it may be handed out again", one.id, LONGEST_WORK
            )
        return wanted

    def _keep(self, seconds: float) -> None:
        while True:
            idle = self._nothing_held.wait(seconds)
            with self._lock:
                self._nothing_held.clear()
                if not self._held:
                    self._keeper = None
                    return
            if idle:
                continue  # more came in this very moment; its timeout has just begun
            try:
                self.extend()
            except Exception:
                log.exception("visibility timeouts could not be extended")

    def _timeout_seconds(self) -> int:
        """The queue's VisibilityTimeout, asked for once."""
        if self._timeout is None:
            try:
                with aws_errors("read the queue's visibility timeout"):
                    answer = self._client.get_queue_attributes(
                        QueueUrl=self._queue_url, AttributeNames=["VisibilityTimeout"]
                    )
                self._timeout = int(answer["Attributes"]["VisibilityTimeout"])
            except (SafetyNetError, KeyError, ValueError) as error:
                log.warning("%s; %d s is assumed", error, SQS_DEFAULT_SECONDS)
                self._timeout = SQS_DEFAULT_SECONDS
        return self._timeout


def in_batches(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    """As many at a time as SQS takes in one request."""
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]
