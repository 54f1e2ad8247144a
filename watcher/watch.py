"""The watcher's loop: receive, take in, acknowledge, deliver. Runs until told to stop."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from rules.errors import AccessDeniedError, EventError, NotFoundError, SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recovery.clock import Clock, Sleep
    from watcher.incidents import Incident
    from watcher.outbox import Outbox
    from watcher.pipeline import Pipeline
    from watcher.sources import Delivery, EventSource

log = logging.getLogger(__name__)

OUTBOX_SECONDS = 15
PAUSE_SECONDS = 5


class Watcher:
    """One source, one pipeline, one outbox. Several watchers side by side are safe."""

    def __init__(
        self, source: EventSource, pipeline: Pipeline, outbox: Outbox, clock: Clock, sleep: Sleep
    ) -> None:
        self._source = source
        self._pipeline = pipeline
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep
        self._stop = threading.Event()
        self._receiving = False
        self.on_incident: Callable[[Incident], None] = lambda _: None

    def stop(self) -> None:
        """Stop after the messages at hand."""
        self._stop.set()

    def interrupt(self) -> None:
        """For signal handlers: ``stop``, without waiting for the end of a long poll.

        A message that arrives in this very moment is not acknowledged, so the queue hands it out again.
        """
        self.stop()
        if self._receiving:
            raise KeyboardInterrupt

    def run(self) -> None:
        """Watch until ``stop``. First of all what an earlier watcher owed is delivered.

        Raises AccessDeniedError and NotFoundError from source and vault: no retry mends those. While a service
        is out of reach the watcher waits and goes on; unacknowledged messages come back by themselves.
        """
        self._pipeline.check()
        delivered_at = None
        suspect = False
        while not self._stop.is_set():
            now = self._clock()
            if delivered_at is None or (now - delivered_at).total_seconds() >= OUTBOX_SECONDS:
                self._deliver_owed()
                delivered_at = now
            try:
                if suspect:
                    # What cannot be stored must not be received again and again until SQS gives it up.
                    self._pipeline.check()
                suspect = False
                self.step()
            except KeyboardInterrupt:
                if not self._stop.is_set():
                    raise
            except (AccessDeniedError, NotFoundError):
                raise
            except SafetyNetError as error:
                log.warning("%s; trying again", error)
                suspect = True
                self._sleep(PAUSE_SECONDS)

    def drain(self) -> None:
        """Deliver what is owed, then receive until nothing more comes."""
        self._pipeline.check()
        self._deliver_owed()
        while self.step():
            continue
        self._deliver_owed()

    def step(self) -> int:
        """Receive once and work through what came; returns how many messages were acknowledged."""
        return sum(self._handle(delivery) for delivery in self._receive())

    def _receive(self) -> Sequence[Delivery]:
        self._receiving = True
        try:
            return self._source.receive()
        finally:
            self._receiving = False

    def _handle(self, delivery: Delivery) -> bool:
        try:
            incidents = self._pipeline.take_all(delivery.body)
        except EventError as error:
            log.error("message %s cannot be understood: %s", delivery.id, error)  # noqa: TRY400 - no traceback
            return self._poison(delivery, error)
        except SafetyNetError:
            raise
        except Exception as error:
            # A defect of ours must not make a deletion go unseen, nor stop the watcher for the next one.
            log.exception("message %s could not be handled", delivery.id)
            return self._poison(delivery, EventError(f"not handled: {type(error).__name__}"))
        self._source.acknowledge(delivery)
        for incident in incidents:
            self._deliver(incident)
            self.on_incident(incident)
        return True

    def _poison(self, delivery: Delivery, error: EventError) -> bool:
        """Alert, and leave the message where it is: SQS moves it to the dead-letter queue."""
        self._deliver(self._pipeline.take_unreadable(delivery.body, error))
        return False

    def _deliver(self, incident: Incident) -> None:
        if not incident.unsent:
            return
        try:
            self._outbox.deliver(incident.id)
        except SafetyNetError as error:
            log.warning("incident %s: not delivered yet: %s", incident.id, error)

    def _deliver_owed(self) -> None:
        try:
            self._outbox.deliver_all()
        except SafetyNetError as error:
            log.warning("owed alerts could not be delivered: %s", error)
