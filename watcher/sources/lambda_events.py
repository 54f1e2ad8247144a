"""What Lambda hands over, taken in by the same pipeline: from an SQS event source mapping, or from EventBridge.

Lambda developer guide, 'Handling errors for an SQS event source': with ``ReportBatchItemFailures`` the answer names
the messages that failed, and the others are deleted; where the answer is not understood all of them come back. What
fails comes back after the queue's visibility timeout, and after ``maxReceiveCount`` goes to the dead-letter queue.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rules.errors import AccessDeniedError, EventError, NotFoundError, SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)

FIFO = ".fifo"


class Intake(Protocol):
    """What is used of ``watcher.pipeline.Pipeline``."""

    def take_all(self, body: bytes) -> Sequence[Incident]:
        """See Pipeline.take_all."""
        ...

    def take_unreadable(self, body: bytes, error: EventError) -> Incident:
        """See Pipeline.take_unreadable."""
        ...


class _Attributes(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    group: str = Field(alias="MessageGroupId", default="")


class _Message(BaseModel):
    """An entry of ``Records``. An empty identifier in the answer would make all messages come back."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, Field(alias="messageId", min_length=1)]
    body: str
    attributes: _Attributes = _Attributes()
    queue: str = Field(alias="eventSourceARN", default="")

    @property
    def ordered_group(self) -> str | None:
        """The group whose order counts. Standard queues may have groups, too, but no order."""
        return self.attributes.group if self.queue.endswith(FIFO) else None


class _SqsEvent(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    records: Annotated[tuple[_Message, ...], Field(alias="Records")]


class LambdaEvents:
    """Takes in what Lambda hands over.

    ``deliver`` sends what an incident owes, and is called once it is stored; what it cannot send stays owed. ``read``
    turns a message into events (``TrailFiles.events_of``); by default a message is the events. ``received`` hears of
    every message.
    """

    def __init__(
        self,
        intake: Intake,
        deliver: Callable[[Incident], object],
        read: Callable[[bytes], bytes] = lambda body: body,
        received: Callable[[], object] = lambda: None,
    ) -> None:
        self._received = received
        self._intake = intake
        self._deliver = deliver
        self._read = read

    def handle_sqs(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """The messages of an SQS event, as ``{"batchItemFailures": [{"itemIdentifier": messageId}, ...]}``.

        Messages that cannot be understood are alerted, and reported, so that they go to the dead-letter queue. Once
        a service is out of reach the rest is reported untried. In a FIFO queue nothing of a group passes a message
        that failed. Raises AccessDeniedError and NotFoundError: no retry mends those, and Lambda counts them as
        errors; EventError for an event that is none of SQS. Then all messages come back, and known ones change nothing.
        """
        failures: list[str] = []
        stuck: set[str] = set()
        out_of_reach = False
        for message in _messages(event):
            group = message.ordered_group
            if out_of_reach or group in stuck:
                failures.append(message.id)
                continue
            try:
                taken = self._take(message.body.encode(errors="surrogatepass"), message.id)
            except (AccessDeniedError, NotFoundError):
                raise
            except SafetyNetError as error:
                log.warning("message %s: %s; it comes back", message.id, error)
                taken, out_of_reach = False, True
            if not taken:
                failures.append(message.id)
                if group is not None:
                    stuck.add(group)
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failures]}

    def handle_event(self, event: Mapping[str, Any]) -> None:
        """One event that EventBridge invoked the function with.

        Raises EventError for one that cannot be understood, after it was alerted, and whatever the vault raises: so
        Lambda tries again, twice, and then sends the event to the function's dead-letter queue or destination.
        """
        name = str(event.get("id", ""))[:100]
        body = json.dumps(event, separators=(",", ":")).encode()
        if not self._take(body, name):
            raise EventError(f"event {name!r} could not be taken in; people were told")

    def _take(self, body: bytes, name: str) -> bool:
        """Whether it is done; False: people were told that it cannot be. Raises as the vault does."""
        self._received()
        try:
            incidents = self._intake.take_all(self._read(body))
        except EventError as error:
            log.error("message %s cannot be understood: %s", name, error)  # noqa: TRY400 - no traceback
            self._tell(self._intake.take_unreadable(body, error))
            return False
        except SafetyNetError:
            raise
        except Exception as error:
            # A defect of ours must not make a deletion go unseen, nor hold up the next one.
            log.exception("message %s could not be handled", name)
            self._tell(self._intake.take_unreadable(body, EventError(f"not handled: {type(error).__name__}")))
            return False
        for incident in incidents:
            self._tell(incident)
        return True

    def _tell(self, incident: Incident) -> None:
        if not incident.unsent and not incident.stale:
            return
        try:
            self._deliver(incident)
        except SafetyNetError as error:
            log.warning("incident %s: not delivered yet: %s", incident.id, error)


def _messages(event: Mapping[str, Any]) -> Sequence[_Message]:
    try:
        return _SqsEvent.model_validate(event).records
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EventError(f"not an event of SQS: {place}: {first['msg']}") from error
