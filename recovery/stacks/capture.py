"""Reading a live CloudFormation stack."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from recovery.definitions.reader import Reader
from recovery.definitions.readings import Known, NotKnown, reading
from recovery.definitions.surroundings_stack import NOT_OF_THE_STACK, TABLE_TYPES
from recovery.errors import AwsError
from recovery.stacks.documents import (
    NESTED,
    StackCapture,
    StackOutput,
    StackParameter,
    StackResource,
    stack_name_of,
)
from rules.errors import NotFoundError, SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from recovery.aws import Aws
    from recovery.backups.manifest import UtcTime
    from recovery.clock import Sleep

# How CloudFormation spells the value of a parameter that is declared NoEcho.
_MASK = "****"
# From here on a stack is no longer, or not yet, what it is when all is well. What was captured before counts.
_NOT_THERE = frozenset({"DELETE_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})

# Only a template with such a word in it is another one once CloudFormation has processed it.
_MACROS = ("Transform", "Fn::ForEach")

_NOT_HERE = "Is it in this account and region? Pass --profile and --region."


def capture_stack(aws: Aws, stack_name: str, now: UtcTime, sleep: Sleep = time.sleep) -> StackCapture:
    """A stack of this account and region, by name or ARN. Unreadable parts are unknown with the reason.

    Raises NotFoundError for one that is not there, or whose deletion has begun; AccessDeniedError.
    """
    stack = _live_stack(Reader(aws.cloudformation(), sleep), stack_name)
    stacks = Reader(aws.reader("cloudformation"), sleep)
    stack_id: str = stack["StackId"]
    template = reading("the template", lambda: _template(stacks, stack_id, "Original"))
    outputs = tuple(map(_output, stack.get("Outputs") or ()))
    declared = reading("the parameters' declarations", lambda: _hidden(stacks, stack_id))
    hidden: list[str] = (declared.value if isinstance(declared, Known) else None) or []
    return StackCapture(
        account=stack_id.split(":")[4],
        region=stack_id.split(":")[3],
        name=stack["StackName"],
        stack_id=stack_id,
        status=stack["StackStatus"],
        created=stack["CreationTime"],
        updated=stack.get("LastUpdatedTime"),
        captured=now,
        description=stack.get("Description") or "",
        template=template,
        processed=reading("the processed template", lambda: _processed(stacks, stack_id, template)),
        parameters=tuple(_parameter(parameter, hidden) for parameter in stack.get("Parameters") or ()),
        tags={tag["Key"]: tag["Value"] for tag in stack.get("Tags") or ()},
        outputs=outputs,
        imported_by=reading("the imports", lambda: _imports(stacks, outputs)),
        capabilities=tuple(stack.get("Capabilities") or ()),
        notification_arns=tuple(stack.get("NotificationARNs") or ()),
        role_arn=stack.get("RoleARN"),
        policy=reading("the stack policy", lambda: _policy(stacks, stack_id)),
        termination_protection=stack.get("EnableTerminationProtection", False),
        disable_rollback=stack.get("DisableRollback", False),
        timeout_minutes=stack.get("TimeoutInMinutes"),
        rollback=stack.get("RollbackConfiguration") or {},
        parent_id=stack.get("ParentId"),
        root_id=stack.get("RootId"),
        resources=reading(
            "the resources", lambda: [found.model_dump() for found in _resources(stacks, stack_id)] or None
        ),
    )


def capture_whole(
    aws: Aws, names: Iterable[str], now: UtcTime, sleep: Sleep = time.sleep
) -> Iterator[tuple[str, StackCapture | SafetyNetError]]:
    """Stacks by name, and with each its root and all that is nested beside it: a nested one comes back through its root.

    Each stack once, by its name; what could not be captured is the error, and stops no other.
    """
    waiting, seen = sorted(names), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        try:
            found = capture_stack(aws, name, now, sleep)
        except SafetyNetError as error:
            yield name, error
            continue
        yield name, found
        family = (found.root_id, found.parent_id, *found.nested)
        waiting += sorted(stack_name_of(one) for one in family if one)


def tables_of_stack(aws: Aws, stack_name: str, sleep: Sleep = time.sleep) -> list[str]:
    """The names of all tables that a live stack owns, those of nested stacks too, in the stacks' order.

    Raises NotFoundError, AccessDeniedError.
    """
    stacks = Reader(aws.cloudformation(), sleep)
    return list(dict.fromkeys(_tables(stacks, _live_stack(stacks, stack_name)["StackId"], seen=set())))


def _tables(stacks: Reader, stack_id: str, seen: set[str]) -> Iterator[str]:
    seen.add(stack_id)
    for resource in _resources(stacks, stack_id):
        if resource.physical_id is None or resource.status in NOT_OF_THE_STACK:
            continue
        if resource.type in TABLE_TYPES:
            yield resource.physical_id
        elif resource.type == NESTED:
            nested = _nested(stacks, resource.physical_id)
            if nested is not None and nested not in seen:
                yield from _tables(stacks, nested, seen)


def _nested(stacks: Reader, stack: str) -> str | None:
    """The id of a nested stack that is still there. Resources of one that is not are nobody's."""
    try:
        return str(_live_stack(stacks, stack)["StackId"])
    except NotFoundError:
        return None


def _live_stack(stacks: Reader, stack: str) -> dict[str, Any]:
    """A stack whose deletion has not begun. Raises NotFoundError."""
    described = described_stack(stacks, stack)
    if described["StackStatus"] in _NOT_THERE:
        raise NotFoundError(f"stack {stack} is in state {described['StackStatus']}")
    return described


def described_stack(stacks: Reader, stack: str) -> dict[str, Any]:
    """DescribeStacks of one stack in whatever state. Raises NotFoundError.

    By its name: an ARN finds deleted stacks, too, a name never does. One emulator even creates the tables of a
    deleted stack again when it is described.
    """
    name = stack_name_of(stack)
    try:
        found = stacks.ask("describe_stacks", StackName=name)["Stacks"]
    except AwsError as error:
        if error.code == "ValidationError" and "does not exist" in str(error):
            raise NotFoundError(f"no stack {name}", hint=_NOT_HERE) from error
        raise
    described = dict(found[0]) if found else {}
    if not described or (stack != name and described["StackId"] != stack):
        raise NotFoundError(f"no stack {stack}", hint=_NOT_HERE)
    return described


def resources_of(stacks: Reader, stack_id: str) -> list[StackResource]:
    """All that a stack lists, whatever its status."""
    return list(_resources(stacks, stack_id))


def template_of(stacks: Reader, stack_id: str, *, processed: bool = False) -> str:
    """The template of a live stack, as captures hold it: as it was submitted, or as macros left it."""
    return _template(stacks, stack_id, "Processed" if processed else "Original")


def _hidden(stacks: Reader, stack_id: str) -> list[str]:
    declared = stacks.ask("get_template_summary", StackName=stack_id).get("Parameters") or ()
    return [parameter["ParameterKey"] for parameter in declared if parameter.get("NoEcho")]


def _parameter(described: dict[str, Any], hidden: list[str]) -> StackParameter:
    key, value = described["ParameterKey"], described.get("ParameterValue")
    if key in hidden or value == _MASK:
        return StackParameter(key=key, value=None, hidden=True)
    return StackParameter(key=key, value=value, resolved=described.get("ResolvedValue"))


def _output(described: dict[str, Any]) -> StackOutput:
    return StackOutput(
        key=described["OutputKey"],
        value=described.get("OutputValue") or "",
        description=described.get("Description") or "",
        export=described.get("ExportName"),
    )


def _processed(stacks: Reader, stack_id: str, template: Known | NotKnown) -> str | None:
    """What macros made of the template; None where none ran over it."""
    original = template.value if isinstance(template, Known) else None
    if original is None or not any(word in original for word in _MACROS):
        return None
    return _template(stacks, stack_id, "Processed")


def _template(stacks: Reader, stack_id: str, stage: str) -> str:
    body = stacks.ask("get_template", StackName=stack_id, TemplateStage=stage)["TemplateBody"]
    # botocore parses what is JSON, and leaves alone what is YAML.
    return body if isinstance(body, str) else json.dumps(body, indent=1, ensure_ascii=False)


def _policy(stacks: Reader, stack_id: str) -> str | None:
    return stacks.ask("get_stack_policy", StackName=stack_id).get("StackPolicyBody") or None


def _resources(stacks: Reader, stack_id: str) -> Iterator[StackResource]:
    for found in stacks.listed("list_stack_resources", "StackResourceSummaries", StackName=stack_id):
        yield StackResource(
            logical_id=found["LogicalResourceId"],
            physical_id=found.get("PhysicalResourceId") or None,
            type=found["ResourceType"],
            status=found["ResourceStatus"],
        )


def _imports(stacks: Reader, outputs: tuple[StackOutput, ...]) -> dict[str, list[str]] | None:
    exports = [output.export for output in outputs if output.export]
    return {export: found for export in exports if (found := _importers(stacks, export))} or None


def _importers(stacks: Reader, export: str) -> list[str]:
    """The stacks that import an export. That there are none is an error of ListImports."""
    try:
        return [str(name) for name in stacks.listed("list_imports", "Imports", ExportName=export)]
    except AwsError as error:
        if error.code == "ValidationError" and "is not imported by any stack" in str(error):
            return []
        raise
