"""What names a table in policies, alarms and scalable targets, for a table that comes back somewhere else.

Only what names this very table changes. Principals, topics, functions and keys stay what they were: nobody but
their owners knows what they are called elsewhere.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recovery.backups.manifest import TableIdentity

NAMESPACE = "AWS/DynamoDB"
DIMENSION = "TableName"
_NAME_ENDS = r"(?![\w.-])"


@dataclass(frozen=True, slots=True)
class Renaming:
    """From the table that was captured to the one that is there now, whose ARN is ``target_arn``."""

    source: TableIdentity
    target_arn: str

    @property
    def target(self) -> str:
        """The name of the table that is there now."""
        return self.target_arn.rpartition(":table/")[2]

    @property
    def same_table(self) -> bool:
        """Whether the table came back under its own name, in its own place."""
        return self.source.arn == self.target_arn

    @property
    def same_place(self) -> bool:
        """Whether it is in the account and region where it was."""
        return self.source.arn.rpartition(":")[0] == self.target_arn.rpartition(":")[0]

    def policy(self, text: str, stream_arn: str = "") -> str:
        """A policy's text about the table, its indexes and its stream, whose ARN is another one now.

        A policy whose ARNs stay is returned as it was, to the letter. ``*`` in place of region or account stays.
        """
        renamed = self._arns(text)
        if stream_arn:
            # The label is a time; one that is a wildcard fits the new stream as it is.
            stream = re.escape(stream_arn.rpartition("/")[0]) + r"/[\d:T.-]+"
            renamed = re.sub(stream, lambda _: stream_arn, renamed)
        return renamed

    def resource_id(self, resource_id: str) -> str:
        """``table/orders/index/by-g``, as Application Auto Scaling names what it scales."""
        table = re.escape(f"table/{self.source.name}")
        return re.sub(rf"^{table}(?=/|$)", lambda _: f"table/{self.target}", resource_id)

    def alarm(self, request: dict[str, Any]) -> dict[str, Any]:
        """PutMetricAlarm for the table that is there now.

        Beside the table that was captured an alarm needs another name: of the same name it would take its place.
        """
        if self.source.name == self.target:
            return request
        name = request["AlarmName"].replace(self.source.name, self.target)
        if name == request["AlarmName"] and self.same_place:
            name = f"{name}-{self.target}"
        return {**self._metric(request), "AlarmName": name}

    def _metric(self, metric: dict[str, Any]) -> dict[str, Any]:
        renamed = dict(metric)
        if metric.get("Namespace") == NAMESPACE and "Dimensions" in metric:
            renamed["Dimensions"] = [self._dimension(one) for one in metric["Dimensions"]]
        if "Metrics" in metric:
            renamed["Metrics"] = [self._query(query) for query in metric["Metrics"]]
        return renamed

    def _query(self, query: dict[str, Any]) -> dict[str, Any]:
        renamed = dict(query)
        # Another account's table of the same name is another table.
        if "MetricStat" in query and query.get("AccountId", self.source.account) == self.source.account:
            stat = query["MetricStat"]
            renamed["MetricStat"] = {**stat, "Metric": self._metric(stat["Metric"])}
        if NAMESPACE in query.get("Expression", ""):
            renamed["Expression"] = _named(self.source.name, self.target, query["Expression"])
        return renamed

    def _dimension(self, one: dict[str, Any]) -> dict[str, Any]:
        mine = one["Name"] == DIMENSION and one["Value"] == self.source.name
        return {**one, "Value": self.target} if mine else one

    def _arns(self, text: str) -> str:
        region, account = self.target_arn.split(":")[3:5]
        source = self.source
        arn = (
            rf"(arn:aws[a-z-]*:dynamodb:)({re.escape(source.region)}|\*):({source.account}|\*):table/"
            rf"{re.escape(source.name)}{_NAME_ENDS}"
        )
        return re.sub(
            arn,
            lambda found: (
                f"{found[1]}{found[2] if found[2] == '*' else region}:"
                f"{found[3] if found[3] == '*' else account}:table/{self.target}"
            ),
            text,
        )


def _named(source: str, target: str, text: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(source)}{_NAME_ENDS}", lambda _: target, text, flags=re.ASCII)


def same_policy(one: str, other: str) -> bool:
    """Whether two policies say the same, however they are written down."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return one == other
