"""A lost stack comes back around its tables: the same items, the same stack, whatever happens on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from recovery.errors import TableExistsError
from recovery.stacks.change_sets import StackFailedError
from recovery.stacks.plans import StackAction, TableWay
from recovery.stacks.templates import parse_template
from recovery.testing.faults import Crash
from recovery.vault.s3 import S3Vault
from rules.errors import UnsafeError, UsageError
from tests.recovery.recovering import make_table
from tests.recovery.stacks.stage import table_block

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.recovery.stacks.stage import Stage

ROLE = "arn:aws:iam::123456789012:role/deployer"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
POLICY = '{"Statement":[{"Effect":"Deny","Action":"Update:Delete","Principal":"*","Resource":"*"}]}'
OPTIONS: dict[str, Any] = {
    "Parameters": [
        {"ParameterKey": "Env", "ParameterValue": "prod"},
        {"ParameterKey": "Password", "ParameterValue": "hunter2"},
    ],
    "Tags": [{"Key": "team", "Value": "shop"}],
    "Capabilities": ["CAPABILITY_NAMED_IAM"],
    "NotificationARNs": [TOPIC],
    "RoleARN": ROLE,
    "RollbackConfiguration": {"MonitoringTimeInMinutes": 5},
    "EnableTerminationProtection": True,
    "StackPolicyBody": POLICY,
}


def template(name: str) -> dict[str, Any]:
    """Two tables, one of which outlives the stack, and what hangs on them."""
    return {
        "Description": "The shop",
        "Parameters": {"Env": {"Type": "String"}, "Password": {"Type": "String", "NoEcho": True}},
        "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Env"}, "prod"]}},
        "Resources": {
            "Key": {"Type": "AWS::KMS::Key"},
            "Orders": table_block(
                {"Fn::Sub": f"{name}-${{Env}}-orders"},
                Condition="IsProd",
                DependsOn=["Key"],
                Properties={
                    "SSESpecification": {"SSEEnabled": True, "KMSMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}
                },
            ),
            "Users": table_block(f"{name}-users", DeletionPolicy="Retain"),
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Rotation": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"SecretString": {"Ref": "Password"}},
            },
        },
        "Outputs": {
            "Arn": {"Value": {"Fn::GetAtt": ["Orders", "Arn"]}, "Export": {"Name": f"{name}-orders"}}
        },
    }


def deployed(stage: Stage, name: str) -> dict[str, Any]:
    """The stack as it was."""
    stage.cloudformation.deploy(name, template(name), **OPTIONS)
    return stage.state(name)


def test_a_stack_is_the_same_again(stage: Stage, name: str) -> None:
    """Template, parameters, tags, capabilities, topics, role, rollback, policy, protection; items where they were."""
    before = deployed(stage, name)
    items = stage.lose(name)
    plan = stage.plan(name)
    assert plan.recover_first == (f"{name}-prod-orders",)
    stage.restore(plan)
    report = stage.recreate(plan, Password="hunter2")
    assert report.status == "UPDATE_COMPLETE"
    assert report.imported == (f"{name}-prod-orders", f"{name}-users")
    assert (report.to_load, report.follow_ups, report.resumed) == ((), (), False)
    after = stage.state(name)
    assert parse_template(after.pop("template")) == parse_template(before.pop("template"))
    assert after == {**before, "status": "UPDATE_COMPLETE"}
    assert stage.items(*items) == items
    assert stage.notes[0] == f"stack {name}: importing {name}-prod-orders, {name}-users"


def test_what_is_sent(stage: Stage, name: str) -> None:
    """The import has the tables alone, retained, without outputs and tags; then the whole template follows."""
    deployed(stage, name)
    stage.lose(name)
    stage.recover(name, Password="hunter2")
    first, second = stage.cloudformation.asked("CreateChangeSet")
    cut = json.loads(first["TemplateBody"])
    assert set(cut) == {"Description", "Parameters", "Conditions", "Resources"}
    assert set(cut["Parameters"]) == {"Env"}
    assert set(cut["Resources"]) == {"Orders", "Users"}
    assert all(block["DeletionPolicy"] == "Retain" for block in cut["Resources"].values())
    assert all(block["UpdateReplacePolicy"] == "Retain" for block in cut["Resources"].values())
    # The key is not there yet; the update brings it.
    assert "SSESpecification" not in cut["Resources"]["Orders"]["Properties"]
    assert "DependsOn" not in cut["Resources"]["Orders"]
    assert (first["ChangeSetType"], first["RoleARN"]) == ("IMPORT", ROLE)
    assert "hunter2" not in json.dumps(first)
    assert [one["ResourceIdentifier"] for one in first["ResourcesToImport"]] == [
        {"TableName": f"{name}-prod-orders"},
        {"TableName": f"{name}-users"},
    ]
    assert json.loads(second["TemplateBody"]) == template(name)
    assert second["ChangeSetType"] == "UPDATE"
    for key in ("Tags", "Capabilities", "NotificationARNs", "RoleARN", "RollbackConfiguration"):
        assert second[key] == OPTIONS[key]


def test_the_plan_holds_no_secret(stage: Stage, name: str) -> None:
    """Neither the hidden value nor the template, in which there may be others."""
    text = template(name)
    text["Parameters"]["Password"]["Default"] = "swordfish"
    stage.cloudformation.deploy(name, text, **OPTIONS)
    stage.lose(name)
    plan = stage.plan(name)
    assert plan.hidden == ("Password",)
    assert plan.parameters == {"Env": "prod"}
    assert "hunter2" not in plan.model_dump_json()
    assert "swordfish" not in plan.model_dump_json()
    assert type(plan).model_validate_json(plan.model_dump_json()) == plan


def test_planning_writes_nothing(stage: Stage, name: str) -> None:
    """Neither to AWS nor to the vault."""
    deployed(stage, name)
    stage.lose(name)
    stored = [info.key for info in stage.vault.list("")]
    stage.plan(name)
    assert stage.cloudformation.writes == []
    assert [info.key for info in stage.vault.list("")] == stored


def test_a_missing_secret_is_asked_for_before_anything_is_done(stage: Stage, name: str) -> None:
    """The parameter is named, and nothing is written."""
    deployed(stage, name)
    stage.lose(name)
    plan = stage.plan(name)
    stage.restore(plan)
    with pytest.raises(UsageError, match="Password"):
        stage.recreate(plan)
    assert stage.cloudformation.writes == []


def test_a_table_that_is_not_there_yet(stage: Stage, name: str) -> None:
    """Nothing is begun before every table is ACTIVE."""
    deployed(stage, name)
    stage.lose(name)
    with pytest.raises(UnsafeError, match=f"{name}-prod-orders is not there"):
        stage.recreate(stage.plan(name), Password="hunter2")
    assert stage.cloudformation.writes == []


def test_a_living_stack_is_left_alone(stage: Stage, name: str) -> None:
    """Its tables are to be recovered, and of the stack there is nothing to do."""
    before = deployed(stage, name)
    stage.capture(name)
    stage.aws.dynamodb().delete_table(TableName=f"{name}-users")
    plan = stage.plan(name)
    assert plan.action is StackAction.NONE
    assert {table.way for table in plan.tables} == {TableWay.KEPT}
    assert plan.recover_first == (f"{name}-users",)
    assert plan.hidden == ()
    stage.cloudformation.renew()
    stage.restore(plan)
    assert stage.recreate(plan).status == "CREATE_COMPLETE"
    assert stage.cloudformation.writes == []
    assert stage.state(name) == before


def test_running_it_again_changes_nothing(stage: Stage, name: str) -> None:
    """A recreated stack is whole: the second run says so and writes nothing."""
    deployed(stage, name)
    stage.lose(name)
    stage.recover(name, Password="hunter2")
    whole = stage.state(name)
    stage.cloudformation.renew()
    plan = stage.plan(name)
    assert plan.action is StackAction.NONE
    stage.recreate(plan)
    assert stage.cloudformation.writes == []
    assert stage.state(name) == whole


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_crashes_at_every_call(stage: Stage, name: str, after: bool) -> None:
    """Dead before or after each single call to CloudFormation; the same command again ends in the same stack."""
    before = deployed(stage, name)
    before.pop("template")
    items = stage.lose(name)
    nth, ended = 0, False
    while not ended:
        nth += 1
        stage.cloudformation.renew()
        plan = stage.plan(name)
        stage.restore(plan)
        stage.cloudformation.renew()
        stage.cloudformation.crash(nth, after=after)
        try:
            stage.recreate(plan, Password="hunter2")
            ended = True
        except Crash:
            stage.cloudformation.renew()
            report = stage.recover(name, Password="hunter2")
            assert report.follow_ups == ()
        found = stage.state(name)
        assert parse_template(found.pop("template")) == template(name)
        assert found == {**before, "status": "UPDATE_COMPLETE"}, f"crashed at call {nth}"
        assert stage.items(*items) == items
        stage.cloudformation.lose(name)
    assert nth > 20


@pytest.mark.parametrize("fault", ["throttle", "lose_answer"])
def test_throttles_and_lost_answers_at_every_call(stage: Stage, name: str, fault: str) -> None:
    """One run gets through, whichever call is refused or loses its answer."""
    before = deployed(stage, name)
    before.pop("template")
    items = stage.lose(name)
    nth = calls = 0
    while nth <= calls:
        nth += 1
        plan = stage.plan(name)
        stage.restore(plan)
        stage.cloudformation.renew()
        getattr(stage.cloudformation, fault)(nth)
        stage.recreate(plan, Password="hunter2")
        calls = max(calls, len(stage.cloudformation.calls))
        found = stage.state(name)
        found.pop("template")
        assert found == {**before, "status": "UPDATE_COMPLETE"}, f"{fault} at call {nth}"
        assert stage.items(*items) == items
        stage.cloudformation.lose(name)
        stage.cloudformation.renew()
    assert nth > 20


def test_a_failed_update_says_why_and_is_done_again(stage: Stage, name: str) -> None:
    """The first resource that failed is named; the tables stay under the stack; the rerun goes on from there."""
    deployed(stage, name)
    items = stage.lose(name)
    stage.cloudformation.break_next("Queue", "the quota of queues is used up, said hunter2")
    with pytest.raises(StackFailedError, match=r"Queue \(AWS::SQS::Queue\): the quota") as caught:
        stage.recover(name, Password="hunter2")
    assert "hunter2" not in str(caught.value)
    assert caught.value.code == "UPDATE_ROLLBACK_COMPLETE"
    assert set(stage.state(name)["resources"].values()) == set(items)
    plan = stage.plan(name)
    assert plan.action is StackAction.CONTINUE
    assert plan.recover_first == ()
    report = stage.recreate(plan, Password="hunter2")
    assert (report.status, report.resumed) == ("UPDATE_COMPLETE", True)
    assert stage.items(*items) == items


def test_a_failed_import_says_what_to_do(stage: Stage, name: str) -> None:
    """What is left is an empty stack that nobody can update: the command that removes it is told, not run."""
    deployed(stage, name)
    items = stage.lose(name)
    stage.cloudformation.break_next("Orders", "not authorized")
    with pytest.raises(StackFailedError, match=r"Orders.*not authorized") as caught:
        stage.recover(name, Password="hunter2")
    assert f"delete-stack --stack-name {name}" in caught.value.hint
    plan = stage.plan(name)
    assert [f"stack {name} is ROLLBACK_COMPLETE" in block for block in plan.blocks] == [True]
    with pytest.raises(UnsafeError, match="ROLLBACK_COMPLETE"):
        stage.recreate(plan, Password="hunter2")
    assert stage.items(*items) == items
    assert "DeleteStack" not in stage.cloudformation.calls


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("DELETE_FAILED", "--retain-resources"),
        ("DELETE_IN_PROGRESS", "being deleted"),
        ("ROLLBACK_COMPLETE", "never delete it without --retain-resources Orders Users"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("IMPORT_ROLLBACK_FAILED", "AWS Support"),
    ],
)
def test_a_stack_that_stands_in_the_way(stage: Stage, name: str, status: str, told: str) -> None:
    """What to do about it is said, in the plan; a stack that holds tables is never to be just deleted."""
    deployed(stage, name)
    stage.capture(name)
    stage.cloudformation.stacks[name].status = status
    (block,) = stage.plan(name).blocks
    assert status in block
    assert told in block


def test_another_stack_took_its_name(stage: Stage, name: str) -> None:
    """Deployed between plan and apply: it is not touched."""
    deployed(stage, name)
    stage.lose(name)
    plan = stage.plan(name)
    stage.restore(plan)
    stage.cloudformation.deploy(name, {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    stage.cloudformation.renew()
    with pytest.raises(UnsafeError, match="is not the one that was captured"):
        stage.recreate(plan, Password="hunter2")
    assert stage.cloudformation.writes == []


def test_a_change_that_would_cost_a_table_is_refused(stage: Stage, name: str) -> None:
    """A name that another resource made may come out otherwise: the table would be replaced by an empty one."""
    text = template(name)
    text["Resources"]["Orders"]["Properties"]["TableName"] = {"Fn::Sub": f"{name}-${{Queue}}"}
    stage.cloudformation.deploy(name, text, **OPTIONS)
    items = stage.lose(name)
    plan = stage.plan(name)
    stage.restore(plan)
    with pytest.raises(UnsafeError, match="replacement: Conditional"):
        stage.recreate(plan, Password="hunter2")
    assert stage.items(*items) == items
    # It was not executed, and it is not left for somebody else to execute.
    assert stage.state(name)["status"] == "IMPORT_COMPLETE"
    assert [
        key for key, one in stage.cloudformation.change_sets.items() if one["execution"] == "AVAILABLE"
    ] == []


def test_a_table_of_another_stack_is_not_taken(stage: Stage, name: str) -> None:
    """Somebody imported the retained table elsewhere: the plan names that stack."""
    deployed(stage, name)
    stage.lose(name)
    other = stage.cloudformation.deploy(f"{name}-2", {"Resources": {}})
    other.resources["Mine"] = {"id": f"{name}-users", "type": "AWS::DynamoDB::Table"}
    assert stage.plan(name).blocks == (f"table {name}-users belongs to stack {name}-2 by now",)


def test_without_a_table_to_import(stage: Stage, name: str) -> None:
    """A stack of other things is created whole, and its tables are loaded where no block tells what to import."""
    text = {
        "Transform": "Mine",
        "Resources": {
            "Made": table_block(f"{name}-made"),
            "Unnamed": table_block(),
            "Queue": {"Type": "AWS::SQS::Queue"},
        },
    }
    stage.cloudformation.deploy(name, text)
    old = stage.state(name)["resources"]["Unnamed"]
    stage.lose(name)
    # As an older capture is: the template as submitted, where a macro makes the tables.
    hide_tables(stage, name)
    plan = stage.plan(name)
    assert [(table.name, table.way) for table in plan.tables] == [
        (f"{name}-made", TableWay.LOAD),
        (old, TableWay.LOAD),
    ]
    assert "made by Mine" in plan.tables[0].why
    assert plan.recover_first == ()
    assert plan.capabilities == ("CAPABILITY_AUTO_EXPAND",)


def hide_tables(stage: Stage, name: str) -> None:
    """Let the newest capture have a template in which there are no tables to see."""
    (key,) = [info.key for info in stage.vault.list(f"stacks/123456789012/eu-west-1/{name}/")]
    document = json.loads(stage.vault.get(key).body)
    document["template"]["value"] = json.dumps({"Transform": "Mine", "Resources": {"T": {"Type": "Mine::T"}}})
    document |= {"processed": {"state": "unknown", "reason": "access denied"}, "seal": None}
    stage.vault.put(key, json.dumps(document).encode())


def test_loaded_after_the_stack_made_it(stage: Stage, name: str) -> None:
    """Where nothing can be imported the stack makes the tables; under which names they are to be loaded is told."""
    text = {"Resources": {"Made": table_block(f"{name}-made"), "Unnamed": table_block()}}
    stage.cloudformation.deploy(name, text)
    old = stage.state(name)["resources"]["Unnamed"]
    stage.lose(name)
    plan = stage.plan(name)
    as_made = tuple(
        table.model_copy(update={"way": TableWay.LOAD, "custom_name": table.logical_id == "Made"})
        for table in plan.tables
    )
    plan = plan.model_copy(update={"tables": as_made})
    report = stage.recreate(plan)
    new = stage.state(name)["resources"]["Unnamed"]
    assert new != old
    assert {(one.lost, one.name) for one in report.to_load} == {
        (f"{name}-made", f"{name}-made"),
        (old, new),
    }
    assert [one["ChangeSetType"] for one in stage.cloudformation.asked("CreateChangeSet")] == ["CREATE"]


def test_never_created_over_a_table(stage: Stage, name: str) -> None:
    """A table of a name that the stack would create is there: refused before CloudFormation is asked."""
    stage.cloudformation.deploy(name, {"Resources": {"Made": table_block(f"{name}-made")}})
    stage.lose(name)
    plan = stage.plan(name)
    as_made = tuple(table.model_copy(update={"way": TableWay.LOAD}) for table in plan.tables)
    make_table(stage.aws.dynamodb(), f"{name}-made", [{"pk": {"S": "precious"}}])
    with pytest.raises(TableExistsError, match=f"{name}-made exists"):
        stage.recreate(plan.model_copy(update={"tables": as_made}))
    assert stage.cloudformation.writes == []


def test_global_tables_and_generated_names(stage: Stage, name: str) -> None:
    """A table whose name CloudFormation chose keeps it; a global table is identified in the same way."""
    text = {
        "Resources": {
            "Global": table_block(f"{name}-global", "AWS::DynamoDB::GlobalTable"),
            "Unnamed": table_block(),
        }
    }
    stage.cloudformation.deploy(name, text)
    before = stage.state(name)["resources"]
    stage.lose(name)
    stage.recover(name)
    (first, *_) = stage.cloudformation.asked("CreateChangeSet")
    assert [one["ResourceType"] for one in first["ResourcesToImport"]] == [
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
    ]
    assert stage.state(name)["resources"] == before


def test_only_tables_that_are_retained_anyway(stage: Stage, name: str) -> None:
    """Then the import is all there is to do: an update without changes is no failure."""
    block = table_block(f"{name}-kept", DeletionPolicy="Retain", UpdateReplacePolicy="Retain")
    stage.cloudformation.deploy(name, json.dumps({"Description": "x", "Resources": {"Kept": block}}))
    items = stage.lose(name)
    assert stage.plan(name).recover_first == ()
    assert stage.recover(name).status in {"IMPORT_COMPLETE", "UPDATE_COMPLETE"}
    assert stage.items(*items) == items


def test_protection_that_may_not_be_set_is_a_follow_up(stage: Stage, name: str) -> None:
    """The stack works without it, and the exact command is told; the next run puts it on."""
    deployed(stage, name)
    stage.lose(name)
    stage.cloudformation.refuse_next("UpdateTerminationProtection")
    report = stage.recover(name, Password="hunter2")
    (step,) = report.follow_ups
    assert step.setting == "termination protection"
    assert step.command == (
        "aws cloudformation update-termination-protection --region eu-west-1 --cli-input-json "
        f'\'{{"StackName": "{name}", "EnableTerminationProtection": true}}\''
    )
    assert stage.state(name)["protected"] is False
    plan = stage.plan(name)
    assert plan.action is StackAction.CONTINUE
    assert stage.recreate(plan, Password="hunter2").follow_ups == ()
    assert stage.state(name)["protected"] is True


def test_a_long_template_goes_through_the_vault(stage: Stage, name: str, s3: S3Client, bucket: str) -> None:
    """Above 51,200 bytes CloudFormation reads it from S3, whole; captures are found beside it as before."""
    text = template(name)
    text["Metadata"] = {"notes": "x" * 60_000}
    stage.cloudformation.deploy(name, text, **OPTIONS)
    items = stage.lose(name)
    vault = S3Vault(s3, bucket, "net")
    for info in stage.vault.list(""):
        vault.put_new(info.key, stage.vault.get(info.key).body)
    stage.vault = vault
    stage.recover(name, Password="hunter2")
    _, second = stage.cloudformation.asked("CreateChangeSet")
    assert "TemplateBody" not in second
    assert f"/{bucket}/net/stacks/123456789012/eu-west-1/{name}/templates/" in second["TemplateURL"]
    assert parse_template(stage.state(name)["template"]) == text
    assert stage.plan(name).action is StackAction.NONE
    assert stage.items(*items) == items


def test_a_yaml_template_comes_back_as_it_was_written(stage: Stage, name: str) -> None:
    """Short tags, comments and order: the stack's template is the captured text."""
    text = f"""\
# The shop
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Env: {{Type: String, Default: prod}}
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub "{name}-${{Env}}"
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: pk, AttributeType: S}}]
      KeySchema: [{{AttributeName: pk, KeyType: HASH}}]
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Dimensions: [{{Name: TableName, Value: !Ref Orders}}]
"""
    stage.cloudformation.deploy(name, text, Parameters=[{"ParameterKey": "Env", "ParameterValue": "prod"}])
    items = stage.lose(name)
    stage.recover(name)
    assert stage.state(name)["template"] == text
    assert stage.items(*items) == items


def test_credentials_for_another_place(stage: Stage, name: str) -> None:
    """A plan is for one account and region."""
    deployed(stage, name)
    stage.lose(name)
    plan = stage.plan(name).model_copy(update={"region": "us-east-1"})
    with pytest.raises(UnsafeError, match="us-east-1"):
        stage.recreate(plan, Password="hunter2")
    assert stage.cloudformation.writes == []
