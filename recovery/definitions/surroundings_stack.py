"""The CloudFormation stack that owns a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recovery.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recovery.definitions.reader import Reader

TABLE_TYPES = frozenset({"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"})
# A resource in one of these is not, or no longer, the stack's. What failed to be created may carry the name of
# somebody else's table, which was there already.
NOT_OF_THE_STACK = frozenset(
    {
        "CREATE_FAILED",
        "DELETE_COMPLETE",
        "DELETE_SKIPPED",
        "EXPORT_COMPLETE",
        "IMPORT_FAILED",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
_TAGS = {
    "stack_name": "aws:cloudformation:stack-name",
    "stack_id": "aws:cloudformation:stack-id",
    "logical_id": "aws:cloudformation:logical-id",
}


def stack_of(stacks: Reader, table: str, tags: Mapping[str, str]) -> dict[str, str] | None:
    """``stack_name``, ``stack_id``, ``logical_id`` and which way they were ``found_by``.

    CloudFormation tags what it creates; what was imported into a stack it does not. Raises AwsError where
    neither way leads to an answer.
    """
    found = {name: tags[tag] for name, tag in _TAGS.items() if tag in tags}
    if len(found) == len(_TAGS):
        # A table that outlived its stack, or was taken out of it, still carries the tags.
        return {**found, "found_by": "tags"}
    return _by_resource(stacks, table)


def _by_resource(stacks: Reader, table: str) -> dict[str, str] | None:
    try:
        resources = stacks.ask("describe_stack_resources", PhysicalResourceId=table)["StackResources"]
    except AwsError as error:
        # "Stack for orders does not exist". Others' ways to say no are no answer to this question.
        if error.code == "ValidationError" and f"Stack for {table} does not exist" in str(error):
            return None
        raise
    for resource in resources:
        if _is(resource, table):
            return _found(resource["StackName"], resource["StackId"], resource)
    # At most 100 resources of a stack are answered, and another thing of the same name may be first.
    for stack_id, name in {(one["StackId"], one["StackName"]): None for one in resources}:
        for resource in stacks.listed("list_stack_resources", "StackResourceSummaries", StackName=stack_id):
            if _is(resource, table):
                return _found(name, stack_id, resource)
    raise AwsError(
        f"another resource of a stack is named {table}, too: which stack the table is of is not told"
    )


def _is(resource: dict[str, Any], table: str) -> bool:
    return (
        resource["ResourceType"] in TABLE_TYPES
        and resource.get("PhysicalResourceId") == table
        and resource["ResourceStatus"] not in NOT_OF_THE_STACK
    )


def _found(stack_name: str, stack_id: str, resource: dict[str, Any]) -> dict[str, str]:
    return {
        "stack_name": stack_name,
        "stack_id": stack_id,
        "logical_id": resource["LogicalResourceId"],
        "found_by": "resources",
    }
