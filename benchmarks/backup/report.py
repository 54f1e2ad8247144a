"""What is printed: a line a comparison, which ends in its ratio, and at the end the bars that were missed."""

from __future__ import annotations

PLAIN_FROM = 20  # from here on a ratio needs no digits behind the point


class Report:
    """Prints as it goes, so that a long run shows where it is."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def heading(self, text: str) -> None:
        """What the lines below are about."""
        print(text, flush=True)

    def ratio(
        self, text: str, ratio: float, *, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """A comparison, with the bar that it has to keep, if there is one."""
        bar = at_least if at_least is not None else at_most
        kept = (at_least is None or ratio >= at_least) and (at_most is None or ratio <= at_most)
        spelt = f"{ratio:.0f}" if ratio >= PLAIN_FROM else f"{ratio:.2f}"
        told = "" if bar is None else f", bar {bar:g}" if kept else f", bar {bar:g} MISSED"
        print(f"  {text}{told}, ratio {spelt}", flush=True)
        if not kept:
            self.missed.append(f"{text}: {spelt}, the bar is {bar:g}")

    def no_ratio(self, text: str, *, ours: bool) -> None:
        """Why there is nothing to compare. For a peer that is a result, for ours a bar that is missed."""
        print(f"  {text}; no ratio", flush=True)
        if ours:
            self.missed.append(text)

    def conclude(self) -> int:
        """Say which bars were missed; the exit code."""
        for miss in self.missed:
            print(f"missed: {miss}")
        if not self.missed:
            print("all bars are kept")
        return 1 if self.missed else 0
