"""What is to be done now and then beside the loop: send the canary, probe the regions, call the dead man's switch.

One round after another in a thread of its own (``run``), since a probe may take seconds; or one at a time (``once``),
as a scheduled Lambda does. Nothing here may stop the watcher: what fails is logged, and tried again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rules.errors import SafetyNetError, UnavailableError
from watcher.health.health import health_of
from watcher.health.metrics_emf import Metric, NoMetrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from recovery.clock import Clock
    from watcher.availability.region_watch import RegionWatch
    from watcher.health.canary import Canaries
    from watcher.health.dead_man import DeadMan
    from watcher.health.health import Health
    from watcher.health.health_reading import HealthReader
    from watcher.health.metrics_emf import Metrics

log = logging.getLogger(__name__)

ROUND_SECONDS = 15.0


class Rounds:
    """The parts that are set up; each of them may be missing."""

    def __init__(
        self,
        clock: Clock,
        reader: HealthReader,
        *,
        canaries: Canaries | None = None,
        regions: RegionWatch | None = None,
        dead_man: DeadMan | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._clock = clock
        self._reader = reader
        self._canaries = canaries
        self._regions = regions
        self._dead_man = dead_man
        self._metrics = metrics or NoMetrics()

    def once(self) -> None:
        """One round. Never raises; what is due is decided by what is stored."""
        self._guarded("the canary", self._send_canary)
        self._guarded("the regions", self._look_at_regions)
        self._guarded("the dead man's switch", self._call_dead_man)

    def run(self, stop: Event, seconds: float = ROUND_SECONDS) -> None:
        """Round after round until ``stop`` is set."""
        while not stop.wait(seconds):
            self.once()

    def _send_canary(self) -> None:
        if self._canaries is not None:
            self._canaries.send_due()

    def _look_at_regions(self) -> None:
        if self._regions is not None:
            self._regions.round()

    def _call_dead_man(self) -> None:
        """An arrival is worth one call: that all is well, or what is not. No arrival, no call: that is the alarm."""
        arrival = self._canaries.untold() if self._canaries is not None else None
        if self._canaries is None or arrival is None:
            return
        health = self._health()
        self._metrics.measure(Metric.CANARY_SECONDS, arrival.seconds)
        if self._dead_man is not None:
            self._tell(self._dead_man, health)
        self._canaries.told(arrival)

    @staticmethod
    def _tell(dead_man: DeadMan, health: Health) -> None:
        """Raises UnavailableError: then the next round tries again. What is refused would be refused again."""
        try:
            if health.ok:
                dead_man.alive()
            else:
                dead_man.failed(health.summary)
        except UnavailableError:
            raise
        except SafetyNetError as error:
            log.error("%s. %s", error, error.hint)  # noqa: TRY400 - no traceback

    def _health(self) -> Health:
        observed = self._reader.observe()
        self._metrics.measure(Metric.ALERTS_UNSENT, len(observed.incidents.unsent))
        return health_of(observed, self._clock())

    @staticmethod
    def _guarded(what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except SafetyNetError as error:
            log.warning("%s: %s", what, error)
        except Exception:
            # A defect of ours in this corner must not end the watch.
            log.exception("%s: could not be seen to", what)
