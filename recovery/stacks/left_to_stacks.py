"""What surrounds a table and is itself a resource of the stack that is made again: the stack brings it back.

Put on by the table's recovery first, it would be in the way: CloudFormation does not create an alarm of a name that
is there, nor a second mapping of a function to a stream, and rolls the whole update back. The identifiers are those
of CloudFormation's resource schemas (``primaryIdentifier``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from recovery.definitions.readings import Known
from recovery.stacks.documents import latest_stack, read_capture
from recovery.stacks.plans import StackAction
from rules.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from recovery.definitions.surroundings import Surroundings
    from recovery.stacks.documents import StackCapture
    from recovery.stacks.plans import StackPlan
    from recovery.vault.vault import Vault

_ALARM = "AWS::CloudWatch::Alarm"
_MAPPING = "AWS::Lambda::EventSourceMapping"
_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
_POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
_POLICY_ARN = re.compile(r":resource/dynamodb/(?P<resource>[^:]+):policyName/(?P<name>[^|]+)")

Made = frozenset[tuple[str, str]]


def made_by_stacks(vault: Vault, plans: Iterable[StackPlan]) -> Made:
    """(type, physical id) of everything that the stacks, and those nested in them, will make or have made again.

    A stack that never went makes nothing. Raises DamagedObjectError, ObjectNotFoundError.
    """
    return frozenset(
        (one.type, one.physical_id)
        for plan in plans
        if plan.action is not StackAction.NONE
        for capture in _with_nested(vault, read_capture(vault, plan.capture_key))
        for one in capture.own_resources
        if one.physical_id
    )


def left_to_stacks(surroundings: Surroundings, made: Made) -> Surroundings:
    """The surroundings of a table that its own recovery has to put back: without what its stack makes."""
    if not made:
        return surroundings
    filters: dict[str, Any] = {
        "alarms": lambda found: [one for one in found if (_ALARM, one["AlarmName"]) not in made],
        "stream_consumers": lambda found: [
            one for one in found if (_MAPPING, one.get("UUID", "")) not in made
        ],
        "auto_scaling": lambda found: _scaling(found, made),
    }
    changes = {
        name: Known(value=keep(setting.value) or None)
        for name, keep in filters.items()
        if isinstance(setting := getattr(surroundings, name), Known) and setting.value
    }
    return surroundings.model_copy(update=changes)


def _scaling(recorded: Mapping[str, Any], made: Made) -> dict[str, Any] | None:
    """Targets and policies that are of no stack; a scheduled action is a part of its target."""
    policies = {
        (match["resource"], match["name"])
        for kind, identifier in made
        if kind == _POLICY and (match := _POLICY_ARN.search(identifier))
    }
    kept = {
        "RegisterScalableTarget": [
            one for one in recorded["RegisterScalableTarget"] if not _is_made(one, made)
        ],
        "PutScalingPolicy": [
            one
            for one in recorded.get("PutScalingPolicy", ())
            if (one["ResourceId"], one["PolicyName"]) not in policies
        ],
        "PutScheduledAction": [
            one for one in recorded.get("PutScheduledAction", ()) if not _is_made(one, made)
        ],
    }
    return kept if any(kept.values()) else None


def _is_made(request: Mapping[str, Any], made: Made) -> bool:
    identifier = "|".join(
        str(request.get(part, "")) for part in ("ResourceId", "ScalableDimension", "ServiceNamespace")
    )
    return (_TARGET, identifier) in made


def _with_nested(vault: Vault, capture: StackCapture) -> Iterator[StackCapture]:
    yield capture
    for nested in capture.nested:
        try:
            inner = latest_stack(vault, capture.account, capture.region, nested)
        except NotFoundError:
            continue  # the stack's plan has said so
        yield from _with_nested(vault, inner)
