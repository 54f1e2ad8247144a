"""Metrics as lines of JSON on stdout that CloudWatch Logs turns into metrics: its 'Embedded metric format'.

Lambda's output, and that of a container with the awslogs driver, goes to CloudWatch Logs; nothing else is called.
"""

from __future__ import annotations

import json
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recovery.clock import Clock

MILLISECONDS = 1000


class Metric(StrEnum):
    """The metrics there are, by their names in CloudWatch. The first three are counted, the others are as they are."""

    EVENTS_RECEIVED = "EventsReceived"
    INCIDENTS_OPENED = "IncidentsOpened"
    ALERTS_SENT = "AlertsSent"
    ALERTS_UNSENT = "AlertsUnsent"
    EVENT_LAG = "EventLag"
    CANARY_SECONDS = "CanarySeconds"


_SECONDS = frozenset({Metric.EVENT_LAG, Metric.CANARY_SECONDS})


class Metrics(Protocol):
    """Takes measurements. ``NoMetrics`` throws them away."""

    def count(self, metric: Metric, number: int = 1) -> None:
        """So many more of them, since the last ``flush``."""
        ...

    def measure(self, metric: Metric, value: float) -> None:
        """It is so now: seconds, or a number."""
        ...

    def flush(self) -> None:
        """Write what was counted and measured since the last time; nothing if there is nothing."""
        ...


class NoMetrics:
    """See Metrics."""

    def count(self, metric: Metric, number: int = 1) -> None:
        """See Metrics.count."""

    def measure(self, metric: Metric, value: float) -> None:
        """See Metrics.measure."""

    def flush(self) -> None:
        """See Metrics.flush."""


class EmfMetrics:
    """See Metrics. Threads may share it. ``write`` takes one line without its end (``print``)."""

    def __init__(
        self, write: Callable[[str], object], clock: Clock, namespace: str, dimensions: Mapping[str, str]
    ) -> None:
        self._write = write
        self._clock = clock
        self._namespace = namespace
        self._dimensions = dict(dimensions)
        self._lock = threading.Lock()
        self._values: dict[Metric, float] = {}

    def count(self, metric: Metric, number: int = 1) -> None:
        """See Metrics.count."""
        with self._lock:
            self._values[metric] = self._values.get(metric, 0) + number

    def measure(self, metric: Metric, value: float) -> None:
        """See Metrics.measure."""
        with self._lock:
            self._values[metric] = value

    def flush(self) -> None:
        """See Metrics.flush."""
        with self._lock:
            values, self._values = self._values, {}
        if values:
            milliseconds = int(self._clock().timestamp() * MILLISECONDS)
            self._write(emf_line(values, milliseconds, self._namespace, self._dimensions))


def emf_line(
    values: Mapping[Metric, float], milliseconds: int, namespace: str, dimensions: Mapping[str, str]
) -> str:
    """One document: ``_aws`` says which members are metrics, the members are their values.

    ``milliseconds`` since 1970. Source: CloudWatch user guide, 'Specification: Embedded metric format'.
    """
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [
            {"Name": metric.value, "Unit": "Seconds" if metric in _SECONDS else "Count"} for metric in values
        ],
    }
    document: dict[str, Any] = {
        "_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]},
        **dimensions,
        **{metric.value: value for metric, value in values.items()},
    }
    return json.dumps(document)
