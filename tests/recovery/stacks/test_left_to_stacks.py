"""What a stack brings back by itself is not put on before it: it would be in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.readings import Known, NotKnown
from recovery.definitions.surroundings import Surroundings
from recovery.stacks.documents import NESTED
from recovery.stacks.left_to_stacks import left_to_stacks, made_by_stacks
from tests.recovery.stacks.stage import table_block

if TYPE_CHECKING:
    from tests.recovery.stacks.stage import Stage

WRITES, READS = "dynamodb:table:WriteCapacityUnits", "dynamodb:table:ReadCapacityUnits"
POLICY = (
    "arn:aws:autoscaling:eu-west-1:123456789012:scalingPolicy:1f7d6d4e-0000-4000-8000-000000000000:"
    "resource/dynamodb/table/orders:policyName/writes"
)


def target(dimension: str, **more: str) -> dict[str, str]:
    """A request of Application Auto Scaling about the table."""
    place = {"ServiceNamespace": "dynamodb", "ResourceId": "table/orders", "ScalableDimension": dimension}
    return {**place, **more}


SCALING = {
    "RegisterScalableTarget": [target(WRITES), target(READS)],
    "PutScalingPolicy": [target(WRITES, PolicyName="writes"), target(READS, PolicyName="reads")],
    "PutScheduledAction": [
        target(WRITES, ScheduledActionName="night"),
        target(READS, ScheduledActionName="day"),
    ],
}
AROUND = Surroundings(
    alarms=Known(value=[{"AlarmName": "of-the-stack"}, {"AlarmName": "by-hand"}]),
    stream_consumers=Known(value=[{"UUID": "of-the-stack"}, {"UUID": "by-hand"}]),
    auto_scaling=Known(value=SCALING),
    stream_policy=Known(value="{}"),
)
MADE: list[tuple[str, str]] = [
    ("AWS::CloudWatch::Alarm", "of-the-stack"),
    ("AWS::Lambda::EventSourceMapping", "of-the-stack"),
    ("AWS::ApplicationAutoScaling::ScalableTarget", f"table/orders|{WRITES}|dynamodb"),
    ("AWS::ApplicationAutoScaling::ScalingPolicy", POLICY),
]


@pytest.mark.parametrize("policy", [POLICY, f"{POLICY}|{WRITES}"], ids=["ARN", "ARN and dimension"])
def test_only_what_is_not_the_stacks_is_left(policy: str) -> None:
    """By name, by UUID, by resource and dimension, by policy; all else as it was."""
    found = left_to_stacks(AROUND, frozenset([*MADE[:3], (MADE[3][0], policy)]))
    assert found == AROUND.model_copy(
        update={
            "alarms": Known(value=[{"AlarmName": "by-hand"}]),
            "stream_consumers": Known(value=[{"UUID": "by-hand"}]),
            "auto_scaling": Known(value={name: requests[1:] for name, requests in SCALING.items()}),
        }
    )


def test_all_of_it_is_the_stacks() -> None:
    """Then there is nothing to put back, which is known."""
    around = Surroundings(
        alarms=Known(value=[{"AlarmName": "of-the-stack"}]),
        auto_scaling=Known(
            value={name: requests[:1] for name, requests in SCALING.items()},
        ),
    )
    found = left_to_stacks(around, frozenset(MADE))
    assert (found.alarms, found.auto_scaling) == (Known(), Known())


def test_what_was_not_read_stays_unknown() -> None:
    """And a namesake of another type is none."""
    around = Surroundings(
        alarms=NotKnown(reason="access denied"), stream_consumers=Known(value=[{"UUID": "u"}])
    )
    assert left_to_stacks(around, frozenset([("AWS::SQS::Queue", "u")])) == around
    assert left_to_stacks(AROUND, frozenset()) is AROUND


def test_what_stacks_make(stage: Stage, name: str) -> None:
    """Everything of a lost stack and of those nested in it; nothing of one that never went."""
    inner = stage.cloudformation.deploy(f"{name}-inner", {"Resources": {"Alarm": {"Type": MADE[0][0]}}})
    outer: dict[str, Any] = {
        "Resources": {
            "Table": table_block(f"{name}-table"),
            "Mapping": {"Type": MADE[1][0]},
            "Inner": {"Type": NESTED, "Properties": {"TemplateURL": "https://s3/x"}},
        }
    }
    stage.cloudformation.deploy(name, outer).resources["Inner"]["id"] = inner.arn
    stage.capture(name)
    stage.capture(f"{name}-inner")
    assert made_by_stacks(stage.vault, [stage.plan(name)]) == frozenset()
    stage.cloudformation.lose(name)
    assert made_by_stacks(stage.vault, [stage.plan(name)]) == {
        ("AWS::DynamoDB::Table", f"{name}-table"),
        ("AWS::Lambda::EventSourceMapping", f"{name}-Mapping"),
        ("AWS::CloudWatch::Alarm", f"{name}-inner-Alarm"),
        (NESTED, inner.arn),
    }
