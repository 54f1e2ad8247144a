"""Stacks on ministack, whose change sets of type IMPORT work: a lost stack comes back around its tables.

moto has no imports and dynalite no CloudFormation, so no other engine is asked. Its traps (a stack created over a
table wipes it; deleting a stack ignores protection) are what the recovery must never come near.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recovery.definitions.definition import capture_definition
from recovery.stacks.capture import capture_stack
from recovery.stacks.documents import store_stack
from recovery.stacks.importing import execute_import, prepare_import
from recovery.stacks.planning import plan_stack, plan_stacks
from recovery.stacks.plans import StackAction, TableWay
from recovery.stacks.recreating import recreate_stack
from recovery.stacks.templates import parse_template
from recovery.stacks.way_back import WayBackCase, way_back
from recovery.testing.equality import comparable, items
from recovery.testing.faults import Crash, Faults
from recovery.vault.s3 import S3Vault
from rules.errors import UnsafeError
from tests.engines.engine import key, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.stacks.plans import StackPlan
    from recovery.stacks.recreating import StackReport
    from tests.engines.engine import Engine

SECRET = "hunter2"
POLICY = '{"Statement":[]}'
POLLS = 400


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine, started once."""
    with started("ministack", tmp_path_factory.mktemp("stacks")) as running:
        yield running


@dataclass
class Account:
    """Stacks made and lost with plain boto3, and a vault in S3. ``name``: how all names of a test begin."""

    engine: Engine
    vault: S3Vault
    name: str
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.aws = self.engine.others.aws(max_attempts=1)
        self.faults = Faults(self.aws)
        self.plain: Any = self.engine.aws.cloudformation()

    def sleep(self, _: float) -> None:
        """Nothing takes long here."""
        time.sleep(0.01)

    def deploy(self, stack: str, template: dict[str, Any] | str, **more: Any) -> None:
        """CreateStack, an item in each table, and a capture."""
        text = template if isinstance(template, str) else json.dumps(template)
        self.plain.create_stack(StackName=stack, TemplateBody=text, **more)
        self.settle(stack)
        for table in self.tables(stack).values():
            self.engine.client.put_item(TableName=table, Item={"pk": {"S": table}, "n": {"N": "1"}})
        self.capture(stack)

    def capture(self, stack: str) -> None:
        """As a nightly backup does."""
        store_stack(self.vault, capture_stack(self.aws, stack, datetime.now(UTC)))

    def settle(self, stack: str) -> str:
        """The stack's status once nothing is going on."""
        status = ""
        for _ in range(POLLS):
            status = str(self.plain.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
            if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
                return status
            time.sleep(0.01)
        raise AssertionError(f"{stack} is still {status}")

    def lose(self, stack: str) -> None:
        """Delete it, with all of its tables that are not retained."""
        self.plain.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
        self.plain.delete_stack(StackName=stack)
        for _ in range(POLLS):
            try:
                self.plain.describe_stacks(StackName=stack)
            except self.plain.exceptions.ClientError:
                return
            time.sleep(0.01)
        raise AssertionError(f"{stack} is still there")

    def tables(self, stack: str) -> dict[str, str]:
        """Names by logical id."""
        listed = self.plain.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        return {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for one in listed
            if one["ResourceType"] == "AWS::DynamoDB::Table"
        }

    def restore(self, plan: StackPlan) -> None:
        """The tables that are missing come back with their items, by plain boto3."""
        for table in plan.recover_first:
            self.engine.make_table(table, [{"pk": {"S": table}, "n": {"N": "1"}}])

    def plan(self, stack: str) -> StackPlan:
        """The plan."""
        return plan_stack(self.vault, self.aws, stack, sleep=self.sleep)

    def recreate(self, plan: StackPlan) -> StackReport:
        """Execute it."""
        return recreate_stack(
            self.aws,
            self.vault,
            plan,
            secrets=dict.fromkeys(plan.hidden, SECRET),
            clock=lambda: datetime.now(UTC),
            sleep=self.sleep,
            notes=self.notes.append,
        )

    def recover(self, stack: str) -> StackReport:
        """Plan, restore, execute."""
        plan = self.plan(stack)
        self.restore(plan)
        return self.recreate(plan)

    def state(self, stack: str) -> dict[str, Any]:
        """All that plain boto3 sees of a stack, but for times and ids of the incarnation; and its tables' items."""
        (described,) = self.plain.describe_stacks(StackName=stack)["Stacks"]
        # Not the Description: the engine takes it from CreateStack alone.
        kept = ("Parameters", "Outputs", "Tags", "Capabilities", "EnableTerminationProtection")
        listed = self.plain.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        return {
            **{name: described.get(name) for name in kept},
            "resources": sorted((one["LogicalResourceId"], one["PhysicalResourceId"]) for one in listed),
            "template": self.plain.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"],
            "policy": self.plain.get_stack_policy(StackName=stack).get("StackPolicyBody"),
            "items": {
                table: comparable(items(self.engine.aws, table)) for table in self.tables(stack).values()
            },
        }


@pytest.fixture
def account(ministack: Engine) -> Account:
    """Names and a vault of a test's own."""
    name = f"s-{uuid.uuid4().hex[:10]}"
    ministack.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return Account(ministack, S3Vault(ministack.s3, name, "net"), name)


def table_block(table: Any = None, **more: Any) -> dict[str, Any]:
    """A table's block."""
    named = {"TableName": table} if table is not None else {}
    properties = {**named, **key("S"), "BillingMode": "PAY_PER_REQUEST"}
    return {"Type": "AWS::DynamoDB::Table", "Properties": properties, **more}


def template(name: str) -> dict[str, Any]:
    """A table that goes with its stack, one that outlives it, one whose name CloudFormation chose, and the rest."""
    value = {"Fn::GetAtt": ["Orders", "Arn"]}
    return {
        "Description": "The shop",
        "Parameters": {"Env": {"Type": "String"}, "Password": {"Type": "String", "NoEcho": True}},
        "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Env"}, "prod"]}},
        "Resources": {
            "Orders": table_block({"Fn::Sub": f"{name}-${{Env}}-orders"}, Condition="IsProd"),
            "Users": table_block(f"{name}-users", DeletionPolicy="Retain"),
            "Unnamed": table_block(),
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{name}-queue"}},
            "Note": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": f"/{name}/orders", "Type": "String", "Value": value},
            },
        },
        "Outputs": {"Orders": {"Value": value, "Export": {"Name": f"{name}-orders"}}},
    }


OPTIONS: dict[str, Any] = {
    "Parameters": [
        {"ParameterKey": "Env", "ParameterValue": "prod"},
        {"ParameterKey": "Password", "ParameterValue": SECRET},
    ],
    "Tags": [{"Key": "team", "Value": "shop"}],
    "EnableTerminationProtection": True,
    "StackPolicyBody": POLICY,
}


def test_a_lost_stack_is_the_same_again(account: Account) -> None:
    """The same template, parameters, tags, outputs, policy, protection and resources; the same items in its tables."""
    name = account.name
    account.deploy(name, template(name), **OPTIONS)
    before = account.state(name)
    account.lose(name)
    assert [table for table in account.engine.names() if table.startswith(name)] == [f"{name}-users"]
    plan = account.plan(name)
    unnamed = dict(before["resources"])["Unnamed"]
    assert set(plan.recover_first) == {f"{name}-prod-orders", unnamed}
    assert SECRET not in plan.model_dump_json()
    account.restore(plan)
    report = account.recreate(plan)
    assert report.status == account.settle(name) == "UPDATE_COMPLETE"
    assert set(report.imported) == {f"{name}-prod-orders", f"{name}-users", unnamed}
    assert account.state(name) == before
    assert account.plan(name).action is StackAction.NONE


def test_two_stacks_in_the_order_of_their_exports(account: Account) -> None:
    """The importer, whose name comes first, is recreated last; the export has its value again."""
    data, web = f"{account.name}-z", f"{account.name}-a"
    account.deploy(
        data,
        {
            "Resources": {"Table": table_block(f"{data}-table")},
            "Outputs": {"Name": {"Value": {"Ref": "Table"}, "Export": {"Name": f"{data}-export"}}},
        },
    )
    reader = {"Type": "String", "Name": f"/{web}/x", "Value": {"Fn::ImportValue": f"{data}-export"}}
    account.deploy(
        web,
        {
            "Resources": {
                "Table": table_block(f"{web}-table"),
                "Reader": {"Type": "AWS::SSM::Parameter", "Properties": reader},
            }
        },
    )
    before = {stack: account.state(stack) for stack in (data, web)}
    account.lose(web)
    account.lose(data)
    plans = plan_stacks(account.vault, account.aws, [web, data], sleep=account.sleep)
    assert [(plan.stack, plan.blocks) for plan in plans] == [(data, ()), (web, ())]
    for plan in plans:
        account.restore(plan)
        account.recreate(plan)
    assert {stack: account.state(stack) for stack in (data, web)} == before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_crashes_at_every_call(account: Account, after: bool) -> None:
    """Dead before or after each single call; the same command again ends in the same stack, its items intact."""
    name = account.name
    account.deploy(name, template(name), **OPTIONS)
    before = account.state(name)
    account.lose(name)
    nth, ended = 0, False
    while not ended:
        nth += 1
        plan = account.plan(name)
        account.restore(plan)
        account.faults.reset()
        account.faults.crash(nth=nth, after=after)
        try:
            account.recreate(plan)
            ended = True
        except Crash:
            account.faults.reset()
            account.recover(name)
        assert account.state(name) == before, f"crashed at call {nth}"
        account.faults.reset()
        account.lose(name)
    assert nth > 20


def test_made_by_the_stack_and_loaded_afterwards(account: Account) -> None:
    """Where a table cannot be imported the stack makes it; one that is there is never made over."""
    name = account.name
    account.deploy(name, {"Resources": {"Made": table_block(f"{name}-made"), "Unnamed": table_block()}})
    old = account.tables(name)["Unnamed"]
    account.lose(name)
    plan = account.plan(name)
    to_load = tuple(
        table.model_copy(update={"way": TableWay.LOAD, "custom_name": table.logical_id == "Made"})
        for table in plan.tables
    )
    plan = plan.model_copy(update={"tables": to_load})
    account.engine.make_table(f"{name}-made", [{"pk": {"S": "precious"}}])
    with pytest.raises(UnsafeError, match=f"{name}-made exists"):
        account.recreate(plan)
    assert items(account.engine.aws, f"{name}-made") == [{"pk": {"S": "precious"}}]
    account.engine.lose(f"{name}-made")
    report = account.recreate(plan)
    made = account.tables(name)
    assert {(one.lost, one.name) for one in report.to_load} == {
        (f"{name}-made", f"{name}-made"),
        (old, made["Unnamed"]),
    }


def test_yaml_and_long_templates(account: Account) -> None:
    """A template of more than 51,200 bytes is read from the vault; it comes back as it was written."""
    name = account.name
    text = f"""\
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Env: {{Type: String}}
Metadata:
  Notes: {"x" * 60_000}
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub "{name}-${{Env}}"
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: pk, AttributeType: S}}]
      KeySchema: [{{AttributeName: pk, KeyType: HASH}}]
  Queue:
    Type: AWS::SQS::Queue
    Properties: {{QueueName: !Join ["-", [!Ref Orders, queue]]}}
"""
    account.engine.s3.put_object(Bucket=name, Key="template.yaml", Body=text.encode())
    url = f"{account.engine.others.url}/{name}/template.yaml"
    parameters = [{"ParameterKey": "Env", "ParameterValue": "prod"}]
    account.plain.create_stack(StackName=name, TemplateURL=url, Parameters=parameters)
    account.settle(name)
    account.engine.client.put_item(
        TableName=f"{name}-prod", Item={"pk": {"S": f"{name}-prod"}, "n": {"N": "1"}}
    )
    account.capture(name)
    before = account.state(name)
    account.lose(name)
    assert account.recover(name).status == "UPDATE_COMPLETE"
    assert account.state(name) == before
    assert before["template"] == text


def test_a_table_finds_its_way_back(account: Account) -> None:
    """Taken out of the template and deleted by hand, recovered alone, imported again: nothing else changes."""
    name = account.name
    account.deploy(name, template(name), **OPTIONS)
    found = capture_definition(account.aws, f"{name}-users", datetime.now(UTC), sleep=account.sleep)
    lean = template(name)
    del lean["Resources"]["Users"]
    previous = [{"ParameterKey": one, "UsePreviousValue": True} for one in ("Env", "Password")]
    account.plain.update_stack(StackName=name, TemplateBody=json.dumps(lean), Parameters=previous)
    account.settle(name)
    account.capture(name)
    account.engine.lose(f"{name}-users")
    account.engine.make_table(f"{name}-users", [{"pk": {"S": "back"}}])
    before = account.state(name)
    way = way_back(account.aws, account.vault, found, sleep=account.sleep)
    assert (way.case, way.logical_id, way.can_import) == (WayBackCase.IMPORT, "Users", True)
    prepared = prepare_import(account.aws, account.vault, way, sleep=account.sleep)
    assert prepared.changes == (f"Import Users (AWS::DynamoDB::Table): {name}-users",)
    assert account.state(name) == before
    assert execute_import(account.aws, prepared, sleep=account.sleep) == "IMPORT_COMPLETE"
    after = account.state(name)
    assert dict(after["resources"])["Users"] == f"{name}-users"
    assert after["items"][f"{name}-users"] == comparable([{"pk": {"S": "back"}}])
    assert {**after, **dict.fromkeys(("resources", "template", "items"))} == {
        **before,
        **dict.fromkeys(("resources", "template", "items")),
    }
    assert parse_template(json.dumps(after["template"]))["Outputs"] == lean["Outputs"]
    assert way_back(account.aws, account.vault, found, sleep=account.sleep).case is WayBackCase.IN_PLACE
