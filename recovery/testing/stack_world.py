"""Stacks in memory and what operations make of them: the half of ``stacks`` that does, where that one answers.

A resource of a template is a name in a list; tables are made and deleted with the ``Aws``'s DynamoDB.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recovery.definitions.surroundings_stack import TABLE_TYPES
from recovery.stacks.templates import RETAINING, parse_template, references, with_values
from recovery.testing.embedded_aws import ACCOUNT, REGION

if TYPE_CHECKING:
    from recovery.aws import Aws

BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
_NO_CHANGES = "The submitted information didn't contain changes. Submit different information."


class Refused(Exception):  # noqa: N818 - an answer on its way out, never seen by anybody
    """CloudFormation's refusal of a request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class FakeStack:
    """A stack: what DescribeStacks, GetTemplate and ListStackResources tell of it. ``options``: of its last operation."""

    name: str
    arn: str
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    template: str = '{"Resources":{}}'
    resources: dict[str, dict[str, str]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    policy: str = ""
    protected: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    next_status: str = ""
    lag: int = 0

    def became(self, status: str, reason: str = "", logical_id: str = "", kind: str = "") -> None:
        """Note an event; without a logical id it is the stack's own status."""
        if not logical_id:
            self.status, self.reason = status, reason
        event = {
            "StackId": self.arn,
            "EventId": uuid.uuid4().hex,
            "StackName": self.name,
            "Timestamp": BEGAN,
            "LogicalResourceId": logical_id or self.name,
            "PhysicalResourceId": f"id-of-{logical_id}" if logical_id else self.arn,
            "ResourceType": kind or "AWS::CloudFormation::Stack",
            "ResourceStatus": status,
        }
        self.events.insert(0, {**event, **({"ResourceStatusReason": reason} if reason else {})})


class StackWorld:
    """All stacks and change sets of an account. ``lag``: how often a status is asked for before it is the last."""

    def __init__(self, aws: Aws, lag: int = 1) -> None:
        self._aws = aws
        self.lag = lag
        self.stacks: dict[str, FakeStack] = {}
        self.change_sets: dict[tuple[str, str], dict[str, Any]] = {}
        self.exports: dict[str, str] = {}
        self._broken: dict[str, str] = {}

    def break_next(self, logical_id: str, reason: str = "it broke") -> None:
        """Let the next operation that makes or imports a resource fail at it."""
        self._broken[logical_id] = reason

    def settle(self, name: str) -> FakeStack:
        """The stack once nothing is going on with it any more."""
        stack = self.stacks[name]
        while stack.next_status:
            self._move_on(stack)
        return stack

    def lose(self, name: str) -> None:
        """Delete a stack as somebody did by mistake: what is not retained is gone, tables too."""
        stack = self.stacks.pop(name)
        blocks = parse_template(stack.template)["Resources"]
        for logical_id, resource in stack.resources.items():
            if blocks[logical_id].get("DeletionPolicy") in RETAINING:
                continue
            if resource["type"] in TABLE_TYPES:
                self._aws.dynamodb().delete_table(TableName=resource["id"])
        self.exports = {key: arn for key, arn in self.exports.items() if arn != stack.arn}
        self.change_sets = {key: one for key, one in self.change_sets.items() if key[0] != name}

    def deploy(self, name: str, template: dict[str, Any] | str, **options: Any) -> FakeStack:
        """A stack that is there from before, made as CreateStack makes one; ``options`` as in its request."""
        text = template if isinstance(template, str) else json.dumps(template)
        stack = self._new(name)
        stack.protected = options.pop("EnableTerminationProtection", False)
        stack.policy = options.pop("StackPolicyBody", "")
        self._run(stack, "CREATE", {"TemplateBody": text, **options}, {})
        return self.settle(name)

    def _new(self, name: str) -> FakeStack:
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{uuid.uuid4()}"
        self.stacks[name] = FakeStack(name, arn)
        return self.stacks[name]

    def _changes(self, stack: FakeStack | None, request: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
        """What would become of each resource, and why the change set fails, if it does."""
        kind = request["ChangeSetType"]
        blocks = parse_template(self._body(request))["Resources"]
        before = parse_template(stack.template)["Resources"] if stack and stack.resources else {}
        identified = {one["LogicalResourceId"]: one for one in request.get("ResourcesToImport", ())}
        changes: list[dict[str, Any]] = []
        for logical_id in sorted({*blocks, *before}):
            old, new = before.get(logical_id), blocks.get(logical_id)
            change = {"LogicalResourceId": logical_id, "ResourceType": (new or old or {})["Type"]}
            if new is None:
                changes.append({**change, "Action": "Remove"})
            elif old is None:
                table = identified.get(logical_id, {}).get("ResourceIdentifier", {}).get("TableName")
                physical = {"PhysicalResourceId": table} if table else {}
                changes.append({**change, "Action": "Import" if table else "Add", **physical})
            elif old != new:
                names = [
                    (one.get("Properties") or {}).get("TableName", {"Fn::Sub": "none"}) for one in (old, new)
                ]
                replacement = "False" if names[0] == names[1] else "Conditional"
                changes.append({**change, "Action": "Modify", "Replacement": replacement})
        if kind == "IMPORT":
            self._refuse_import(request, stack, blocks, changes)
            missing = self._missing(identified)
            return ([], missing) if missing else (changes, "")
        same_options = stack is not None and stack.options.get("Tags", []) == request.get("Tags", [])
        same_outputs = stack is not None and parse_template(stack.template).get("Outputs") == parse_template(
            self._body(request)
        ).get("Outputs")
        empty = kind == "UPDATE" and not changes and same_options and same_outputs
        return changes, _NO_CHANGES if empty else ""

    def _refuse_import(
        self, request: dict[str, Any], stack: FakeStack | None, blocks: dict[str, Any], changes: list[Any]
    ) -> None:
        before = parse_template(stack.template) if stack else {}
        if parse_template(self._body(request)).get("Outputs") != before.get("Outputs"):
            raise Refused(
                "ValidationError", "As part of the import operation, you cannot modify or add [Outputs]"
            )
        if request.get("Tags"):
            raise Refused(
                "ValidationError", "As part of the import operation, you cannot modify or add [Tags]"
            )
        wrong = [one["LogicalResourceId"] for one in changes if one["Action"] != "Import"]
        if wrong:
            raise Refused(
                "ValidationError", f"You have modified resources {wrong} that are not being imported."
            )
        for one in changes:
            if "DeletionPolicy" not in blocks[one["LogicalResourceId"]]:
                raise Refused("ValidationError", "must have DeletionPolicy attribute specified")

    def _missing(self, identified: dict[str, dict[str, Any]]) -> str:
        there = self._tables()
        for one in identified.values():
            table = one["ResourceIdentifier"]["TableName"]
            if table not in there:
                return f"Resource of type '{one['ResourceType']}' with identifier '{table}' was not found."
            for stack in self.stacks.values():
                if table in {resource["id"] for resource in stack.resources.values()}:
                    return f"{table} already exists in stack {stack.arn}"
        return ""

    def _run(self, stack: FakeStack, kind: str, request: dict[str, Any], imported: dict[str, str]) -> None:
        """The whole operation at once; the status it ends in shows after ``lag`` polls."""
        template = self._body(request)
        parsed = parse_template(template)
        given = {
            one["ParameterKey"]: stack.values[one["ParameterKey"]]
            if one.get("UsePreviousValue")
            else one["ParameterValue"]
            for one in request.get("Parameters", ())
        }
        self._check_references(parsed, given)
        stack.became(f"{kind}_IN_PROGRESS", "User Initiated")
        stack.lag = self.lag
        values = {
            **{
                key: str(one["Default"])
                for key, one in parsed.get("Parameters", {}).items()
                if "Default" in one
            },
            **given,
        }
        made: list[str] = []
        for logical_id, block in parsed["Resources"].items():
            if logical_id in stack.resources:
                continue
            if reason := self._broken.pop(logical_id, ""):
                status = "IMPORT_FAILED" if logical_id in imported else "CREATE_FAILED"
                stack.became(status, reason, logical_id, block["Type"])
                self._roll_back(stack, kind, made)
                return
            name = imported.get(logical_id) or self._make(stack, logical_id, block, values)
            stack.resources[logical_id] = {"id": name, "type": block["Type"]}
            made.append(logical_id)
        stack.template, stack.values = template, values
        ours = ("Tags", "Capabilities", "NotificationARNs", "RoleARN", "RollbackConfiguration")
        stack.options |= {key: request[key] for key in ours if key in request}
        self.exports |= dict.fromkeys(self._exported(stack).values(), stack.arn)
        stack.next_status = f"{kind}_COMPLETE"

    def _roll_back(self, stack: FakeStack, kind: str, made: list[str]) -> None:
        for logical_id in made:
            gone = stack.resources.pop(logical_id)
            if kind != "IMPORT" and gone["type"] in TABLE_TYPES:
                self._aws.dynamodb().delete_table(TableName=gone["id"])
        stack.next_status = "UPDATE_ROLLBACK_COMPLETE" if kind == "UPDATE" else "ROLLBACK_COMPLETE"

    def _make(self, stack: FakeStack, logical_id: str, block: dict[str, Any], values: dict[str, str]) -> str:
        properties = block.get("Properties") or {}
        if block["Type"] not in TABLE_TYPES:
            return f"{stack.name}-{logical_id}"
        known = {**values, "AWS::StackName": stack.name}
        name = with_values(properties.get("TableName"), known) if "TableName" in properties else None
        name = name or f"{stack.name}-{logical_id}-{uuid.uuid4().hex[:8]}"
        if name in self._tables():
            raise AssertionError(f"CloudFormation would create table {name} over the one that is there")
        kept = ("AttributeDefinitions", "KeySchema", "BillingMode")
        request: Any = {key: properties[key] for key in kept}
        self._aws.dynamodb().create_table(TableName=name, **request)
        return name

    def _check_references(self, parsed: dict[str, Any], given: dict[str, str]) -> None:
        """What CloudFormation refuses before it begins: names that are nowhere, values that were not given."""
        declared = parsed.get("Parameters", {})
        known = {*declared, *parsed["Resources"]}
        strange = [
            one for one in references(parsed).names if one not in known and not one.startswith("AWS::")
        ]
        if strange:
            raise Refused("ValidationError", f"Unresolved resource dependencies {strange}")
        absent = [key for key, one in declared.items() if key not in given and "Default" not in one]
        if absent:
            raise Refused("ValidationError", f"Parameters: {absent} must have values")

    def _tables(self) -> set[str]:
        pages = self._aws.dynamodb().get_paginator("list_tables").paginate()
        return {name for page in pages for name in page["TableNames"]}

    def _body(self, request: dict[str, Any]) -> str:
        if "TemplateBody" in request:
            return str(request["TemplateBody"])
        bucket, key = request["TemplateURL"].split("/", 3)[3].split("/", 1)
        return self._aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def _move_on(self, stack: FakeStack) -> None:
        if not stack.next_status:
            return
        if stack.lag:
            stack.lag -= 1
            return
        stack.became(stack.next_status)
        stack.next_status = ""

    def _exported(self, stack: FakeStack) -> dict[str, str]:
        outputs = parse_template(stack.template).get("Outputs", {})
        known = {**stack.values, "AWS::StackName": stack.name}
        return {
            key: name
            for key, one in outputs.items()
            if (name := with_values(one.get("Export", {}).get("Name"), known)) is not None
        }
