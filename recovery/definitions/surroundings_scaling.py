"""Auto scaling of a table and its indexes (Application Auto Scaling, namespace ``dynamodb``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.definitions.reader import Reader

NAMESPACE = "dynamodb"
# What DescribeScalableTargets takes at once (API reference, 'ResourceIds').
_RESOURCES_A_CALL = 50


def auto_scaling(scaling: Reader, description: dict[str, Any]) -> dict[str, Any] | None:
    """Targets, policies and scheduled actions as the calls take them that put them back, in this order.

    The alarms of a target tracking policy are not among them: they come with the policy.
    """
    targets = list(_targets(scaling, _resource_ids(description)))
    if not targets:
        return None
    scaled = dict.fromkeys(target["ResourceId"] for target in targets)
    of_each = {
        "PutScalingPolicy": ("describe_scaling_policies", "ScalingPolicies"),
        "PutScheduledAction": ("describe_scheduled_actions", "ScheduledActions"),
    }
    return {
        "RegisterScalableTarget": [
            scaling.request_for("RegisterScalableTarget", target) for target in targets
        ],
        **{
            call: [
                scaling.request_for(call, found)
                for resource in scaled
                for found in scaling.listed(read, under, ServiceNamespace=NAMESPACE, ResourceId=resource)
            ]
            for call, (read, under) in of_each.items()
        },
    }


def _resource_ids(description: dict[str, Any]) -> list[str]:
    table = f"table/{description['TableName']}"
    indexes = description.get("GlobalSecondaryIndexes") or ()
    return [table, *(f"{table}/index/{index['IndexName']}" for index in indexes)]


def _targets(scaling: Reader, resource_ids: list[str]) -> Iterator[dict[str, Any]]:
    for first in range(0, len(resource_ids), _RESOURCES_A_CALL):
        some = resource_ids[first : first + _RESOURCES_A_CALL]
        yield from scaling.listed(
            "describe_scalable_targets",
            "ScalableTargets",
            ServiceNamespace=NAMESPACE,
            ResourceIds=some,
        )
