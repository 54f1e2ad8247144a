"""The CloudWatch alarms that watch a table."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from recovery.backups.manifest import TableIdentity
    from recovery.definitions.reader import Reader

NAMESPACE = "AWS/DynamoDB"
DIMENSION = "TableName"
# Made and deleted by a target tracking policy, never by hand (Application Auto Scaling user guide).
_OF_AUTO_SCALING = "TargetTracking-"
_FRESH = timedelta(minutes=5)


class AlarmListing:
    """The metric alarms of a region, listed once for all tables that are captured within minutes.

    DescribeAlarms cannot be asked for a table, and what can (DescribeAlarmsForMetric) does not know of
    metric math. Threads may share one.
    """

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] | SafetyNetError = []
        self._listed: datetime | None = None
        self._lock = threading.Lock()

    def of(self, alarms: Reader, table: TableIdentity, now: datetime) -> list[dict[str, Any]] | None:
        """What PutMetricAlarm takes, for each alarm that watches the table; their tags are not among it."""
        return [
            alarms.request_for("PutMetricAlarm", alarm)
            for alarm in self._all(alarms, now)
            if not alarm["AlarmName"].startswith(_OF_AUTO_SCALING) and _watches(alarm, table)
        ] or None

    def _all(self, alarms: Reader, now: datetime) -> list[dict[str, Any]]:
        with self._lock:
            if self._listed is None or now - self._listed >= _FRESH:
                try:
                    self._found = list(
                        alarms.listed("describe_alarms", "MetricAlarms", AlarmTypes=["MetricAlarm"])
                    )
                except SafetyNetError as error:
                    # What failed for one table fails for the next one, too, after as long a wait.
                    self._found = error
                self._listed = now
            if isinstance(self._found, SafetyNetError):
                raise self._found
            return self._found


def _watches(alarm: dict[str, Any], table: TableIdentity) -> bool:
    if any(_is_of(metric, table) for metric in _metrics(alarm, table)):
        return True
    return any(_names(query.get("Expression", ""), table.name) for query in alarm.get("Metrics") or ())


def _metrics(alarm: dict[str, Any], table: TableIdentity) -> Iterator[dict[str, Any]]:
    """The alarm's own metric, and those that its metric math is made of; another account's are others' tables."""
    yield alarm
    for query in alarm.get("Metrics") or ():
        if query.get("AccountId", table.account) == table.account:
            yield query.get("MetricStat", {}).get("Metric", {})


def _is_of(metric: dict[str, Any], table: TableIdentity) -> bool:
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()}
    return metric.get("Namespace") == NAMESPACE and dimensions.get(DIMENSION) == table.name


def _names(expression: str, table: str) -> bool:
    """SEARCH and SELECT expressions name the table in their text."""
    return NAMESPACE in expression and bool(
        re.search(rf"(?<![\w.-]){re.escape(table)}(?![\w.-])", expression, flags=re.ASCII)
    )
