"""A stack in another region than it was captured in: what comes along, what does not, and what forbids it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recovery.stacks.documents import latest_stack, store_stack
from recovery.stacks.planning import plan_stacks
from recovery.stacks.plans import StackAction
from recovery.testing.embedded_aws import ACCOUNT
from rules.errors import NotFoundError, UnsafeError
from tests.recovery.recovering import all_items, make_table
from tests.recovery.stacks.stage import table_block

if TYPE_CHECKING:
    from recovery.stacks.plans import StackPlan
    from tests.recovery.stacks.stage import Stage

LOST_IN = "eu-central-1"


def lost_elsewhere(stage: Stage, name: str, resources: dict[str, Any], **options: Any) -> None:
    """A stack that is gone, whose only capture is of another region."""
    stage.cloudformation.deploy(name, {"Resources": resources}, **options)
    stage.lose(name)
    found = latest_stack(stage.vault, ACCOUNT, "eu-west-1", name)
    stage.vault.delete(found.key)
    store_stack(stage.vault, found.model_copy(update={"region": LOST_IN}))


def plan_here(stage: Stage, name: str) -> StackPlan:
    """The plan for the region at hand."""
    (plan,) = plan_stacks(stage.vault, stage.aws, [name], elsewhere=True, sleep=stage.sleep)
    return plan


def test_only_where_it_is_allowed(stage: Stage, name: str) -> None:
    """Otherwise a stack that was never here has no capture."""
    lost_elsewhere(stage, name, {"Table": table_block(f"{name}-table")})
    with pytest.raises(NotFoundError, match="no capture of the stack"):
        stage.plan(name)


def test_what_is_of_the_old_region_stays_behind(stage: Stage, name: str) -> None:
    """Topics and alarms must be in the stack's own region; all that is told, and the stack is made here."""
    topic = f"arn:aws:sns:{LOST_IN}:{ACCOUNT}:news"
    trigger = {"Arn": f"arn:aws:cloudwatch:{LOST_IN}:{ACCOUNT}:alarm:x", "Type": "AWS::CloudWatch::Alarm"}
    lost_elsewhere(
        stage,
        name,
        {"Table": table_block(f"{name}-table"), "Queue": {"Type": "AWS::SQS::Queue"}},
        NotificationARNs=[topic],
        RollbackConfiguration={"RollbackTriggers": [trigger]},
    )
    plan = plan_here(stage, name)
    assert (plan.region, plan.lost_in, plan.blocks) == ("eu-west-1", LOST_IN, ())
    assert (plan.notification_arns, plan.rollback) == ((), {})
    assert any(topic in one for one in plan.warnings)
    assert any("rollback configuration" in one for one in plan.warnings)
    # Recovered by the caller; the record of that run is what the command's own test has.
    stage.restore(plan)
    assert stage.recreate(plan).imported == (f"{name}-table",)
    assert stage.state(name)["resources"]["Table"] == f"{name}-table"


def test_a_table_of_that_name_is_not_taken_over(stage: Stage, name: str) -> None:
    """It may be a replica, or another table altogether: no recovery has brought it there."""
    lost_elsewhere(stage, name, {"Table": table_block(f"{name}-table")})
    make_table(stage.aws.dynamodb(), f"{name}-table", [{"pk": {"S": "somebody else's"}}])
    plan = plan_here(stage, name)
    assert plan.blocks == (
        f"a table {name}-table is in eu-west-1 already, and no recovery has brought it there",
    )
    with pytest.raises(UnsafeError):
        stage.recreate(plan)
    assert stage.cloudformation.writes == []
    assert len(all_items(stage.aws.dynamodb(), f"{name}-table")) == 1


def test_a_stack_of_that_name_is_another_one(stage: Stage, name: str) -> None:
    """A stack that is deployed in several regions is not lost where it lives."""
    lost_elsewhere(stage, name, {"Table": table_block(f"{name}-table")})
    stage.cloudformation.deploy(name, {"Resources": {"Other": table_block(f"{name}-other")}})
    plan = plan_here(stage, name)
    assert plan.action is StackAction.NONE
    assert f"stack {name} is in eu-west-1 already, and it is not the one of {LOST_IN}" in plan.blocks


def test_a_global_table_is_where_its_replica_is(stage: Stage, name: str) -> None:
    """It is not recovered beside its replicas."""
    lost_elsewhere(stage, name, {"Table": table_block(f"{name}-table", "AWS::DynamoDB::GlobalTable")})
    (block,) = plan_here(stage, name).blocks
    assert f"{name}-table is a global table" in block
