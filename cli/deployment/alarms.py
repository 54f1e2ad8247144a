"""Alarms for when the net itself is not well: they hang on CloudWatch and SNS, not on the watcher or on Slack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cli.deployment.references import has, named, ref, sub, when

LATE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class _Alarm:
    """A metric, by its namespace, name and dimensions, and what of it is bad; ``seconds`` is a period."""

    name: str
    text: str
    namespace: str
    metric: str
    statistic: str
    dimensions: dict[str, Any]
    above: int = 0
    below: int | None = None
    seconds: int = 300
    periods: int = 1


def alarm_resources() -> dict[str, Any]:
    """One alarm for each thing that must not stay unseen."""
    function = {"FunctionName": ref("Function")}
    lost = {"QueueName": sub("${DeadLetters.QueueName}")}
    queue = {"QueueName": sub("${Queue.QueueName}")}
    alarms = (
        _Alarm(
            "DeadLettersAlarm", "Events that the watcher could not take in are in the dead-letter queue.",
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", lost,
        ),
        _Alarm(
            "LateAlarm", "Events wait in the queue: deletions are alerted late.",
            "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", queue, above=LATE_SECONDS,
        ),
        _Alarm("ErrorsAlarm", "The watcher's function fails.", "AWS/Lambda", "Errors", "Sum", function),
        _Alarm("ThrottlesAlarm", "The watcher's function is throttled.", "AWS/Lambda", "Throttles", "Sum", function),
        _Alarm(
            "SilentAlarm", "The watcher's function has not run for a quarter of an hour.",
            "AWS/Lambda", "Invocations", "Sum", function, below=1, periods=3,
        ),
    )  # fmt: skip
    return {alarm.name: _resource(alarm) for alarm in alarms}


def _resource(alarm: _Alarm) -> dict[str, Any]:
    topic = when(has("AlarmTopicArn"), [ref("AlarmTopicArn")])
    low = alarm.below is not None
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": named(alarm.name.removesuffix("Alarm")),
            "AlarmDescription": f"{alarm.text} See `safetynet status`.",
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions.items()],
            "Statistic": alarm.statistic,
            "Period": alarm.seconds,
            "EvaluationPeriods": alarm.periods,
            "ComparisonOperator": "LessThanThreshold" if low else "GreaterThanThreshold",
            "Threshold": alarm.below if low else alarm.above,
            # No figures: of what counts failures that is well, of what counts runs it is the failure.
            "TreatMissingData": "breaching" if low else "notBreaching",
            "AlarmActions": topic,
            "OKActions": topic,
        },
    }
