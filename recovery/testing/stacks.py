"""A CloudFormation in memory, for what no emulator does: roles, rollbacks, imports of global tables, states that last.

It answers the CloudFormation calls of one ``Aws``, in the shapes of botocore's service model, and behaves as the user
guide says of change sets, imports and rollbacks. Tables that a stack makes are made with the ``Aws``'s DynamoDB.
Everything else that is in a template is a name in a list::

    aws = endpoint.aws(max_attempts=1)
    cloudformation = StackStandIn(aws)
    cloudformation.crash(nth=3)          # the process dies at its third call
    cloudformation.break_next("Queue")   # the next operation fails at that resource, and is rolled back
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import validate_parameters

from recovery.stacks.templates import RETAINING, parse_template, references, with_values
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.faults import Crash

if TYPE_CHECKING:
    from recovery.aws import Aws

TABLE_TYPES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
_BAD_REQUEST = 400
_NO_CHANGES = "The submitted information didn't contain changes. Submit different information."
_UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class _Refused(Exception):  # noqa: N818 - an answer on its way out, never seen by anybody
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


class StackStandIn:
    """The service. ``calls`` names every attempt, ``requests`` holds what was asked; ``lag``: polls in between."""

    def __init__(self, aws: Aws, lag: int = 1) -> None:
        self._aws = aws
        self.lag = lag
        self.stacks: dict[str, FakeStack] = {}
        self.change_sets: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.exports: dict[str, str] = {}
        self._broken: dict[str, str] = {}
        self._denied: set[str] = set()
        self._faults: dict[int, str] = {}
        self._dead = False
        events: Any = aws.session.events  # typed for handlers that return nothing; this one answers
        events.register("provide-client-params.cloudformation", self._note)
        events.register("before-call.cloudformation", self._answer)

    @property
    def writes(self) -> list[str]:
        """Those of the calls that change something."""
        return [call for call in self.calls if not call.startswith(("Describe", "List", "Get"))]

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The requests of one operation."""
        return [request for name, request in self.requests if name == operation]

    def crash(self, nth: int, *, after: bool = False) -> None:
        """Die at a call, before or after it happens; no call gets out from then on."""
        self._faults[nth] = "crash-after" if after else "crash"

    def throttle(self, nth: int) -> None:
        """Refuse a call."""
        self._faults[nth] = "throttle"

    def lose_answer(self, nth: int) -> None:
        """Let a call happen, and answer that the service failed."""
        self._faults[nth] = "lose"

    def refuse_next(self, operation: str) -> None:
        """Deny the next call of an operation, as IAM does."""
        self._denied.add(operation)

    def renew(self) -> None:
        """A new process: nothing scripted and nothing recorded; the stacks are as they are."""
        self.calls.clear()
        self.requests.clear()
        self._faults.clear()
        self._dead = False

    def settle(self, name: str) -> FakeStack:
        """The stack once nothing is going on with it any more."""
        stack = self.stacks[name]
        while stack.next_status:
            self._move_on(stack)
        return stack

    def clear(self) -> None:
        """As new: no stacks either. Tables that they made stay."""
        self.renew()
        self.stacks.clear()
        self.change_sets.clear()
        self.exports.clear()
        self._broken.clear()
        self._denied.clear()

    def break_next(self, logical_id: str, reason: str = "it broke") -> None:
        """Let the next operation that makes or imports a resource fail at it."""
        self._broken[logical_id] = reason

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

    def _note(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        context["asked_of_the_stand_in"] = dict(params)
        self.requests.append((model.name, dict(params)))

    def _answer(self, model: Any, context: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        if self._dead:
            raise Crash(model.name)
        self.calls.append(model.name)
        fault = self._faults.get(len(self.calls), "")
        if fault == "crash":
            self._dead = True
            raise Crash(model.name)
        told, status = self._told(model, context["asked_of_the_stand_in"], fault)
        if fault == "crash-after":
            self._dead = True
            raise Crash(model.name)
        told["ResponseMetadata"] = {"HTTPStatusCode": status}
        raw: Any = None
        return AWSResponse("stand-in", status, HTTPHeaders(), raw), told

    def _told(self, model: Any, request: dict[str, Any], fault: str) -> tuple[dict[str, Any], int]:
        if fault == "throttle":
            return {"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, _BAD_REQUEST
        if model.name in self._denied:
            self._denied.remove(model.name)
            return {"Error": {"Code": "AccessDenied", "Message": f"not authorized: {model.name}"}}, 403
        try:
            answer = getattr(self, f"_{model.name}")(request)
        except _Refused as refused:
            return {"Error": {"Code": refused.code, "Message": str(refused)}}, _BAD_REQUEST
        if fault == "lose":
            return {"Error": {"Code": "InternalFailure", "Message": "lost"}}, 500
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return answer, 200

    # The operations, under their names of the API.

    def _DescribeStacks(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stack = self._found(request, "Stack with id {name} does not exist")
        self._move_on(stack)
        options = stack.options
        return {
            "Stacks": [
                {
                    "StackId": stack.arn,
                    "StackName": stack.name,
                    "StackStatus": stack.status,
                    "StackStatusReason": stack.reason,
                    "CreationTime": BEGAN,
                    "EnableTerminationProtection": stack.protected,
                    "Parameters": [
                        {
                            "ParameterKey": key,
                            "ParameterValue": "****" if self._is_hidden(stack, key) else value,
                        }
                        for key, value in stack.values.items()
                    ],
                    "Outputs": [
                        {"OutputKey": key, "OutputValue": "value", "ExportName": one}
                        for key, one in self._exported(stack).items()
                    ],
                    **{
                        key: options[key]
                        for key in (
                            "Tags",
                            "Capabilities",
                            "NotificationARNs",
                            "RoleARN",
                            "RollbackConfiguration",
                        )
                        if options.get(key)
                    },
                }
            ]
        }

    def _ListStackResources(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stack = self._found(request)
        return {"StackResourceSummaries": [self._summary(stack, one) for one in stack.resources]}

    def _DescribeStackResources(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        wanted = request["PhysicalResourceId"]
        for stack in self.stacks.values():
            for logical_id, resource in stack.resources.items():
                if resource["id"] == wanted:
                    summary = {**self._summary(stack, logical_id), "Timestamp": BEGAN}
                    del summary["LastUpdatedTimestamp"]
                    place = {"StackName": stack.name, "StackId": stack.arn}
                    return {"StackResources": [{**place, **summary}]}
        raise _Refused("ValidationError", f"Stack for {wanted} does not exist")

    def _GetTemplate(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"TemplateBody": self._found(request).template}

    def _GetTemplateSummary(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stack = self._found(request)
        declared = parse_template(stack.template).get("Parameters", {})
        return {
            "Parameters": [
                {"ParameterKey": key, "NoEcho": bool(one.get("NoEcho"))} for key, one in declared.items()
            ]
        }

    def _GetStackPolicy(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        policy = self._found(request).policy
        return {"StackPolicyBody": policy} if policy else {}

    def _SetStackPolicy(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._found(request).policy = request["StackPolicyBody"]
        return {}

    def _UpdateTerminationProtection(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stack = self._found(request)
        stack.protected = request["EnableTerminationProtection"]
        return {"StackId": stack.arn}

    def _ListExports(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Exports": [{"Name": name, "ExportingStackId": arn} for name, arn in self.exports.items()]}

    def _ListImports(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        raise _Refused("ValidationError", f"Export '{request['ExportName']}' is not imported by any stack.")

    def _DescribeStackEvents(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"StackEvents": self._found(request).events}

    def _CreateChangeSet(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name, kind = request["StackName"], request["ChangeSetType"]
        key = (name, request["ChangeSetName"])
        if key in self.change_sets:
            raise _Refused("AlreadyExistsException", f"ChangeSet {key[1]} already exists")
        stack = self.stacks.get(name)
        if kind == "UPDATE" and (stack is None or stack.status not in _UPDATABLE):
            raise _Refused("ValidationError", f"Stack:{name} cannot be updated")
        if (
            kind != "UPDATE"
            and stack
            and stack.status not in (*_UPDATABLE[: 4 if kind == "IMPORT" else 0], "REVIEW_IN_PROGRESS")
        ):
            raise _Refused("ValidationError", f"Stack:{name} is in {stack.status} state")
        changes, failure = self._changes(stack, request)
        stack = stack or self._new(name)
        self.change_sets[key] = {
            "request": request,
            "changes": changes,
            "failure": failure,
            "execution": "UNAVAILABLE" if failure else "AVAILABLE",
            "polls": self.lag,
        }
        return {"Id": self._arn_of(key), "StackId": stack.arn}

    def _DescribeChangeSet(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        key, found = self._change_set(request)
        found["polls"] -= 1
        pending = found["polls"] >= 0
        stack = self.stacks[key[0]]
        if found["execution"] == "EXECUTE_IN_PROGRESS" and not stack.next_status:
            found["execution"] = "EXECUTE_COMPLETE"
        done = "FAILED" if found["failure"] else "CREATE_COMPLETE"
        return {
            "ChangeSetId": self._arn_of(key),
            "ChangeSetName": key[1],
            "StackName": key[0],
            "Status": "CREATE_IN_PROGRESS" if pending else done,
            "ExecutionStatus": "UNAVAILABLE" if pending else found["execution"],
            "StatusReason": found["failure"],
            "Changes": [{"Type": "Resource", "ResourceChange": change} for change in found["changes"]],
        }

    def _DeleteChangeSet(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        key, _ = self._change_set(request)
        del self.change_sets[key]
        return {}

    def _ExecuteChangeSet(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        key, found = self._change_set(request)
        if found["execution"] != "AVAILABLE":
            raise _Refused("InvalidChangeSetStatus", f"ChangeSet {key[1]} is in {found['execution']}")
        found["execution"] = "EXECUTE_IN_PROGRESS"
        asked = found["request"]
        imported = {
            one["LogicalResourceId"]: one["ResourceIdentifier"]["TableName"]
            for one in asked.get("ResourcesToImport", ())
        }
        self._run(self.stacks[key[0]], asked["ChangeSetType"], asked, imported)
        return {}

    # What they do.

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
            raise _Refused(
                "ValidationError", "As part of the import operation, you cannot modify or add [Outputs]"
            )
        if request.get("Tags"):
            raise _Refused(
                "ValidationError", "As part of the import operation, you cannot modify or add [Tags]"
            )
        wrong = [one["LogicalResourceId"] for one in changes if one["Action"] != "Import"]
        if wrong:
            raise _Refused(
                "ValidationError", f"You have modified resources {wrong} that are not being imported."
            )
        for one in changes:
            if "DeletionPolicy" not in blocks[one["LogicalResourceId"]]:
                raise _Refused("ValidationError", "must have DeletionPolicy attribute specified")

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
            raise _Refused("ValidationError", f"Unresolved resource dependencies {strange}")
        absent = [key for key, one in declared.items() if key not in given and "Default" not in one]
        if absent:
            raise _Refused("ValidationError", f"Parameters: {absent} must have values")

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

    def _is_hidden(self, stack: FakeStack, key: str) -> bool:
        return bool(parse_template(stack.template).get("Parameters", {}).get(key, {}).get("NoEcho"))

    def _summary(self, stack: FakeStack, logical_id: str) -> dict[str, Any]:
        resource = stack.resources[logical_id]
        return {
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": resource["id"],
            "ResourceType": resource["type"],
            "ResourceStatus": "UPDATE_COMPLETE",
            "LastUpdatedTimestamp": BEGAN,
        }

    def _found(self, request: dict[str, Any], words: str = "Stack {name} does not exist") -> FakeStack:
        wanted = request["StackName"]
        for stack in self.stacks.values():
            if wanted in {stack.name, stack.arn}:
                return stack
        raise _Refused("ValidationError", words.format(name=wanted))

    def _change_set(self, request: dict[str, Any]) -> tuple[tuple[str, str], dict[str, Any]]:
        wanted = request["ChangeSetName"]
        for key, found in self.change_sets.items():
            if wanted in {key[1], self._arn_of(key)} and request.get("StackName", key[0]) == key[0]:
                return key, found
        raise _Refused("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist")

    def _arn_of(self, key: tuple[str, str]) -> str:
        stack, name = key
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/{name}/{uuid.uuid5(uuid.NAMESPACE_URL, stack)}"

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was called."""
        return Counter(self.calls)
