"""Metrics as CloudWatch reads them out of a log line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from watcher.health.metrics_emf import EmfMetrics, Metric, NoMetrics

if TYPE_CHECKING:
    from tests.watcher.watching import Clockwork


def written(clock: Clockwork) -> tuple[EmfMetrics, list[str]]:
    """Metrics, and the lines that they write."""
    lines: list[str] = []
    return EmfMetrics(lines.append, clock, "safetynet", {"Watcher": "one"}), lines


def test_a_line_is_in_the_embedded_metric_format(clock: Clockwork) -> None:
    """The specification's members: what is a metric is named under ``_aws``, and is there as a number."""
    metrics, lines = written(clock)
    metrics.count(Metric.EVENTS_RECEIVED, 2)
    metrics.count(Metric.EVENTS_RECEIVED)
    metrics.measure(Metric.EVENT_LAG, 12.5)
    metrics.flush()
    (line,) = lines
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line)
    assert document == {
        "_aws": {
            "Timestamp": 1795435200000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "safetynet",
                    "Dimensions": [["Watcher"]],
                    "Metrics": [
                        {"Name": "EventsReceived", "Unit": "Count"},
                        {"Name": "EventLag", "Unit": "Seconds"},
                    ],
                }
            ],
        },
        "Watcher": "one",
        "EventsReceived": 3,
        "EventLag": 12.5,
    }


def test_what_was_written_is_not_counted_again(clock: Clockwork) -> None:
    """CloudWatch adds the lines up; where nothing happened there is none."""
    metrics, lines = written(clock)
    metrics.count(Metric.ALERTS_SENT)
    metrics.flush()
    metrics.flush()
    metrics.count(Metric.ALERTS_SENT)
    metrics.flush()
    assert [json.loads(line)["AlertsSent"] for line in lines] == [1, 1]


def test_every_metric_there_is(clock: Clockwork) -> None:
    """Events, incidents, alerts sent and owed, lag, the canary's way."""
    metrics, lines = written(clock)
    for metric in Metric:
        metrics.measure(metric, 1)
    metrics.flush()
    assert list(json.loads(lines[0]))[2:] == [
        "EventsReceived",
        "IncidentsOpened",
        "AlertsSent",
        "AlertsUnsent",
        "EventLag",
        "CanarySeconds",
    ]


def test_they_can_be_off() -> None:
    """Then nothing is kept."""
    off = NoMetrics()
    off.count(Metric.ALERTS_SENT)
    off.measure(Metric.EVENT_LAG, 1)
    off.flush()
