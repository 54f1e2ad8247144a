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

import uuid
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import validate_parameters

from recovery.stacks.templates import parse_template
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.faults import Crash
from recovery.testing.stack_world import BEGAN, FakeStack, Refused, StackWorld

if TYPE_CHECKING:
    from recovery.aws import Aws

_BAD_REQUEST = 400
_UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class StackStandIn(StackWorld):
    """The service. ``calls`` names every attempt, ``requests`` holds what was asked; ``lag``: polls in between."""

    def __init__(self, aws: Aws, lag: int = 1) -> None:
        super().__init__(aws, lag)
        self.calls: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
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

    def clear(self) -> None:
        """As new: no stacks either. Tables that they made stay."""
        self.renew()
        self.stacks.clear()
        self.change_sets.clear()
        self.exports.clear()
        self._broken.clear()
        self._denied.clear()

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
        except Refused as refused:
            return {"Error": {"Code": refused.code, "Message": str(refused)}}, _BAD_REQUEST
        if fault == "lose":
            return {"Error": {"Code": "InternalFailure", "Message": "lost"}}, 500
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return answer, 200

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
        raise Refused("ValidationError", f"Stack for {wanted} does not exist")

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
        raise Refused("ValidationError", f"Export '{request['ExportName']}' is not imported by any stack.")

    def _DescribeStackEvents(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"StackEvents": self._found(request).events}

    def _CreateChangeSet(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name, kind = request["StackName"], request["ChangeSetType"]
        key = (name, request["ChangeSetName"])
        if key in self.change_sets:
            raise Refused("AlreadyExistsException", f"ChangeSet {key[1]} already exists")
        stack = self.stacks.get(name)
        if kind == "UPDATE" and (stack is None or stack.status not in _UPDATABLE):
            raise Refused("ValidationError", f"Stack:{name} cannot be updated")
        allowed = ("REVIEW_IN_PROGRESS", *(_UPDATABLE if kind == "IMPORT" else ()))
        if kind != "UPDATE" and stack and stack.status not in allowed:
            raise Refused("ValidationError", f"Stack:{name} is in {stack.status} state")
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
            raise Refused("InvalidChangeSetStatus", f"ChangeSet {key[1]} is in {found['execution']}")
        found["execution"] = "EXECUTE_IN_PROGRESS"
        asked = found["request"]
        imported = {
            one["LogicalResourceId"]: one["ResourceIdentifier"]["TableName"]
            for one in asked.get("ResourcesToImport", ())
        }
        self._run(self.stacks[key[0]], asked["ChangeSetType"], asked, imported)
        return {}

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
        raise Refused("ValidationError", words.format(name=wanted))

    def _change_set(self, request: dict[str, Any]) -> tuple[tuple[str, str], dict[str, Any]]:
        wanted = request["ChangeSetName"]
        for key, found in self.change_sets.items():
            if wanted in {key[1], self._arn_of(key)} and request.get("StackName", key[0]) == key[0]:
                return key, found
        raise Refused("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist")

    def _arn_of(self, key: tuple[str, str]) -> str:
        stack, name = key
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/{name}/{uuid.uuid5(uuid.NAMESPACE_URL, stack)}"
