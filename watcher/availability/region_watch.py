"""Looks after DynamoDB in regions: rounds of probes, AWS Health's events, and the incident of an outage.

State first, incident after: what is stored of the outage names its incident, and an incident that a crash kept from
being written or ended is written at the next round.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.errors import DamagedObjectError
from recovery.threads import side_by_side
from rules.errors import SafetyNetError
from watcher.availability.availability import (
    AVAILABILITY,
    RegionAvailability,
    RegionStatus,
    after_health_event,
    after_round,
    due,
    to_be_confirmed,
)
from watcher.availability.probe import Signal, SignalState
from watcher.stored_state import StoredState, stored_under

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from recovery.clock import Clock
    from recovery.vault.vault import Vault
    from watcher.availability.availability import AvailabilityPolicy
    from watcher.availability.health_events import HealthEvent
    from watcher.availability.outages import OutageIncidents
    from watcher.availability.probe import Probe
    from watcher.incidents.incident import Incident

log = logging.getLogger(__name__)


def availabilities(vault: Vault) -> Iterator[RegionAvailability | DamagedObjectError]:
    """What is stored of each region; what cannot be read comes as the error that names it. Raises as the vault does."""
    for _, found in stored_under(vault, AVAILABILITY, RegionAvailability):
        yield found


@dataclass(frozen=True, slots=True)
class RegionProbes:
    """Who is asked about which regions. ``independent`` is asked before a region is called down."""

    regions: tuple[str, ...]
    probes: tuple[Probe, ...]
    independent: Probe


class RegionWatch:
    """Probes regions by turns with other watchers."""

    def __init__(
        self,
        vault: Vault,
        clock: Clock,
        probes: RegionProbes,
        outages: OutageIncidents,
        policy: AvailabilityPolicy,
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._probes = probes.probes
        self._independent = probes.independent
        self._regions = probes.regions
        self._outages = outages
        self._policy = policy

    def round(self) -> list[Incident]:
        """One round in each region whose turn it is; the incidents of the outages there are. They may owe messages.

        A region that cannot be looked at, or whose incident cannot be stored, is logged: the others are not held up.
        """
        found: list[Incident] = []
        for region in self._regions:
            try:
                found += self._round(region)
            except SafetyNetError as error:
                log.warning("the availability of %s could not be looked after: %s", region, error)
        return found

    def take_health(self, event: HealthEvent) -> Incident | None:
        """Take in an event of AWS Health; its outage's incident, None if it is about none. Raises as the vault does."""

        def change(stored: RegionAvailability | None) -> RegionAvailability:
            return after_health_event(stored or RegionAvailability(region=event.region), event)

        state = self._state(event.region).change(change)
        log.info("event %s: AWS Health: %s in %s is %s", event.id, event.code, event.region, _status(event))
        if state is None or state.outage is None or not _about(state, event):
            return None
        return self._settled(state)

    def _round(self, region: str) -> list[Incident]:
        now = self._clock()
        stored = self._state(region)
        known = _known(stored, region)
        if due(known, now, self._policy) and self._probes:
            known = self._looked(stored, known, now)
        if known.outage is None or known.outage.settled:
            return []
        return [self._settled(known)]

    def _looked(
        self, stored: StoredState[RegionAvailability], known: RegionAvailability, now: datetime
    ) -> RegionAvailability:
        signals, network_works = self._signals(known)

        def change(latest: RegionAvailability | None) -> RegionAvailability:
            latest = latest or RegionAvailability(region=known.region)
            if latest.checked_at != known.checked_at:
                return latest  # another watcher has made this round
            return after_round(latest, signals, now, self._policy, network_works=network_works)

        after = stored.change(change)
        if after is None:
            return known
        if after.status is not known.status:
            told = "; ".join(f"{one.probe}: {one.state.value}, {one.detail}" for one in signals)
            log.warning("DynamoDB in %s: %s -> %s (%s)", known.region, known.status, after.status, told)
        elif after.status is RegionStatus.BLIND:
            log.warning("DynamoDB in %s cannot be told: our own network does not work", known.region)
        return after

    def _signals(self, known: RegionAvailability) -> tuple[Sequence[Signal], bool]:
        """The signals of this round, and whether our network works: asked only where it matters.

        The network may have come back in between: so where it works, the probes look once more.
        """
        signals = self._probed(known.region)
        if not to_be_confirmed(known, signals, self._policy):
            return signals, True
        independent = _asked(self._independent, known.region)
        if independent.state is not SignalState.OK:
            return (*signals, _for_people(independent)), False
        return self._probed(known.region), True

    def _probed(self, region: str) -> list[Signal]:
        return side_by_side(
            len(self._probes), lambda number, _: _asked(self._probes[number], region), "probe"
        )

    def _settled(self, state: RegionAvailability) -> Incident:
        """The outage's incident, brought up to date; an outage that is over and told of needs no more care."""
        outage = state.outage
        assert outage is not None  # noqa: S101 - for mypy; who calls has looked
        incident = self._outages.settle(state.region, outage)
        if outage.ended is not None:

            def change(latest: RegionAvailability | None) -> RegionAvailability | None:
                if latest is None or latest.outage != outage:
                    return latest
                return latest.model_copy(update={"outage": outage.model_copy(update={"settled": True})})

            self._state(state.region).change(change)
        return incident

    def _state(self, region: str) -> StoredState[RegionAvailability]:
        return StoredState(self._vault, f"{AVAILABILITY}{region}.json", RegionAvailability)


def _known(stored: StoredState[RegionAvailability], region: str) -> RegionAvailability:
    try:
        return stored.read() or RegionAvailability(region=region)
    except DamagedObjectError:
        return RegionAvailability(region=region)  # told of, and begun anew, when it is written


def _asked(probe: Probe, region: str) -> Signal:
    try:
        return probe.probe(region)
    except Exception as error:
        # A defect of ours in one probe must neither bring a region down nor stop the others.
        log.exception("the probe %s failed", probe.name)
        return Signal(probe.name, SignalState.UNKNOWN, f"could not be asked: {type(error).__name__}")


def _for_people(independent: Signal) -> Signal:
    """Shown among the signals, but not counted with them."""
    return Signal(independent.probe, SignalState.UNKNOWN, independent.detail, independent.seconds)


def _about(state: RegionAvailability, event: HealthEvent) -> bool:
    health = state.outage.health if state.outage is not None else None
    return health is not None and health.arn == event.arn


def _status(event: HealthEvent) -> str:
    return "closed" if event.closed else "open"
