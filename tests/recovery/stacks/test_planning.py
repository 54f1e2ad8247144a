"""Plans for stacks: what is there and what is missing, what hangs together, and what a person has to know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import RUN_TAG
from recovery.stacks.documents import NESTED
from recovery.stacks.planning import plan_stacks
from recovery.stacks.plans import StackAction, TableWay
from rules.errors import NotFoundError, UnsafeError, UsageError
from tests.recovery.recovering import make_table
from tests.recovery.stacks.stage import table_block

if TYPE_CHECKING:
    from tests.recovery.recovering import Process
    from tests.recovery.stacks.stage import Stage

ROLE = {"Type": "AWS::IAM::Role"}


def exporting(name: str) -> dict[str, Any]:
    """A table whose name others import."""
    return {
        "Resources": {"Table": table_block(f"{name}-table")},
        "Outputs": {"Name": {"Value": {"Ref": "Table"}, "Export": {"Name": f"{name}-export"}}},
    }


def importing(name: str, export: str) -> dict[str, Any]:
    """A table beside something that imports."""
    reader = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::ImportValue": export}}}
    return {"Resources": {"Table": table_block(f"{name}-table"), "Reader": reader}}


def test_a_stack_that_nobody_captured(stage: Stage, name: str) -> None:
    """Exit 10, and nothing else is asked."""
    with pytest.raises(NotFoundError, match=f"no capture of the stack {name}"):
        stage.plan(name)
    assert stage.cloudformation.calls == []


def test_two_stacks_in_order_of_their_exports(stage: Stage, name: str) -> None:
    """The importer comes after the exporter, which is lost, too; by itself it is blocked."""
    data, web = f"{name}-z-data", f"{name}-a-web"
    stage.cloudformation.deploy(data, exporting(data))
    stage.cloudformation.deploy(web, importing(web, f"{data}-export"))
    items = stage.lose(web) | stage.lose(data)
    (alone,) = plan_stacks(stage.vault, stage.aws, [web], sleep=stage.sleep)
    assert alone.blocks == (
        f"it imports {data}-export, which no stack exports: recover the one that did, along with it",
    )
    with pytest.raises(UnsafeError, match=f"{data}-export"):
        stage.recreate(alone)
    plans = plan_stacks(stage.vault, stage.aws, [web, data], sleep=stage.sleep)
    assert [(plan.stack, plan.blocks) for plan in plans] == [(data, ()), (web, ())]
    assert (plans[0].exports, plans[1].imports) == ((f"{data}-export",), (f"{data}-export",))
    for plan in plans:
        stage.restore(plan)
        assert stage.recreate(plan).status == "UPDATE_COMPLETE"
    assert stage.items(*items) == items
    # And with the exporter there the importer is not blocked any more.
    stage.cloudformation.lose(web)
    assert plan_stacks(stage.vault, stage.aws, [web], sleep=stage.sleep)[0].blocks == ()


def test_stacks_that_cannot_be_ordered(stage: Stage, name: str) -> None:
    """A circle is told before anything is looked at."""
    first, second = f"{name}-1", f"{name}-2"
    for own, other in ((first, second), (second, first)):
        template = {**exporting(own), **importing(own, f"{other}-export")}
        stage.cloudformation.deploy(own, template)
        stage.capture(own)
    with pytest.raises(UsageError, match="in a circle"):
        plan_stacks(stage.vault, stage.aws, [first, second], sleep=stage.sleep)


def test_what_else_a_stack_loses_and_keeps(stage: Stage, name: str) -> None:
    """Other things that hold data come back empty; what was retained is in the way of its successor, or imported."""
    stage.cloudformation.deploy(
        name,
        {
            "Resources": {
                "Table": table_block(f"{name}-table"),
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
                "Topic": {"Type": "AWS::SNS::Topic"},
            }
        },
        Capabilities=["CAPABILITY_IAM"],
    )
    stage.lose(name)
    plan = stage.plan(name)
    assert plan.action is StackAction.CREATE
    assert plan.creates == (
        "Queue (AWS::SQS::Queue)",
        "Kept (AWS::S3::Bucket)",
        "Topic (AWS::SNS::Topic)",
    )
    assert plan.import_existing is True
    assert plan.capabilities == ("CAPABILITY_IAM",)
    assert plan.warnings == (
        f"kept when the stack went, imported where its name is in the template: Kept ({name}-Kept)",
        "made anew, without what they held: Queue (AWS::SQS::Queue)",
    )


def test_a_role_that_went_with_its_stack(stage: Stage, name: str) -> None:
    """CloudFormation cannot act as it; another one, or the caller's own rights, can be named."""
    role = f"arn:aws:iam::123456789012:role/{name}-Role"
    template = {"Resources": {"Table": table_block(f"{name}-table"), "Role": ROLE}}
    stage.cloudformation.deploy(name, template, RoleARN=role)
    stage.lose(name)
    (block,) = stage.plan(name).blocks
    assert f"{name}-Role, which the stack itself made" in block
    assert "--role-arn" in block
    for given, taken in (("", None), ("arn:aws:iam::123456789012:role/mine",) * 2):
        (plan,) = plan_stacks(stage.vault, stage.aws, [name], role_arn=given, sleep=stage.sleep)
        assert (plan.blocks, plan.role_arn) == ((), taken)


def test_a_stack_that_still_lives_but_let_go_of_a_table(stage: Stage, name: str) -> None:
    """That table is recovered by itself; the stack does not know it any more."""
    both = {"Resources": {"Table": table_block(f"{name}-table"), "Other": table_block(f"{name}-other")}}
    stage.cloudformation.deploy(name, both)
    stage.capture(name)
    stack = stage.cloudformation.stacks[name]
    stage.aws.dynamodb().delete_table(TableName=stack.resources.pop("Other")["id"])
    plan = stage.plan(name)
    assert [(table.name, table.way) for table in plan.tables] == [
        (f"{name}-table", TableWay.KEPT),
        (f"{name}-other", TableWay.ALONE),
    ]
    assert plan.recover_first == (f"{name}-other",)


def test_nested_stacks(stage: Stage, name: str) -> None:
    """Their tables are made by them and loaded, or imported where the nested template says both name and Retain."""
    inner = f"{name}-inner"
    stage.cloudformation.deploy(
        inner,
        {
            "Resources": {
                "Kept": table_block(f"{name}-kept", DeletionPolicy="Retain"),
                "Made": table_block(f"{name}-made"),
                "Unnamed": table_block(),
            }
        },
    )
    outer_template = {"Resources": {"Inner": {"Type": NESTED, "Properties": {"TemplateURL": "https://s3/x"}}}}
    outer = stage.cloudformation.deploy(name, outer_template)
    outer.resources["Inner"]["id"] = stage.cloudformation.stacks[inner].arn
    unnamed = stage.cloudformation.stacks[inner].resources["Unnamed"]["id"]
    stage.lose(inner)
    stage.lose(name)
    plan = stage.plan(name)
    assert [(table.name, table.nested, table.way, table.custom_name) for table in plan.tables] == [
        (f"{name}-kept", ("Inner",), TableWay.IMPORT, True),
        (f"{name}-made", ("Inner",), TableWay.LOAD, True),
        (unnamed, ("Inner",), TableWay.LOAD, False),
    ]
    assert (plan.import_existing, plan.include_nested) == (True, True)
    assert plan.recover_first == ()
    assert plan.imported == {}
    # A table in the way of one that cannot be imported is not created over.
    make_table(stage.aws.dynamodb(), f"{name}-made")
    (block,) = stage.plan(name).blocks
    assert f"table {name}-made is there" in block


def test_a_load_into_a_nested_stack_that_was_broken_off(stage: Stage, net: Process, name: str) -> None:
    """The stack is there, made anew: until the items of each table that it made are in, it is not done."""
    inner, made = f"{name}-inner", f"{name}-made"
    outer_template = {"Resources": {"Inner": {"Type": NESTED, "Properties": {"TemplateURL": "https://s3/x"}}}}

    def deploy() -> None:
        stage.cloudformation.deploy(inner, {"Resources": {"Made": table_block(made)}})
        outer = stage.cloudformation.deploy(name, outer_template)
        outer.resources["Inner"]["id"] = stage.cloudformation.stacks[inner].arn

    deploy()
    net.back_up(made)
    stage.lose(inner)
    stage.lose(name)
    deploy()
    stage.vault, stacks = net.vault, stage.vault
    for info in stacks.list("stacks/"):
        net.vault.put_new(info.key, stacks.get(info.key).body)
    (table,) = stage.plan(name).tables
    assert (table.way, table.loaded) == (TableWay.LOAD, False)
    assert stage.plan(name).action is StackAction.CONTINUE
    net.clock.now = datetime.now(UTC) + timedelta(hours=1)
    net.recover(made, fills=True, as_copy=True)
    plan = stage.plan(name)
    assert (plan.action, plan.load_afterwards, plan.is_done) == (StackAction.NONE, (), True)


def test_a_table_that_is_only_half_recovered(stage: Stage, name: str) -> None:
    """It is there and ACTIVE, and all the same its recovery is ended first; the stack would not take it otherwise."""
    stage.cloudformation.deploy(name, {"Resources": {"Table": table_block(f"{name}-table")}})
    stage.lose(name)
    stage.restore(stage.plan(name))
    client = stage.aws.dynamodb()
    arn = client.describe_table(TableName=f"{name}-table")["Table"]["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": RUN_TAG, "Value": "run"}])
    plan = stage.plan(name)
    assert (plan.tables[0].status, plan.recover_first) == ("ACTIVE", (f"{name}-table",))
    with pytest.raises(UnsafeError, match="only half recovered"):
        stage.recreate(plan)
    assert stage.cloudformation.writes == []
    client.untag_resource(ResourceArn=arn, TagKeys=[RUN_TAG])
    assert stage.plan(name).recover_first == ()


def test_a_nested_stack_without_a_capture(stage: Stage, name: str) -> None:
    """That its tables are unknown is said."""
    outer_template = {"Resources": {"Inner": {"Type": NESTED, "Properties": {"TemplateURL": "https://s3/x"}}}}
    outer = stage.cloudformation.deploy(name, outer_template)
    outer.resources["Inner"]["id"] = outer.arn.replace(name, f"{name}-inner")
    stage.lose(name)
    assert any("nested stack Inner has no capture" in one for one in stage.plan(name).warnings)


def test_a_stack_that_is_itself_nested(stage: Stage, name: str) -> None:
    """Its root is the one to recover; where that was never captured it comes back as a stack of its own."""
    stage.cloudformation.deploy(f"{name}-inner", {"Resources": {"Table": table_block(f"{name}-table")}})
    root = stage.cloudformation.deploy(name, {"Resources": {}})
    stage.lose(f"{name}-inner")
    (key,) = [info.key for info in stage.vault.list("stacks/")]
    document = json.loads(stage.vault.get(key).body)
    document |= {"parent_id": root.arn, "root_id": root.arn, "seal": None}
    stage.vault.put(key, json.dumps(document).encode())
    assert (
        f"it was nested in {name}, of which there is no capture" in stage.plan(f"{name}-inner").warnings[-1]
    )
    stage.capture(name)
    assert stage.plan(f"{name}-inner").blocks == (f"it is nested in stack {name}: recover that one",)


def test_a_capture_without_a_template(stage: Stage, name: str) -> None:
    """Nothing can be recreated from it, and what to do instead is said."""
    stage.cloudformation.deploy(name, exporting(name))
    stage.lose(name)
    (key,) = [info.key for info in stage.vault.list("stacks/")]
    document = json.loads(stage.vault.get(key).body)
    document |= {"template": {"state": "unknown", "reason": "access denied"}, "seal": None}
    stage.vault.put(key, json.dumps(document).encode())
    with pytest.raises(UsageError, match="the template of stack") as caught:
        stage.plan(name)
    assert "deploy the stack from its source" in caught.value.hint


def test_exports_that_may_not_be_listed(stage: Stage, name: str) -> None:
    """That it could not be looked at is a warning, not a reason to do nothing."""
    stage.cloudformation.deploy(name, importing(name, "somebody-elses"))
    stage.lose(name)
    stage.cloudformation.refuse_next("ListExports")
    plan = stage.plan(name)
    assert plan.blocks == ()
    assert any("whether what it imports is there could not be read" in one for one in plan.warnings)
