"""What the tests of stacks share: a CloudFormation with tables that really are somewhere, and a vault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recovery.definitions.surroundings_stack import TABLE_TYPES
from recovery.stacks.capture import capture_stack
from recovery.stacks.documents import store_stack
from recovery.stacks.planning import plan_stack
from recovery.stacks.recreating import recreate_stack
from recovery.testing.memory_vault import MemoryVault
from tests.recovery.recovering import FakeClock, FakeSleep, all_items, make_table

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.stacks.plans import StackPlan
    from recovery.stacks.recreating import StackReport
    from recovery.testing.stacks import StackStandIn
    from recovery.vault.vault import Vault

TABLE = "AWS::DynamoDB::Table"
KEY = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}


def table_block(name: Any = None, kind: str = TABLE, **more: Any) -> dict[str, Any]:
    """A table's block in a template; without a name CloudFormation chooses one."""
    named = {"TableName": name} if name is not None else {}
    properties = {**named, **KEY, "BillingMode": "PAY_PER_REQUEST", **more.pop("Properties", {})}
    return {"Type": kind, "Properties": properties, **more}


@dataclass
class Stage:
    """An account with a CloudFormation in memory and tables of an embedded AWS, and a vault."""

    aws: Aws
    cloudformation: StackStandIn
    vault: Vault = field(default_factory=MemoryVault)
    clock: FakeClock = field(default_factory=FakeClock)
    sleep: FakeSleep = field(default_factory=FakeSleep)
    notes: list[str] = field(default_factory=list)

    def capture(self, stack: str) -> None:
        """As a nightly backup does."""
        self.clock.advance(60)
        store_stack(self.vault, capture_stack(self.aws, stack, self.clock(), self.sleep))

    def lose(self, stack: str) -> dict[str, list[str]]:
        """Capture a stack with an item in each of its tables, and delete it. The items by table's name."""
        tables = [
            one["id"]
            for one in self.cloudformation.stacks[stack].resources.values()
            if one["type"] in TABLE_TYPES
        ]
        for table in tables:
            self.aws.dynamodb().put_item(TableName=table, Item={"pk": {"S": table}})
        items = {table: all_items(self.aws.dynamodb(), table) for table in tables}
        self.capture(stack)
        self.cloudformation.lose(stack)
        self.cloudformation.renew()
        return items

    def plan(self, stack: str) -> StackPlan:
        """The plan."""
        return plan_stack(self.vault, self.aws, stack, sleep=self.sleep)

    def restore(self, plan: StackPlan) -> None:
        """What the caller does first: the tables come back under their own names, here by plain boto3."""
        for table in plan.recover_first:
            make_table(self.aws.dynamodb(), table, [{"pk": {"S": table}}])

    def recreate(self, plan: StackPlan, **secrets: str) -> StackReport:
        """Execute a plan."""
        return recreate_stack(
            self.aws,
            self.vault,
            plan,
            secrets=secrets,
            clock=self.clock,
            sleep=self.sleep,
            notes=self.notes.append,
        )

    def recover(self, stack: str, **secrets: str) -> StackReport:
        """Plan, restore the tables, execute."""
        plan = self.plan(stack)
        self.restore(plan)
        return self.recreate(plan, **secrets)

    def items(self, *tables: str) -> dict[str, list[str]]:
        """What is in tables."""
        return {table: all_items(self.aws.dynamodb(), table) for table in tables}

    def state(self, stack: str) -> dict[str, Any]:
        """All that makes a stack, but for which incarnation it is."""
        found = self.cloudformation.settle(stack)
        return {
            "status": found.status,
            "resources": dict(sorted((key, one["id"]) for key, one in found.resources.items())),
            "template": found.template,
            "values": found.values,
            "options": found.options,
            "policy": found.policy,
            "protected": found.protected,
        }
