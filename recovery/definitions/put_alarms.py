"""The CloudWatch alarms that watch the table. They mostly outlive it: only one that is gone or differs is put.

An alarm of a step scaling policy names the policy by its ARN, which is another one since the policy was put again.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from recovery.definitions.follow_ups import Call
from recovery.definitions.put_scaling import policy_arn
from recovery.definitions.putting import State, done, holds
from recovery.definitions.surroundings_scaling import NAMESPACE

if TYPE_CHECKING:
    from recovery.definitions.putting import Putting

_ACTIONS = {
    "AlarmActions": "--alarm-actions",
    "OKActions": "--ok-actions",
    "InsufficientDataActions": "--insufficient-data-actions",
}
_POLICY = re.compile(
    r"^arn:aws[a-z-]*:autoscaling:.*:scalingPolicy:[^:]+:resource/dynamodb/(?P<resource>[^:]+)"
    r":policyName/(?P<name>[^:]+)"
)


def put_alarms(putting: Putting) -> None:
    """Each alarm of the table (PutMetricAlarm)."""
    for recorded in putting.known("alarms") or ():
        _put_alarm(putting, putting.renaming.alarm(recorded))


def _put_alarm(putting: Putting, alarm: dict[str, Any]) -> None:
    request, lacking = dict(alarm), []
    options: list[str] = []
    for actions, option in _ACTIONS.items():
        arns = [_now(putting, arn) for arn in alarm.get(actions, ())]
        if any(not arn for arn, _ in arns):
            lacking += [name for arn, name in arns if not arn]
            words = [
                shlex.quote(arn) if arn else _for_shell(putting, old)
                for (arn, _), old in zip(arns, alarm[actions], strict=True)
            ]
            options.append(f"{option} {' '.join(words)}")
            del request[actions]
        elif arns:
            request[actions] = [arn for arn, _ in arns]
    call = Call("cloudwatch", "put_metric_alarm", request, tuple(options))
    if lacking:
        reason = (
            f"alarm {request['AlarmName']} calls scaling policies that are not there: {', '.join(lacking)}"
        )
        putting.leave("alarms", reason, call)
        return

    def state() -> State:
        listed = putting.reader("cloudwatch").listed(
            "describe_alarms", "MetricAlarms", AlarmNames=[request["AlarmName"]], AlarmTypes=["MetricAlarm"]
        )
        return done(when=any(holds(found, request) for found in listed))

    putting.put("alarms", call, state)


def _now(putting: Putting, arn: str) -> tuple[str, str]:
    """An action's ARN as it is now, "" where it is a scaling policy's that is not there; and the policy's name."""
    found = _POLICY.match(arn)
    if not found or not _is_mine(putting, found["resource"]):
        return arn, ""
    return policy_arn(putting, putting.renaming.resource_id(found["resource"]), found["name"]), found["name"]


def _is_mine(putting: Putting, resource_id: str) -> bool:
    return resource_id.split("/")[:2] == ["table", putting.wanted.source.name]


def _for_shell(putting: Putting, arn: str) -> str:
    found = _POLICY.match(arn)
    resource, name = (found["resource"], found["name"]) if found else ("", "")
    return (
        f'"$(aws application-autoscaling describe-scaling-policies --region {putting.region} '
        f"--service-namespace {NAMESPACE} --resource-id {putting.renaming.resource_id(resource)} "
        f"--policy-names {shlex.quote(name)} --query 'ScalingPolicies[0].PolicyARN' --output text)\""
    )
