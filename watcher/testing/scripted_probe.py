"""A probe that sees what it is told to see."""

from __future__ import annotations

from watcher.availability.probe import Signal, SignalState


class ScriptedProbe:
    """See Probe. ``states`` are given first, one a call, then ``usual``; ``asked`` are the regions of all calls."""

    def __init__(self, name: str, *states: SignalState, usual: SignalState = SignalState.OK) -> None:
        self.name = name
        self.states = list(states)
        self.usual = usual
        self.asked: list[str] = []
        self.defect: Exception | None = None

    def probe(self, region: str) -> Signal:
        """See Probe.probe; but a ``defect`` is raised, as none of a probe ever should be."""
        self.asked.append(region)
        if self.defect is not None:
            raise self.defect
        state = self.states.pop(0) if self.states else self.usual
        return Signal(self.name, state, f"told to be {state.value}")
