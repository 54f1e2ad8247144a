"""Auto scaling of table and indexes (Application Auto Scaling): targets, policies, scheduled actions.

RegisterScalableTarget, PutScalingPolicy and PutScheduledAction each make a thing or change it to what they say. The
alarms of a target tracking policy come with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.definitions.follow_ups import Call
from recovery.definitions.putting import State, done, holds
from recovery.definitions.readings import as_json
from recovery.definitions.surroundings_scaling import NAMESPACE

if TYPE_CHECKING:
    from recovery.definitions.putting import Putting

SERVICE_ROLE = ":role/aws-service-role/"
# For each call: the operation, what lists the things it makes and under which member, and what names one.
_KINDS = {
    "RegisterScalableTarget": (
        "register_scalable_target",
        "describe_scalable_targets",
        "ScalableTargets",
        "",
    ),
    "PutScalingPolicy": (
        "put_scaling_policy",
        "describe_scaling_policies",
        "ScalingPolicies",
        "PolicyName",
    ),
    "PutScheduledAction": (
        "put_scheduled_action",
        "describe_scheduled_actions",
        "ScheduledActions",
        "ScheduledActionName",
    ),
}


def put_auto_scaling(putting: Putting) -> None:
    """All targets first, for policies and scheduled actions need theirs."""
    recorded = putting.known("auto_scaling") or {}
    for kind in _KINDS:
        for request in recorded.get(kind, ()):
            _put(putting, kind, _here(putting, request))


def _here(putting: Putting, request: dict[str, Any]) -> dict[str, Any]:
    """The request for the table that is there now.

    Without the role that AWS made for this service: it is taken by itself, and passing it needs a permission.
    """
    renamed = {**request, "ResourceId": putting.renaming.resource_id(request["ResourceId"])}
    if SERVICE_ROLE in renamed.get("RoleARN", ""):
        del renamed["RoleARN"]
    return renamed


def _put(putting: Putting, kind: str, request: dict[str, Any]) -> None:
    operation, listing, under, name = _KINDS[kind]

    def state() -> State:
        scaling = putting.reader("application-autoscaling")
        resource = request["ResourceId"]
        which = {"ResourceId": resource} if name else {"ResourceIds": [resource]}
        listed = scaling.listed(listing, under, ServiceNamespace=NAMESPACE, **which)
        return done(when=any(holds(as_json(found), request) for found in listed))

    putting.put("auto_scaling", Call("application-autoscaling", operation, request), state)


def policy_arn(putting: Putting, resource_id: str, name: str) -> str:
    """The ARN of a scaling policy as it is now, "" where there is none."""
    policies = putting.reader("application-autoscaling").listed(
        "describe_scaling_policies",
        "ScalingPolicies",
        ServiceNamespace=NAMESPACE,
        ResourceId=resource_id,
        PolicyNames=[name],
    )
    return next((str(policy["PolicyARN"]) for policy in policies if policy["PolicyName"] == name), "")
