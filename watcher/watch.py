"""The watcher's loop: receive, take in, acknowledge, deliver. Runs until told to stop.

    a thread for each source   receives, and hands every message to
    a few workers              take in -> acknowledge, and hand the incident to
    a few senders              deliver what it owes
    the main thread            finds what is owed or due, and does the chores: escalation, heartbeat, ...

So a notifier that is down keeps nobody from storing what happens. A message is received only when a worker is free for it, so memory stays flat however many wait.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rules.errors import AccessDeniedError, EventError, NotFoundError, SafetyNetError
from watcher.alerts.senders import Senders
from watcher.log_context import about_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from recovery.clock import Clock, Sleep
    from watcher.alerts.outbox import Outbox
    from watcher.incidents.incident import Incident
    from watcher.pipeline import Pipeline
    from watcher.sources.source import Delivery, EventSource

log = logging.getLogger(__name__)

OUTBOX_SECONDS = 15
PAUSE_SECONDS = 5
# Each is waiting for S3 or Slack most of the time.
WORKERS = 8
TICK_SECONDS = 0.25
# Who has just received something hands it out yet; a long poll is not waited for.
GRACE_SECONDS = 1
# A source that has nothing waits by itself; one that does not is not to keep a processor busy.
IDLE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done every so often while the watcher runs. An error of ours in it is logged, and that is all."""

    name: str
    every: timedelta
    work: Callable[[], object]


class Watcher:
    """Sources, one pipeline, one outbox. Several watchers side by side are safe."""

    def __init__(
        self,
        sources: Sequence[EventSource],
        pipeline: Pipeline,
        outbox: Outbox,
        clock: Clock,
        sleep: Sleep,
        *,
        chores: Sequence[Chore] = (),
        workers: int = WORKERS,
    ) -> None:
        self._sources = tuple(sources)
        self._pipeline = pipeline
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep
        self._chores = (Chore("deliver", timedelta(seconds=OUTBOX_SECONDS), self._deliver_owed), *chores)
        self._senders: Senders | None = None
        self._done_at: dict[str, datetime] = {}
        self._workers = workers
        self._free = threading.BoundedSemaphore(workers)
        self._stop = threading.Event()
        self._in_hand: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._fatal: BaseException | None = None
        self._trouble: SafetyNetError | None = None
        self.on_incident: Callable[[Incident], None] = lambda _: None
        self.on_received: Callable[[Delivery], None] = lambda _: None

    def stop(self) -> None:
        """Stop after the messages at hand. For signal handlers too: a long poll is not waited for.

        A message that arrives in this very moment is not acknowledged, so the queue hands it out again.
        """
        self._stop.set()

    def run(self) -> None:
        """Watch until ``stop``. First of all what an earlier watcher owed is delivered.

        Raises AccessDeniedError and NotFoundError from source and vault: no retry mends those. While a service
        is out of reach the watcher waits and goes on; unacknowledged messages come back by themselves.
        """
        self._pipeline.check()
        senders = self._senders = Senders(self._outbox)
        self._do_chores()
        with closing(senders), ThreadPoolExecutor(self._workers, thread_name_prefix="worker") as pool:
            threads = [
                threading.Thread(
                    target=self._watch, args=(source, pool), name=f"source-{number}", daemon=True
                )
                for number, source in enumerate(self._sources)
            ]
            for thread in threads:
                thread.start()
            while not self._stop.wait(TICK_SECONDS):
                self._guarded("deliver what is due", lambda: senders.all_soon(self._outbox.take_due()))
                self._do_chores()
            for thread in threads:
                thread.join(GRACE_SECONDS)
        if self._fatal is not None:
            raise self._fatal

    def drain(self) -> None:
        """Deliver what is owed, then receive until nothing more comes, and what was missed is caught up on."""
        self._pipeline.check()
        self._deliver_owed()
        while self.step() or any(_has_more(source) for source in self._sources):
            continue
        self._deliver_owed()

    def step(self) -> int:
        """Receive once from each source and work through what came; returns how many messages were acknowledged."""
        return sum(
            self._handle(source, delivery) for source in self._sources for delivery in source.receive()
        )

    def _watch(self, source: EventSource, pool: ThreadPoolExecutor) -> None:
        """The thread of one source."""
        suspect = False
        while not self._stop.is_set():
            try:
                if suspect:
                    # What cannot be stored must not be received again and again until SQS gives it up.
                    self._pipeline.check()
                suspect = False
                if not self._hand_out(source, pool):
                    self._stop.wait(IDLE_SECONDS)
            except (AccessDeniedError, NotFoundError) as error:
                self._fatal = self._fatal or error
                self.stop()
            except SafetyNetError as error:
                log.warning("%s; trying again", error)
                suspect = True
                self._sleep(PAUSE_SECONDS)
            except Exception as error:
                # Without this thread nobody would watch, and nobody would know.
                log.exception("the source %s failed", source.location)
                self._fatal = self._fatal or error
                self.stop()

    def _hand_out(self, source: EventSource, pool: ThreadPoolExecutor) -> int:
        """Receive once, and have the workers handle what came; how many that were.

        Raises as ``EventSource.receive``, and again what stopped a worker the last time: then it is no time to
        receive more.
        """
        with self._free:  # room for one at least
            pass
        with self._lock:
            trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble
        count = 0
        for delivery in source.receive():
            hand = (source.location, delivery.id)
            with self._lock:
                known = hand in self._in_hand
                self._in_hand.add(hand)
            if known:
                source.release(delivery)
                continue
            self._free.acquire()
            try:
                pool.submit(self._work, source, delivery)
            except RuntimeError:  # the watcher has ended: it comes back to the next one
                self._let_go(source, delivery)
                source.release(delivery)
            count += 1
        return count

    def _work(self, source: EventSource, delivery: Delivery) -> None:
        """A worker's part: one message."""
        try:
            self._handle(source, delivery)
        except (AccessDeniedError, NotFoundError) as error:
            self._fatal = self._fatal or error
            self.stop()
        except SafetyNetError as error:
            with self._lock:
                self._trouble = error
        except BaseException as error:
            log.exception("message %s could not be handled", delivery.id)
            self._fatal = self._fatal or error
            self.stop()
        finally:
            self._let_go(source, delivery)

    def _let_go(self, source: EventSource, delivery: Delivery) -> None:
        with self._lock:
            self._in_hand.discard((source.location, delivery.id))
        self._free.release()

    def _handle(self, source: EventSource, delivery: Delivery) -> bool:
        """Whether the message was acknowledged. Raises SafetyNetError where it could not be stored."""
        with about_message(delivery.id):
            return self._handled(source, delivery)

    def _handled(self, source: EventSource, delivery: Delivery) -> bool:
        handled = False
        try:
            self.on_received(delivery)
            incidents = self._taken(delivery)
            if incidents is not None:
                source.acknowledge(delivery)
                handled = True
        finally:
            if not handled:
                source.release(delivery)
        for incident in incidents or ():
            self.deliver(incident)
            self.on_incident(incident)
        return handled

    def _taken(self, delivery: Delivery) -> list[Incident] | None:
        """The incidents that tell of what is in a message; None: it is told of, and left to the dead-letter queue."""
        try:
            if not delivery.fault:
                return self._pipeline.take_all(delivery.body)
            fault = EventError(delivery.fault)
        except EventError as error:
            fault = error
        except SafetyNetError:
            raise
        except Exception as error:
            # A defect of ours must not make a deletion go unseen, nor stop the watcher for the next one.
            log.exception("message %s could not be handled", delivery.id)
            fault = EventError(f"not handled: {type(error).__name__}")
        log.error("message %s cannot be understood: %s", delivery.id, fault)
        self.deliver(self._pipeline.take_unreadable(delivery.body, fault))
        return None

    def deliver(self, incident: Incident) -> None:
        """Send what an incident owes; while the watcher runs, in a thread of the senders. What fails stays owed."""
        if not incident.unsent and not incident.stale:
            return
        if self._senders is not None:
            self._senders.soon(incident)
            return
        try:
            self._outbox.deliver(incident.id, incident)
        except SafetyNetError as error:
            log.warning("incident %s: not delivered yet: %s", incident.id, error)

    def _deliver_owed(self) -> None:
        try:
            if self._senders is not None:
                self._senders.all_soon(self._outbox.owing())
            else:
                self._outbox.deliver_all()
        except SafetyNetError as error:
            log.warning("owed alerts could not be delivered: %s", error)

    def _do_chores(self) -> None:
        for chore in self._chores:
            now = self._clock()
            done = self._done_at.get(chore.name)
            if done is None or now - done >= chore.every:
                self._done_at[chore.name] = now
                self._guarded(chore.name, chore.work)

    def _guarded(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except SafetyNetError as error:
            log.warning("%s: %s", name, error)
        except Exception:
            log.exception("%s failed", name)


def _has_more(source: EventSource) -> bool:
    """Whether a source that gave nothing may still have something: it looks up what was missed."""
    return not getattr(source, "caught_up", True) and not getattr(source, "waits", False)
